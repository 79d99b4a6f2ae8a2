//! How much of the accepted traffic nothing can be said about, and why.

use std::collections::BTreeMap;

use crate::net::HashSet;
use crate::resolve::{Connection, End};

/// Accepted connections that could not be judged for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// The connections' reason, as documents spell it.
    pub reason: &'static str,
    /// How many.
    pub connections: u64,
    /// Their rows.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The ends that initiated them: an interface, or an address where the interface is unknown.
    pub interfaces: u64,
}

/// Why a rule set may or may not permit an accepted connection whose verdict has no reason of its own.
const MAY_BE_LOST: &str = "unknown-groups";

/// Sums over unjudged connections by reason; `positions` are theirs.
pub fn unjudged(connections: &[Connection], positions: &[usize]) -> Vec<Unjudged> {
    let mut by_reason: BTreeMap<&'static str, (Unjudged, HashSet<End>)> = BTreeMap::new();
    for &position in positions {
        let connection = &connections[position];
        let reason = connection.verdict.reason().unwrap_or(MAY_BE_LOST);
        let (sum, initiators) = by_reason.entry(reason).or_insert_with(|| {
            let none = Unjudged {
                reason,
                connections: 0,
                records: 0,
                bytes: 0,
                interfaces: 0,
            };
            (none, HashSet::default())
        });
        sum.connections += 1;
        sum.records += connection.totals.records;
        sum.bytes = sum.bytes.saturating_add(connection.totals.bytes);
        sum.interfaces += u64::from(initiators.insert(connection.initiator));
    }
    by_reason.into_values().map(|(sum, _)| sum).collect()
}
