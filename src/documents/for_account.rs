//! `rules/for-account-….json`: what another account has to permit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, PermissionRow, Tool};
use crate::net::ConnectionId;

/// The halves of mutual pairs that an account which is not in the inventory has to have. closegate takes none of them for granted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ForAccountDocument {
    pub(crate) schema_version: u32,
    pub(crate) tool: Tool,
    /// The account whose owner this is for.
    pub(crate) account: String,
    pub(crate) rules: Vec<ForAccountRow>,
}

/// A rule that one of the account's groups has to have.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ForAccountRow {
    /// The group, as a rule of the inventory names it; null where none does.
    pub(crate) group_id: Option<String>,
    /// The interface that needs the rule, by its address, where no group is known.
    pub(crate) address: Option<String>,
    /// The target is a group of the inventory.
    #[serde(flatten)]
    pub(crate) permission: PermissionRow,
    /// The account that owns the target.
    pub(crate) target_account: String,
    pub(crate) target_name: String,
    /// Accepted connections that need it.
    pub(crate) connections: u64,
    /// The first of them.
    pub(crate) evidence: Vec<ConnectionId>,
}

impl ForAccountRow {
    /// The group, or the address of its interface.
    pub(crate) fn whose(&self) -> &str {
        let known = self.group_id.as_deref().or(self.address.as_deref());
        known.unwrap_or_default()
    }

    /// Whether the account's interfaces initiate.
    pub(crate) fn is_egress(&self) -> bool {
        self.permission.direction == Direction::Egress
    }
}
