//! `ftp`: FTP to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// FTP to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 21, 21)];

pub(super) const KIND: Kind = Kind {
    id: "ftp",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "FTP to an external destination",
    remediation: "Replace FTP by an encrypted protocol.",
    sources: &["elastic/detection-rules: FTP activity", "IANA: ftp 21"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
