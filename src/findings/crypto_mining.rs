//! `crypto-mining`: ports that mining pools use.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// Pools are known by name, which flow logs do not show; the ports are a hint only.
const PORTS: &[(u8, u16, u16)] = &[(6, 3333, 3333), (6, 4444, 4444), (6, 14444, 14444)];

pub(super) const KIND: Kind = Kind {
    id: "crypto-mining",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Connection to a mining pool, or to a port that pools use",
    remediation: "Look for a miner on the host. Use a pool list (--blocklist crypto-mining=FILE) for proof.",
    sources: &["GuardDuty: BitcoinTool.B", "SigmaHQ: crypto mining pools"],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::hint(PORTS));
