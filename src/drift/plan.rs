//! A Terraform plan against the policy.

use std::collections::BTreeSet;

use super::basis::{DriftBasis, DriftTraffic, PlannedChange};
use super::difference::{Difference, rule_in_words};
use super::fold::{AlikeConnections, Lacking};
use super::permitted::permitted;
use super::policy_rules::PolicyRules;
use super::traffic::sides;
use crate::documents::{Direction, DriftKind, DriftLevel};
use crate::inventory::{Admission, GroupIx, Rule};
use crate::net::visible;
use crate::policy::{DesiredState, EntryState, PolicyMode};
use crate::replay::{self, RulesAfter};
use crate::resolve::{Connection, End, Verdict};

/// What a plan breaks and opens. Gives the rules after it.
pub(super) fn plan(
    basis: &DriftBasis<'_>,
    desired: &DesiredState<'_>,
    planned: &PlannedChange,
    found: &mut Vec<Difference>,
) -> RulesAfter {
    let after = RulesAfter::new(basis.inventory, &planned.change);
    breaks(basis, desired, &after, found);
    opens(basis, desired, planned, found);
    for unknown in &planned.unknown {
        let text = visible(unknown, 300);
        let mut difference = Difference::new(
            DriftKind::PlanUnknown,
            DriftLevel::Note,
            format!("Not compared, because the plan does not know it yet: {text}."),
            "Run `closegate drift` without --plan after the apply.".to_owned(),
        );
        difference.about = text;
        found.push(difference);
    }
    after
}

/// Rules that the policy wants, that are permitted today, and that are not after the plan.
fn breaks(
    basis: &DriftBasis<'_>,
    desired: &DesiredState<'_>,
    after: &RulesAfter,
    found: &mut Vec<Difference>,
) {
    for group in desired.groups.values() {
        let Some(ix) = basis.inventory.group_by_id(group.id) else {
            continue;
        };
        for wanted in &group.wanted {
            let rule = &wanted.rule;
            let is_permitted = |rules: &[Rule]| permitted(basis.inventory, rules, rule);
            if !is_permitted(&group.group.rules) || is_permitted(after.rules_of(ix)) {
                continue;
            }
            let Some(by) = wanted.because.first() else {
                continue;
            };
            let words = rule_in_words(basis.inventory, rule);
            let what = if wanted.stands {
                format!("The plan removes an {words}, and the policy wants it.")
            } else {
                format!(
                    "The plan removes what permits today what the policy wants: its {words} does not stand yet."
                )
            };
            let difference = Difference::new(
                DriftKind::PlanBreaks,
                DriftLevel::Error,
                what,
                format!(
                    "Keep the rule, or add it in the same change; if it should go, decline {} first.",
                    by.entry.key
                ),
            );
            found.push(
                difference
                    .of(group.id, &group.group.name)
                    .by((by.group, by.entry))
                    .with_rule(rule),
            );
        }
    }
}

/// Rules that the plan makes, that permit what today's don't, and that the policy does not have.
fn opens(
    basis: &DriftBasis<'_>,
    desired: &DesiredState<'_>,
    planned: &PlannedChange,
    found: &mut Vec<Difference>,
) {
    let additions: BTreeSet<(GroupIx, &Rule)> = planned
        .change
        .additions
        .iter()
        .map(|(group, rule)| (*group, rule))
        .collect();
    for (ix, rule) in additions {
        let group = basis.inventory.group(ix);
        let wanted = desired.groups.get(group.id.as_str());
        let wanted = wanted.into_iter().flat_map(|own| &own.wanted);
        let wanted: Vec<Rule> = wanted.map(|wanted| wanted.rule.clone()).collect();
        if permitted(basis.inventory, &group.rules, rule)
            || permitted(basis.inventory, &wanted, rule)
        {
            continue;
        }
        let file = basis.policy.groups.get(&group.id);
        let mode = file.map(|file| file.mode);
        let level = match mode {
            Some(PolicyMode::Locked) if rule.is_open_egress() => DriftLevel::Error,
            Some(PolicyMode::Locked) => DriftLevel::Warning,
            _ if rule.to_everyone() => DriftLevel::Warning,
            _ => DriftLevel::Note,
        };
        let state = match mode {
            Some(PolicyMode::Locked) => "The group is locked.",
            Some(PolicyMode::Learn) => "The group is not locked yet.",
            None => "The policy has no file for the group.",
        };
        let before = if group.knows(rule.direction) {
            "which permits what today's rules don't"
        } else {
            "of a group whose rules of today the inventory lacks"
        };
        let section = match rule.direction {
            Direction::Egress => "[[allow]]",
            Direction::Ingress => "[[admit]]",
        };
        let difference = Difference::new(
            DriftKind::PlanOpens,
            level,
            format!(
                "The plan makes an {}, {before}, and no accepted entry has it. {state}",
                rule_in_words(basis.inventory, rule)
            ),
            format!(
                "Leave the rule out, or write an {section} entry for it into {}.toml in the same pull request, and accept that.",
                group.id
            ),
        );
        found.push(
            difference
                .of(&group.id, &group.name)
                .in_file(file.is_some())
                .with_rule(rule),
        );
    }
}

