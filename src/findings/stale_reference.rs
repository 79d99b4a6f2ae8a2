//! `stale-reference`: a rule names a group that is not there.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::Target;
use crate::net::visible;

pub(super) const KIND: Kind = Kind {
    id: "stale-reference",
    family: Family::Posture,
    severity: Severity::Low,
    confidence: Rating::Medium,
    quarantine: false,
    title: "A rule names a group that does not exist",
    remediation: "Remove the rule, or add a snapshot of the account that owns the group.",
    sources: &["vpc-peering-security-groups.html: stale rules"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per rule whose group the inventory lacks: deleted, or of an account
/// that was not snapshotted. AWS never removes such rules.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let window = context.intake.window.unwrap_or_default();
    let mut found = Vec::new();
    for ix in inventory.group_indexes() {
        let group = inventory.group(ix);
        for rule in &group.rules {
            let Target::Group(id) = &rule.target else {
                continue;
            };
            if inventory.group_by_id(id).is_some() {
                continue;
            }
            found.push(Found {
                subject: format!("{} {} {id}", rule.direction.as_str(), rule.services()),
                detail: format!(
                    "Group {} ({}): an {} rule for {} names {id}, which is not in the inventory.",
                    visible(&group.name, 80),
                    group.id,
                    rule.direction.as_str(),
                    rule.services()
                ),
                group: Some(ix),
                when: Some((window.0, window.1, 0)),
                ..Found::default()
            });
        }
    }
    found
}
