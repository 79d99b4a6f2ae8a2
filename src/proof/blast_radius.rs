//! What an attacker on one of a group's interfaces reaches.

use fixedbitset::FixedBitSet;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Walker};
use rayon::prelude::*;

use super::exposure::{Admitted, Class, classes, path};
use crate::inventory::{
    Direction, Gates, GroupIx, Inventory, Packet, Rule, RulePorts, RuleProtocol,
};
use crate::net::{AddressSet, Protocol, Service};
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
    let classes = classes(inventory);
    let hops = |gates| {
        let (used, every) = rayon::join(
            || Hops::new(inventory, gates, &classes, &used),
            || Hops::new(inventory, gates, &classes, &every),
        );
        [used, every]
    };
    let (then, now) = rayon::join(|| hops(before), || hops(&after.gates));
    let carried = inventory
        .group_indexes()
        .filter(|&g| !inventory.group(g).members.is_empty());
    carried
        .map(|group| {
            let reach = |[used, every_port]: &[Hops; 2], gates: &Gates| Reach {
                one_hop: used.one(&classes, group),
                any_hops: used.any(&classes, group),
                any_port: every_port.any(&classes, group),
                addresses: addresses(gates, group, &every),
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

fn addresses(gates: &Gates, group: GroupIx, services: &[Service]) -> u128 {
    let open = |service: &Service| {
        gates.possibly_open_addresses(&[group], Direction::Egress, Packet::from(*service))
    };
    services
        .iter()
        .map(open)
        .fold(AddressSet::default(), |all, open| all.union(&open))
        .count()
}

/// The interfaces each class reaches in one hop, and the graph of classes that
/// these hops make.
struct Hops {
    reached: Vec<FixedBitSet>,
    graph: DiGraph<(), ()>,
}

impl Hops {
    fn new(inventory: &Inventory, gates: &Gates, classes: &[Class], services: &[Service]) -> Self {
        let mut reached =
            vec![FixedBitSet::with_capacity(inventory.interfaces().len()); classes.len()];
        let admitted = Admitted::new(inventory, gates, classes, services);
        reached
            .par_iter_mut()
            .zip(classes)
            .enumerate()
            .for_each(|(c, (reached, from))| {
                for (d, to) in classes.iter().enumerate() {
                    if !path(inventory, from.example, to.example) {
                        continue;
                    }
                    for service in 0..services.len() {
                        let inward = admitted.by(d, Direction::Ingress, service);
                        if !from.members.is_disjoint(inward) {
                            let out = admitted.by(c, Direction::Egress, service);
                            let through = out.as_slice().iter().zip(to.members.as_slice());
                            for (reached, (out, member)) in
                                reached.as_mut_slice().iter_mut().zip(through)
                            {
                                *reached |= out & member;
                            }
                        }
                    }
                }
            });
        let mut graph = DiGraph::new();
        let nodes: Vec<NodeIndex> = classes.iter().map(|_| graph.add_node(())).collect();
        for (c, reached) in reached.iter().enumerate() {
            for (d, class) in classes.iter().enumerate() {
                if !reached.is_disjoint(&class.members) {
                    graph.add_edge(nodes[c], nodes[d], ());
                }
            }
        }
        Self { reached, graph }
    }

    fn one(&self, classes: &[Class], group: GroupIx) -> u64 {
        let start = (0..classes.len()).filter(|&c| classes[c].groups.contains(&group));
        self.union(start)
    }

    fn any(&self, classes: &[Class], group: GroupIx) -> u64 {
        let start = (0..classes.len()).filter(|&c| classes[c].groups.contains(&group));
        self.union(
            start
                .flat_map(|c| Dfs::new(&self.graph, NodeIndex::new(c)).iter(&self.graph))
                .map(NodeIndex::index),
        )
    }

    fn union(&self, classes: impl Iterator<Item = usize>) -> u64 {
        let mut all = FixedBitSet::new();
        for class in classes {
            all.grow(self.reached[class].len());
            all.union_with(&self.reached[class]);
        }
        all.count_ones(..) as u64
    }
}
