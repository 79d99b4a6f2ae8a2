//! `telnet`: telnet to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Telnet to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 23, 23)];

pub(super) const KIND: Kind = Kind {
    id: "telnet",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Telnet to a stranger",
    remediation: "Isolate the host: telnet sends passwords in the clear and is what botnets spread by.",
    sources: &["elastic/detection-rules: Telnet port activity"],
    thresholds: &[],
    signal: Signal::Destination(Test::ports(PORTS)),
};
