//! `graph.json` and `graph.dot`.

use std::fmt::Write as _;

use petgraph::dot::{Config, Dot};
use petgraph::visit::{EdgeRef, IntoNodeReferences};
use schemars::JsonSchema;
use serde::Serialize;

use super::SCHEMA_VERSION;
use crate::audit::Audit;
use crate::graph::Node;
use crate::inventory::Rule;
use crate::net::visible;

/// The graph: nodes by position, edges between positions' ids.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    schema_version: u32,
    nodes: Vec<NodeRow>,
    edges: Vec<EdgeRow>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NodeRow {
    id: String,
    /// `group`, `interface`, `unlisted-interface`, `prefix-list`, `aws-service`,
    /// `private-network`, `internet` or `address`.
    kind: &'static str,
    label: String,
    /// For groups.
    group_id: Option<String>,
    /// For groups: whether today's rules let everything out.
    open_egress: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EdgeRow {
    source: String,
    target: String,
    protocol: String,
    port: Option<u16>,
    verdict: &'static str,
    records: u64,
    bytes: u64,
    connections: Vec<String>,
}

pub(super) fn document(audit: &Audit) -> Document {
    let graph = &audit.graph;
    Document {
        schema_version: SCHEMA_VERSION,
        nodes: graph.node_weights().map(|node| row(audit, node)).collect(),
        edges: graph
            .edge_references()
            .map(|edge| {
                let weight = edge.weight();
                EdgeRow {
                    source: row(audit, &graph[edge.source()]).id,
                    target: row(audit, &graph[edge.target()]).id,
                    protocol: weight.service.protocol.to_string(),
                    port: weight.service.port(),
                    verdict: weight.verdict,
                    records: weight.records,
                    bytes: weight.bytes,
                    connections: weight
                        .connections
                        .iter()
                        .map(|&p| audit.connections[p].id.clone())
                        .collect(),
                }
            })
            .collect(),
    }
}

fn row(audit: &Audit, node: &Node) -> NodeRow {
    let inventory = &audit.inventory;
    let plain = |kind, id: String, label: String| NodeRow {
        id,
        kind,
        label,
        group_id: None,
        open_egress: false,
    };
    match node {
        Node::Group(ix) => {
            let group = inventory.group(*ix);
            NodeRow {
                id: group.id.clone(),
                kind: "group",
                label: group.name.clone(),
                group_id: Some(group.id.clone()),
                open_egress: group.rules.iter().any(Rule::is_open_egress),
            }
        }
        Node::Interface(ix) => {
            let interface = inventory.interface(*ix);
            let label = if interface.label.is_empty() {
                &interface.id
            } else {
                &interface.label
            };
            plain("interface", interface.id.clone(), label.clone())
        }
        Node::Unlisted(id) => plain("unlisted-interface", id.clone(), id.clone()),
        Node::PrefixList(name) => plain("prefix-list", format!("prefix-list {name}"), name.clone()),
        Node::AwsService(code) => plain("aws-service", format!("aws {code}"), code.clone()),
        Node::PrivateNetwork => plain(
            "private-network",
            "private".to_owned(),
            "private network".to_owned(),
        ),
        Node::Internet => plain("internet", "internet".to_owned(), "internet".to_owned()),
        Node::Address(address) => plain("address", address.to_string(), address.to_string()),
    }
}

/// What people call a node; hostile.
pub(super) fn label(audit: &Audit, node: &Node) -> String {
    row(audit, node).label
}

/// Characters of a label that a picture has room for.
const LABEL_LIMIT: usize = 60;

/// For Graphviz. Groups that let everything out are red, suspicious and refused
/// connections red and dashed.
pub(super) fn dot(audit: &Audit) -> String {
    let graph = &audit.graph;
    let edge_attributes = |_, edge: petgraph::graph::EdgeReference<'_, crate::graph::Edge>| {
        let style = match edge.weight().verdict {
            "quarantined" => ", color=\"#c1121f\", fontcolor=\"#c1121f\", penwidth=2",
            "refused" => ", color=\"#8a8a8a\", fontcolor=\"#8a8a8a\", style=dashed",
            _ => "",
        };
        format!("label=\"{}\"{style}", edge.weight().service)
    };
    let node_attributes =
        |_, (_, node): <&crate::graph::AccessGraph as IntoNodeReferences>::NodeRef| {
            let row = row(audit, node);
            let style = match (row.kind, row.open_egress) {
                ("group", true) => ", color=\"#c1121f\", penwidth=2",
                ("group", false) => "",
                ("address", _) => ", shape=octagon, color=\"#c1121f\"",
                _ => ", shape=ellipse",
            };
            format!("label={}{style}", quoted(&row.label))
        };
    let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
    let body = Dot::with_attr_getters(graph, &config, &edge_attributes, &node_attributes);
    let mut out = String::new();
    write!(out, "{body:?}").expect("writing to a string does not fail");
    let defaults = "digraph {\n    rankdir=LR\n    node [shape=box, fontname=\"Helvetica\"]\n    edge [fontname=\"Helvetica\", fontsize=10]\n";
    out.replacen("digraph {\n", defaults, 1)
}

/// A DOT string: quotes and backslashes escaped, and nothing invisible in it.
fn quoted(text: &str) -> String {
    let text = visible(text, LABEL_LIMIT)
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{text}\"")
}
