//! `stale-reference`: a rule names a group that is not there, or that no path lets it name.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::{Inventory, Target};
use crate::net::visible;

pub(super) const KIND: Kind = Kind {
    id: "stale-reference",
    family: Family::Posture,
    severity: Severity::Low,
    confidence: Rating::Medium,
    quarantine: false,
    title: "A rule names a group that does not exist, or that it cannot reach",
    remediation: "Remove the rule.",
    sources: &[
        "vpc-peering-security-groups.html: stale rules",
        "API_DescribeStaleSecurityGroups.html: rules whose peering, association or transit gateway support is gone",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per rule whose group is gone or out of reach. AWS never removes such rules. A group of an account that is not in the inventory may be there.
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
            let why = match inventory.group_by_id(id) {
                Some(named) => {
                    let out = inventory.is_out_of_reference(ix, rule.direction, named);
                    out.then_some("whose VPC no peering connection or transit gateway of the inventory joins in a way that lets rules name its groups")
                }
                None => is_gone(inventory, id),
            };
            let Some(why) = why else { continue };
            found.push(Found {
                subject: format!("{} {} {id}", rule.direction.as_str(), rule.services()),
                detail: format!(
                    "Group {} ({}): an {} rule for {} names {id}, {why}.",
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

/// How it is known that a group is gone.
fn is_gone(inventory: &Inventory, id: &str) -> Option<&'static str> {
    let absent = inventory.absent_group(id)?;
    if !absent.reachable {
        return Some("over a peering connection that is not active");
    }
    let mut owners = inventory.groups().iter().map(|group| &group.owner);
    let is_ours = |account: &String| owners.any(|owner| owner == account);
    let here = absent.account.as_ref().is_none_or(is_ours);
    // Over a peering connection it may be in a region that is not in the inventory.
    (here && absent.peering.is_none()).then_some("which the inventory of its account doesn't have")
}
