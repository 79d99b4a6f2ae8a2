//! `skipped-records`: AWS dropped records of an interface.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::plural;

pub(super) const KIND: Kind = Kind {
    id: "skipped-records",
    family: Family::Evidence,
    severity: Severity::Info,
    confidence: Rating::High,
    quarantine: false,
    title: "AWS dropped flow records",
    remediation: "Use logs of more days.",
    sources: &["flow-logs-records-examples.html: SKIPDATA"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per interface with SKIPDATA rows. A regional NAT gateway is no interface, and rows may name neither.
fn find(context: &Context<'_>) -> Vec<Found> {
    let table = context.table;
    table
        .observers
        .iter()
        .zip(&table.coverage)
        .filter_map(|(observer, coverage)| {
            let (first, last) = coverage.skipped?;
            let intervals = plural(coverage.skip_data, "interval");
            let is_interface = observer.starts_with("eni-");
            Some(Found {
                // Without an interface, only this tells two of them apart.
                subject: if is_interface {
                    String::new()
                } else {
                    observer.clone()
                },
                detail: if observer == "-" {
                    format!(
                        "AWS skipped records in {intervals}. The logs don't name the interface."
                    )
                } else {
                    format!("AWS skipped records of {observer} in {intervals}.")
                },
                interface: is_interface.then(|| observer.clone()),
                when: Some((first, last, coverage.skip_data)),
                ..Found::default()
            })
        })
        .collect()
}
