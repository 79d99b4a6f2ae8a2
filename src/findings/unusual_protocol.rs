//! `unusual-protocol`: neither TCP, UDP nor ICMP.

use super::destination::{DestinationServices, Test};
use super::{Family, Kind, Rating, Severity, Signal};

/// ICMP, TCP, UDP, ICMPv6.
const ORDINARY: &[u8] = &[1, 6, 17, 58];

pub(super) const KIND: Kind = Kind {
    id: "unusual-protocol",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "A protocol other than TCP, UDP or ICMP to an external destination",
    remediation: "Check that the tunnel is intended.",
    sources: &[
        "turbot tailpipe",
        "GuardDuty: DenialOfService.UnusualProtocol",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test {
    services: DestinationServices::ProtocolsOtherThan(ORDINARY),
    only_resolvers: false,
    hint: false,
});
