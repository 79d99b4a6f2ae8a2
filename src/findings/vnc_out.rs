//! `vnc-out`: VNC to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// VNC to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 5800, 5810), (6, 5900, 5910)];

pub(super) const KIND: Kind = Kind {
    id: "vnc-out",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "VNC to an external destination",
    remediation: "Find out who works on this host. If the session is legitimate, approve the destination for its group.",
    sources: &["elastic/detection-rules: VNC to the internet"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
