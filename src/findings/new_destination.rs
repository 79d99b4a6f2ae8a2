//! `new-destination`: a destination that the baseline lacks.

use super::context::Context;
use super::destination::{found, outgoing};
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::resolve::is_unknown_external;

pub(super) const KIND: Kind = Kind {
    id: "new-destination",
    family: Family::Behaviour,
    severity: Severity::Info,
    confidence: Rating::Medium,
    quarantine: false,
    title: "A destination or port that the baseline does not know",
    remediation: "Check that the destination is intended. Do this before you lock the group: afterwards the rules deny new destinations.",
    sources: &["GuardDuty: NetworkPortUnusual"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per connection to an unknown external host, if there is a baseline (`--baseline RUN`) and it lacks the destination and port for
/// interfaces of the same groups.
fn find(context: &Context<'_>) -> Vec<Found> {
    let Some(baseline) = &context.policy.baseline else {
        return Vec::new();
    };
    outgoing(context, |c| {
        is_unknown_external(context.inventory, context.table, c.responder)
            && !baseline.knows(context.inventory, c)
    })
    .into_iter()
    .map(|(position, c)| found(context, &KIND, position, c))
    .collect()
}
