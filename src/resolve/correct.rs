//! Ends that the rows of one interface can't tell, told by those of others.
//!
//! * In logs without `pkt-srcaddr` and `pkt-dstaddr` an interface records its primary address, whichever of its addresses the packet
//!   had (flow-log-records.html). The other end's rows have the one it had.
//! * A Network Load Balancer that preserves client addresses is on no record of its targets
//!   (network/edit-target-group-attributes.html). A client that is logged and has no row of its own to the target came through it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::conversation::{Conversation, Part, Side, Socket, SocketPair, Sorted};
use super::ends::{End, Place};
use super::evidence::{names_port, peer_of};
use crate::flow::is_listener;
use crate::inventory::{
    Admission, BalancerIx, Direction, Fronting, Gates, Interface, InterfaceIx, Inventory, Packet,
    Peer,
};
use crate::net::{HashMap, HashSet, Protocol, Service};

/// An end as far as another interface's rows agree on it: an interface has several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Interface(InterfaceIx),
    Other(End),
}

impl Whose {
    fn of(end: End) -> Self {
        end.interface().map_or(Self::Other(end), Self::Interface)
    }
}

/// One end and its port, an interface and its port, and the protocol.
type Between = (Whose, u16, InterfaceIx, u16, Protocol);

/// What the rows of all interfaces say about ends that some of them can't tell.
#[derive(Debug)]
pub(super) struct Corrections<'a> {
    inventory: &'a Inventory,
    gates: &'a Gates,
    /// Secondary addresses of an interface, as the rows of the other end have them.
    seen_as: HashMap<Between, BTreeSet<IpAddr>>,
    /// Which ends recorded rows of anything.
    recorders: HashSet<Whose>,
    /// Which ends recorded rows to a port of an interface.
    recorded: HashSet<(Whose, InterfaceIx, u16, Protocol)>,
    /// Which addresses had to do with which balancer.
    clients: HashSet<(IpAddr, BalancerIx)>,
}

impl<'a> Corrections<'a> {
    /// Looks at all rows; nothing where no interface of the inventory has several addresses and there is no balancer.
    pub(super) fn new(sorted: &Sorted, inventory: &'a Inventory, gates: &'a Gates) -> Option<Self> {
        let balancer_of = inventory.balancer_interfaces();
        if balancer_of.is_empty() && !inventory.interfaces().iter().any(has_several) {
            return None;
        }
        let mut corrections = Self {
            inventory,
            gates,
            seen_as: HashMap::default(),
            recorders: HashSet::default(),
            recorded: HashSet::default(),
            clients: HashSet::default(),
        };
        sorted.for_each_pair(|pair, recorder| {
            for side in Side::BOTH {
                let (near, far) = (pair.socket(side), pair.socket(side.other()));
                let Some(ix) = far.end.interface() else {
                    continue;
                };
                if let Some(&balancer) = balancer_of.get(&ix) {
                    corrections.clients.insert((near.end.address, balancer));
                }
                if recorder == Some(side) {
                    corrections.learn(pair.protocol, near, (ix, far), !balancer_of.is_empty());
                }
            }
        });
        Some(corrections)
    }

    fn learn(
        &mut self,
        protocol: Protocol,
        near: Socket,
        (ix, far): (InterfaceIx, Socket),
        are_balanced: bool,
    ) {
        let interface = self.inventory.interface(ix);
        if has_several(interface) {
            let between = (Whose::of(near.end), near.port, ix, far.port, protocol);
            let seen_as = self.seen_as.entry(between).or_default();
            seen_as.insert(far.end.address);
        }
        if are_balanced {
            self.recorders.insert(Whose::of(near.end));
            let recorded = (Whose::of(near.end), ix, far.port, protocol);
            self.recorded.insert(recorded);
        }
    }

    /// Puts right what a conversation's own rows can't tell.
    pub(super) fn apply(&self, conversation: &mut Conversation<'_>) {
        let Some(recorder) = only_recorder(conversation) else {
            return;
        };
        let pair = conversation.pair;
        let (own, other) = (pair.socket(recorder), pair.socket(recorder.other()));
        let Some(ix) = own.end.interface() else {
            return;
        };
        if let Some(address) = self.real_address(&pair, (ix, own), other) {
            conversation.socket_mut(recorder).end.address = address;
        }
        if let Some(balancer) = self.balancer(&pair, (ix, own), other) {
            let other = conversation.socket_mut(recorder.other());
            other.end.place = Place::Balanced(balancer);
        }
    }

