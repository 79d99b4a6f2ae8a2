//! `short-window`: too few days of logs to know what a group needs.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::flow::DAY;

/// A fortnight: every weekly job ran twice.
pub const SHORT_WINDOW_DAYS: u32 = 14;

pub(super) const KIND: Kind = Kind {
    id: "short-window",
    family: Family::Evidence,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "Less than 14 days of logs",
    remediation: "Add the rules, but don't revoke until the observation window is 14 days long. Monthly jobs need longer still.",
    sources: &[
        "engineers' experience: 3 minutes showed 5 connections that would be denied, 7 days showed 41",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// At most one finding.
fn find(context: &Context<'_>) -> Vec<Found> {
    let (start, end) = context.intake.window.unwrap_or_default();
    if end - start >= u64::from(SHORT_WINDOW_DAYS) * DAY {
        return Vec::new();
    }
    vec![Found {
        detail: format!(
            "The logs cover {:.1} days. Weekly and monthly jobs may be missing.",
            f64::from(u32::try_from((end - start) / 8640).unwrap_or(u32::MAX)) / 10.0
        ),
        when: Some((start, end, context.intake.records_read())),
        ..Found::default()
    }]
}
