//! `expired-approval`: a connection after its approval expired.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::{plural, visible};

pub(super) const KIND: Kind = Kind {
    id: "expired-approval",
    family: Family::Evidence,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "An approval has expired, and the connection continues",
    remediation: "Renew the approval in closegate.toml with a new date, or end the connection.",
    sources: &["closegate.toml: [[approve]]"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per approval that connections outlived.
fn find(context: &Context<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for approval in &context.policy.approvals {
        let outlived =
            context.connections.iter().enumerate().filter(|(_, c)| {
                approval.covers(context.inventory, c) && approval.is_expired_for(c)
            });
        let evidence: Vec<usize> = outlived.map(|(position, _)| position).collect();
        if evidence.is_empty() {
            continue;
        }
        let (reason, owner) = (visible(&approval.reason, 120), visible(&approval.owner, 80));
        all.push(Found {
            subject: format!("{reason} {owner}"),
            detail: format!(
                "{} since the approval \"{reason}\" of {owner} expired.",
                plural(evidence.len() as u64, "connection")
            ),
            evidence,
            ..Found::default()
        });
    }
    all
}
