//! `rdp-out`: remote desktop to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Remote desktop to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 3389, 3389), (17, 3389, 3389)];

pub(super) const KIND: Kind = Kind {
    id: "rdp-out",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "Remote desktop to an external destination",
    remediation: "Find out who works on this host. If the session is legitimate, approve the destination for its group.",
    sources: &[
        "elastic/detection-rules: RDP to the internet",
        "turbot tailpipe",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
