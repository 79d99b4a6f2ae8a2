//! What a set of rules would break, and what it would still let through.

use crate::inventory::{Gates, Inventory};
use crate::resolve::{Connection, Quarantine, Verdict};

use super::{Passage, passage};

/// Everything that was let through, against a set of rules. Positions are those
/// of the connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Against {
    /// Permitted.
    pub permitted: u64,
    /// Let through then, refused by these rules, and by which side.
    pub broken: Vec<(usize, Passage)>,
    /// Suspicious, and refused by these rules.
    pub denied: u64,
    /// Suspicious, and still let through.
    pub still_open: Vec<usize>,
    /// Refused then as now: not replayed.
    pub refused: u64,
    /// Not tied to any group: not replayed.
    pub unattributed: u64,
}

/// Replays what the logs say was let through, whatever today's rules say of it.
pub fn against(inventory: &Inventory, gates: &Gates, connections: &[Connection]) -> Against {
    let mut result = Against::default();
    for (position, connection) in connections.iter().enumerate() {
        let passage = passage(inventory, gates, connection);
        match (connection.verdict, passage.passes()) {
            (Verdict::Refused, _) => result.refused += 1,
            (Verdict::Unattributed(_), _) => result.unattributed += 1,
            (Verdict::Quarantined(Quarantine::Finding(_)), true) => {
                result.still_open.push(position);
            }
            (Verdict::Quarantined(Quarantine::Finding(_)), false) => result.denied += 1,
            (_, true) => result.permitted += 1,
            (_, false) => result.broken.push((position, passage)),
        }
    }
    result
}
