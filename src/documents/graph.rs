//! `graph.json`: who talks to whom.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerdictTerm;
use crate::net::ConnectionId;

/// The graph: nodes by position, edges between nodes' ids.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct GraphDocument {
    pub(crate) schema_version: u32,
    pub(crate) nodes: Vec<NodeRow>,
    pub(crate) edges: Vec<EdgeRow>,
}

/// A node: who talks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NodeRow {
    pub(crate) id: String,
    /// `group`, `interface`, `unlisted-interface`, `prefix-list`, `aws-service`,
    /// `private-network`, `internet` or `address`.
    pub(crate) kind: Cow<'static, str>,
    pub(crate) label: String,
    /// For groups.
    pub(crate) group_id: Option<String>,
    /// For groups: whether a rule of today is open egress.
    pub(crate) open_egress: bool,
}

/// Connections of one verdict between two nodes, on one service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EdgeRow {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) protocol: String,
    pub(crate) port: Option<u16>,
    pub(crate) verdict: VerdictTerm,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) connections: Vec<ConnectionId>,
}
