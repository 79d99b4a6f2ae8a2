//! What an attacker on one of a group's interfaces reaches.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rayon::prelude::*;

use super::reachable::{Admitted, Crossing, Crossings, Network};
use crate::inventory::{Direction, Gates, GroupIx, Inventory, Rule, RulePorts, RuleProtocol};
use crate::net::{Protocol, Service};
use crate::replay::RulesAfter;
use crate::resolve::Connection;

/// Reach from one group, under one set of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Interfaces in one hop, on the services in use.
    pub one_hop: u64,
    /// Interfaces in any number of hops, on the services in use.
    pub any_hops: u64,
    /// Interfaces in any number of hops, on any port.
    pub any_port: u64,
    /// Addresses that its own egress rules open by prefix or prefix list, on any port.
    pub addresses: u128,
}

/// One group, before and after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlastRadius {
    /// The group.
    pub group: GroupIx,
    /// Under today's rules.
    pub before: Reach,
    /// After the change.
    pub after: Reach,
}

/// Judges every group that an interface carries. Interfaces of the same groups are
/// taken together: what one of them reaches, the attacker reaches.
pub fn blast_radius(
    inventory: &Inventory,
    before: &Gates,
    after: &RulesAfter,
    connections: &[Connection],
) -> Vec<BlastRadius> {
    let mut used: Vec<Service> = connections
        .iter()
        .filter(|c| c.is_accepted())
        .map(|c| c.service)
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut every = used.clone();
    every.extend(
        inventory
            .groups()
            .iter()
            .flat_map(|g| &g.rules)
            .chain(after.rules.iter().flatten())
            .flat_map(corners),
    );
    every.sort_unstable();
    every.dedup();
    let network = Network::new(inventory);
    let hops = |gates| {
        let (used, every) = rayon::join(
            || Hops::new(&network, gates, &used),
            || Hops::new(&network, gates, &every),
        );
        [used, every]
    };
    let (then, now) = rayon::join(|| hops(before), || hops(&after.gates));
    let carried: Vec<GroupIx> = inventory
        .group_indexes()
        .filter(|&g| !inventory.group(g).members.is_empty())
        .collect();
    carried
        .into_par_iter()
        .map(|group| {
            let reach = |[used, every_port]: &[Hops; 2], gates: &Gates| Reach {
                one_hop: used.one(&network, group),
                any_hops: used.any(&network, group),
                any_port: every_port.any(&network, group),
                addresses: gates.named_addresses(group, Direction::Egress).count(),
            };
            BlastRadius {
                group,
                before: reach(&then, before),
                after: reach(&now, &after.gates),
            }
        })
        .collect()
}

/// Services at which a rule begins to hold or ceases to: between them nothing
/// changes, so that asking at these is asking everywhere.
fn corners(rule: &Rule) -> Vec<Service> {
    match (rule.protocol, rule.ports) {
        (RuleProtocol::All, _) => [Protocol::TCP, Protocol::UDP, Protocol::ICMP]
            .map(|p| Service::new(p, 0))
            .to_vec(),
        (RuleProtocol::One(protocol), RulePorts::Ports(range)) => {
            let past = range.to().checked_add(1);
            [Some(0), Some(range.from()), past]
                .into_iter()
                .flatten()
                .map(|port| Service::new(protocol, port))
                .collect()
        }
        (RuleProtocol::One(protocol), _) => vec![Service::new(protocol, 0)],
    }
}

/// Interfaces that something reaches: classes as a whole, and parts of others by the set that holds them.
#[derive(Clone, Debug, Default)]
struct Reached {
    whole: FixedBitSet,
    /// Class, and position of the set; in order.
    parts: Vec<(u32, usize)>,
}

impl Reached {
    fn join(&mut self, other: &Self) {
        self.whole.grow(other.whole.len());
        self.whole.union_with(&other.whole);
        if !other.parts.is_empty() {
            self.parts.extend_from_slice(&other.parts);
            self.parts.sort_unstable();
            self.parts.dedup();
        }
    }

