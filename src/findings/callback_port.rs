//! `callback-port`: ports that attack tools call back to.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Defaults of listeners, and of what is left open for them. 4444 is a mining pool's as well.
const PORTS: &[(u8, u16, u16)] = &[
    (6, 888, 888),
    (6, 999, 999),
    (6, 2200, 2200),
    (6, 2222, 2222),
    (6, 4000, 4000),
    (6, 6789, 6789),
    (6, 8531, 8531),
    (6, 50501, 50501),
    (17, 51820, 51820),
];

pub(super) const KIND: Kind = Kind {
    id: "callback-port",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::Low,
    quarantine: false,
    title: "Port that attack tools call back to",
    remediation: "Find the program that opened the connection. Approve legitimate ones by group.",
    sources: &["SigmaHQ: communication to uncommon destination ports"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
