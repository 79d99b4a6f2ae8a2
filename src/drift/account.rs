//! The account against the policy.

use super::basis::DriftBasis;
use super::difference::{Difference, rule_in_words};
use super::permitted::permitted;
use crate::documents::{Direction, DriftKind, DriftLevel};
use crate::inventory::{Inventory, Rule, Target};
use crate::net::{day, plural, visible};
use crate::policy::{
    DesiredGroup, DesiredState, EntryState, GroupPolicy, NotWritten, PlacedEntry, PolicyTarget,
    RuleOutside, WantedRule,
};

/// What of the account differs from what the policy wants.
pub(super) fn account(
    basis: &DriftBasis<'_>,
    desired: &DesiredState<'_>,
    found: &mut Vec<Difference>,
) {
    for group in desired.groups.values() {
        for direction in Direction::ALL.iter().copied() {
            if group.group.knows(direction) {
                standing(basis, group, direction, found);
            } else {
                found.extend(unknown(group, direction));
            }
        }
    }
    found.extend(
        desired
            .not_written
            .iter()
            .filter_map(|&(placed, reason)| not_written(basis.inventory, placed, reason)),
    );
    for policy in basis.policy.groups.values() {
        if !desired.groups.contains_key(policy.group.as_str()) {
            found.push(gone(basis.inventory, policy));
        }
    }
    for group in basis.inventory.groups() {
        let has_file = basis.policy.groups.contains_key(&group.id);
        if has_file || !group.known || group.members.is_empty() || basis.is_elsewhere(group) {
            continue;
        }
        let what = "The policy has no file for this group, so nothing of it is compared.";
        let to_do = "Merge a run in which its interfaces appear with `closegate policy update`.";
        let difference = Difference::new(
            DriftKind::GroupUncovered,
            DriftLevel::Note,
            what.to_owned(),
            to_do.to_owned(),
        );
        found.push(difference.of(&group.id, &group.name));
    }
}

/// The rules of one direction of a group, where the inventory has them.
fn standing(
    basis: &DriftBasis<'_>,
    group: &DesiredGroup<'_>,
    direction: Direction,
    found: &mut Vec<Difference>,
) {
    let wanted = group.wanted.iter();
    let missing = wanted.filter(|wanted| !wanted.stands && wanted.rule.direction == direction);
    found.extend(missing.map(|wanted| rule_missing(basis.inventory, group, wanted)));
    if group.is_locked() {
        let outside = group.outside.iter();
        let outside = outside.filter(|outside| outside.rule.direction == direction);
        let outside = outside.filter(|outside| !is_for_others(basis, &outside.rule));
        found.extend(outside.map(|outside| rule_outside(basis, group, outside)));
    }
}

/// Whether an ingress rule names a group of another account than the policy's: the entry that may want it lies there.
fn is_for_others(basis: &DriftBasis<'_>, rule: &Rule) -> bool {
    let Target::Group(id) = &rule.target else {
        return false;
    };
    let named = basis.inventory.group_by_id(id);
    rule.direction == Direction::Ingress
        && named.is_some_and(|ix| basis.is_elsewhere(basis.inventory.group(ix)))
}

fn rule_missing(
    inventory: &Inventory,
    group: &DesiredGroup<'_>,
    wanted: &WantedRule<'_>,
) -> Difference {
    let is_permitted = permitted(inventory, &group.group.rules, &wanted.rule);
    let (level, effect) = if is_permitted {
        let effect = "Other rules of the group permit the same today, so nothing breaks.";
        (DriftLevel::Warning, effect)
    } else {
        (DriftLevel::Error, "No other rule of the group permits it.")
    };
    let what = format!(
        "The policy wants an {}, and it does not stand. {effect}",
        rule_in_words(inventory, &wanted.rule)
    );
    let first = wanted.because.first();
    let to_do = format!(
        "Apply the policy's rules: the rule was never made, or somebody removed it. If it should be gone, decline {}.",
        first.map_or("its entry", |by| by.entry.key.as_str())
    );
    let difference = Difference::new(DriftKind::RuleMissing, level, what, to_do)
        .of(group.id, &group.group.name)
        .with_rule(&wanted.rule);
    match first {
        Some(by) => difference.by((by.group, by.entry)),
        None => difference,
    }
}

