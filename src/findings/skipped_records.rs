//! `skipped-records`: AWS dropped records of an interface.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::{plural, visible};

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

/// One finding per interface with SKIPDATA rows.
fn find(context: &Context<'_>) -> Vec<Found> {
    let table = context.table;
    table
        .observers
        .iter()
        .zip(&table.coverage)
        .filter_map(|(observer, coverage)| {
            let (first, last) = coverage.skipped?;
            let is_interface = observer.starts_with("eni-");
            let place = match (is_interface, observer.as_str()) {
                (false, "-") => "a place that the records don't name".to_owned(),
                _ => visible(observer, 60),
            };
            Some(Found {
                subject: if is_interface {
                    String::new()
                } else {
                    place.clone()
                },
                detail: format!(
                    "AWS skipped records of {place} in {}.",
                    plural(coverage.skip_data, "interval")
                ),
                interface: is_interface.then(|| observer.clone()),
                when: Some((first, last, coverage.skip_data)),
                ..Found::default()
            })
        })
        .collect()
}
