//! Stage 6: the rules that permit what was seen, and the open ones they replace.
//!
//! Accepted connections in; a [`RuleSet`] out. Nothing quarantined, refused or
//! unattributed reaches this stage's rules, and no rule it adds lets anything
//! through that today's rules do not.

mod candidates;
mod cover;
mod demand;
mod pairs;
mod revoke;
mod rule;
mod singles;

pub use revoke::{Kept, KeptBecause, is_open_egress};
pub use rule::{Reason, Revocation, RuleSet, Status, SuggestedRule};

use crate::flow::FlowTable;
use crate::inventory::{Gates, Inventory};
use crate::resolve::Connection;
use candidates::Candidates;
use demand::Demand;
use rule::Draft;

/// What the rules are made from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The snapshot.
    pub inventory: &'a Inventory,
    /// Today's gates.
    pub today: &'a Gates,
    /// The folded logs, for coverage.
    pub table: &'a FlowTable,
    /// Every connection, with its verdict.
    pub connections: &'a [Connection],
}

/// Makes the rules.
pub fn rules(evidence: &Evidence<'_>) -> RuleSet {
    let inventory = evidence.inventory;
    let (revocations, kept_open) = revoke::open_egress(evidence);
    let remaining: Vec<_> = inventory
        .group_indexes()
        .map(|group| revoke::remaining(inventory, group, &revocations))
        .collect();
    let surviving = Gates::new(inventory, |group| &remaining[group.index()]);
    let candidates = Candidates::new(inventory, evidence.today);
    let mut draft = Draft::new(inventory, &remaining, evidence.connections);
    for demand in Demand::by_service(evidence) {
        let alone = pairs::write(&demand, &candidates, &mut draft);
        singles::write(&demand, &alone, &candidates, &surviving, &mut draft);
    }
    draft.finish(revocations, kept_open)
}
