//! `proxy-out`: an unknown external proxy.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// SOCKS, Squid and the usual alternative for HTTP.
const PORTS: &[(u8, u16, u16)] = &[(6, 1080, 1080), (6, 3128, 3128), (6, 8080, 8080)];

pub(super) const KIND: Kind = Kind {
    id: "proxy-out",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::High,
    quarantine: false,
    title: "Connection to an external proxy",
    remediation: "Check who owns this proxy.",
    sources: &["elastic/detection-rules: proxy port activity"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
