//! What a policy is compared with.

use jiff::civil::Date;

use crate::inventory::{Group, Inventory};
use crate::policy::PolicySet;
use crate::replay::Change;
use crate::resolve::{Connection, End};

/// A policy, and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct DriftBasis<'a> {
    /// The policy.
    pub policy: &'a PolicySet,
    /// The one account that the policy is of; none for a policy of all that the inventory has.
    pub account: Option<&'a str>,
    /// The account, or several.
    pub inventory: &'a Inventory,
    /// The day with which expiries are compared.
    pub today: Date,
    /// Whether ingress outside the policy counts as well.
    pub closes_ingress: bool,
    /// After how many days of records without a connection an entry counts as unused.
    pub unused_days: u32,
    /// What the flow logs show.
    pub traffic: Option<DriftTraffic<'a>>,
    /// What Terraform is about to do.
    pub plan: Option<&'a PlannedChange>,
}

impl DriftBasis<'_> {
    /// Whether a group belongs to another account than the one that the policy is of, so that its entries are not seen.
    pub(super) fn is_elsewhere(&self, group: &Group) -> bool {
        self.account.is_some_and(|account| group.owner != account)
    }

    /// Whether an end carries such a group.
    pub(super) fn is_end_elsewhere(&self, end: End) -> bool {
        let groups = end
            .interface()
            .map(|ix| &self.inventory.interface(ix).groups);
        let mut groups = groups.into_iter().flatten();
        groups.any(|&ix| self.is_elsewhere(self.inventory.group(ix)))
    }
}

/// What flow logs show.
#[derive(Clone, Copy, Debug)]
pub struct DriftTraffic<'a> {
    /// Connections with their verdicts, in id order.
    pub connections: &'a [Connection],
    /// The time that the logs cover, Unix seconds.
    pub window: (u64, u64),
}

/// What a Terraform plan changes.
#[derive(Clone, Debug)]
pub struct PlannedChange {
    /// Rules that come and go.
    pub change: Change,
    /// What is known only after the plan is applied; foreign text.
    pub unknown: Vec<String>,
}
