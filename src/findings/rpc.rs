//! `rpc`: remote procedure calls to an unknown external host.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// 135 is Microsoft's endpoint mapper, 111 the portmapper.
const PORTS: &[(u8, u16, u16)] = &[(6, 135, 135), (6, 111, 111)];

pub(super) const KIND: Kind = Kind {
    id: "rpc",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Remote procedure calls to an external destination",
    remediation: "Isolate the host.",
    sources: &["elastic/detection-rules: RPC to the internet"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
