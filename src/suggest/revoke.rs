//! Which open rules go.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::RuleEvidence;
use super::kept_open::{KeptOpen, KeptOpenBecause};
use super::rule::{Reason, Revocation, RevokedBecause, RuleSet, SuggestedRule};
use crate::documents::Status;
use crate::inventory::{GroupIx, InterfaceIx, Inventory, Rule};

/// Rules that permit some ports to everybody and were to go, with the reason why each stays.
pub(super) type OpenPorts = BTreeMap<(GroupIx, Rule), KeptOpenBecause>;

/// Open rules that stay although the logs show the traffic of their groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Staying {
    /// Groups over quota: all of their open rules stay.
    pub(super) over_quota: BTreeSet<GroupIx>,
    pub(super) ports: OpenPorts,
}

/// Open rules go where the logs show the group's traffic, or that there was none. Where they show nothing at all, closing
/// them would be a guess. Rules that permit only some ports to everybody are among them on request.
pub(super) fn open_rules(
    evidence: &RuleEvidence<'_>,
    staying: &Staying,
) -> (Vec<Revocation>, Vec<KeptOpen>) {
    let inventory = evidence.inventory;
    let (mut revocations, mut kept) = (Vec::new(), Vec::new());
    let narrow = evidence.generalise.narrow;
    let is_open = |rule: &&Rule| rule.is_open_egress() || narrow && rule.is_open_port();
    for group in inventory.group_indexes() {
        let rules = inventory.group(group).rules.iter();
        let open: Vec<&Rule> = rules.filter(is_open).collect();
        if open.is_empty() {
            continue;
        }
        let members = &inventory.group(group).members;
        let seen = |ix: &InterfaceIx| {
            let id = &inventory.interface(*ix).id;
            evidence.table.coverage_of(id).is_some()
        };
        let because = if members.is_empty() {
            Some(KeptOpenBecause::Unused)
        } else if !members.iter().any(seen) {
            Some(KeptOpenBecause::Unseen)
        } else if staying.over_quota.contains(&group) {
            Some(KeptOpenBecause::OverQuota)
        } else {
            None
        };
        if let Some(because) = because {
            kept.extend(KeptOpen::of(group, open.into_iter().map(of_port), because));
            continue;
        }
        for rule in open {
            match staying.ports.get(&(group, rule.clone())) {
                Some(&because) => kept.extend(KeptOpen::of(group, [of_port(rule)], because)),
                None => revocations.push(Revocation {
                    group,
                    rule: rule.clone(),
                    because: if rule.is_open_port() {
                        RevokedBecause::OpenPort
                    } else {
                        RevokedBecause::OpenEgress
                    },
                }),
            }
        }
    }
    (revocations, kept)
}

/// The rule itself if it is one for some ports.
fn of_port(rule: &Rule) -> Option<&Rule> {
    rule.is_open_port().then_some(rule)
}

/// Rules for some ports that go and would be made again, by the same group or by one that an interface carries beside it. They
/// are to stay. What a policy wants of a group beside it is made in any case.
pub(super) fn made_again(evidence: &RuleEvidence<'_>, set: &RuleSet) -> OpenPorts {
    let (inventory, connections) = (evidence.inventory, evidence.connections);
    let made: Vec<&SuggestedRule> = set
        .rules
        .iter()
        .filter(|r| r.status == Status::Add && r.reason != Reason::Policy)
        .filter(|r| r.rule.is_open_port())
        .collect();
    let is_made_again = |gone: &&Revocation| {
        let beside = |&connection: &usize| {
            let initiator = connections[connection].initiator.interface();
            initiator.is_some_and(|ix| inventory.interface(ix).groups.contains(&gone.group))
        };
        let mut same = made
            .iter()
            .filter(|made| made.rule.same_permission(&gone.rule));
        same.any(|made| made.group == gone.group || made.evidence.iter().any(beside))
    };
    let ports = set.revocations.iter().filter(|gone| is_narrowed(gone));
    let again = ports.filter(is_made_again);
    again
        .map(|gone| {
            let key = (gone.group, gone.rule.clone());
            (key, KeptOpenBecause::TooManyAddresses)
        })
        .collect()
}

/// Whether it goes because it permits some ports to everybody. What a policy closes is not among these.
fn is_narrowed(gone: &Revocation) -> bool {
    gone.because == RevokedBecause::OpenPort
}

/// Rules for some ports that go from groups for which no rules fit; from the groups beside such a group, if it has none
/// itself. They are to stay, for what replaces them takes the room of other rules.
pub(super) fn crowding(
    inventory: &Inventory,
    revocations: &[Revocation],
    left_out: impl Iterator<Item = GroupIx>,
) -> OpenPorts {
    let ports = revocations.iter().filter(|gone| is_narrowed(gone));
    let ports: Vec<&Revocation> = ports.collect();
    let mut staying = OpenPorts::new();
    for group in left_out {
        let mut groups = BTreeSet::from([group]);
        if !ports.iter().any(|gone| gone.group == group) {
            for &member in &inventory.group(group).members {
                groups.extend(&inventory.interface(member).groups);
            }
        }
        for gone in ports.iter().filter(|gone| groups.contains(&gone.group)) {
            let key = (gone.group, gone.rule.clone());
            staying.insert(key, KeptOpenBecause::TooManyRules);
        }
    }
    staying
}

/// By group, today's rules without those that go. The revocations are in the order of their groups.
pub(super) fn remaining(inventory: &Inventory, revocations: &[Revocation]) -> Vec<Vec<Rule>> {
    let of_group = |group: GroupIx| {
        let from = revocations.partition_point(|gone| gone.group < group);
        let to = revocations.partition_point(|gone| gone.group <= group);
        let goes = |rule: &&Rule| {
            let mut gone = revocations[from..to].iter();
            gone.any(|gone| gone.rule.same_permission(rule))
        };
        let rules = inventory.group(group).rules.iter();
        rules.filter(|rule| !goes(rule)).cloned().collect()
    };
    inventory.group_indexes().map(of_group).collect()
}
