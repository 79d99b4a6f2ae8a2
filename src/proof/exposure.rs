//! How much is open: pairs of interfaces that may talk, on the services in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;

use crate::inventory::{
    CompiledTarget, Direction, Gates, GroupIx, Interface, InterfaceIx, Inventory, Packet,
};
use crate::net::{HashSet, Service};
use crate::resolve::Connection;

/// Allowed (initiator interface, responder interface, service) tuples, over the
/// services of accepted connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Under today's rules.
    pub before: u64,
    /// After the change.
    pub after: u64,
    /// The tuples that were observed: no rule set that loses nothing has fewer.
    pub ideal: u64,
}

/// Interfaces that every gate treats alike but for their addresses: the same
/// groups in the same VPC.
pub(super) struct Class {
    pub(super) groups: Vec<GroupIx>,
    pub(super) members: FixedBitSet,
    pub(super) example: InterfaceIx,
}

/// Measures exposure under two sets of gates. Only interfaces with known groups
/// count, and only pairs with a path between them: one VPC, or a peering.
pub fn exposure(
    inventory: &Inventory,
    before: &Gates,
    after: &Gates,
    connections: &[Connection],
) -> Exposure {
    let classes = classes(inventory);
    let mut members = FixedBitSet::with_capacity(inventory.interfaces().len());
    for class in &classes {
        members.union_with(&class.members);
    }
    let known = |ix: InterfaceIx| members.contains(ix.index());
    let observed: HashSet<_> = observed_pairs(connections)
        .filter(|&(x, y, _)| known(x) && known(y) && path(inventory, x, y))
        .collect();
    let (before, after) = rayon::join(
        || allowed_pairs(inventory, before, connections),
        || allowed_pairs(inventory, after, connections),
    );
    Exposure {
        before,
        after,
        ideal: observed.len() as u64,
    }
}

/// The interface pairs that accepted connections inside the inventory make, with their service.
fn observed_pairs(
    connections: &[Connection],
) -> impl Iterator<Item = (InterfaceIx, InterfaceIx, Service)> + '_ {
    let accepted = connections.iter().filter(|c| c.is_accepted());
    accepted.filter_map(|c| {
        let (x, y) = (c.initiator.interface()?, c.responder.interface()?);
        (x != y).then_some((x, y, c.service))
    })
}

/// The tuples that one set of gates allows.
pub(super) fn allowed_pairs(
    inventory: &Inventory,
    gates: &Gates,
    connections: &[Connection],
) -> u64 {
    let classes = classes(inventory);
    let accepted = connections.iter().filter(|c| c.is_accepted());
    let services: BTreeSet<Service> = accepted.map(|c| c.service).collect();
    let services: Vec<Service> = services.into_iter().collect();
    let admitted = Admitted::new(inventory, gates, &classes, &services);
    (0..services.len())
        .map(|service| allowed(inventory, &classes, &admitted, service))
        .sum()
}

pub(super) fn classes(inventory: &Inventory) -> Vec<Class> {
    let mut by_key: BTreeMap<(&str, &[GroupIx]), Class> = BTreeMap::new();
    for ix in inventory.interface_indexes() {
        let interface = inventory.interface(ix);
        if interface.groups.is_empty()
            || interface.groups.iter().any(|&g| !inventory.group(g).known)
        {
            continue;
        }
        by_key
            .entry((&interface.vpc, &interface.groups))
            .or_insert_with(|| Class {
                groups: interface.groups.clone(),
                members: FixedBitSet::with_capacity(inventory.interfaces().len()),
                example: ix,
            })
            .members
            .insert(ix.index());
    }
    by_key.into_values().collect()
}

/// Allowed pairs for one service. A pair needs the initiator's egress and the
/// responder's ingress; both depend on the class at the gate and the address at
/// the other end, so pairs are counted class by class.
fn allowed(inventory: &Inventory, classes: &[Class], admitted: &Admitted, service: usize) -> u64 {
    let mut count = 0;
    for (c, from) in classes.iter().enumerate() {
        for (d, to) in classes.iter().enumerate() {
            if !path(inventory, from.example, to.example) {
                continue;
            }
            let (out, inward) = (
                admitted.by(c, Direction::Egress, service),
                admitted.by(d, Direction::Ingress, service),
            );
            let senders = from.members.intersection_count(inward) as u64;
            let receivers = to.members.intersection_count(out) as u64;
            let itself = if c == d {
                from.members
                    .ones()
                    .filter(|&x| inward.contains(x) && out.contains(x))
                    .count() as u64
            } else {
                0
            };
            count += senders * receivers - itself;
        }
    }
    count
}

