//! Legs: what a NAT gateway or a load balancer forwards belongs to the connection of the client behind it.
//!
//! A NAT gateway's interface records a connection of its own to the destination, and, where the flow log's format lacks `pkt-dstaddr`,
//! one from the client to the gateway (flow-logs-records-examples.html, "Traffic through a NAT gateway"). Both are legs of the
//! client's connection. No security group judges them, for a NAT gateway carries none.
//!
//! A Network Load Balancer that preserves the client's address stands on none of the target's records
//! (network/edit-target-group-attributes.html): the target's connection is a leg of the client's connection to the balancer.

use std::net::IpAddr;

use super::connection::Connection;
use super::ends::{End, Place, overlap};
use super::verdict::{Unattributed, Verdict};
use crate::inventory::{BalancerIx, InterfaceKind, Inventory};
use crate::net::{HashMap, Service};

/// A leg that carries many more packets than all connections that it may belong to is not explained by them: a client that was not seen
/// is behind it too. Twice as many, and some for records that AWS skipped, are still explained.
const EXPLAINED: (u64, u64) = (2, 100);

/// A leg, by what its client's connection has in common with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// From the gateway to the destination.
    Out(IpAddr, Service),
    /// From the client to the gateway.
    In(End, Service),
    /// From the client through a balancer to a target.
    Balanced(IpAddr, BalancerIx),
}

/// Gives every leg the connections that it is a leg of. A leg of a client that was not seen has none.
pub(super) fn attach(inventory: &Inventory, connections: &mut [Connection]) {
    let mut clients: HashMap<Key, Vec<usize>> = HashMap::default();
    let legs: Vec<(usize, Key)> = connections
        .iter()
        .enumerate()
        .filter_map(|(position, c)| Some((position, leg(inventory, c)?)))
        .collect();
    for (_, key) in &legs {
        clients.entry(*key).or_default();
    }
    if clients.is_empty() {
        return;
    }
    let balancer_of = inventory.balancer_interfaces();
    for (position, client) in connections.iter().enumerate() {
        let forwarded = may_have_a_leg(client).then_some([
            Key::Out(client.responder.address, client.service),
            Key::In(client.initiator, client.service),
        ]);
        let responder = client.responder.interface();
        let balancer = responder.and_then(|ix| balancer_of.get(&ix));
        let balanced = balancer.map(|&ix| Key::Balanced(client.initiator.address, ix));
        for key in forwarded.into_iter().flatten().chain(balanced) {
            if let Some(of_key) = clients.get_mut(&key) {
                of_key.push(position);
            }
        }
    }
    for (position, key) in legs {
        let leg = &connections[position];
        connections[position].leg_of = match key {
            Key::Balanced(..) => in_time(connections, leg, &clients[&key]),
            Key::Out(..) | Key::In(..) => behind(inventory, connections, leg, &clients[&key]),
        };
    }
}

/// What tells a leg, if the connection is one.
fn leg(inventory: &Inventory, connection: &Connection) -> Option<Key> {
    if let Place::Balanced(balancer) = connection.initiator.place {
        return Some(Key::Balanced(connection.initiator.address, balancer));
    }
    if connection.verdict != Verdict::Unattributed(Unattributed::Forwarded) {
        return None;
    }
    let is_gateway = |end: End| gateway_vpc(inventory, end).is_some();
    if is_gateway(connection.initiator) {
        Some(Key::Out(connection.responder.address, connection.service))
    } else if is_gateway(connection.responder) {
        Some(Key::In(connection.initiator, connection.service))
    } else {
        None
    }
}

/// The VPC of a NAT gateway's interface.
fn gateway_vpc(inventory: &Inventory, end: End) -> Option<&str> {
    let interface = inventory.interface(end.interface()?);
    (interface.kind == InterfaceKind::NatGateway).then_some(&*interface.vpc)
}

/// Whether an interface initiated it to an address outside the inventory, and it was not rejected.
fn may_have_a_leg(connection: &Connection) -> bool {
    connection.initiator.place != Place::Outside
        && connection.responder.place == Place::Outside
        && match connection.verdict {
            Verdict::Accepted | Verdict::Quarantined(_) => true,
            Verdict::Rejected => connection.seen.egress_accepted > 0,
            Verdict::Unattributed(_) => false,
        }
}

/// Of the connections that a leg may belong to, those of its time.
fn in_time(connections: &[Connection], leg: &Connection, candidates: &[usize]) -> Vec<usize> {
    let in_time = |position: &usize| {
        let client = &connections[*position].totals;
        overlap(
            (client.first, client.last),
            (leg.totals.first, leg.totals.last),
        )
    };
    candidates.iter().copied().filter(in_time).collect()
}

/// Of the connections that a leg may belong to, those of its time and its VPC, if they explain its packets. Clients of another VPC
/// reach the gateway through a transit gateway; they count where its own VPC has none.
fn behind(
    inventory: &Inventory,
    connections: &[Connection],
    leg: &Connection,
    candidates: &[usize],
) -> Vec<usize> {
    let vpc =
        gateway_vpc(inventory, leg.initiator).or_else(|| gateway_vpc(inventory, leg.responder));
    let in_vpc = |position: &usize| {
        let interface = connections[*position].initiator.interface();
        interface.map(|ix| &*inventory.interface(ix).vpc) == vpc
    };
    let in_time = in_time(connections, leg, candidates).into_iter();
    let (own, others): (Vec<usize>, Vec<usize>) = in_time.partition(in_vpc);
    let clients = if own.is_empty() { others } else { own };
    let packets = clients
        .iter()
        .map(|&client| connections[client].totals.packets)
        .fold(0, u64::saturating_add);
    let (times, spare) = EXPLAINED;
    if leg.totals.packets > packets.saturating_mul(times).saturating_add(spare) {
        return Vec::new();
    }
    clients
}
