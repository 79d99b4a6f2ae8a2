//! `unused-group`: a group that nothing carries and no rule names.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::Target;
use crate::net::visible;

pub(super) const KIND: Kind = Kind {
    id: "unused-group",
    family: Family::Posture,
    severity: Severity::Info,
    confidence: Rating::High,
    quarantine: false,
    title: "A group that nothing carries and no rule names",
    remediation: "Delete the group.",
    sources: &["vpc-security-groups.html"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per group. Default groups can't be deleted
/// (default-security-group.html) and are left out.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let mut named: Vec<&str> = Vec::new();
    for group in inventory.groups() {
        let others = group.rules.iter().filter_map(|rule| match &rule.target {
            Target::Group(id) if *id != group.id => Some(id.as_str()),
            _ => None,
        });
        named.extend(others);
    }
    named.sort_unstable();
    let unused = inventory.group_indexes().filter(|&ix| {
        let group = inventory.group(ix);
        let in_use = !group.members.is_empty() || named.binary_search(&group.id.as_str()).is_ok();
        !in_use && group.name != "default"
    });
    let window = context.intake.window.unwrap_or_default();
    unused
        .map(|ix| Found {
            detail: format!(
                "No interface of the inventory carries group {} ({}), and no other group's rule names it.",
                visible(&inventory.group(ix).name, 80),
                inventory.group(ix).id
            ),
            group: Some(ix),
            when: Some((window.0, window.1, 0)),
            ..Found::default()
        })
        .collect()
}
