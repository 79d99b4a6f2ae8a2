//! `smb`: windows file sharing with an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Windows file sharing with an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 139, 139), (6, 445, 445), (17, 137, 138)];

pub(super) const KIND: Kind = Kind {
    id: "smb",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Windows file sharing with an external destination",
    remediation: "Isolate the host.",
    sources: &["elastic/detection-rules: SMB to the internet"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
