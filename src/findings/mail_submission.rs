//! `mail-submission`: mail submission to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Mail submission to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 465, 465), (6, 587, 587)];

pub(super) const KIND: Kind = Kind {
    id: "mail-submission",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "Mail submission to an external server",
    remediation: "Check that this mail provider is yours.",
    sources: &["elastic/detection-rules: SMTP to the internet"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
