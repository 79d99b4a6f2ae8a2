//! Which rules may be considered at all: none that lets through what today's
//! rules do not.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::decided::PolicyRules;
use super::evidence::RuleEvidence;
use crate::inventory::{
    Direction, Gates, GroupIx, Interface, InterfaceIx, Inventory, Packet, Peer, RulePorts,
};
use crate::net::{AddressSet, HashMap, PortRange, Protocol, Service, prefix_of};
use crate::resolve::Verdict;

/// Asks today's gates on behalf of rules that are not made yet.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    pub(super) inventory: &'a Inventory,
    today: &'a Gates,
    /// What a policy has decided, if the run is against one.
    pub(super) policy: Option<&'a PolicyRules>,
    interfaces: Arc<Classes>,
    /// Pairs that were asked about already.
    reachable: Arc<Mutex<Reachable>>,
    /// Where all members of a group may send, of groups and services that were asked about already.
    open: Arc<Mutex<Open>>,
    /// What rules must not permit: initiator, service and destination of quarantined and rejected connections.
    quarantined: Vec<(InterfaceIx, Service, IpAddr)>,
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Where all members of a group may send, for a service.
type Open = HashMap<(GroupIx, Service), Arc<AddressSet>>;

/// Whether one group may reach another one, for a service.
type Reachable = HashMap<(GroupIx, GroupIx, Service), bool>;

/// The interfaces by the groups that they carry.
#[derive(Debug)]
struct Classes {
    class_of: Vec<ClassIx>,
    with_group: Vec<Vec<ClassIx>>,
    members: Vec<Vec<InterfaceIx>>,
}

impl Classes {
    fn new(inventory: &Inventory) -> Self {
        let mut by_groups: BTreeMap<&[GroupIx], Vec<InterfaceIx>> = BTreeMap::new();
        for ix in inventory.interface_indexes() {
            by_groups
                .entry(&inventory.interface(ix).groups)
                .or_default()
                .push(ix);
        }
        let mut class_of = vec![ClassIx(0); inventory.interfaces().len()];
        let mut with_group = vec![Vec::new(); inventory.groups().len()];
        for (class, (groups, members)) in by_groups.iter().enumerate() {
            for group in *groups {
                with_group[group.index()].push(ClassIx(class));
            }
            for member in members {
                class_of[member.index()] = ClassIx(class);
            }
        }
        Self {
            class_of,
            with_group,
            members: by_groups.into_values().collect(),
        }
    }
}

impl<'a> Candidates<'a> {
    pub(super) fn new(evidence: &RuleEvidence<'a>) -> Self {
        Self {
            inventory: evidence.inventory,
            today: evidence.today,
            policy: evidence.policy,
            interfaces: Arc::new(Classes::new(evidence.inventory)),
            reachable: Arc::default(),
            open: Arc::default(),
            quarantined: quarantined(evidence),
        }
    }

    /// The same for other evidence of the same account.
    pub(super) fn of(&self, evidence: &RuleEvidence<'a>) -> Self {
        Self {
            interfaces: Arc::clone(&self.interfaces),
            reachable: Arc::clone(&self.reachable),
            open: Arc::clone(&self.open),
            quarantined: quarantined(evidence),
            ..*self
        }
    }

