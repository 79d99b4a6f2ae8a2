//! Which open egress rules go.

use super::evidence::RuleEvidence;
use super::kept_open::{KeptOpen, KeptOpenBecause};
use super::rule::Revocation;
use crate::inventory::{GroupIx, InterfaceIx, Inventory, Rule};

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
