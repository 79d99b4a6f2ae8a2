//! `default-group-in-use`: an interface carries its network's default group.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::plural;

pub(super) const KIND: Kind = Kind {
    id: "default-group-in-use",
    family: Family::Posture,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "The default group of a network is in use",
    remediation: "Give its interfaces groups of their own, then remove every rule from the default group.",
    sources: &[
        "default-security-group.html: its members may talk to each other on every port",
        "AWS FSBP EC2.2",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per default group that interfaces carry and that has a rule.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let in_use = inventory.group_indexes().filter(|&ix| {
        let group = inventory.group(ix);
        group.name == "default" && !group.members.is_empty() && !group.rules.is_empty()
    });
    let window = context.intake.window.unwrap_or_default();
    in_use
        .map(|ix| {
            let group = inventory.group(ix);
            Found {
                detail: format!(
                    "{}, the default group of {}, is carried by {} and has {}.",
                    group.id,
                    group.vpc,
                    plural(group.members.len() as u64, "interface"),
                    plural(group.rules.len() as u64, "rule")
                ),
                group: Some(ix),
                when: Some((window.0, window.1, 0)),
                ..Found::default()
            }
        })
        .collect()
}
