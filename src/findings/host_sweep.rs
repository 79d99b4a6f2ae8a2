//! `host-sweep`: one port of many addresses in little time.

use std::net::IpAddr;

use super::context::Context;
use super::finding::Found;
use super::kind::Threshold;
use super::scan::{attempts, busiest, by_key, found};
use super::{Family, Kind, Rating, Severity, Signal};

const ADDRESSES: Threshold = Threshold {
    key: "addresses",
    default: 100,
    meaning: "addresses within an hour",
};

/// Services that sweeps look for: FTP, SSH, Telnet, SMTP, SMB, RDP, `WinRM`.
const SERVICES: &[u16] = &[21, 22, 23, 25, 139, 445, 3389, 5985, 5986];

pub(super) const KIND: Kind = Kind {
    id: "host-sweep",
    family: Family::Behaviour,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: false,
    title: "One port of many addresses was tried within an hour",
    remediation: "Find out who runs a scanner or a deployment from this host. If nobody does, isolate it.",
    sources: &[
        "elastic/detection-rules: network sweeps",
        "GuardDuty: PortSweep",
    ],
    thresholds: &[ADDRESSES],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per interface and service.
fn find(context: &Context<'_>) -> Vec<Found> {
    let enough = context.policy.threshold(&KIND, &ADDRESSES);
    let by_service = attempts(context, |c| {
        let swept = c
            .service
            .port()
            .is_some_and(|port| SERVICES.contains(&port));
        swept.then_some(c.service)
    });
    let mut all = Vec::new();
    for attempts in by_key(&by_service) {
        let ((initiator, service), _) = attempts[0];
        let positions = busiest(context, attempts);
        let mut addresses: Vec<IpAddr> = positions
            .iter()
            .map(|&position| context.connections[position].responder.address)
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        if (addresses.len() as u64) < enough {
            continue;
        }
        let tried = format!("{service} of {} addresses", addresses.len());
        all.push(Found {
            service: Some(service),
            ..found(context, initiator, positions, &tried)
        });
    }
    all
}
