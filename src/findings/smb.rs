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
    title: "Windows file sharing with a stranger",
    remediation: "Isolate the host: SMB to the internet leaks credentials and spreads worms. Between private addresses it is ordinary.",
    sources: &["elastic/detection-rules: SMB to the internet"],
    thresholds: &[],
    signal: Signal::Destination(Test::ports(PORTS)),
};
