//! `graph.json`, and pictures of it for Graphviz, Mermaid and readers of GraphML: each a function of that file alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::text::ends_with_www;
use crate::audit::Audit;
use crate::documents::{
    AuditDocument, EdgeRow, EndRow, GraphDocument, NodeRow, SCHEMA_VERSION, VerdictTerm,
};
use crate::graph::Node;
use crate::net::{json, visible};

/// The graph of groups.
pub(super) fn document(audit: &Audit) -> GraphDocument {
    let graph = &audit.graph;
    GraphDocument {
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
                        .map(|&p| audit.connections[p].id)
                        .collect(),
                }
            })
            .collect(),
    }
}

/// What a node is, as `graph.json` has it.
pub(super) const fn kind(node: &Node) -> &'static str {
    match node {
        Node::Group(_) => "group",
        Node::Interface(_) => "interface",
        Node::Unlisted(_) => "unlisted-interface",
        Node::PrefixList(_) => "prefix-list",
        Node::AwsService(_) => "aws-service",
        Node::PrivateNetwork => "private-network",
        Node::Internet => "internet",
        Node::Address(_) => "address",
    }
}

fn row(audit: &Audit, node: &Node) -> NodeRow {
    let inventory = &audit.inventory;
    let plain = |id: String, label: String| NodeRow {
        id,
        kind: kind(node).into(),
        label,
        group_id: None,
        open_egress: false,
    };
    match node {
        Node::Group(ix) => {
            let group = inventory.group(*ix);
            NodeRow {
                id: group.id.clone(),
                kind: kind(node).into(),
                label: group.name.clone(),
                group_id: Some(group.id.clone()),
                open_egress: group.has_open_egress(),
            }
        }
        Node::Interface(ix) => {
            let interface = inventory.interface(*ix);
            let label = if interface.label.is_empty() {
                &interface.id
            } else {
                &interface.label
            };
            plain(interface.id.clone(), label.clone())
        }
        Node::Unlisted(id) => plain(id.clone(), id.clone()),
        Node::PrefixList(name) => plain(format!("prefix-list {name}"), name.clone()),
        Node::AwsService(code) => plain(format!("aws {code}"), code.clone()),
        Node::PrivateNetwork => plain("private".to_owned(), "private network".to_owned()),
        Node::Internet => plain("internet".to_owned(), "internet".to_owned()),
        Node::Address(address) => plain(address.to_string(), address.to_string()),
    }
}

/// What people call a node; hostile.
pub(super) fn label(audit: &Audit, node: &Node) -> String {
    row(audit, node).label
}

impl EdgeRow {
    fn service(&self) -> String {
        let port = self.port.map(|port| format!("/{port}"));
        format!("{}{}", self.protocol, port.unwrap_or_default())
    }
}

/// Edges of one Mermaid diagram: its viewers refuse more than five hundred.
const MERMAID_EDGES: usize = 400;