/// Finds accepted connections that the plan's rules deny. Gives how many cannot be judged.
pub(super) fn loses<'a>(
    basis: &'a DriftBasis<'a>,
    rules: &PolicyRules<'a>,
    planned: &PlannedChange,
    after: &RulesAfter,
    traffic: DriftTraffic<'a>,
    found: &mut Vec<Difference>,
) -> u64 {
    let mut unknown = 0;
    let mut folded = AlikeConnections::new(basis.inventory);
    for connection in traffic.connections {
        if connection.verdict != Verdict::Accepted {
            continue;
        }
        let (passage, passes) = after.judge(basis.inventory, connection);
        if passes != Some(false) {
            unknown += u64::from(passes.is_none());
            continue;
        }
        let said = [passage.egress, passage.ingress];
        let denied = sides(connection)
            .into_iter()
            .zip(said)
            .find(|(_, said)| *said == Admission::Denied);
        if let Some(((ends, direction), _)) = denied
            && let Some(lost) = lost(basis, rules, planned, connection, (ends, direction))
        {
            folded.add(lost);
        }
    }
    found.extend(folded.finish("accepted"));
    unknown
}

/// An accepted connection that one side denies after the plan.
fn lost<'a>(
    basis: &'a DriftBasis<'a>,
    rules: &PolicyRules<'a>,
    planned: &PlannedChange,
    connection: &'a Connection,
    (ends, direction): ((End, End), Direction),
) -> Option<Lacking<'a>> {
    let groups = &basis.inventory.interface(ends.0.interface()?).groups;
    let removes = |ix: &&GroupIx| {
        let mut removals = planned.change.removals.iter();
        removals.any(|(group, rule)| group == *ix && rule.direction == direction)
    };
    let ix = groups.iter().find(removes).or(groups.first())?;
    let group = basis.inventory.group(*ix);
    let has_file = basis.policy.groups.contains_key(&group.id);
    let wanted = rules.permitting(ends, direction, connection.service);
    let unwanted = rules.unwanted(ends, direction, connection.service);
    let passage = replay::passage(basis.inventory, &rules.gates, connection);
    let by_policy = match direction {
        Direction::Egress => passage.egress,
        Direction::Ingress => passage.ingress,
    };
    let (level, entry, says, to_do) = if let Some(&(own, entry)) = wanted.first() {
        (
            DriftLevel::Error,
            Some((own, entry)),
            format!("the plan denies them, and {} permits them.", entry.key),
            "Keep a rule that permits them in the same change.".to_owned(),
        )
    } else if let Some((own, entry)) = unwanted.filter(|(_, e)| e.state == EntryState::Declined) {
        (
            DriftLevel::Note,
            Some((own, entry)),
            format!("the plan denies them, as {} says.", entry.key),
            "Nothing, if the decision holds.".to_owned(),
        )
    } else if by_policy.certainly_passes() {
        (
            DriftLevel::Error,
            None,
            "the plan denies them, and rules of a group without a file permit them today."
                .to_owned(),
            "Keep a rule that permits them in the same change.".to_owned(),
        )
    } else {
        (
            DriftLevel::Warning,
            unwanted,
            "the plan denies them, and the policy has not decided about them.".to_owned(),
            "Decide first: `closegate policy update` proposes entries for what a run shows."
                .to_owned(),
        )
    };
    Some(Lacking {
        kind: DriftKind::PlanLoses,
        level,
        group: (group.id.as_str(), group.name.as_str(), has_file),
        entry,
        ends,
        direction,
        connection,
        says,
        to_do,
    })
}
