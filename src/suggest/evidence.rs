//! What rules are made from.

use super::decided::PolicyRules;
use super::level::Generalise;
use super::quota::Quotas;
use crate::flow::FlowTable;
use crate::inventory::{Gates, Inventory};
use crate::resolve::Connection;

/// What the rules are made from.
#[derive(Clone, Copy, Debug)]
pub struct RuleEvidence<'a> {
    /// The snapshot.
    pub inventory: &'a Inventory,
    /// Today's gates.
    pub today: &'a Gates,
    /// The folded logs, for coverage.
    pub table: &'a FlowTable,
    /// Every connection, with its verdict.
    pub connections: &'a [Connection],
    /// Only those that were first seen before this count; Unix seconds.
    pub before: Option<u64>,
    /// How far the rules may go beyond what was seen.
    pub generalise: &'a Generalise,
    /// How many rules AWS takes, as configured.
    pub quotas: Quotas,
    /// What a policy has decided, if the run is against one.
    pub policy: Option<&'a PolicyRules>,
}

impl RuleEvidence<'_> {
    /// Whether rules may be made from a connection.
    pub(super) fn counts(&self, connection: &Connection) -> bool {
        self.before
            .is_none_or(|before| connection.totals.first < before)
    }
}