impl GraphDocument {
    /// The graph of interfaces and addresses, from the connections of a run.
    pub fn of_connections(audit: &AuditDocument<'_>) -> Self {
        let mut nodes: BTreeMap<String, NodeRow> = BTreeMap::new();
        let mut edges: BTreeMap<(String, String, &str, Option<u16>, VerdictTerm), EdgeRow> =
            BTreeMap::new();
        let mut node = |end: &EndRow<'_>| {
            let address = end.address.to_string();
            let (id, kind, label) = match &end.interface_id {
                Some(interface) => (
                    interface.to_string(),
                    "interface",
                    format!("{interface} {address}"),
                ),
                None => (address.clone(), "address", address),
            };
            nodes.entry(id.clone()).or_insert_with(|| NodeRow {
                id: id.clone(),
                kind: kind.into(),
                label,
                group_id: None,
                open_egress: false,
            });
            id
        };
        for c in &audit.connections {
            let (source, target) = (node(&c.initiator), node(&c.responder));
            let key = (
                source.clone(),
                target.clone(),
                &*c.protocol,
                c.port,
                c.verdict,
            );
            let edge = edges.entry(key).or_insert_with(|| EdgeRow {
                source,
                target,
                protocol: c.protocol.to_string(),
                port: c.port,
                verdict: c.verdict,
                records: 0,
                bytes: 0,
                connections: Vec::new(),
            });
            edge.records = edge.records.saturating_add(c.records);
            edge.bytes = edge.bytes.saturating_add(c.bytes);
            edge.connections.push(c.id);
        }
        Self {
            schema_version: SCHEMA_VERSION,
            nodes: nodes.into_values().collect(),
            edges: edges.into_values().collect(),
        }
    }

    /// Nodes by position, and edges between them; an edge to a node that is not there is left out.
    fn graph(&self) -> DiGraph<&NodeRow, &EdgeRow> {
        let mut graph = DiGraph::new();
        let places: BTreeMap<&str, NodeIndex> = self
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), graph.add_node(node)))
            .collect();
        for edge in &self.edges {
            if let (Some(&from), Some(&to)) = (
                places.get(edge.source.as_str()),
                places.get(edge.target.as_str()),
            ) {
                graph.add_edge(from, to, edge);
            }
        }
        graph
    }

    /// For Graphviz. Groups with open egress and quarantined connections are red, rejected connections grey and dashed.
    pub fn dot(&self) -> String {
        let edge_attributes = |_, edge: EdgeReference<'_, &EdgeRow>| {
            let style = match edge.weight().verdict {
                VerdictTerm::Quarantined => {
                    ", color=\"#c1121f\", fontcolor=\"#c1121f\", penwidth=2"
                }
                VerdictTerm::Rejected => ", color=\"#8a8a8a\", fontcolor=\"#8a8a8a\", style=dashed",
                VerdictTerm::Accepted | VerdictTerm::Unattributed => "",
            };
            format!("label={}{style}", quoted(&edge.weight().service()))
        };
        let node_attributes = |_, (_, node): (NodeIndex, &&NodeRow)| {
            let style = match (&*node.kind, node.open_egress) {
                ("group", true) => ", color=\"#c1121f\", penwidth=2",
                ("group" | "interface", _) => "",
                ("address", _) => ", shape=octagon, color=\"#c1121f\"",
                _ => ", shape=ellipse",
            };
            format!("label={}{style}", quoted(&node.label))
        };
        let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
        let graph = self.graph();
        let body = Dot::with_attr_getters(&graph, &config, &edge_attributes, &node_attributes);
        let mut out = String::new();
        write!(out, "{body:?}").expect("writing to a string does not fail");
        let defaults = "digraph {\n    rankdir=LR\n    node [shape=box, fontname=\"Helvetica\"]\n    edge [fontname=\"Helvetica\", fontsize=10]\n";
        out.replacen("digraph {\n", defaults, 1)
    }

    /// For Mermaid: one diagram, or, where its viewers would refuse one so large, Markdown with several.
    pub fn mermaid(&self) -> String {
        let graph = self.graph();
        let edges: Vec<_> = graph.edge_references().collect();
        let mut diagrams: Vec<String> = edges
            .chunks(MERMAID_EDGES)
            .map(|edges| mermaid(&graph, edges))
            .collect();
        if diagrams.len() <= 1 {
            return diagrams
                .pop()
                .unwrap_or_else(|| "flowchart LR\n".to_owned());
        }
        let all = diagrams.len();
        let mut out = String::new();
        for (number, diagram) in (1..).zip(&diagrams) {
            let _ = write!(
                out,
                "Part {number} of {all}\n\n```mermaid\n{diagram}```\n\n"
            );
        }
        out
    }

    /// For readers of GraphML.
    pub fn graphml(&self) -> Result<String, std::io::Error> {
        const KEYS: &[(&str, &str, &str)] = &[
            ("label", "node", "string"),
            ("kind", "node", "string"),
            ("open_egress", "node", "boolean"),
            ("service", "edge", "string"),
            ("verdict", "edge", "string"),
            ("records", "edge", "long"),
            ("bytes", "edge", "long"),
            ("connections", "edge", "long"),
        ];
        let mut xml = Writer::new_with_indent(Vec::new(), b' ', 1);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let data = |xml: &mut Writer<Vec<u8>>, key: &str, value: &str| {
            let data = xml.create_element("data").with_attribute(("key", key));
            let text = visible(value, LABEL_LIMIT * 4);
            data.write_text_content(BytesText::new(&text)).map(|_| ())
        };
        let graph = self.graph();
        let name = |node: NodeIndex| format!("n{}", node.index());
        let root = xml
            .create_element("graphml")
            .with_attribute(("xmlns", "http://graphml.graphdrawing.org/xmlns"));
        root.write_inner_content(|xml| {
            for (id, what, kind) in KEYS {
                let key = xml.create_element("key");
                key.with_attributes([
                    ("id", *id),
                    ("for", *what),
                    ("attr.name", *id),
                    ("attr.type", *kind),
                ])
                .write_empty()?;
            }
            let inside = xml
                .create_element("graph")
                .with_attributes([("id", "closegate"), ("edgedefault", "directed")]);
            inside.write_inner_content(|xml| {
                for (ix, node) in graph.node_indices().zip(graph.node_weights()) {
                    let element = xml
                        .create_element("node")
                        .with_attribute(("id", name(ix).as_str()));
                    element.write_inner_content(|xml| {
                        data(xml, "label", &node.label)?;
                        data(xml, "kind", &node.kind)?;
                        data(
                            xml,
                            "open_egress",
                            if node.open_egress { "true" } else { "false" },
                        )
                    })?;
                }
                for (number, edge) in graph.edge_references().enumerate() {
                    let (source, target, weight) =
                        (name(edge.source()), name(edge.target()), edge.weight());
                    let element = xml.create_element("edge");
                    let element = element.with_attributes([
                        ("id", format!("e{number}").as_str()),
                        ("source", &source),
                        ("target", &target),
                    ]);
                    element.write_inner_content(|xml| {
                        data(xml, "service", &weight.service())?;
                        data(xml, "verdict", weight.verdict.as_str())?;
                        data(xml, "records", &weight.records.to_string())?;
                        data(xml, "bytes", &weight.bytes.to_string())?;
                        data(xml, "connections", &weight.connections.len().to_string())
                    })?;
                }
                Ok(())
            })?;
            Ok(())
        })?;
        let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
        text.push('\n');
        Ok(text)
    }

    /// As `graph.json` has it.
    pub fn json(&self) -> Result<String, std::io::Error> {
        let mut bytes = Vec::new();
        json::rows(self, &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// One diagram of some edges.
fn mermaid(graph: &DiGraph<&NodeRow, &EdgeRow>, edges: &[EdgeReference<'_, &EdgeRow>]) -> String {
    let mut nodes: Vec<NodeIndex> = edges
        .iter()
        .flat_map(|edge| [edge.source(), edge.target()])
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut out = "flowchart LR\n".to_owned();
    for ix in nodes {
        let node = graph[ix];
        let (open, close) = if node.kind == "group" {
            ("[", "]")
        } else {
            ("([", "])")
        };
        let class = match (&*node.kind, node.open_egress) {
            ("group", true) => ":::open",
            ("address", _) => ":::suspicious",
            _ => "",
        };
        let _ = writeln!(
            out,
            "    n{}{open}{}{close}{class}",
            ix.index(),
            entities(&node.label)
        );
    }
    for edge in edges {
        let arrow = match edge.weight().verdict {
            VerdictTerm::Quarantined => "==>",
            VerdictTerm::Rejected => "-.->",
            VerdictTerm::Accepted | VerdictTerm::Unattributed => "-->",
        };
        let label = entities(&edge.weight().service());
        let _ = writeln!(
            out,
            "    n{} {arrow}|{label}| n{}",
            edge.source().index(),
            edge.target().index()
        );
    }
    out + "    classDef open stroke:#c1121f,stroke-width:3px\n    classDef suspicious stroke:#c1121f,stroke-dasharray:4 2\n"
}

/// A Mermaid string: whatever is neither letter nor digit nor harmless is written as the number of its character. Mermaid
/// reads the string as Markdown first, where `- x` and `1. x` are lists, and `://` and `www.` are in links.
fn entities(text: &str) -> String {
    let mut out = "\"".to_owned();
    let text = visible(text, LABEL_LIMIT);
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        let harmless = match c {
            ' ' => at > 0,
            '.' => next.is_some_and(char::is_alphanumeric) && !ends_with_www(&text[..at]),
            '-' | '_' | ':' => {
                next.is_some_and(char::is_alphanumeric) || c == ':' && next == Some(':')
            }
            '/' => true,
            _ => c.is_alphanumeric(),
        };
        if harmless {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out + "\""
}

/// Characters of a label that a picture has room for.
const LABEL_LIMIT: usize = 60;

/// A DOT string: quotes and backslashes escaped, and nothing invisible in it. Graphviz reads entities of HTML in it.
fn quoted(text: &str) -> String {
    let text = visible(text, LABEL_LIMIT)
        .replace('&', "&amp;")
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{text}\"")
}
