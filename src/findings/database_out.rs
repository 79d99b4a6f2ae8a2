//! `database-out`: a database on the internet.

use super::destination::Test;
use super::{Family, Kind, Rating, Severity, Signal};

/// SQL Server, Oracle, `MySQL`, `PostgreSQL`, Redis, Cassandra, memcached, `MongoDB`.
const PORTS: &[(u8, u16, u16)] = &[
    (6, 1433, 1433),
    (6, 1521, 1521),
    (6, 3306, 3306),
    (6, 5432, 5432),
    (6, 6379, 6379),
    (6, 9042, 9042),
    (6, 11211, 11211),
    (6, 27017, 27019),
];

pub(super) const KIND: Kind = Kind {
    id: "database-out",
    family: Family::Destination,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "A database on the internet",
    remediation: "Check who owns this database, and reach it by a private path (peering, PrivateLink).",
    sources: &[
        "elastic/detection-rules: database ports to the internet",
        "turbot tailpipe",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Destination(Test::ports(PORTS));
