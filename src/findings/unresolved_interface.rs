//! `unresolved-interface`: rows of an interface that the snapshot lacks.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::plural;
use crate::resolve::{Place, Unattributed, Verdict};

pub(super) const KIND: Kind = Kind {
    id: "unresolved-interface",
    family: Family::Evidence,
    severity: Severity::Info,
    confidence: Rating::High,
    quarantine: false,
    title: "An interface in the logs is not in the inventory",
    remediation: "Add a snapshot of the interface's account, or one from the time when it existed.",
    sources: &["requester-managed-eni.html"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per such interface.
fn find(context: &Context<'_>) -> Vec<Found> {
    let table = context.table;
    let mut by_observer: Vec<Vec<usize>> = vec![Vec::new(); table.observers.len()];
    for (position, connection) in context.connections.iter().enumerate() {
        for end in [connection.initiator, connection.responder] {
            if let Place::Unlisted(observer) = end.place {
                by_observer[observer.index()].push(position);
            }
        }
    }
    let is_unjudged = |position: usize| {
        context.connections[position].verdict
            == Verdict::Unattributed(Unattributed::UnknownInterface)
    };
    table
        .observers
        .iter()
        .zip(by_observer)
        .zip(&table.coverage)
        .filter(|((observer, _), _)| {
            observer.starts_with("eni-") && context.inventory.interface_by_id(observer).is_none()
        })
        .map(|((observer, mut evidence), coverage)| {
            evidence.dedup();
            let unjudged = evidence
                .iter()
                .filter(|&&position| is_unjudged(position))
                .count();
            let (start, end) = context.intake.window.unwrap_or_default();
            let when = evidence.is_empty().then_some((start, end, coverage.rows));
            Found {
                detail: format!(
                    "{observer} has {} and is not in the inventory.{}",
                    plural(coverage.rows, "flow record"),
                    match unjudged as u64 {
                        0 => String::new(),
                        some => format!(
                            " It initiated {}, which could not be judged.",
                            plural(some, "accepted connection")
                        ),
                    }
                ),
                severity: (unjudged > 0).then_some(Severity::Medium),
                interface: Some(observer.clone()),
                evidence,
                when,
                ..Found::default()
            }
        })
        .collect()
}
