//! What a policy changes about the rules that go.

use std::collections::BTreeSet;

use super::decided::DecidedRules;
use super::kept_open::{KeptOpen, KeptOpenBecause};
use super::rule::{Revocation, RevokedBecause, RuleSet};
use crate::documents::Status;
use crate::inventory::{GroupIx, Inventory, Rule};
use crate::net::aws_description;

/// Egress that an accepted entry wants stays, and of locked groups all egress goes that no accepted entry permits; that of groups over
/// quota stays. Both lists are in the order of their groups, before and after.
pub(super) fn beside_policy(
    inventory: &Inventory,
    policy: &DecidedRules,
    over_quota: &BTreeSet<GroupIx>,
    (revocations, mut kept_open): (Vec<Revocation>, Vec<KeptOpen>),
) -> (Vec<Revocation>, Vec<KeptOpen>) {
    let mut gone = Vec::new();
    for group in inventory.group_indexes() {
        let from = revocations.partition_point(|gone| gone.group < group);
        let to = revocations.partition_point(|gone| gone.group <= group);
        let decisions = policy.of(group);
        let first = gone.len();
        let (mut goes_open, mut accepted) = (false, Vec::new());
        for rule in &inventory.group(group).rules {
            let is_rule = |other: &Rule| other.same_permission(rule);
            let mut open = revocations[from..to].iter();
            let open = open.find(|gone| is_rule(&gone.rule));
            let outside = decisions.outside.iter().any(is_rule) && !over_quota.contains(&group);
            if decisions.accepted.iter().any(|own| is_rule(&own.rule)) {
                let is_port = |open: &Revocation| open.because == RevokedBecause::OpenPort;
                accepted.extend(open.map(|open| is_port(open).then_some(rule)));
                continue;
            }
            let because = match open {
                _ if outside => RevokedBecause::OutsidePolicy,
                Some(open) => open.because,
                None => continue,
            };
            goes_open |= rule.is_open_egress();
            gone.push(Revocation {
                group,
                rule: rule.clone(),
                because,
            });
        }
        let goes = |kept: &KeptOpen| match &kept.rule {
            Some(rule) => {
                let mut own = gone[first..].iter();
                own.any(|gone| gone.rule.same_permission(rule))
            }
            None => goes_open,
        };
        kept_open.retain(|kept| kept.group != group || !goes(kept));
        kept_open.extend(KeptOpen::of(group, accepted, KeptOpenBecause::Accepted));
    }
    kept_open.sort_by(|a, b| (a.group, &a.rule).cmp(&(b.group, &b.rule)));
    (gone, kept_open)
}

/// Names the entries that proposals belong to. A rule that stands, and that connections need although the policy has it not, is not
/// revoked to be made again: it stays, as a proposal. Rules for some ports that would be made again stay by themselves.
pub(super) fn beside_entries(policy: &DecidedRules, set: &mut RuleSet) {
    for suggested in &mut set.rules {
        if suggested.key.is_none() {
            let key = policy.key_of(suggested.group, &suggested.rule);
            suggested.key = key.map(ToOwned::to_owned);
        }
        if suggested.status != Status::Add {
            continue;
        }
        let is_it = |gone: &mut Revocation| {
            gone.group == suggested.group
                && gone.because != RevokedBecause::OpenPort
                && gone.rule.same_permission(&suggested.rule)
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
