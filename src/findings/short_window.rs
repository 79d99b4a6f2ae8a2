//! `short-window`: too few days of logs to know what a group needs.

use super::finding::{Context, Found};
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
    title: "Fewer days of logs than a fortnight",
    remediation: "Add the rules, and wait with revoking until the window is a fortnight long; what runs once a month needs longer still.",
    sources: &[
        "engineers' experience: 3 minutes showed 5 connections that would be denied, 7 days showed 41",
    ],
    thresholds: &[],
    signal: Signal::Function(find),
};

/// At most one finding.
fn find(context: &Context<'_>) -> Vec<Found> {
    let (start, end) = context.intake.window.unwrap_or_default();
    if end - start >= u64::from(SHORT_WINDOW_DAYS) * DAY {
        return Vec::new();
    }
    vec![Found {
        detail: format!(
            "The logs cover {:.1} days; what happens once a week or once a month may not be in them.",
            f64::from(u32::try_from((end - start) / 8640).unwrap_or(u32::MAX)) / 10.0
        ),
        when: Some((start, end, context.intake.records_read())),
        ..Found::default()
    }]
}
