//! The policy's rules, as they judge connections.

use super::basis::DriftBasis;
use crate::documents::Direction;
use crate::inventory::{Gates, GroupIx, Packet, Rule};
use crate::net::Service;
use crate::policy::{
    DesiredState, EntryState, GroupPolicy, PlacedEntry, PolicyMode, PolicyTarget, WantedRule,
};
use crate::resolve::{End, peer_of};

/// Every group's rules as the policy wants them, and those of entries that it does not want.
pub(super) struct PolicyRules<'a> {
    basis: &'a DriftBasis<'a>,
    /// What the policy wants; of a group without a file, today's rules as well, but for open egress: that other groups permit something
    /// by name is no difference.
    pub(super) gates: Gates,
    /// By group, in the order of the rules in `gates`; today's rules follow them.
    wanted: Vec<Vec<&'a WantedRule<'a>>>,
    /// Rules of entries that are not wanted.
    other_gates: Gates,
    /// By group, in the order of the rules in `other_gates`.
    others: Vec<Vec<PlacedEntry<'a>>>,
}

impl<'a> PolicyRules<'a> {
    pub(super) fn new(basis: &'a DriftBasis<'a>, desired: &'a DesiredState<'a>) -> Self {
        let inventory = basis.inventory;
        let mut rules: Vec<Vec<Rule>> = Vec::new();
        let mut wanted: Vec<Vec<&WantedRule<'_>>> = Vec::new();
        for group in inventory.groups() {
            let own = desired.groups.get(group.id.as_str());
            let wants: Vec<&WantedRule<'_>> =
                own.map_or_else(Vec::new, |own| own.wanted.iter().collect());
            let mut all: Vec<Rule> = wants.iter().map(|wanted| wanted.rule.clone()).collect();
            if !basis.policy.groups.contains_key(&group.id) {
                let today = group.rules.iter();
                all.extend(today.filter(|rule| !rule.is_open_egress()).cloned());
            }
            rules.push(all);
            wanted.push(wants);
        }
        let mut other_rules: Vec<Vec<Rule>> = vec![Vec::new(); rules.len()];
        let mut others: Vec<Vec<PlacedEntry<'_>>> = vec![Vec::new(); rules.len()];
        for (group, entry) in basis.policy.entries() {
            if entry.holds_on(basis.today) {
                continue;
            }
            let own = entry.rules().into_iter();
            let own = own.map(|rule| (group.group.as_str(), rule));
            let half = entry.other_half(&group.group).into_iter();
            let half = half.filter_map(|rule| match &entry.target {
                PolicyTarget::Group(id) => Some((id.as_str(), rule)),
                _ => None,
            });
            for (id, rule) in own.chain(half) {
                if let Some(ix) = inventory.group_by_id(id) {
                    other_rules[ix.index()].push(rule);
                    others[ix.index()].push((group, entry));
                }
            }
        }
        Self {
            basis,
            gates: Gates::new(inventory, |group| &rules[group.index()]),
            wanted,
            other_gates: Gates::new(inventory, |group| &other_rules[group.index()]),
            others,
        }
    }

    /// The groups of an end that the policy covers.
    pub(super) fn covered(&self, at: End) -> Vec<&'a GroupPolicy> {
        let inventory = self.basis.inventory;
        let groups = at.interface().map(|ix| &inventory.interface(ix).groups);
        let groups = groups.into_iter().flatten();
        groups
            .filter_map(|&ix| self.basis.policy.groups.get(&inventory.group(ix).id))
            .collect()
    }

    /// Of several covered groups, the one to which a difference belongs: the first that learns, since what is open stays open there, else
    /// the first.
    pub(super) fn charged(covered: &[&'a GroupPolicy]) -> Option<&'a GroupPolicy> {
        let mut all = covered.iter();
        let learning = all.find(|group| group.mode == PolicyMode::Learn);
        learning.or(covered.first()).copied()
    }

    /// The entries that permit what one end sends to, or receives from, another, or that may.
    pub(super) fn permitting(
        &self,
        (at, peer): (End, End),
        direction: Direction,
        service: Service,
    ) -> Vec<PlacedEntry<'a>> {
        let found = self.places(&self.gates, (at, peer), direction, service);
        let wanted = found.into_iter().filter_map(|(group, position)| {
            // What stands of groups without a file is behind the wanted rules.
            self.wanted[group.index()].get(position)
        });
        wanted
            .flat_map(|wanted| &wanted.because)
            .map(|by| (by.group, by.entry))
            .collect()
    }

    /// The entry that would permit it if it were accepted, or if its decision had not expired: a declined one first.
    pub(super) fn unwanted(
        &self,
        (at, peer): (End, End),
        direction: Direction,
        service: Service,
    ) -> Option<PlacedEntry<'a>> {
        let found = self.places(&self.other_gates, (at, peer), direction, service);
        let mut entries: Vec<PlacedEntry<'a>> = found
            .into_iter()
            .map(|(group, position)| self.others[group.index()][position])
            .collect();
        entries.sort_by(|(_, a), (_, b)| {
            let undeclined = |state: EntryState| state != EntryState::Declined;
            (undeclined(a.state), &a.key).cmp(&(undeclined(b.state), &b.key))
        });
        entries.first().copied()
    }

    /// Every rule that permits it, or may.
    fn places(
        &self,
        gates: &Gates,
        (at, peer): (End, End),
        direction: Direction,
        service: Service,
    ) -> Vec<(GroupIx, usize)> {
        let inventory = self.basis.inventory;
        let Some(ix) = at.interface() else {
            return Vec::new();
        };
        let groups = &inventory.interface(ix).groups;
        let seen = peer_of(inventory, at, direction, peer);
        let packet = Packet::from(service);
        let certain = gates.admitting(groups, direction, seen, packet);
        certain
            .chain(gates.uncertain(groups, direction, seen, packet))
            .collect()
    }
}
