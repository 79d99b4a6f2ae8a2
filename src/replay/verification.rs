//! What a rule set would break, and what it would leave open.

use super::{Passage, RulesAfter};
use crate::inventory::Inventory;
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
    /// Accepted, and permitted today by a rule that goes or by one that stays: the inventory does not tell.
    pub unjudged: Vec<usize>,
}

/// Replays what the logs say was accepted. A connection that today's rules deny, or whose direction is a guess, was accepted too: here
/// it counts like any other, for the question is what would break.
pub fn verify(
    inventory: &Inventory,
    rules: &RulesAfter,
    connections: &[Connection],
) -> Verification {
    let mut result = Verification::default();
    for (position, connection) in connections.iter().enumerate() {
        let (passage, passes) = rules.judge(inventory, connection);
        match (connection.verdict, passes) {
            (Verdict::Rejected, _) => result.rejected += 1,
            (Verdict::Unattributed(_), _) => result.unattributed += 1,
            (_, None) => result.unjudged.push(position),
            (Verdict::Quarantined(Quarantine::Finding(_)), Some(true)) => {
                result.still_open.push(position);
            }
            (Verdict::Quarantined(Quarantine::Finding(_)), Some(false)) => result.denied += 1,
            (_, Some(true)) => result.permitted += 1,
            (_, Some(false)) => result.lost.push((position, passage)),
        }
    }
    result
}
