//! `port-scan`: many ports of one address in little time.

use super::finding::{Context, Found};
use super::scan::{attempts, busiest};
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
        let unanswered = positions.iter().filter(|p| of(p).seen.answers == 0).count();
        let uncommon = positions
            .iter()
            .filter(|p| of(p).seen.answers == 0 && service_name(of(p).service).is_none())
            .count();
        if (positions.len() < PORTS && uncommon < UNCOMMON) || unanswered * 2 < positions.len() {
            continue;
        }
        let interface = context.inventory.interface(initiator);
        let local = context.connections[positions[0]].initiator.address;
        all.push(Found {
            detail: format!(
                "{local} tried {} ports of {target} within an hour; {unanswered} of them never answered.",
                positions.len()
            ),
            group: interface.groups.first().copied(),
            interface: Some(interface.id.clone()),
            local: Some(local),
            remote: Some(target),
            evidence: positions,
            ..Found::default()
        });
    }
    all
}
