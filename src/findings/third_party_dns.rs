//! `third-party-dns`: name resolution by an unknown external DNS server.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Amazon's resolver never appears in a flow log, so every row to port 53 is another resolver; internal ones are ordinary connections.
const PORTS: &[(u8, u16, u16)] = &[(6, 53, 53), (17, 53, 53)];

pub(super) const KIND: Kind = Kind {
    id: "third-party-dns",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "DNS queries to an external resolver",
    remediation: "Point the host at the VPC's own resolver, or approve this resolver for the group that needs it.",
    sources: &[
        "GuardDuty: UnusualDNSResolver",
        "flow-logs-limitations.html",
        "panther-analysis: AWS.VPCFlow",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
