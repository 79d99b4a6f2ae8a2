//! How much is open: pairs of interfaces that may talk, on the services in use.

use std::collections::BTreeSet;

use super::reachable::{Crossings, Network, path};
use crate::inventory::{Gates, InterfaceIx, Inventory};
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

/// Measures exposure under two sets of gates. Only interfaces with known groups
/// count, and only pairs with a path between them: one VPC, or a peering.
pub fn exposure(
    inventory: &Inventory,
    before: &Gates,
    after: &Gates,
    connections: &[Connection],
) -> Exposure {
    let network = Network::new(inventory);
    let known = |ix| network.class_of(ix).is_some();
    let observed: HashSet<_> = observed_pairs(connections)
        .filter(|&(x, y, _)| known(x) && known(y) && path(inventory, x, y))
        .collect();
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
    Crossings::new(network, gates, &services).pairs()
}
