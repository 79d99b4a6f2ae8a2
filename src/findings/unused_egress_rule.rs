//! `unused-egress-rule`: an egress rule that permitted no connection.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::Direction;
use crate::net::{plural, visible};
use crate::resolve::unknown_members;

pub(super) const KIND: Kind = Kind {
    id: "unused-egress-rule",
    family: Family::Posture,
    severity: Severity::Low,
    confidence: Rating::Medium,
    quarantine: false,
    title: "An egress rule that permitted no connection",
    remediation: "Check the length of the observation window. If it is long enough, remove the rule.",
    sources: &["aws-samples: stale security group rule analysis"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per rule of a group whose interfaces are in the logs. Open egress
/// is reported on its own, used or not.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let unknown = unknown_members(inventory, context.connections);
    let mut found = Vec::new();
    for ix in inventory.group_indexes() {
        let group = inventory.group(ix);
        let seen = |member: &_| {
            let id = &inventory.interface(*member).id;
            context.table.coverage_of(id).is_some()
        };
        if !group.members.iter().any(seen) {
            continue;
        }
        for (rule, hits) in group.rules.iter().zip(&context.hits[ix.index()]) {
            if rule.direction == Direction::Egress
                && hits.connections == 0
                && hits.maybe == 0
                && !rule.is_open_egress()
            {
                let what = format!(
                    "{} {:?} to {}",
                    rule.protocol,
                    rule.port_pair(),
                    rule.target
                );
                let missing = unknown[ix.index()];
                let unknown = if missing == 0 {
                    String::new()
                } else {
                    format!(
                        " {} that the inventory lacks may have carried the group, and used the rule.",
                        plural(missing, "interface")
                    )
                };
                let id = rule.rule_id.as_deref().unwrap_or("without an sgr- id");
                found.push(Found {
                    subject: what,
                    detail: format!(
                        "Group {} ({}): the egress rule for {} to {} ({id}) permitted no connection in the observation window.{unknown}",
                        visible(&group.name, 80),
                        group.id,
                        rule.services(),
                        rule.target
                    ),
                    group: Some(ix),
                    at_most: (missing > 0).then_some(Rating::Low),
                    when: Some((context.intake.window.unwrap_or_default().0, context.intake.window.unwrap_or_default().1, 0)),
                    ..Found::default()
                });
            }
        }
    }
    found
}
