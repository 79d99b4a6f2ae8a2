//! `open-through-another-group`: a group with an allow list, on interfaces that another group opens.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::GroupIx;
use crate::net::visible;

pub(super) const KIND: Kind = Kind {
    id: "open-through-another-group",
    family: Family::Posture,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "A group's allow list is undone by another group of the same interfaces",
    remediation: "Revoke the other group's open rule as well, or detach that group from these interfaces.",
    sources: &["vpc-security-groups.html: rules of all groups of an interface add up"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per pair of such a group and the one that is open.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let is_open = |ix: GroupIx| inventory.group(ix).has_open_egress();
    let window = context.intake.window.unwrap_or_default();
    let mut all = Vec::new();
    for narrow in inventory.group_indexes().filter(|&ix| !is_open(ix)) {
        let members = &inventory.group(narrow).members;
        let beside = |ix: &&_| inventory.interface(**ix).groups.iter().copied();
        let mut open: Vec<GroupIx> = members
            .iter()
            .flat_map(|ix| beside(&ix))
            .filter(|&ix| is_open(ix))
            .collect();
        open.sort_unstable();
        open.dedup();
        for other in open {
            let both = members
                .iter()
                .filter(|ix| beside(ix).any(|group| group == other))
                .count();
            let name = |ix: GroupIx| {
                let group = inventory.group(ix);
                format!("{} ({})", visible(&group.name, 80), group.id)
            };
            all.push(Found {
                subject: inventory.group(other).id.clone(),
                detail: format!(
                    "{both} of {} interfaces of group {} also carry {}, which has open egress.",
                    members.len(),
                    name(narrow),
                    name(other)
                ),
                group: Some(narrow),
                when: Some((window.0, window.1, 0)),
                ..Found::default()
            });
        }
    }
    all
}
