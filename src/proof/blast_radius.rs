//! What an attacker on one of a group's interfaces reaches.

use std::collections::{BTreeMap, BTreeSet};

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
    let groups = inventory.groups().len();
    let hops = |gates| {
        let (used, every) = rayon::join(
            || Hops::new(&network, groups, gates, &used),
            || Hops::new(&network, groups, gates, &every),
        );
        [used, every]
    };
    let (then, now) = (hops(before), hops(&after.gates));
    let carried: Vec<GroupIx> = inventory
        .group_indexes()
        .filter(|&g| !inventory.group(g).members.is_empty())
        .collect();
    carried
        .into_par_iter()
        .map(|group| {
            let reach = |[used, every_port]: &[Hops; 2], gates: &Gates| Reach {
                one_hop: used.one[group.index()],
                any_hops: used.any[group.index()],
                any_port: every_port.any[group.index()],
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

/// What can be reached, by number: the classes as a whole, then parts of classes.
struct Units<'a> {
    network: &'a Network<'a>,
    sets: &'a [Admitted],
    /// A class, and the position of the set that holds the part of it; in order.
    parts: Vec<(u32, usize)>,
}

impl<'a> Units<'a> {
    fn new(network: &'a Network<'a>, crossings: &'a Crossings) -> Self {
        let mut units = Self {
            network,
            sets: &crossings.sets,
            parts: Vec::new(),
        };
        for crossing in &crossings.all {
            let parts = crossing
                .targets
                .iter()
                .filter(|target| !units.is_whole(target));
            let parts = parts.map(|&(class, ..)| (class, crossing.admitted));
            let parts: Vec<_> = parts.collect();
            units.parts.extend(parts);
        }
        units.parts.sort_unstable();
        units.parts.dedup();
        units
    }

    fn is_whole(&self, &(class, receivers, _): &(u32, u32, u32)) -> bool {
        receivers as usize == self.network.size(class as usize)
    }

    /// What a crossing leads to.
    fn of(&self, crossing: &Crossing) -> Vec<usize> {
        let unit = |target: &(u32, u32, u32)| {
            let class = target.0;
            if self.is_whole(target) {
                return class as usize;
            }
            let part = self.parts.binary_search(&(class, crossing.admitted));
            self.network.classes.len() + part.expect("every part is listed")
        };
        crossing.targets.iter().map(unit).collect()
    }

    fn none(&self) -> FixedBitSet {
        FixedBitSet::with_capacity(self.network.classes.len() + self.parts.len())
    }

    /// How many interfaces.
    fn count(&self, reached: &FixedBitSet) -> u64 {
        let classes = self.network.classes.len();
        let (mut whole, mut parts) = (0, Vec::new());
        for unit in reached.ones() {
            if unit < classes {
                whole += self.network.size(unit);
            } else {
                parts.push(self.parts[unit - classes]);
            }
        }
        let part = |of_class: &[(u32, usize)]| {
            let class = of_class[0].0 as usize;
            if reached.contains(class) {
                return 0;
            }
            let members = of_class.iter();
            let members = members.flat_map(|&(_, set)| self.network.among(class, &self.sets[set]));
            members.collect::<BTreeSet<u32>>().len()
        };
        let parts: usize = parts.chunk_by(|a, b| a.0 == b.0).map(part).sum();
        (whole + parts) as u64
    }
}

/// What each group reaches in one hop and in any number of them.
struct Hops {
    /// By group.
    one: Vec<u64>,
    /// By group.
    any: Vec<u64>,
}

impl Hops {
    fn new(network: &Network<'_>, groups: usize, gates: &Gates, services: &[Service]) -> Self {
        let crossings = Crossings::new(network, gates, services);
        let units = Units::new(network, &crossings);
        let through: Vec<Vec<usize>> = crossings.all.iter().map(|c| units.of(c)).collect();
        let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); network.classes.len()];
        for (position, crossing) in crossings.all.iter().enumerate() {
            for &(class, _) in &crossing.sources {
                of_class[class as usize].push(position);
            }
        }
        let one = |group: usize| {
            let mut reached = units.none();
            for class in network.classes_of(GroupIx::new(group)) {
                let crossings = of_class[class].iter();
                reached.extend(crossings.flat_map(|&crossing| through[crossing].iter().copied()));
            }
            units.count(&reached)
        };
        Self {
            one: (0..groups).into_par_iter().map(one).collect(),
            any: any_hops(&units, &crossings, &through, groups),
        }
    }
}

/// By group, everything that its crossings lead to, and theirs, and so on: by components of classes and crossings that lead to
/// each other.
fn any_hops(
    units: &Units<'_>,
    crossings: &Crossings,
    through: &[Vec<usize>],
    groups: usize,
) -> Vec<u64> {
    let network = units.network;
    let classes = network.classes.len();
    let mut graph: DiGraph<(), (), u32> = DiGraph::default();
    for _ in 0..classes + crossings.all.len() {
        graph.add_node(());
    }
    for (position, crossing) in crossings.all.iter().enumerate() {
        let own = NodeIndex::new(classes + position);
        for &(class, _) in &crossing.sources {
            graph.add_edge(NodeIndex::new(class as usize), own, ());
        }
        for &(class, ..) in &crossing.targets {
            graph.add_edge(own, NodeIndex::new(class as usize), ());
        }
    }
    // What a component leads to comes before it.
    let components = kosaraju_scc(&graph);
    let mut component_of = vec![0; graph.node_count()];
    for (number, component) in components.iter().enumerate() {
        for node in component {
            component_of[node.index()] = number;
        }
    }
    // A component's reach is kept until the last that leads to it has it.
    let mut awaited = vec![0_usize; components.len()];
    let mut next: Vec<Vec<usize>> = Vec::with_capacity(components.len());
    for (number, component) in components.iter().enumerate() {
        let others = component.iter().flat_map(|node| graph.neighbors(*node));
        let others = others.map(|node| component_of[node.index()]);
        let others: BTreeSet<usize> = others.filter(|&other| other != number).collect();
        for &other in &others {
            awaited[other] += 1;
        }
        next.push(others.into_iter().collect());
    }
    let mut reached: Vec<Option<FixedBitSet>> = vec![None; components.len()];
    let mut counts = vec![0; groups];
    let mut several: BTreeMap<GroupIx, FixedBitSet> = BTreeMap::new();
    for (number, component) in components.iter().enumerate() {
        let mut all = units.none();
        for node in component {
            if let Some(crossing) = node.index().checked_sub(classes) {
                all.extend(through[crossing].iter().copied());
            }
        }
        for &other in &next[number] {
            if let Some(theirs) = &reached[other] {
                all.union_with(theirs);
            }
            awaited[other] -= 1;
            if awaited[other] == 0 {
                reached[other] = None;
            }
        }
        let mut own: Option<u64> = None;
        for class in component
            .iter()
            .map(|node| node.index())
            .filter(|&node| node < classes)
        {
            for &group in &network.classes[class].groups {
                if network.classes_of(group).nth(1).is_some() {
                    let sum = several.entry(group).or_insert_with(|| units.none());
                    sum.union_with(&all);
                } else {
                    counts[group.index()] = *own.get_or_insert_with(|| units.count(&all));
                }
            }
        }
        reached[number] = (awaited[number] > 0).then_some(all);
    }
    for (group, all) in several {
        counts[group.index()] = units.count(&all);
    }
    counts
}
