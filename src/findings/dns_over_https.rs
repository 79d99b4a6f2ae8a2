//! `dns-over-https`: HTTPS to a well-known public resolver.

use super::destination::{DestinationServices, Test};
use super::{Family, Kind, Rating, Severity, Signal};

/// 443 alone says nothing, so only the addresses of well-known resolvers count;
/// UDP 443 is HTTP/3.
const PORTS: &[(u8, u16, u16)] = &[(6, 443, 443), (17, 443, 443)];

pub(super) const KIND: Kind = Kind {
    id: "dns-over-https",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "HTTPS to a public DNS resolver",
    remediation: "Point the host at the VPC's own resolver.",
    sources: &[
        "GuardDuty: UnusualDoHActivity",
        "panther-analysis: AWS.VPCFlow",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test {
    services: DestinationServices::Ports(PORTS),
    only_resolvers: true,
    hint: false,
});
