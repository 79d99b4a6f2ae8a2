//! `smtp`: mail sent straight to an unknown external server.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// 26 is a common second choice where 25 is blocked.
const PORTS: &[(u8, u16, u16)] = &[(6, 25, 26)];

pub(super) const KIND: Kind = Kind {
    id: "smtp",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: true,
    title: "Mail sent directly to an external server",
    remediation: "Send mail through Amazon SES or your own relay, and approve that relay.",
    sources: &[
        "GuardDuty: Spambot",
        "elastic/detection-rules: SMTP on port 26",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
