//! How much is open: pairs of interfaces that may talk, on the services in use.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;

use super::observed_pairs;
use crate::inventory::{Direction, Gates, GroupIx, InterfaceIx, Inventory, Packet, Peer};
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
    let known = |ix: InterfaceIx| {
        classes
            .iter()
            .any(|class| class.members.contains(ix.index()))
    };
    let observed: HashSet<_> = observed_pairs(connections)
        .filter(|&(x, y, _)| known(x) && known(y) && path(inventory, x, y))
        .collect();
    Exposure {
        before: allowed_pairs(inventory, before, connections),
        after: allowed_pairs(inventory, after, connections),
        ideal: observed.len() as u64,
    }
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
    services
        .into_iter()
        .map(|service| allowed(inventory, gates, &classes, service))
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
fn allowed(inventory: &Inventory, gates: &Gates, classes: &[Class], service: Service) -> u64 {
    let reach = |direction| -> Vec<FixedBitSet> {
        classes
            .iter()
            .map(|class| admitted(inventory, gates, class, direction, service))
            .collect()
    };
    let (out, inward) = (reach(Direction::Egress), reach(Direction::Ingress));
    let mut count = 0;
    for (c, from) in classes.iter().enumerate() {
        for (d, to) in classes.iter().enumerate() {
            if !path(inventory, from.example, to.example) {
                continue;
            }
            let senders = from.members.intersection_count(&inward[d]) as u64;
            let receivers = to.members.intersection_count(&out[c]) as u64;
            let itself = if c == d {
                from.members
                    .ones()
                    .filter(|&x| inward[d].contains(x) && out[c].contains(x))
                    .count() as u64
            } else {
                0
            };
            count += senders * receivers - itself;
        }
    }
    count
}

/// The interfaces that a class's gate admits under any of their addresses.
pub(super) fn admitted(
    inventory: &Inventory,
    gates: &Gates,
    class: &Class,
    direction: Direction,
    service: Service,
) -> FixedBitSet {
    let mut set = FixedBitSet::with_capacity(inventory.interfaces().len());
    let at = inventory.interface(class.example);
    for ix in inventory.interface_indexes() {
        let peer = inventory.interface(ix);
        let groups = inventory.nameable_groups(at, direction, peer);
        let admits = |&address: &std::net::IpAddr| {
            let peer = Peer { address, groups };
            gates
                .admitting(&class.groups, direction, peer, Packet::from(service))
                .next()
                .is_some()
        };
        if peer.addresses.iter().any(admits) {
            set.insert(ix.index());
        }
    }
    set
}

pub(super) fn path(inventory: &Inventory, a: InterfaceIx, b: InterfaceIx) -> bool {
    inventory.path_between(inventory.interface(a), inventory.interface(b))
}
