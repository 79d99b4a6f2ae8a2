//! `open-egress`: an egress rule for every port to everywhere.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::{GroupIx, Rule};
use crate::net::{day, visible};

pub(super) const KIND: Kind = Kind {
    id: "open-egress",
    family: Family::Posture,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: false,
    title: "Every port is open to the whole internet",
    remediation: "Add the suggested rules, then revoke the open rule.",
    sources: &[
        "vpc-security-groups.html: a new group lets all traffic out",
        "AWS FSBP and CIS: restrict egress",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// What to do where no interface carries the group: it needs no rules.
const UNUSED: &str =
    "No interface carries this group. Delete it if nothing else refers to it, or revoke the rule.";

/// One finding per group with at least one such rule.
fn find(context: &Context<'_>) -> Vec<Found> {
    context
        .inventory
        .group_indexes()
        .filter_map(|group| {
            let rules: Vec<&Rule> = context
                .inventory
                .group(group)
                .rules
                .iter()
                .filter(|r| r.is_open_egress())
                .collect();
            if rules.is_empty() {
                return None;
            }
            let targets: Vec<String> = rules.iter().map(|rule| rule.target.to_string()).collect();
            let members = context.inventory.group(group).members.len();
            Some(Found {
                detail: format!(
                    "Group {} ({}) permits all egress to {}; {members} interface{} it.{}",
                    visible(&context.inventory.group(group).name, 80),
                    context.inventory.group(group).id,
                    targets.join(" and "),
                    if members == 1 { " carries" } else { "s carry" },
                    opened(context, group, &rules),
                ),
                group: Some(group),
                remediation: (members == 0).then_some(UNUSED),
                evidence: context.permitted_egress(group, Rule::is_open_egress),
                ..Found::default()
            })
        })
        .collect()
}

/// Who opened it and when, as CloudTrail remembers it.
fn opened(context: &Context<'_>, group: GroupIx, rules: &[&Rule]) -> String {
    let births = rules
        .iter()
        .map(|rule| context.inventory.birth(group, rule));
    let mut known: Vec<(u64, &str, &str)> = births
        .flatten()
        .map(|birth| (birth.time, birth.who.as_str(), birth.event))
        .collect();
    known.sort_unstable();
    known.dedup();
    let said = |(time, who, event): (u64, &str, &str)| {
        let how = match event {
            "CreateSecurityGroup" => ", who made the group",
            _ => "",
        };
        format!(" Opened by {who}{how}, on {}.", day(time))
    };
    known.into_iter().map(said).collect()
}