    fn count(&self, network: &Network<'_>, sets: &[Admitted]) -> u64 {
        let whole: usize = self.whole.ones().map(|class| network.size(class)).sum();
        let parts = self.parts.chunk_by(|a, b| a.0 == b.0);
        let part = |of_class: &[(u32, usize)]| {
            let class = of_class[0].0 as usize;
            if self.whole.contains(class) {
                return 0;
            }
            let members = of_class.iter();
            let members = members.flat_map(|&(_, set)| network.among(class, &sets[set]));
            members.collect::<BTreeSet<u32>>().len()
        };
        (whole + parts.map(part).sum::<usize>()) as u64
    }
}

/// What each class reaches in one hop and in any number of them.
struct Hops {
    crossings: Crossings,
    /// By crossing.
    through: Vec<Reached>,
    /// By class, its crossings.
    of_class: Vec<Vec<u32>>,
    /// By class, everything it reaches.
    closure: Vec<Reached>,
}

impl Hops {
    fn new(network: &Network<'_>, gates: &Gates, services: &[Service]) -> Self {
        let crossings = Crossings::new(network, gates, services);
        let count = network.classes.len();
        let through = |crossing: &Crossing| {
            let mut reached = Reached {
                whole: FixedBitSet::with_capacity(count),
                parts: Vec::new(),
            };
            for &(class, receivers, _) in &crossing.targets {
                if receivers as usize == network.size(class as usize) {
                    reached.whole.insert(class as usize);
                } else {
                    reached.parts.push((class, crossing.admitted));
                }
            }
            reached
        };
        let through: Vec<Reached> = crossings.all.iter().map(through).collect();
        let mut of_class: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut graph: DiGraph<(), (), u32> = DiGraph::default();
        for _ in 0..count + crossings.all.len() {
            graph.add_node(());
        }
        for (position, crossing) in crossings.all.iter().enumerate() {
            let own = NodeIndex::new(count + position);
            for &(class, _) in &crossing.sources {
                of_class[class as usize].push(u32::try_from(position).expect("few crossings"));
                graph.add_edge(NodeIndex::new(class as usize), own, ());
            }
            for &(class, ..) in &crossing.targets {
                graph.add_edge(own, NodeIndex::new(class as usize), ());
            }
        }
        Self {
            closure: closures(&graph, count, &through),
            crossings,
            through,
            of_class,
        }
    }

    fn one(&self, network: &Network<'_>, group: GroupIx) -> u64 {
        let mut all = Reached::default();
        for class in network.classes_of(group) {
            for &crossing in &self.of_class[class] {
                all.join(&self.through[crossing as usize]);
            }
        }
        all.count(network, &self.crossings.sets)
    }

    fn any(&self, network: &Network<'_>, group: GroupIx) -> u64 {
        let mut all = Reached::default();
        for class in network.classes_of(group) {
            all.join(&self.closure[class]);
        }
        all.count(network, &self.crossings.sets)
    }
}

/// By class, everything that its crossings lead to, and theirs, and so on. The graph has the classes first, then the crossings.
fn closures(graph: &DiGraph<(), (), u32>, classes: usize, through: &[Reached]) -> Vec<Reached> {
    let nodes = graph.node_count();
    let mut component_of = vec![usize::MAX; nodes];
    let mut of_component: Vec<Reached> = Vec::new();
    // What a component leads to comes before it.
    for (number, component) in kosaraju_scc(graph).into_iter().enumerate() {
        for node in &component {
            component_of[node.index()] = number;
        }
        let mut all = Reached::default();
        let mut joined: BTreeSet<usize> = BTreeSet::new();
        for node in &component {
            if let Some(crossing) = node.index().checked_sub(classes) {
                all.join(&through[crossing]);
            }
            for next in graph.neighbors(*node) {
                let other = component_of[next.index()];
                if other != number && joined.insert(other) {
                    all.join(&of_component[other]);
                }
            }
        }
        of_component.push(all);
    }
    (0..classes)
        .map(|class| of_component[component_of[class]].clone())
        .collect()
}
