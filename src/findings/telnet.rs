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
    title: "Telnet to an external destination",
    remediation: "Isolate the host.",
    sources: &["elastic/detection-rules: Telnet port activity"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
