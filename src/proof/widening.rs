//! Whether the change permits anything that today's rules deny.
//!
//! Answered for every port at once and not by trying some: what a gate lets through
//! to one address is a set of intervals of (protocol, port), and what a rule lets
//! through to addresses is such an interval times a set of addresses. What a gate
//! would let through additionally counts if the opposite gate would too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rayon::prelude::*;

use super::reachable::{Class, Network, by_address, path};
use crate::inventory::{
    CompiledTarget, Direction, Gates, GroupIx, Interface, InterfaceIx, Inventory, Peer, Rule,
    ServiceSet,
};
use crate::replay::RulesAfter;

/// A rule that would let something through which today's rules do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widening {
    /// The group it belongs to.
    pub group: GroupIx,
    /// The rule.
    pub rule: Rule,
    /// One of the interfaces that it would serve.
    pub at: InterfaceIx,
    /// One of the addresses that become reachable, or may come in.
    pub peer: IpAddr,
    /// On which services: `tcp/5432`, `udp/1000-2000`.
    pub services: String,
}

/// Every rule of `after` that is not there today and widens something, the first
/// case of each.
pub fn wider(inventory: &Inventory, before: &Gates, after: &RulesAfter) -> Vec<Widening> {
    let network = Network::new(inventory);
    let classes = &network.classes;
    let new = new_rules(inventory, &after.rules);
    let of_class = |class: &Class| {
        let mut found: Found = BTreeMap::new();
        let groups = class.groups.iter();
        let added: Vec<&New<'_>> = groups.flat_map(|group| &new[group.index()]).collect();
        for direction in [Direction::Egress, Direction::Ingress] {
            let of_direction: Vec<_> = added
                .iter()
                .copied()
                .filter(|new| new.rule.direction == direction)
                .collect();
            if of_direction.is_empty() {
                continue;
            }
            let gate = Gate {
                inventory,
                class,
                direction,
                before,
                after: &after.gates,
            };
            for new in &of_direction {
                if let Some(widening) = gate.to_addresses(new) {
                    found.entry((new.group, new.position)).or_insert(widening);
                }
            }
            let at = inventory.interface(class.example);
            for new in &of_direction {
                let of_interface = |&ix: &InterfaceIx| {
                    let home = network.class_of(ix)?;
                    if !path(inventory, class.example, ix) {
                        return None;
                    }
                    let other = inventory.interface(ix);
                    let named = inventory.nameable_groups(at, direction, other);
                    gate.to_interface(new, (other, named), home)
                };
                if let Some(widening) = new.reached.iter().find_map(of_interface) {
                    found.entry((new.group, new.position)).or_insert(widening);
                }
            }
        }
        found
    };
    let by_class: Vec<Found> = classes.par_iter().map(of_class).collect();
    // Of a group that several classes carry, what the first of them shows.
    let mut all = Found::new();
    for (rule, widening) in by_class.into_iter().flatten() {
        all.entry(rule).or_insert(widening);
    }
    all.into_values().collect()
}

/// By group and position of the rule.
type Found = BTreeMap<(GroupIx, usize), Widening>;

/// A rule that is not there today.
struct New<'a> {
    group: GroupIx,
    position: usize,
    rule: &'a Rule,
    target: CompiledTarget,
    services: ServiceSet,
    /// In order, the interfaces that it reaches if rules can name their groups.
    reached: Vec<InterfaceIx>,
}