    /// The address of the recording interface that the other end's rows have, where its own have the primary one.
    fn real_address(
        &self,
        pair: &SocketPair,
        (ix, own): (InterfaceIx, Socket),
        other: Socket,
    ) -> Option<IpAddr> {
        let interface = self.inventory.interface(ix);
        if !has_several(interface)
            || interface.primary(own.end.address.is_ipv4()) != Some(own.end.address)
        {
            return None;
        }
        let between = (
            Whose::of(other.end),
            other.port,
            ix,
            own.port,
            pair.protocol,
        );
        let seen_as = self.seen_as.get(&between)?;
        // Of several, each has a conversation of its own; any of them is as good.
        let is_told = !seen_as.contains(&own.end.address);
        is_told.then(|| seen_as.first().copied()).flatten()
    }

    /// The balancer through which the other end's packets came.
    fn balancer(
        &self,
        pair: &SocketPair,
        (ix, own): (InterfaceIx, Socket),
        other: Socket,
    ) -> Option<BalancerIx> {
        let inventory = self.inventory;
        let target = inventory.interface(ix);
        let is_forwarded = matches!(pair.protocol, Protocol::TCP | Protocol::UDP);
        let is_target = target.network_balancer.is_none() && !own.several && is_forwarded;
        let recorded = (Whose::of(other.end), ix, own.port, pair.protocol);
        if !is_target || self.recorded.contains(&recorded) {
            return None;
        }
        let client = other.end.interface().map(|ix| inventory.interface(ix));
        if client.is_some_and(|client| client.network_balancer.is_some()) {
            return None;
        }
        // Who is logged and has no row of it did not send it directly.
        let is_logged = self.recorders.contains(&Whose::of(other.end));
        let candidates = inventory.balancers_before(ix, own.port);
        candidates
            .filter_map(|(balancer, fronting)| {
                let talked = self.clients.contains(&(other.end.address, balancer));
                let seen = talked && (is_logged || other.end.place == Place::Outside);
                let may_be = || self.admits(target, pair, (own, other), balancer);
                let is_it = fronting == Fronting::Registered
                    || may_be() && (seen || self.is_denied_directly(target, pair, (own, other)));
                is_it.then_some(((fronting, talked), Reverse(balancer)))
            })
            .max()
            .map(|(_, Reverse(balancer))| balancer)
    }

    /// Whether the target's rules admit on its port what comes through the balancer.
    fn admits(
        &self,
        target: &Interface,
        pair: &SocketPair,
        (own, client): (Socket, Socket),
        balancer: BalancerIx,
    ) -> bool {
        let peer = Peer::listed(
            client.end.address,
            &self.inventory.balancer(balancer).groups,
        );
        match self.judge(target, Direction::Ingress, peer, pair.protocol, own.port) {
            Admission::Allowed(group, rule) => {
                names_port(self.inventory, group, rule)
                    || is_listener(pair.protocol, own.port, client.port)
            }
            _ => false,
        }
    }

    /// Whether a gate between the client and the target denies a connection without a balancer.
    fn is_denied_directly(
        &self,
        target: &Interface,
        pair: &SocketPair,
        (own, client): (Socket, Socket),
    ) -> bool {
        let denies = |at: &Interface, direction, ends: (End, End)| {
            let peer = Peer {
                unlisted: false,
                ..peer_of(self.inventory, ends.0, direction, ends.1)
            };
            self.judge(at, direction, peer, pair.protocol, own.port) == Admission::Denied
        };
        let client_interface = client.end.interface();
        denies(target, Direction::Ingress, (own.end, client.end))
            || client_interface.is_some_and(|ix| {
                let at = self.inventory.interface(ix);
                denies(at, Direction::Egress, (client.end, own.end))
            })
    }

    fn judge(
        &self,
        at: &Interface,
        direction: Direction,
        peer: Peer<'_>,
        protocol: Protocol,
        port: u16,
    ) -> Admission {
        let packet = Packet::from(Service::new(protocol, port));
        self.gates
            .judge(self.inventory, at, direction, peer, packet)
    }
}

/// The side at which all rows of a conversation were recorded that an end recorded.
fn only_recorder(conversation: &Conversation<'_>) -> Option<Side> {
    let mut recorders = conversation.parts().filter_map(Part::recorder);
    let first = recorders.next()?;
    recorders.all(|other| other == first).then_some(first)
}

/// Whether an interface has addresses that its own rows may not show.
fn has_several(interface: &Interface) -> bool {
    let v4 = interface.addresses.iter().filter(|a| a.is_ipv4()).count();
    v4 > 1 || interface.addresses.len() - v4 > 1 || !interface.prefixes.is_empty()
}