/// The interfaces that each class's gates admit under any of their addresses, by service.
pub(super) struct Admitted {
    /// By class, then egress and ingress.
    sides: Vec<[Side; 2]>,
}

/// Services that the same rules permit share a set.
struct Side {
    /// By service, the position of its set.
    set_of: Vec<usize>,
    sets: Vec<FixedBitSet>,
}

impl Admitted {
    pub(super) fn new(
        inventory: &Inventory,
        gates: &Gates,
        classes: &[Class],
        services: &[Service],
    ) -> Self {
        let peers = Peers::new(inventory, classes);
        let sides = classes.par_iter().map(|class| {
            [Direction::Egress, Direction::Ingress]
                .map(|direction| Side::new(&peers, gates, class, direction, services))
        });
        Self {
            sides: sides.collect(),
        }
    }

    /// The interfaces that a class admits for a service, by their positions.
    pub(super) fn by(&self, class: usize, direction: Direction, service: usize) -> &FixedBitSet {
        let side = &self.sides[class][usize::from(direction == Direction::Ingress)];
        &side.sets[side.set_of[service]]
    }
}

impl Side {
    fn new(
        peers: &Peers<'_>,
        gates: &Gates,
        class: &Class,
        direction: Direction,
        services: &[Service],
    ) -> Self {
        let mut targets: Vec<Vec<&CompiledTarget>> = Vec::new();
        let set_of = services
            .iter()
            .map(|&service| {
                let own = gates.targets(&class.groups, direction, Packet::from(service));
                let same = |known: &Vec<&CompiledTarget>| {
                    known.len() == own.len()
                        && known.iter().zip(&own).all(|(a, b)| std::ptr::eq(*a, *b))
                };
                targets.iter().position(same).unwrap_or_else(|| {
                    targets.push(own);
                    targets.len() - 1
                })
            })
            .collect();
        let at = peers.inventory.interface(class.example);
        let sets = targets.iter();
        let sets = sets.map(|targets| peers.admitted(at, direction, targets));
        Self {
            sets: sets.collect(),
            set_of,
        }
    }
}

/// Every interface that may be at the other end.
struct Peers<'a> {
    inventory: &'a Inventory,
    classes: &'a [Class],
    /// In order.
    by_address: Vec<(IpAddr, InterfaceIx)>,
}

impl<'a> Peers<'a> {
    fn new(inventory: &'a Inventory, classes: &'a [Class]) -> Self {
        Self {
            inventory,
            classes,
            by_address: by_address(inventory, |interface| interface.addresses.iter().copied()),
        }
    }

    /// Those that rules at one interface admit under any of their addresses.
    fn admitted(
        &self,
        at: &Interface,
        direction: Direction,
        targets: &[&CompiledTarget],
    ) -> FixedBitSet {
        let mut set = FixedBitSet::with_capacity(self.inventory.interfaces().len());
        for target in targets {
            match target {
                CompiledTarget::Addresses(addresses) => {
                    let holders = addresses.among(&self.by_address);
                    holders.for_each(|(_, ix)| set.insert(ix.index()));
                }
                CompiledTarget::Group(group, _) => {
                    let carry = |class: &&Class| class.groups.contains(group);
                    let members = self.classes.iter().filter(carry);
                    for ix in members.flat_map(|class| class.members.ones()) {
                        let peer = &self.inventory.interfaces()[ix];
                        if !peer.addresses.is_empty()
                            && self.inventory.reference_works(at, direction, peer)
                        {
                            set.insert(ix);
                        }
                    }
                }
                CompiledTarget::AbsentGroup(_)
                | CompiledTarget::AbsentList
                | CompiledTarget::Nobody => {}
            }
        }
        set
    }
}

/// Interfaces by some of their addresses, in order.
pub(super) fn by_address<'a, A: Iterator<Item = IpAddr>>(
    inventory: &'a Inventory,
    addresses: impl Fn(&'a Interface) -> A,
) -> Vec<(IpAddr, InterfaceIx)> {
    let all = inventory
        .interface_indexes()
        .flat_map(|ix| addresses(inventory.interface(ix)).map(move |address| (address, ix)));
    let mut by_address: Vec<(IpAddr, InterfaceIx)> = all.collect();
    by_address.sort_unstable();
    by_address
}

pub(super) fn path(inventory: &Inventory, a: InterfaceIx, b: InterfaceIx) -> bool {
    inventory.path_between(inventory.interface(a), inventory.interface(b))
}
