//! `dns-over-tls`: encrypted DNS to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// UDP 853 is DNS over QUIC.
const PORTS: &[(u8, u16, u16)] = &[(6, 853, 853), (17, 853, 853)];

pub(super) const KIND: Kind = Kind {
    id: "dns-over-tls",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "Encrypted DNS to an external resolver",
    remediation: "Point the host at the VPC's own resolver.",
    sources: &["GuardDuty: UnusualDoTActivity", "IANA: domain-s 853"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
