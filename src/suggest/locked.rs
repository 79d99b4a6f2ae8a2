//! What a policy changes about the rules that go.

use std::collections::BTreeSet;

use super::decided::PolicyRules;
use super::kept_open::{KeptOpen, KeptOpenBecause};
use super::rule::{Revocation, RevokedBecause, RuleSet};
use crate::documents::Status;
use crate::inventory::{GroupIx, Inventory, Rule};
use crate::net::aws_description;

/// Egress that an accepted entry wants stays, and of locked groups all egress goes that no accepted entry permits; that of groups over
/// quota stays. Both lists are in the order of their groups, before and after.
pub(super) fn beside_policy(
    inventory: &Inventory,
    policy: &PolicyRules,
    over_quota: &BTreeSet<GroupIx>,
    (revocations, mut kept_open): (Vec<Revocation>, Vec<KeptOpen>),
) -> (Vec<Revocation>, Vec<KeptOpen>) {
    let mut gone = Vec::new();
    for group in inventory.group_indexes() {
        let from = revocations.partition_point(|gone| gone.group < group);
        let to = revocations.partition_point(|gone| gone.group <= group);
        let decisions = policy.of(group);
        let (mut goes_open, mut is_accepted) = (false, false);
        for rule in &inventory.group(group).rules {
            let is_rule = |other: &Rule| other.same_permission(rule);
            let of_open = revocations[from..to].iter().any(|gone| is_rule(&gone.rule));
            let outside = decisions.outside.iter().any(is_rule) && !over_quota.contains(&group);
            if decisions.accepted.iter().any(|own| is_rule(&own.rule)) {
                is_accepted |= of_open;
                continue;
            }
            let because = if outside {
                RevokedBecause::OutsidePolicy
            } else if of_open {
                RevokedBecause::OpenEgress
            } else {
                continue;
            };
            goes_open |= rule.is_open_egress();
            gone.push(Revocation {
                group,
                rule: rule.clone(),
                because,
            });
        }
        if goes_open {
            kept_open.retain(|kept| kept.group != group);
        }
        if is_accepted {
            kept_open.push(KeptOpen {
                group,
                because: KeptOpenBecause::Accepted,
            });
        }
    }
    kept_open.sort_by_key(|kept| kept.group);
    (gone, kept_open)
}

/// Names the entries that proposals belong to. A rule that stands, and that connections need although the policy has it not, is not
/// revoked to be made again: it stays, as a proposal.
pub(super) fn beside_entries(policy: &PolicyRules, set: &mut RuleSet) {
    for suggested in &mut set.rules {
        if suggested.key.is_none() {
            let key = policy.key_of(suggested.group, &suggested.rule);
            suggested.key = key.map(ToOwned::to_owned);
        }
        if suggested.status != Status::Add {
            continue;
        }
        let is_it = |gone: &mut Revocation| {
            gone.group == suggested.group && gone.rule.same_permission(&suggested.rule)
        };
        let standing = set.revocations.extract_if(.., is_it).next();
        if let Some(standing) = standing {
            suggested.status = Status::Keep;
            suggested.rule = standing.rule;
            if !suggested.rule.description.is_empty() {
                suggested.wording = aws_description(&suggested.rule.description);
            }
        }
    }
}