    /// Whether every member of `initiators` may reach every member of
    /// `responders` today, through both gates.
    pub(super) fn pair_is_open(
        &self,
        initiators: GroupIx,
        responders: GroupIx,
        service: Service,
    ) -> bool {
        let reachable = || {
            self.reachable
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let question = (initiators, responders, service);
        let known = reachable().get(&question).copied();
        known.unwrap_or_else(|| {
            let is_open = self.every_pair(initiators, responders, |x, y| {
                self.lets_out(x, y, service) && self.lets_in(x, y, service)
            });
            reachable().insert(question, is_open);
            is_open
        })
    }

    /// Whether every member of `initiators` may reach every member of `responders`
    /// today on the whole range, by one rule at each gate.
    pub(super) fn range_is_open(
        &self,
        initiators: GroupIx,
        responders: GroupIx,
        protocol: Protocol,
        range: PortRange,
    ) -> bool {
        self.every_pair(initiators, responders, |x, y| {
            self.admits_range(x, Direction::Egress, y, protocol, range)
                && self.admits_range(y, Direction::Ingress, x, protocol, range)
        })
    }

    fn admits_range(
        &self,
        at: &Interface,
        direction: Direction,
        peer: &Interface,
        protocol: Protocol,
        range: PortRange,
    ) -> bool {
        let groups = self.inventory.nameable_groups(at, direction, peer);
        let first = Packet::from(Service::new(protocol, range.from()));
        peer.addresses.iter().all(|&address| {
            let mut rules =
                self.today
                    .admitting(&at.groups, direction, Peer::listed(address, groups), first);
            rules.any(
                |(group, position)| match self.inventory.group(group).rules[position].ports {
                    RulePorts::Any => true,
                    RulePorts::Ports(ports) => ports.contains(range.to()),
                    RulePorts::Icmp { .. } => false,
                },
            )
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
        let named = [initiators];
        let anybody = Peer::listed(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &named);
        let packet = Packet::from(service);
        self.today
            .admitting(&[responders], Direction::Ingress, anybody, packet)
            .next()
            .is_some()
    }

    /// Whether today's rules do not certainly permit what an interface exchanges with a peer: the inventory does not tell.
    pub(super) fn is_uncertain(
        &self,
        at: InterfaceIx,
        direction: Direction,
        peer: Peer<'_>,
        service: Service,
    ) -> bool {
        let interface = self.inventory.interface(at);
        let packet = Packet::from(service);
        let said = (self.today).judge(self.inventory, interface, direction, peer, packet);
        !said.certainly_passes()
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
        self.open_to(initiators, service).contains(address)
    }

    /// The addresses to which every member of a group may send today.
    fn open_to(&self, initiators: GroupIx, service: Service) -> Arc<AddressSet> {
        let known = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = known().get(&(initiators, service)) {
            return Arc::clone(open);
        }
        let packet = Packet::from(service);
        let of_class = |class: ClassIx| {
            let example = self.inventory.interface(self.members_of(class)[0]);
            (self.today).open_addresses(&example.groups, Direction::Egress, packet)
        };
        let here = |class: &ClassIx| {
            let mut members = self.members_of(*class).iter();
            members.any(|&ix| !self.inventory.interface(ix).is_gone())
        };
        let all = self.classes_with(initiators).filter(here).map(of_class);
        let open = all.reduce(|a, b| a.difference(&a.difference(&b)));
        let everything = || AddressSet::new(&[prefix_of(V4, 0), prefix_of(V6, 0)]);
        let open = Arc::new(open.unwrap_or_else(everything));
        known().insert((initiators, service), Arc::clone(&open));
        open
    }

    /// Whether a rule for all of the addresses would be no wider than today, and
    /// would let nothing through that is quarantined.
    pub(super) fn may_have(
        &self,
        initiators: GroupIx,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        let carries = |ix: &InterfaceIx| self.inventory.interface(*ix).groups.contains(&initiators);
        let quarantined = |(ix, s, address): &(InterfaceIx, Service, IpAddr)| {
            *s == service && addresses.contains(*address) && carries(ix)
        };
        self.addresses_are_open(initiators, addresses, service)
            && !self.quarantined.iter().any(quarantined)
            && !self.holds_declined(initiators, addresses, service)
    }

    /// Whether a person said no to some of the addresses.
    fn holds_declined(
        &self,
        initiators: GroupIx,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        self.policy.is_some_and(|policy| {
            let declined = policy.declined_addresses(initiators, service);
            !addresses.difference(&declined).contains_set(addresses)
        })
    }

    /// Whether a person said no to a pair of groups.
    pub(super) fn is_declined(&self, pair: (GroupIx, GroupIx), service: Service) -> bool {
        let policy = self.policy;
        policy.is_some_and(|policy| policy.declines_pair(self.inventory, pair, service))
    }

    /// Whether accepted rules of the policy let the interfaces of one class reach those of another one, whatever is proposed.
    pub(super) fn is_granted(&self, (from, to): (ClassIx, ClassIx), service: Service) -> bool {
        let Some(policy) = self.policy else {
            return false;
        };
        let (x, y) = (self.example_of(from), self.example_of(to));
        let inventory = self.inventory;
        policy.permits_between(inventory, x, Direction::Egress, y, service)
            && (policy.permits_between(inventory, y, Direction::Ingress, x, service)
                || self.lets_in(x, y, service))
    }

    /// Whether they let the interfaces of a class send to all of the addresses.
    pub(super) fn is_granted_to(
        &self,
        class: ClassIx,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        let policy = self.policy;
        policy.is_some_and(|policy| policy.permits_to(self.example_of(class), addresses, service))
    }

    /// One of the interfaces of a class.
    fn example_of(&self, class: ClassIx) -> &'a Interface {
        self.inventory.interface(self.members_of(class)[0])
    }

    /// Whether every member of `initiators` may send to all of the addresses today.
    fn addresses_are_open(
        &self,
        initiators: GroupIx,
        addresses: &AddressSet,
        service: Service,
    ) -> bool {
        self.open_to(initiators, service).contains_set(addresses)
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
            .all(|x| self.members(b).all(|y| std::ptr::eq(x, y) || holds(x, y)))
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
        let groups = self.inventory.nameable_groups(at, direction, peer);
        let in_prefixes = peer
            .prefixes
            .iter()
            .flat_map(|p| [p.network(), p.broadcast()]);
        let only_v4 = service.protocol.only_over_v4();
        peer.addresses
            .iter()
            .copied()
            .chain(in_prefixes)
            .filter(|address| only_v4.is_none_or(|v4| address.is_ipv4() == v4))
            .all(|address| {
                let peer = Peer::listed(address, groups);
                self.today
                    .admitting(&at.groups, direction, peer, Packet::from(service))
                    .next()
                    .is_some()
            })
    }

    /// The class of an interface: those that carry exactly the same groups, which
    /// no rule can tell apart by group.
    pub(super) fn class_of(&self, interface: InterfaceIx) -> ClassIx {
        self.interfaces.class_of[interface.index()]
    }

    /// The classes whose interfaces carry a group.
    pub(super) fn classes_with(
        &self,
        group: GroupIx,
    ) -> impl Iterator<Item = ClassIx> + Clone + '_ {
        self.interfaces.with_group[group.index()].iter().copied()
    }

    /// The interfaces of a class.
    pub(super) fn members_of(&self, class: ClassIx) -> &[InterfaceIx] {
        &self.interfaces.members[class.0]
    }
}

fn quarantined(evidence: &RuleEvidence<'_>) -> Vec<(InterfaceIx, Service, IpAddr)> {
    let connections = evidence.connections.iter().filter(|c| evidence.counts(c));
    connections
        .filter(|c| matches!(c.verdict, Verdict::Quarantined(_)))
        .filter_map(|c| Some((c.initiator.interface()?, c.service, c.responder.address)))
        .collect()
}

/// Interfaces that carry exactly the same groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClassIx(usize);
