//! `irc`: connection to an IRC server.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Not 7000, which Cassandra and AFS use.
const PORTS: &[(u8, u16, u16)] = &[(6, 6665, 6669), (6, 6697, 6697)];

pub(super) const KIND: Kind = Kind {
    id: "irc",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Connection to an IRC server",
    remediation: "Isolate the host and find the program that opened the connection.",
    sources: &[
        "elastic/detection-rules: IRC protocol activity",
        "IANA: ircd 6665-6669, ircs-u 6697",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
