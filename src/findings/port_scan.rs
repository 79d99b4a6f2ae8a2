//! `port-scan`: many ports of one address in little time.

use super::finding::{Context, Found};
use super::scan::{attempts, busiest, found, unanswered};
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::service_name;

/// Ports of one address within an hour.
const PORTS: usize = 50;

/// Ports without a well-known service, within an hour, of which nothing answered on most.
const UNCOMMON: usize = 10;

pub(super) const KIND: Kind = Kind {
    id: "port-scan",
    family: Family::Behaviour,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "Many ports of one address were tried within an hour",
    remediation: "Find out who runs a scanner. If nobody does, isolate the host; if somebody does, approve its destinations.",
    sources: &[
        "elastic/detection-rules: potential network scan",
        "GuardDuty: Recon, Portscan",
        "panther-analysis AWS.VPCFlow.PortScanning",
    ],
    signal: Signal::Function(find),
};

/// One finding per interface and address. Ports that were answered on are services; passive FTP and RPC use many of them.
fn find(context: &Context<'_>) -> Vec<Found> {
    let by_target = attempts(context, |c| {
        c.service
            .port()
            .map(|_| (c.responder.address, c.service.protocol.0))
    });
    let mut all = Vec::new();
    for ((initiator, (target, _)), positions) in by_target {
        if positions.len() < UNCOMMON {
            continue;
        }
        let positions = busiest(context, positions);
        let of = |position: &&usize| &context.connections[**position];
        let unanswered = unanswered(context, &positions);
        let uncommon = positions
            .iter()
            .filter(|p| of(p).seen.answers == 0 && service_name(of(p).service).is_none())
            .count();
        if (positions.len() < PORTS && uncommon < UNCOMMON) || unanswered * 2 < positions.len() {
            continue;
        }
        let tried = format!("{} ports of {target}", positions.len());
        all.push(Found {
            remote: Some(target),
            ..found(context, initiator, positions, &tried)
        });
    }
    all
}
