//! What a rule set would break, and what it would leave open.

use super::{Passage, passage};
use crate::inventory::{Gates, Inventory};
use crate::resolve::{Connection, Quarantine, Verdict};

/// Every accepted connection of the logs against a rule set, whatever today's rules say of it. Positions are those of the connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Accepted, and permitted.
    pub permitted: u64,
    /// Accepted, and denied by these rules; with what each side says.
    pub lost: Vec<(usize, Passage)>,
    /// Suspicious, and denied.
    pub denied: u64,
    /// Suspicious, and permitted.
    pub still_open: Vec<usize>,
    /// Rejected in the logs: not replayed.
    pub rejected: u64,
    /// Judged by no group of the inventory: not replayed.
    pub unattributed: u64,
}

/// Replays what the logs say was accepted. A connection that today's rules deny, or whose direction is a guess, was accepted too: here
/// it counts like any other, for the question is what would break.
pub fn verify(inventory: &Inventory, gates: &Gates, connections: &[Connection]) -> Verification {
    let mut result = Verification::default();
    for (position, connection) in connections.iter().enumerate() {
        let passage = passage(inventory, gates, connection);
        match (connection.verdict, passage.passes()) {
            (Verdict::Rejected, _) => result.rejected += 1,
            (Verdict::Unattributed(_), _) => result.unattributed += 1,
            (Verdict::Quarantined(Quarantine::Finding(_)), true) => {
                result.still_open.push(position);
            }
            (Verdict::Quarantined(Quarantine::Finding(_)), false) => result.denied += 1,
            (_, true) => result.permitted += 1,
            (_, false) => result.lost.push((position, passage)),
        }
    }
    result
}
