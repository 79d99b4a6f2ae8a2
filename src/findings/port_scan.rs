//! `port-scan`: many ports of one address in little time.

use super::context::Context;
use super::finding::Found;
use super::kind::Threshold;
use super::scan::{attempts, busiest, by_key, found, unanswered};
use super::{Family, Kind, Rating, Severity, Signal};
use crate::net::service_name;

const PORTS: Threshold = Threshold {
    key: "ports",
    default: 50,
    meaning: "ports of one address within an hour",
};

const UNCOMMON: Threshold = Threshold {
    key: "uncommon",
    default: 10,
    meaning: "of them without a well-known service and without an answer, which are enough alone",
};

pub(super) const KIND: Kind = Kind {
    id: "port-scan",
    family: Family::Behaviour,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "Many ports of one address were tried within an hour",
    remediation: "Find out who runs a scanner. If nobody does, isolate the host. If somebody does, approve its destinations.",
    sources: &[
        "elastic/detection-rules: potential network scan",
        "GuardDuty: Recon, Portscan",
        "panther-analysis AWS.VPCFlow.PortScanning",
    ],
    thresholds: &[PORTS, UNCOMMON],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per interface and address. Ports that were answered on are services; passive FTP and RPC use many of them.
fn find(context: &Context<'_>) -> Vec<Found> {
    let ports = context.policy.threshold(&KIND, &PORTS);
    let enough = context.policy.threshold(&KIND, &UNCOMMON);
    let by_target = attempts(context, |c| {
        c.service
            .port()
            .map(|_| (c.responder.address, c.service.protocol.0))
    });
    let mut all = Vec::new();
    for attempts in by_key(&by_target) {
        let ((initiator, (target, _)), _) = attempts[0];
        if (attempts.len() as u64) < enough.min(ports) {
            continue;
        }
        let positions = busiest(context, attempts);
        let of = |position: &&usize| &context.connections[**position];
        let unanswered = unanswered(context, &positions);
        let uncommon = positions
            .iter()
            .filter(|p| of(p).seen.replies == 0 && service_name(of(p).service).is_none())
            .count() as u64;
        if ((positions.len() as u64) < ports && uncommon < enough)
            || unanswered * 2 < positions.len()
        {
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
