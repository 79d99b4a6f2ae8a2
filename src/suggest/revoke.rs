//! Which open egress rules go.

use std::collections::BTreeSet;

use super::evidence::RuleEvidence;
use super::kept_open::{KeptOpen, KeptOpenBecause};
use super::rule::{Revocation, RevokedBecause};
use crate::inventory::{GroupIx, InterfaceIx, Inventory, Rule};

/// Open egress goes where the logs show the group's traffic, or that there was
/// none. Where they show nothing at all, closing it would be a guess. That of groups over quota stays.
pub(super) fn open_egress(
    evidence: &RuleEvidence<'_>,
    over_quota: &BTreeSet<GroupIx>,
) -> (Vec<Revocation>, Vec<KeptOpen>) {
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
        } else if over_quota.contains(&group) {
            kept.push(KeptOpen {
                group,
                because: KeptOpenBecause::OverQuota,
            });
        } else {
            revocations.extend(open.into_iter().map(|rule| Revocation {
                group,
                rule: rule.clone(),
                because: RevokedBecause::OpenEgress,
            }));
        }
    }
    (revocations, kept)
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
