//! `winrm-out`: windows remote management to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Windows remote management to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 5985, 5986)];

pub(super) const KIND: Kind = Kind {
    id: "winrm-out",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "Windows remote management to an external destination",
    remediation: "Find out which software manages these hosts. If it is legitimate, approve the destination for its group.",
    sources: &["turbot tailpipe"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
