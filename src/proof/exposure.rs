//! How much is open: pairs of interfaces that may talk, on the services in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fixedbitset::FixedBitSet;

use super::reachable::{Network, Passages};
use crate::inventory::{Gates, GroupIx, Interface, InterfaceIx, Inventory};
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
    let network = Network::new(inventory);
    let (before, after) = rayon::join(
        || allowed_pairs(&network, before, connections),
        || allowed_pairs(&network, after, connections),
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
    network: &Network<'_>,
    gates: &Gates,
    connections: &[Connection],
) -> u64 {
    let accepted = connections.iter().filter(|c| c.is_accepted());
    let services: BTreeSet<Service> = accepted.map(|c| c.service).collect();
    let services: Vec<Service> = services.into_iter().collect();
    Passages::new(network, gates, &services).pairs()
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
