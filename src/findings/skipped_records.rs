//! `skipped-records`: AWS dropped records of an interface.

use super::finding::{Context, Found};
use super::{Family, Kind, Rating, Severity, Signal};

pub(super) const KIND: Kind = Kind {
    id: "skipped-records",
    family: Family::Evidence,
    severity: Severity::Info,
    confidence: Rating::High,
    quarantine: false,
    title: "AWS dropped flow records",
    remediation: "Give the window more days: one SKIPDATA row can hide many connections, so absence proves nothing there.",
    sources: &["flow-logs-records-examples.html: SKIPDATA"],
    thresholds: &[],
    signal: Signal::Function(find),
};

/// One finding per interface with SKIPDATA rows.
fn find(context: &Context<'_>) -> Vec<Found> {
    let table = context.table;
    table
        .observers
        .iter()
        .zip(&table.coverage)
        .filter_map(|(observer, coverage)| {
            let (first, last) = coverage.skipped?;
            let intervals = if coverage.skip_data == 1 {
                "an interval"
            } else {
                "intervals"
            };
            Some(Found {
                detail: format!(
                    "AWS dropped records of {observer} in {} {intervals}.",
                    coverage.skip_data
                )
                .replace("1 an", "an"),
                interface: Some(observer.clone()),
                when: Some((first, last, coverage.skip_data)),
                ..Found::default()
            })
        })
        .collect()
}
