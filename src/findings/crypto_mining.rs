//! `crypto-mining`: ports that mining pools use.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Pools are known by name, which flow logs do not show; the ports are a hint only.
const PORTS: &[(u8, u16, u16)] = &[(6, 3333, 3333), (6, 4444, 4444), (6, 14444, 14444)];

pub(super) const KIND: Kind = Kind {
    id: "crypto-mining",
    family: Family::Destination,
    severity: Severity::Low,
    confidence: Rating::Low,
    quarantine: true,
    title: "Ports that mining pools use",
    remediation: "Look for a miner on the host. Without a pool list this is a hint, not a proof.",
    sources: &["GuardDuty: BitcoinTool.B", "SigmaHQ: crypto mining pools"],
    signal: Signal::Destination(Test::ports(PORTS)),
};
