//! `report.json`: what a person asks of a run, without its connections. `report.html` carries it, and other tools' formats are made of it.
//!
//! Rows that come by the thousand are arrays, not objects: the page has to stay small.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountRow, FindingRow, Rating, SourceRow, StageRow, Tool, VerdictTerm, Window};

/// The document. Times are Unix seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportDocument {
    pub(crate) schema_version: u32,
    pub(crate) tool: Tool,
    pub(crate) window: Window,
    /// Ready to lock, or what to wait for.
    pub(crate) verdict: String,
    pub(crate) counts: Counts,
    /// What the policy says of the connections, if the run is against one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// The accounts, the worst first, where the inventory holds several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<AccountRow>,
    /// What the inventory lacks, and what that costs.
    pub(crate) notes: Vec<String>,
    pub(crate) sources: Vec<SourceRow>,
    /// Lines that could not be read: source, line, reason.
    pub(crate) malformed: Vec<(String, u64, String)>,
    pub(crate) findings: Vec<FindingRow>,
    pub(crate) groups: Vec<ReportGroup>,
    pub(crate) nodes: Vec<ReportNode>,
    pub(crate) edges: Vec<EdgeCells>,
    /// Generalisation level, rules to add, exposure, addresses outside.
    pub(crate) trade_off: Vec<(Cow<'static, str>, u64, u64, f64)>,
    /// By day of the window: its start, connections seen, of them for the first time, bytes of those that began on it.
    pub(crate) days: Vec<(u64, u64, u64, u64)>,
    pub(crate) stages: Vec<StageRow>,
}

/// The figures of the first screen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Counts {
    pub(crate) groups: u64,
    pub(crate) open_groups: u64,
    /// Threat findings, new and known.
    pub(crate) suspicious: u64,
    /// Of these, those that the baseline has.
    pub(crate) suspicious_known: u64,
    pub(crate) rules_to_add: u64,
    pub(crate) rules_in_use: u64,
    pub(crate) revocations: u64,
    pub(crate) connections: u64,
    pub(crate) permitted: u64,
    pub(crate) quarantined: u64,
    pub(crate) still_open: u64,
    pub(crate) rejected: u64,
    pub(crate) unattributed: u64,
    pub(crate) lost: u64,
    pub(crate) exposure_before: u64,
    pub(crate) exposure_after: u64,
    pub(crate) exposure_ideal: u64,
    pub(crate) groups_in_use: u64,
    pub(crate) groups_ready: u64,
    pub(crate) records_read: u64,
    pub(crate) records_duplicate: u64,
    pub(crate) records_malformed: u64,
    pub(crate) records_skip_data: u64,
    pub(crate) records_no_data: u64,
    pub(crate) bytes_read: u64,
    pub(crate) sources: u64,
    /// Findings of every family.
    #[serde(default)]
    pub(crate) findings: u64,
    /// Findings that the baseline had already.
    pub(crate) repeated: u64,
}

/// A group, before and after.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReportGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) vpc: String,
    pub(crate) owner: String,
    pub(crate) region: String,
    pub(crate) members: u64,
    pub(crate) open: bool,
    pub(crate) kept_by: Option<String>,
    /// Interfaces in one hop, in any number of hops, on any port; addresses outside.
    pub(crate) reach_before: (u64, u64, u64, f64),
    pub(crate) reach_after: (u64, u64, u64, f64),
    /// Null for groups that nothing carries.
    pub(crate) readiness: Option<ReportReadiness>,
    pub(crate) today: Vec<TodayCells>,
    pub(crate) proposed: Vec<ProposedCells>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReportReadiness {
    pub(crate) ready: bool,
    pub(crate) wait_for: Vec<String>,
    pub(crate) days: u32,
    pub(crate) connections: u64,
    pub(crate) chance_of_new: Option<f64>,
    pub(crate) unseen_at_least: f64,
    pub(crate) new_by_day: Vec<u64>,
}

/// A rule of today: egress, services, target, id, connections, alone, last hit, whether it goes, description.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TodayCells(
    pub(crate) bool,
    pub(crate) String,
    pub(crate) String,
    pub(crate) Option<String>,
    pub(crate) u64,
    pub(crate) u64,
    pub(crate) Option<u64>,
    pub(crate) bool,
    pub(crate) String,
);

/// A rule that should stand: whether it is to add, egress, protocol, first and last port, target, confidence, connections, id, description.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProposedCells(
    pub(crate) bool,
    pub(crate) bool,
    pub(crate) String,
    pub(crate) Option<u16>,
    pub(crate) Option<u16>,
    pub(crate) String,
    pub(crate) Rating,
    pub(crate) u64,
    pub(crate) String,
    pub(crate) String,
);

/// A node of the graph.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReportNode {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) label: String,
    /// Position among the groups.
    pub(crate) group: Option<usize>,
}

/// Positions of the two nodes, service, verdict, records, bytes, connections.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EdgeCells(
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) String,
    pub(crate) VerdictTerm,
    pub(crate) u64,
    pub(crate) u64,
    pub(crate) u64,
);