fn rule_outside(
    basis: &DriftBasis<'_>,
    group: &DesiredGroup<'_>,
    outside: &RuleOutside,
) -> Difference {
    let rule = &outside.rule;
    let words = rule_in_words(basis.inventory, rule);
    let known = known_of(basis.inventory, group, rule);
    let (kind, level, what, to_do) = if outside.is_covered {
        (
            DriftKind::RuleCovered,
            DriftLevel::Note,
            format!(
                "An {words} stands that the policy does not have.{known} An accepted entry permits all that it permits."
            ),
            "Revoke it once the wider rule stands, or leave it: it permits nothing more."
                .to_owned(),
        )
    } else if rule.direction == Direction::Ingress {
        (
            DriftKind::IngressOutside,
            if basis.closes_ingress {
                DriftLevel::Warning
            } else {
                DriftLevel::Note
            },
            format!("An {words} stands that the policy does not have.{known}"),
            format!(
                "Revoke it, or write an [[admit]] entry for it into {}.toml and accept that.",
                group.id
            ),
        )
    } else if rule.is_open_egress() {
        (
            DriftKind::GroupReopened,
            DriftLevel::Error,
            format!("The group is locked, and its egress is open: an {words} stands.{known}"),
            "Revoke it. The group's accepted entries are all that it may open.".to_owned(),
        )
    } else {
        (
            DriftKind::RuleOutside,
            DriftLevel::Warning,
            format!(
                "The group is locked, and an {words} stands that the policy does not permit.{known}"
            ),
            format!(
                "Revoke it, or write an [[allow]] entry for it into {}.toml and accept that.",
                group.id
            ),
        )
    };
    Difference::new(kind, level, what, to_do)
        .of(group.id, &group.group.name)
        .in_file(true)
        .with_rule(rule)
}

/// What is known of a rule that stands: who made it, and its description. Begins with a space, if there is something.
fn known_of(inventory: &Inventory, group: &DesiredGroup<'_>, rule: &Rule) -> String {
    let ix = inventory.group_by_id(group.id);
    let born = ix.and_then(|ix| inventory.birth(ix, rule));
    let made = born.map(|born| {
        let who = visible(&born.who, 120);
        format!(" {who} made it on {}.", day(born.time))
    });
    let described = Some(&rule.description).filter(|text| !text.is_empty());
    let described = described.map(|text| format!(" Its description: `{}`.", visible(text, 100)));
    made.unwrap_or_default() + &described.unwrap_or_default()
}

/// The inventory lacks a group's rules of a direction, and the policy wants some or locks the group.
fn unknown(group: &DesiredGroup<'_>, direction: Direction) -> Option<Difference> {
    let mut wanted = group.wanted.iter();
    let matters = wanted.any(|wanted| wanted.rule.direction == direction)
        || (group.is_locked() && direction == Direction::Egress);
    matters.then(|| {
        let direction = direction.as_str();
        let what = format!(
            "The inventory lacks the {direction} rules of this group, so closegate can't tell whether they differ."
        );
        let mut difference = Difference::new(
            DriftKind::RulesUnknown,
            DriftLevel::Warning,
            what,
            "Take the snapshot again, with everything that `aws ec2 describe-security-groups` prints."
                .to_owned(),
        )
        .of(group.id, &group.group.name)
        .in_file(group.policy.is_some());
        direction.clone_into(&mut difference.about);
        difference
    })
}

