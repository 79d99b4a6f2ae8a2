//! `tor`: ports that Tor relays use.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// 9001 is a relay's usual port, 9030 its directory's. Without a relay list the ports are a hint only.
const PORTS: &[(u8, u16, u16)] = &[(6, 9001, 9001), (6, 9030, 9030)];

pub(super) const KIND: Kind = Kind {
    id: "tor",
    family: Family::Destination,
    severity: Severity::High,
    confidence: Rating::High,
    quarantine: true,
    title: "Connection to a Tor relay, or to a port that relays use",
    remediation: "Look for a Tor client on the host. Use a relay list (--blocklist tor=FILE) for proof.",
    sources: &[
        "GuardDuty: TorClient, TorRelay",
        "elastic/detection-rules: Tor activity",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::hint(PORTS));
