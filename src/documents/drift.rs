//! What `closegate drift --format json` prints: how the account, the traffic or a plan differ from the policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DriftKind, DriftLevel, DriftSubject, PermissionRow, Tool, Window};
use crate::net::ConnectionId;

/// The differences, and whether they decide the exit code.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DriftDocument {
    pub(crate) schema_version: u32,
    pub(crate) tool: Tool,
    /// The day with which expiries are compared.
    pub(crate) today: String,
    /// The time that the flow logs cover; null without them.
    pub(crate) window: Option<Window>,
    /// Whether a plan was given; then only its own differences decide the exit code.
    pub(crate) with_plan: bool,
    /// Whether the exit code is 1.
    pub(crate) differs: bool,
    /// Those that may decide the exit code.
    pub(crate) counts: DriftCounts,
    /// With a plan: those of today, which do not decide the exit code. Else zeros.
    pub(crate) today_counts: DriftCounts,
    /// Accepted connections that the inventory does not tell enough to judge.
    pub(crate) not_judged: u64,
    /// By group: the one with the worst difference first.
    pub(crate) differences: Vec<DifferenceRow>,
}

/// How many differences there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DriftCounts {
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    pub(crate) notes: u64,
}

/// A difference.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DifferenceRow {
    /// The same for the same difference in every run.
    pub(crate) id: String,
    pub(crate) kind: DriftKind,
    pub(crate) level: DriftLevel,
    pub(crate) subject: DriftSubject,
    /// Whether it decides the exit code: a warning or an error, and, where a plan is given, the plan's.
    pub(crate) decides: bool,
    /// The group that it is about; null where it is about none.
    pub(crate) group_id: Option<String>,
    /// The group's name, for people.
    pub(crate) group_name: String,
    /// The entry of the policy, if it is about one.
    pub(crate) key: Option<String>,
    /// The rule, if it is about one.
    pub(crate) rule: Option<PermissionRow>,
    /// The rule's id in AWS, where it stands today and the snapshot names it.
    pub(crate) security_group_rule_id: Option<String>,
    /// What differs, in a sentence or two.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) to_do: String,
    /// The file of the policy in which this is decided, as the policy was named.
    pub(crate) file: String,
    /// The line in it, from 1.
    pub(crate) line: u64,
    /// How many connections it is about; 0 where it is about none.
    pub(crate) connections: u64,
    /// The first of them.
    pub(crate) evidence: Vec<ConnectionId>,
    /// With a plan: whether the plan ends this difference.
    pub(crate) ended_by_plan: bool,
}
