//! Which open egress rules go.

use super::{Revocation, RuleEvidence};
use crate::inventory::{GroupIx, InterfaceIx, Inventory, Rule};

/// A group whose open egress stays.
#[derive(Clone, Debug)]
pub struct KeptOpen {
    /// The group.
    pub group: GroupIx,
    /// Why.
    pub because: KeptOpenBecause,
}

/// Why open egress stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptOpenBecause {
    /// No interface carries the group: nothing leaves by it, and nothing is known.
    Unused,
    /// No interface that carries it recorded anything, not even that it was idle.
    Unseen,
}

/// Open egress goes where the logs show the group's traffic, or that there was
/// none. Where they show nothing at all, closing it would be a guess.
pub(super) fn open_egress(evidence: &RuleEvidence<'_>) -> (Vec<Revocation>, Vec<KeptOpen>) {
    let inventory = evidence.inventory;
    let (mut revocations, mut kept) = (Vec::new(), Vec::new());
    for group in inventory.group_indexes() {
        let open: Vec<&Rule> = inventory
            .group(group)
            .rules
            .iter()
            .filter(|rule| rule.is_open_egress())
            .collect();
        if open.is_empty() {
            continue;
        }
        let members = &inventory.group(group).members;
        let seen = |ix: &InterfaceIx| {
            let id = &inventory.interface(*ix).id;
            evidence.table.coverage_of(id).is_some()
        };
        if members.is_empty() {
            kept.push(KeptOpen {
                group,
                because: KeptOpenBecause::Unused,
            });
        } else if !members.iter().any(seen) {
            kept.push(KeptOpen {
                group,
                because: KeptOpenBecause::Unseen,
            });
        } else {
            revocations.extend(open.into_iter().map(|rule| Revocation {
                group,
                rule: rule.clone(),
            }));
        }
    }
    (revocations, kept)
}

/// Today's rules of a group without those that go.
pub(super) fn remaining(
    inventory: &Inventory,
    group: GroupIx,
    revocations: &[Revocation],
) -> Vec<Rule> {
    let gone = |rule: &Rule| {
        revocations
            .iter()
            .any(|r| r.group == group && r.rule.same_permission(rule))
    };
    inventory
        .group(group)
        .rules
        .iter()
        .filter(|rule| !gone(rule))
        .cloned()
        .collect()
}
