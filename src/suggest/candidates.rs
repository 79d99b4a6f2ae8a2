//! Which rules may be considered at all: none that lets through what today's
//! rules do not.

use std::net::{IpAddr, Ipv4Addr};

use crate::inventory::{
    Direction, Gates, GroupIx, Interface, InterfaceIx, Inventory, Packet, Peer,
};
use crate::net::{AddressSet, Service};

/// Asks today's gates on behalf of rules that are not made yet.
pub(super) struct Candidates<'a> {
    pub(super) inventory: &'a Inventory,
    today: &'a Gates,
}

impl<'a> Candidates<'a> {
    pub(super) const fn new(inventory: &'a Inventory, today: &'a Gates) -> Self {
        Self { inventory, today }
    }

    /// Whether every member of `initiators` may reach every member of
    /// `responders` today, through both gates.
    pub(super) fn pair_is_open(
        &self,
        initiators: GroupIx,
        responders: GroupIx,
        service: Service,
    ) -> bool {
        self.every_pair(initiators, responders, |x, y| {
            self.lets_out(x, y, service) && self.lets_in(x, y, service)
        })
    }

    /// Whether an ingress rule of `responders` names `initiators` for the service
    /// today, whoever their members are.
    pub(super) fn is_named(
        &self,
        initiators: GroupIx,
        responders: GroupIx,
        service: Service,
    ) -> bool {
        let anybody = Peer {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            groups: &[initiators],
        };
        let packet = Packet::from(service);
        self.today
            .admitting(&[responders], Direction::Ingress, anybody, packet)
            .next()
            .is_some()
    }

    /// Whether every member of `initiators` may send to every member of
    /// `responders` today, as far as its own gate goes.
    pub(super) fn egress_is_open(
        &self,
        initiators: GroupIx,
        responders: GroupIx,
        service: Service,
    ) -> bool {
        self.every_pair(initiators, responders, |x, y| self.lets_out(x, y, service))
    }

    /// Whether every member of `initiators` may send to the address today.
    pub(super) fn address_is_open(
        &self,
        initiators: GroupIx,
        address: IpAddr,
        service: Service,
    ) -> bool {
        let peer = Peer {
            address,
            groups: &[],
        };
        self.members(initiators).all(|x| {
            self.today
                .admitting(&x.groups, Direction::Egress, peer, Packet::from(service))
                .next()
                .is_some()
        })
    }

    /// Whether every member of `initiators` may send to all of the addresses today.
    pub(super) fn addresses_are_open(
        &self,
        initiators: GroupIx,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        self.members(initiators).all(|x| {
            self.today
                .open_addresses(&x.groups, Direction::Egress, Packet::from(service))
                .contains_set(addresses)
        })
    }

    fn members(&self, group: GroupIx) -> impl Iterator<Item = &'a Interface> + use<'a> {
        let inventory = self.inventory;
        inventory
            .group(group)
            .members
            .iter()
            .map(|&ix| inventory.interface(ix))
    }

    fn every_pair(
        &self,
        a: GroupIx,
        b: GroupIx,
        holds: impl Fn(&Interface, &Interface) -> bool,
    ) -> bool {
        self.members(a)
            .all(|x| self.members(b).all(|y| x.id == y.id || holds(x, y)))
    }

    fn lets_out(&self, x: &Interface, y: &Interface, service: Service) -> bool {
        self.admits_all(x, Direction::Egress, y, service)
    }

    fn lets_in(&self, x: &Interface, y: &Interface, service: Service) -> bool {
        self.admits_all(y, Direction::Ingress, x, service)
    }

    /// Whether `at` admits `peer` under each of the peer's addresses: a reference
    /// would cover all of them.
    fn admits_all(
        &self,
        at: &Interface,
        direction: Direction,
        peer: &Interface,
        service: Service,
    ) -> bool {
        let groups: &[GroupIx] = if self.inventory.reference_works(at, peer) {
            &peer.groups
        } else {
            &[]
        };
        let in_prefixes = peer
            .prefixes
            .iter()
            .flat_map(|p| [p.network(), p.broadcast()]);
        peer.addresses
            .iter()
            .copied()
            .chain(in_prefixes)
            .all(|address| {
                let peer = Peer { address, groups };
                self.today
                    .admitting(&at.groups, direction, peer, Packet::from(service))
                    .next()
                    .is_some()
            })
    }

    /// Members of a group that are not among `seen`: what a rule on it grants
    /// without having been observed.
    pub(super) fn unseen_members(&self, group: GroupIx, seen: &[InterfaceIx]) -> u64 {
        let unseen = self
            .inventory
            .group(group)
            .members
            .iter()
            .filter(|ix| !seen.contains(ix));
        unseen.count() as u64
    }
}
