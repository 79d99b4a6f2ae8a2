//! Stage 6: the rules that permit what was seen, and the open ones they replace.
//!
//! Accepted connections in; a [`RuleSet`] out. Nothing quarantined, refused or
//! unattributed reaches this stage's rules, and no rule it adds lets anything
//! through that today's rules do not.

mod candidates;
mod cover;
mod demand;
mod level;
mod notices;
mod pairs;
mod quota;
mod ranges;
mod revoke;
mod rule;
mod singles;

pub use level::{Generalise, Level, Limits};
pub use notices::notices;
pub use quota::{GROUPS_PER_INTERFACE, OverQuota, RULES_PER_GROUP};
pub use revoke::{Kept, KeptBecause};
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
    /// How far the rules may go beyond what was seen.
    pub generalise: &'a Generalise,
}

/// Makes the rules, at the level that is set. A group that would have more rules than
/// AWS takes goes to a wider level, alone, as far as there is one.
pub fn rules(evidence: &Evidence<'_>) -> RuleSet {
    let inventory = evidence.inventory;
    let (revocations, kept_open) = revoke::open_egress(evidence);
    let remaining: Vec<_> = inventory
        .group_indexes()
        .map(|group| revoke::remaining(inventory, group, &revocations))
        .collect();
    let surviving = Gates::new(inventory, |group| &remaining[group.index()]);
    let candidates = Candidates::new(inventory, evidence.today, evidence.connections);
    let demands = Demand::by_service(evidence);
    let generalise = evidence.generalise;
    let mut levels = vec![generalise.level; inventory.groups().len()];
    loop {
        let mut draft = Draft::new(inventory, &remaining, evidence.connections);
        let mut mutuals = Vec::new();
        let alone: Vec<Vec<usize>> = demands
            .iter()
            .map(|demand| pairs::choose(demand, &candidates, &mut mutuals))
            .collect();
        let limits: Vec<Option<&Limits>> = levels
            .iter()
            .map(|&level| generalise.limits(level))
            .collect();
        ranges::write(mutuals, (generalise, &levels), &candidates, &mut draft);
        for (demand, alone) in demands.iter().zip(&alone) {
            singles::write(demand, alone, &candidates, &surviving, &limits, &mut draft);
        }
        let mut set = draft.finish(revocations.clone(), kept_open.clone());
        let over = quota::over(inventory, &set, &remaining);
        let mut widened = false;
        for found in &over {
            if let Some(wider) = levels[found.group.index()].wider() {
                levels[found.group.index()] = wider;
                widened = true;
            }
        }
        if !widened {
            set.over_quota = over;
            return set;
        }
    }
}
