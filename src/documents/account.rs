//! An account, in `audit.json` and in `report.json` of a run over several.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An account of the inventory. Figures add up to those of the run, but for VPCs, in which several accounts may have interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AccountRow {
    /// Twelve digits; empty for groups and findings of which no account is known.
    pub(crate) account_id: String,
    /// Regions of the interfaces that carry its groups, in order.
    pub(crate) regions: Vec<String>,
    /// VPCs of its groups.
    pub(crate) vpcs: u64,
    pub(crate) groups: u64,
    /// Groups with open egress.
    pub(crate) open_groups: u64,
    /// Threat findings of critical severity.
    pub(crate) threats_critical: u64,
    pub(crate) threats_high: u64,
    pub(crate) threats_medium: u64,
    /// Findings of every family.
    pub(crate) findings: u64,
    pub(crate) rules_to_add: u64,
    pub(crate) revocations: u64,
    /// Groups that interfaces carry.
    pub(crate) groups_in_use: u64,
    /// Of these, groups with enough evidence to lock.
    pub(crate) groups_ready: u64,
    /// Connections that its interfaces initiate to those of other accounts of the inventory.
    pub(crate) connections_to_others: u64,
    /// Groups whose rules the inventory lacks, or lacks in part.
    pub(crate) groups_unread: u64,
    /// What the notes about the inventory say of it by its id, such as calls that were refused.
    pub(crate) unread: Vec<String>,
}

impl AccountRow {
    /// The account's id, or what stands for it where it is not known.
    pub(crate) fn name(&self) -> &str {
        if self.account_id.is_empty() {
            "no known account"
        } else {
            &self.account_id
        }
    }

    /// Whether a table for people shows it: an account, or what is of none and more than findings about the whole run.
    pub(crate) fn is_shown(&self) -> bool {
        let threats = self.threats_critical + self.threats_high + self.threats_medium;
        !self.account_id.is_empty() || self.groups + threats + self.rules_to_add > 0
    }
}
