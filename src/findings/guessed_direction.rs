//! `guessed-direction`: a connection whose initiator is a guess.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::resolve::{Place, Quarantine, Verdict};

pub(super) const KIND: Kind = Kind {
    id: "guessed-direction",
    family: Family::Evidence,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: true,
    title: "The initiator of this connection is a guess, and a rule would open a client's port",
    remediation: "Add tcp-flags to the flow log's format, or look at the two hosts and write the rule by hand.",
    sources: &["flow-log-records.html: tcp-flags"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per connection that is quarantined for this reason.
fn find(context: &Context<'_>) -> Vec<Found> {
    context
        .connections
        .iter()
        .enumerate()
        .filter(|(_, c)| c.verdict == Verdict::Quarantined(Quarantine::GuessedPort))
        .map(|(position, c)| Found {
            detail: format!(
                "{} and {} are connected on {}. That the first is the initiator is a guess from {}.",
                c.initiator.address,
                c.responder.address,
                c.service,
                c.basis.as_str()
            ),
            interface: match c.initiator.place {
                Place::Local(ix) => Some(context.inventory.interface(ix).id.clone()),
                Place::Unlisted(_) | Place::Balanced(_) | Place::Outside => None,
            },
            local: Some(c.initiator.address),
            remote: Some(c.responder.address),
            service: Some(c.service),
            evidence: vec![position],
            ..Found::default()
        })
        .collect()
}
