//! `one-sided`: a connection without a reply.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::{Protocol, plural};
use crate::resolve::Verdict;

pub(super) const KIND: Kind = Kind {
    id: "one-sided",
    family: Family::Evidence,
    severity: Severity::Info,
    confidence: Rating::Medium,
    quarantine: false,
    title: "Accepted, and never answered",
    remediation: "Check whether anything listens there. closegate writes a rule, because the logs accepted the connection. Drop the rule if the destination is gone.",
    sources: &["flow-log-records.html: a connection has records of both directions"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per accepted TCP connection of which no interface recorded a reply.
fn find(context: &Context<'_>) -> Vec<Found> {
    let connections = context.connections.iter().enumerate();
    connections
        .filter(|(_, c)| {
            c.service.protocol == Protocol::TCP
                && c.verdict == Verdict::Accepted
                && c.seen.replies == 0
        })
        .map(|(position, c)| {
            let interface = c
                .initiator
                .interface()
                .map(|ix| context.inventory.interface(ix));
            Found {
                detail: format!(
                    "{} connected to {} on {}: {}, and no record of a reply.",
                    c.initiator.address,
                    c.responder.address,
                    c.service,
                    plural(c.totals.records, "record")
                ),
                group: interface.and_then(|interface| interface.groups.first().copied()),
                interface: interface.map(|interface| interface.id.clone()),
                local: Some(c.initiator.address),
                remote: Some(c.responder.address),
                service: Some(c.service),
                evidence: vec![position],
                ..Found::default()
            }
        })
        .collect()
}
