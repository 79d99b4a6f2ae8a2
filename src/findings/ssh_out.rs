//! `ssh-out`: SSH to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// SSH to an unknown external host.
const PORTS: &[(u8, u16, u16)] = &[(6, 22, 22)];

pub(super) const KIND: Kind = Kind {
    id: "ssh-out",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "SSH to an external destination",
    remediation: "Check that the connection is intended. A bastion, deployment or Git host usually explains it.",
    sources: &["turbot tailpipe"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