/// An accepted entry that is not written. One whose own group is unknown is a part of the group's difference.
fn not_written(
    inventory: &Inventory,
    (group, entry): PlacedEntry<'_>,
    reason: NotWritten,
) -> Option<Difference> {
    let target = match &entry.target {
        PolicyTarget::Group(id) | PolicyTarget::PrefixList(id) => id.as_str(),
        PolicyTarget::Service(name) => name.as_str(),
        PolicyTarget::Prefixes(_) => "",
    };
    let carried = inventory.group_by_id(target).is_some();
    let target = visible(target, 80);
    let (kind, level, what, to_do) = match reason {
        NotWritten::OwnGroupUnknown => return None,
        NotWritten::Expired => {
            let known = inventory.group_by_id(&group.group);
            let standing = known.map_or(&[][..], |ix| inventory.group(ix).rules.as_slice());
            let rules = entry.rules();
            let stands = rules
                .iter()
                .any(|rule| standing.iter().any(|own| own.same_permission(rule)));
            let still = if stands {
                "Its rules still stand."
            } else {
                "Its rules do not stand."
            };
            let last = entry.expires.map(|last| last.to_string());
            (
                DriftKind::DecisionExpired,
                DriftLevel::Warning,
                format!(
                    "The entry was accepted until {}, which is over, so the policy does not want it any more. {still}",
                    last.unwrap_or_default()
                ),
                format!(
                    "Decide {} again, with a later `expires` or without one.",
                    entry.key
                ),
            )
        }
        NotWritten::Service => (
            DriftKind::ServiceNotWritten,
            DriftLevel::Note,
            format!(
                "The entry is accepted, and names the AWS service {target}, for which closegate writes no rules."
            ),
            "Name the service's prefix list or its prefixes instead.".to_owned(),
        ),
        NotWritten::TargetUnknown if carried => (
            DriftKind::RulesUnknown,
            DriftLevel::Warning,
            format!(
                "The entry is accepted, and names {target}, which interfaces of the inventory carry and whose rules it lacks."
            ),
            "Take the snapshot again, with the groups of every account whose groups are used."
                .to_owned(),
        ),
        NotWritten::TargetUnknown => (
            DriftKind::GroupGone,
            DriftLevel::Warning,
            format!(
                "The entry is accepted, and names {target}, which is not in the inventory: it was deleted, or it belongs to another account."
            ),
            format!(
                "Decline {}, or take the snapshot of the other account as well.",
                entry.key
            ),
        ),
        NotWritten::ListUnknown => (
            DriftKind::ListGone,
            DriftLevel::Warning,
            format!("The entry is accepted, and names {target}, which is not in the inventory."),
            format!(
                "Decline {} if the prefix list is gone, or take the snapshot again with the prefix lists.",
                entry.key
            ),
        ),
    };
    let difference = Difference::new(kind, level, what, to_do);
    Some(difference.of(&group.group, &group.name).by((group, entry)))
}

/// A group of the policy that the inventory lacks, or whose rules it lacks.
fn gone(inventory: &Inventory, policy: &GroupPolicy) -> Difference {
    let accepted = policy.entries.iter();
    let accepted = accepted.filter(|entry| entry.state == EntryState::Accepted);
    let accepted = accepted.count();
    let entries = match accepted {
        0 => "It has no accepted entry.".to_owned(),
        1 => "Its one accepted entry is not compared.".to_owned(),
        many => format!(
            "Its {} are not compared.",
            plural(many as u64, "accepted entry").replace("entrys", "entries")
        ),
    };
    let level = if accepted == 0 {
        DriftLevel::Note
    } else {
        DriftLevel::Warning
    };
    let difference = if inventory.group_by_id(&policy.group).is_some() {
        Difference::new(
            DriftKind::RulesUnknown,
            level,
            format!(
                "An interface of the inventory carries this group, and the inventory lacks its rules. {entries}"
            ),
            "Take the snapshot again, with the groups of every account whose groups are used."
                .to_owned(),
        )
    } else {
        Difference::new(
            DriftKind::GroupGone,
            level,
            format!("The policy covers this group, and it is not in the inventory. {entries}"),
            format!(
                "Remove {}.toml if the group was deleted, or take the snapshot of its account as well.",
                policy.group
            ),
        )
    };
    difference.of(&policy.group, &policy.name).in_file(true)
}