/// By group.
fn new_rules<'a>(inventory: &Inventory, after_rules: &'a [Vec<Rule>]) -> Vec<Vec<New<'a>>> {
    let by_address = by_address(inventory, every_address);
    // Of a group's members, those that are gone are as open as the others.
    let mut carrying: Vec<Vec<InterfaceIx>> = vec![Vec::new(); inventory.groups().len()];
    for ix in inventory.interface_indexes() {
        for group in &inventory.interface(ix).groups {
            carrying[group.index()].push(ix);
        }
    }
    let reached = |target: &CompiledTarget| match target {
        CompiledTarget::Group(group, _) => carrying[group.index()].clone(),
        CompiledTarget::Addresses(addresses) => {
            let holders = addresses.among(&by_address).map(|&(_, ix)| ix);
            let holders: BTreeSet<InterfaceIx> = holders.collect();
            holders.into_iter().collect()
        }
        CompiledTarget::AbsentGroup(_) | CompiledTarget::AbsentList | CompiledTarget::Nobody => {
            Vec::new()
        }
    };
    let of_group = |group: GroupIx| {
        let today = &inventory.group(group).rules;
        let rules = after_rules[group.index()].iter().enumerate();
        rules
            .filter(|(_, rule)| !today.iter().any(|standing| standing.same_permission(rule)))
            .map(|(position, rule)| {
                let target = rule.compiled_target(inventory);
                New {
                    group,
                    position,
                    rule,
                    services: ServiceSet::of(rule),
                    reached: reached(&target),
                    target,
                }
            })
            .collect()
    };
    inventory.group_indexes().map(of_group).collect()
}

/// One side of a class of interfaces.
struct Gate<'a> {
    inventory: &'a Inventory,
    class: &'a Class,
    direction: Direction,
    before: &'a Gates,
    after: &'a Gates,
}

impl Gate<'_> {
    /// Whether the rule opens addresses, whoever holds them, that are not open today.
    fn to_addresses(&self, new: &New<'_>) -> Option<Widening> {
        let CompiledTarget::Addresses(wanted) = &new.target else {
            return None;
        };
        let groups = &self.class.groups;
        for services in self.before.steps(groups, self.direction, &new.services) {
            let open = self.before.addresses_for(groups, self.direction, &services);
            if let Some(peer) = wanted.difference(&open).first() {
                return Some(self.widening(new, peer, &services));
            }
        }
        None
    }

    /// Whether the rule lets a pair of interfaces talk that may not today; `named` are the peer's
    /// groups that rules on this side can name.
    fn to_interface(
        &self,
        new: &New<'_>,
        (peer, named): (&Interface, &[GroupIx]),
        home: &Class,
    ) -> Option<Widening> {
        every_address(peer).find_map(|seen_peer| {
            let seen = Peer::listed(seen_peer, named);
            if !new.target.reaches(seen) {
                return None;
            }
            let today = self
                .before
                .services(&self.class.groups, self.direction, seen);
            let more = new.services.difference(&today).over(seen_peer.is_ipv4());
            if more.is_empty() {
                return None;
            }
            // The other gate decides about each member by the address it comes from.
            let opposite = self.direction.opposite();
            let mut members = self.class.members.iter();
            members.find_map(|&member| {
                let member = &self.inventory.interfaces()[member as usize];
                let named = self.inventory.nameable_groups(peer, opposite, member);
                if std::ptr::eq(member, peer) {
                    return None;
                }
                every_address(member).find_map(|address| {
                    let seen = Peer::listed(address, named);
                    let open = self.after.services(&home.groups, opposite, seen);
                    let through = more.intersection(&open);
                    (!through.is_empty()).then(|| self.widening(new, seen_peer, &through))
                })
            })
        })
    }

    fn widening(&self, new: &New<'_>, peer: IpAddr, services: &ServiceSet) -> Widening {
        Widening {
            group: new.group,
            rule: new.rule.clone(),
            at: self.class.example,
            peer,
            services: services.to_string(),
        }
    }
}

/// An interface's addresses, and both ends of its prefixes.
fn every_address(interface: &Interface) -> impl Iterator<Item = IpAddr> + '_ {
    let ends = interface
        .prefixes
        .iter()
        .flat_map(|prefix| [prefix.network(), prefix.broadcast()]);
    interface.addresses.iter().copied().chain(ends)
}
