//! A finding, in `audit.json` and in `report.json`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Family, Outcome, Rating, Severity};
use crate::net::ConnectionId;

/// A finding. `audit.json` has all of its evidence and of the ids that it stands for, `report.json` the first of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FindingRow {
    pub(crate) id: String,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) family: Family,
    pub(crate) severity: Severity,
    pub(crate) confidence: Rating,
    pub(crate) title: Cow<'static, str>,
    pub(crate) detail: String,
    pub(crate) remediation: Cow<'static, str>,
    /// The account that it is about, where the inventory holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account_id: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) interface_id: Option<String>,
    pub(crate) local: Option<String>,
    pub(crate) remote: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) first_seen: u64,
    pub(crate) last_seen: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// How many findings it stands for: 1, unless it is folded.
    pub(crate) count: u64,
    /// The network of the destinations of the findings that it stands for. Not there if it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    /// The ids of these findings, in order. Not there if it stands for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) stands_for: Vec<String>,
    pub(crate) quarantined: bool,
    /// Whether it is a threat finding: a destination or a behaviour, of medium severity or worse.
    pub(crate) threat: bool,
    /// What the change does with its connections; null where it rests on none, as posture findings do.
    pub(crate) outcome: Option<Outcome>,
    /// The baseline, if that run reported it already.
    pub(crate) known_since: Option<String>,
    /// Controls of the usual benchmarks that it bears on.
    pub(crate) benchmarks: Vec<Cow<'static, str>>,
    pub(crate) evidence: Vec<ConnectionId>,
}
