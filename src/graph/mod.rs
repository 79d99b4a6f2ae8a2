//! Stage 10: connections as a graph of groups and external destinations.

use std::net::IpAddr;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::documents::VerdictTerm;
use crate::flow::FlowTable;
use crate::inventory::{Direction, GroupIx, InterfaceIx, Inventory, Target};
use crate::net::{HashMap, Service, is_public};
use crate::resolve::{Connection, End, Place, Quarantine, Verdict, aws_service};
use crate::suggest::RuleSet;

/// The graph: an edge per pair of nodes, service and verdict.
pub type AccessGraph = DiGraph<Node, Edge>;

/// An end of connections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A group: the one whose rule permits the connection, else the most specific
    /// one of its interface.
    Group(GroupIx),
    /// An interface without groups.
    Interface(InterfaceIx),
    /// An interface that is not in the inventory, by id.
    Unlisted(String),
    /// Addresses of a prefix list, by its name.
    PrefixList(String),
    /// Addresses of an AWS service, by its code.
    AwsService(String),
    /// Private addresses that no interface of the inventory holds.
    PrivateNetwork,
    /// Public addresses without a quarantined connection, but for those that are declined only.
    Internet,
    /// The external destination of a quarantined connection.
    Address(IpAddr),
}

/// Connections of one verdict between two nodes, on one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Protocol and port.
    pub service: Service,
    /// The verdict of these connections.
    pub verdict: VerdictTerm,
    /// Positions of the connections.
    pub connections: Vec<usize>,
    /// Their rows.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Builds the graph; nodes and edges are in a fixed order.
pub fn build(
    inventory: &Inventory,
    table: &FlowTable,
    connections: &[Connection],
    rules: &RuleSet,
) -> AccessGraph {
    let by_rule = attributed(inventory, connections.len(), rules);
    let mut triples: Vec<(Node, Node, Service, VerdictTerm, usize)> = connections
        .iter()
        .enumerate()
        .map(|(position, c)| {
            // What people declined need not be suspicious.
            let singled_out =
                matches!(c.verdict, Verdict::Quarantined(why) if why != Quarantine::Declined);
            let node = |end: End, initiates: bool| match end.place {
                Place::Local(ix) => by_rule[position][usize::from(!initiates)]
                    .or_else(|| most_specific(inventory, ix))
                    .map_or(Node::Interface(ix), Node::Group),
                Place::Unlisted(ix) => Node::Unlisted(table.observers[ix.index()].clone()),
                Place::Balanced(_) | Place::Outside => outside(inventory, table, end, singled_out),
            };
            (
                node(c.initiator, true),
                node(c.responder, false),
                c.service,
                c.verdict.term(),
                position,
            )
        })
        .collect();
    triples.sort();
    let mut graph = AccessGraph::new();
    let mut nodes: Vec<&Node> = triples
        .iter()
        .flat_map(|(from, to, ..)| [from, to])
        .collect();
    nodes.sort();
    nodes.dedup();
    let index: HashMap<&Node, NodeIndex> = nodes
        .into_iter()
        .map(|node| (node, graph.add_node(node.clone())))
        .collect();
    for same in triples.chunk_by(|a, b| (&a.0, &a.1, a.2, a.3) == (&b.0, &b.1, b.2, b.3)) {
        let (from, to, service, verdict, _) = &same[0];
        let positions: Vec<usize> = same.iter().map(|t| t.4).collect();
        let totals = || positions.iter().map(|&p| connections[p].totals);
        let edge = Edge {
            service: *service,
            verdict: *verdict,
            records: totals().map(|t| t.records).sum(),
            bytes: totals().fold(0, |sum, t| sum.saturating_add(t.bytes)),
            connections: positions,
        };
        graph.add_edge(index[from], index[to], edge);
    }
    graph
}

/// By connection: the groups of initiator and responder that its rules name.
fn attributed(
    inventory: &Inventory,
    connections: usize,
    rules: &RuleSet,
) -> Vec<[Option<GroupIx>; 2]> {
    let mut groups = vec![[None; 2]; connections];
    for suggested in &rules.rules {
        let other = match &suggested.rule.target {
            Target::Group(id) => inventory.group_by_id(id),
            Target::Cidr(_) | Target::PrefixList(_) => None,
        };
        let [initiator, responder] = match suggested.rule.direction {
            Direction::Egress => [Some(suggested.group), other],
            Direction::Ingress => [other, Some(suggested.group)],
        };
        for &connection in &suggested.evidence {
            let known = &mut groups[connection];
            known[0] = known[0].or(initiator);
            known[1] = known[1].or(responder);
        }
    }
    groups
}

/// The group that fewest interfaces carry.
fn most_specific(inventory: &Inventory, interface: InterfaceIx) -> Option<GroupIx> {
    let groups = inventory.interface(interface).groups.iter().copied();
    groups.min_by_key(|&group| (inventory.group(group).members.len(), group))
}

fn outside(inventory: &Inventory, table: &FlowTable, end: End, singled_out: bool) -> Node {
    if singled_out {
        return Node::Address(end.address);
    }
    if let Some(list) = inventory
        .prefix_lists()
        .iter()
        .find(|list| list.addresses.contains(end.address))
    {
        return Node::PrefixList(list.name.clone());
    }
    match aws_service(inventory, table, end) {
        Some(service) if service != "EC2" => Node::AwsService(service.to_owned()),
        _ if is_public(end.address) => Node::Internet,
        _ => Node::PrivateNetwork,
    }
}
