//! What a set of rules lets through, as AWS judges it.
//!
//! Rules only allow, their order means nothing, and the groups of an interface
//! are unioned (vpc-security-groups.html). A connection has to pass two gates:
//! the egress rules of its initiator's interface and the ingress rules of its
//! responder's. Replies pass whatever the rules say, so nothing here is ever
//! asked about a reply.
//!
//! A gate has three answers: yes, no, and unknown. An inventory is a moment, and logs are weeks: the other end may be an interface
//! that carried the group a rule names and is gone since. Nothing may be concluded from such an answer.

use std::net::IpAddr;

use super::member_space::MemberSpace;
use super::rules::{Rule, RulePorts, RuleProtocol, Target};
use super::{GroupIx, Interface, Inventory, ServiceSet};
use crate::documents::Direction;
use crate::net::{AddressSet, Protocol, Service};

/// The rules of every group in a form that is quick to ask. Built from today's
/// rules or from any other set.
#[derive(Debug)]
pub struct Gates {
    /// By group, then egress and ingress.
    rules: Vec<[DirectionRules; 2]>,
}

/// A group's rules of one direction.
#[derive(Debug, Default)]
pub(super) struct DirectionRules {
    rules: Vec<Compiled>,
    /// What is asked of every rule first, close together: a group has dozens of rules, and most are about another
    /// service.
    outlines: Vec<Outline>,
}

/// Which services a rule may be for; ICMP types and codes apart.
#[derive(Clone, Copy, Debug)]
struct Outline {
    protocol: RuleProtocol,
    from_port: u16,
    to_port: u16,
}

impl Outline {
    const fn of(rule: &Rule) -> Self {
        let (from_port, to_port) = match (rule.protocol, rule.ports) {
            (RuleProtocol::One(_), RulePorts::Ports(range)) => (range.from(), range.to()),
            _ => (0, u16::MAX),
        };
        Self {
            protocol: rule.protocol,
            from_port,
            to_port,
        }
    }

    /// The first service and the last, in their order.
    fn run(self) -> (Service, Service) {
        let [first, last] = match self.protocol {
            RuleProtocol::All => [Protocol(0), Protocol(u8::MAX)],
            RuleProtocol::One(protocol) => [protocol; 2],
        };
        let at = |protocol, port| Service { protocol, port };
        (at(first, self.from_port), at(last, self.to_port))
    }

    fn may_cover(self, service: Service) -> bool {
        let is_in = self.from_port <= service.port && service.port <= self.to_port;
        is_in
            && match self.protocol {
                RuleProtocol::One(protocol) => protocol == service.protocol,
                RuleProtocol::All => true,
            }
    }
}

impl DirectionRules {
    fn push(&mut self, inventory: &Inventory, position: usize, rule: &Rule) {
        self.outlines.push(Outline::of(rule));
        self.rules.push(Compiled {
            position,
            protocol: rule.protocol,
            ports: rule.ports,
            target: compile_target(inventory, &rule.target),
            services: ServiceSet::of(rule),
        });
    }

    /// The rules that let the packet through to somebody, or may: a rule for some ICMP types, where the packet's is not known.
    fn covering(&self, packet: Packet) -> impl Iterator<Item = (&Compiled, Cover)> {
        let may = move |outline: &Outline| outline.may_cover(packet.service);
        let rules = self.outlines.iter().zip(&self.rules);
        rules
            .filter(move |(outline, _)| may(outline))
            .filter_map(move |(_, rule)| Some((rule, rule.covers(packet)?)))
    }
}

#[derive(Debug)]
struct Compiled {
    /// Position in the list this gate was made from.
    position: usize,
    protocol: RuleProtocol,
    ports: RulePorts,
    target: CompiledTarget,
    /// What `protocol` and `ports` say, as a set.
    services: ServiceSet,
}

/// A target, looked up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CompiledTarget {
    Addresses(AddressSet),
    Group(GroupIx, MemberSpace),
    /// A group that the inventory does not hold, such as one of another account.
    AbsentGroup(MemberSpace),
    /// A prefix list whose entries the inventory does not hold.
    AbsentList,
    /// A group that nobody can carry here any more: its peering connection is gone.
    Nobody,
}

/// What a packet that opens a connection says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Protocol and responder's port.
    pub service: Service,
    /// ICMP type and code; flow logs do not record them (flow-log-records.html). Then only a rule for all of ICMP certainly
    /// lets it through, and a rule for some types may.
    pub icmp: Option<(u8, u8)>,
}

/// Whether a rule is for a packet, if it may be at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// It is, whatever ICMP type and code the packet has.
    Certain,
    /// It is for some ICMP types, and the packet's is not known.
    Possible,
}

impl From<Service> for Packet {
    fn from(service: Service) -> Self {
        Self {
            service,
            icmp: None,
        }
    }
}

/// The other end, as a gate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Its address in the packet.
    pub address: IpAddr,
    /// Its groups, where a reference to them works on this path; else empty.
    pub groups: &'a [GroupIx],
    /// Groups by which rules may let it through, and the inventory doesn't tell whether they do: its own, where no path is known.
    pub possible: &'a [GroupIx],
    /// Whether its groups are unknown: it may be an interface that the inventory lacks, and carry any group whose
    /// members can have its address.
    pub unlisted: bool,
}

impl<'a> Peer<'a> {
    /// A peer whose groups are known.
    pub const fn listed(address: IpAddr, groups: &'a [GroupIx]) -> Self {
        Self {
            address,
            groups,
            possible: &[],
            unlisted: false,
        }
    }
}

/// What a gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The rule at this position of this group lets the packet through; the
    /// first one in order, of as many as there may be.
    Allowed(GroupIx, usize),
    /// No rule does.
    Denied,
    /// The interface carries no group at all, or the end is outside the inventory's networks: nothing here judges it.
    NoGate,
    /// The inventory does not tell.
    Unknown(Unknown),
}

/// What the inventory would have to tell for a gate to say yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Whether the rule at this position of this group lets the peer through: the peer's groups, or the addresses of the rule's
    /// target, are not in the inventory. The first such rule in order.
    Target(GroupIx, usize),
    /// Whether the packet is of the ICMP types that the rule at this position of this group is for. The first such rule in order.
    IcmpType(GroupIx, usize),
    /// The rules of this group, which the judged interface carries.
    Rules(GroupIx),
    /// Which groups the judged interface carries.
    Interface,
}

impl Admission {
    /// Whether the packet passes, as far as anybody can tell.
    pub const fn passes(self) -> bool {
        !matches!(self, Self::Denied)
    }

    /// Whether the packet certainly passes.
    pub const fn certainly_passes(self) -> bool {
        matches!(self, Self::Allowed(..) | Self::NoGate)
    }

    /// The rule that permits the packet, if one has to; where the inventory does not tell, the rule that may.
    pub const fn rule(self) -> Option<(GroupIx, usize)> {
        match self {
            Self::Allowed(group, position)
            | Self::Unknown(
                Unknown::Target(group, position) | Unknown::IcmpType(group, position),
            ) => Some((group, position)),
            Self::Denied | Self::NoGate | Self::Unknown(_) => None,
        }
    }
}

impl Gates {
    /// The gates as they stand in the inventory.
    pub fn today(inventory: &Inventory) -> Self {
        Self::new(inventory, |group| &inventory.group(group).rules)
    }

    /// The gates of rules that are gone, by position in [`Inventory::past_rules`]; nothing if none is known.
    pub fn past(inventory: &Inventory) -> Option<Self> {
        let past: Vec<Vec<Rule>> = inventory
            .group_indexes()
            .map(|group| {
                inventory
                    .past_rules(group)
                    .iter()
                    .map(|past| past.rule.clone())
            })
            .map(Iterator::collect)
            .collect();
        let any = past.iter().any(|rules| !rules.is_empty());
        any.then(|| Self::new(inventory, |group| &past[group.index()]))
    }

    /// The gates that a given list of rules per group makes.
    pub fn new<'r>(inventory: &Inventory, rules_of: impl Fn(GroupIx) -> &'r [Rule]) -> Self {
        let groups = inventory.group_indexes();
        Self {
            rules: groups
                .map(|group| compile(inventory, rules_of(group)))
                .collect(),
        }
    }

    /// Whether `interface` may exchange the packet with `peer`: as its initiator
    /// for egress, as its responder for ingress.
    pub fn judge(
        &self,
        inventory: &Inventory,
        interface: &Interface,
        direction: Direction,
        peer: Peer<'_>,
        packet: Packet,
    ) -> Admission {
        if !interface.groups_known {
            return Admission::Unknown(Unknown::Interface);
        }
        match self.judge_groups(inventory, &interface.groups, direction, peer, packet) {
            said if said.certainly_passes() => said,
            // It may have carried more groups than these.
            _ if !interface.knows_groups() => Admission::Unknown(Unknown::Interface),
            said => said,
        }
    }

    /// The same for an interface that carries exactly these groups.
    pub(super) fn judge_groups(
        &self,
        inventory: &Inventory,
        groups: &[GroupIx],
        direction: Direction,
        peer: Peer<'_>,
        packet: Packet,
    ) -> Admission {
        if groups.is_empty() {
            return Admission::NoGate;
        }
        if let Some((group, rule)) = self.admitting(groups, direction, peer, packet).next() {
            return Admission::Allowed(group, rule);
        }
        if let Some(&group) = groups
            .iter()
            .find(|&&g| !inventory.group(g).knows(direction))
        {
            return Admission::Unknown(Unknown::Rules(group));
        }
        let holds = |target: &CompiledTarget, _| target.reaches(peer);
        if let Some((group, rule)) = self.places(groups, direction, packet, holds).next() {
            return Admission::Unknown(Unknown::IcmpType(group, rule));
        }
        match self.uncertain(groups, direction, peer, packet).next() {
            Some((group, rule)) => Admission::Unknown(Unknown::Target(group, rule)),
            None => Admission::Denied,
        }
    }

    /// The addresses to which the given groups certainly let the packet through by prefix
    /// or prefix list, whoever holds them.
    pub fn open_addresses(
        &self,
        groups: &[GroupIx],
        direction: Direction,
        packet: Packet,
    ) -> AddressSet {
        let covering = self.covering(groups, direction, packet);
        addresses_of(covering.filter(|&(_, cover)| cover == Cover::Certain))
    }

    /// The addresses that a group's rules of one direction name, for whatever service.
    pub(crate) fn named_addresses(&self, group: GroupIx, direction: Direction) -> AddressSet {
        let rules = &self.rules[group.index()][side(direction)].rules;
        addresses_of(rules.iter().map(|rule| (rule, Cover::Possible)))
    }

    /// The addresses that rules for all of the services open by prefix or list.
    pub(crate) fn addresses_for(
        &self,
        groups: &[GroupIx],
        direction: Direction,
        services: &ServiceSet,
    ) -> AddressSet {
        self.of(groups, direction)
            .filter(|rule| rule.services.contains_set(services))
            .fold(AddressSet::EMPTY, |open, rule| match &rule.target {
                CompiledTarget::Addresses(set) => open.union(set),
                _ => open,
            })
    }

    /// What every rule is for, as a run of services in their order, and its target; ICMP types apart.
    pub(crate) fn reach<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
    ) -> impl Iterator<Item = (Service, Service, &'a CompiledTarget)> {
        groups.iter().flat_map(move |group| {
            let side = &self.rules[group.index()][side(direction)];
            let rules = side.outlines.iter().zip(&side.rules);
            rules.map(|(outline, rule)| {
                let (first, last) = outline.run();
                (first, last, &rule.target)
            })
        })
    }

    /// The services cut into parts that every rule is for as a whole or not at all.
    pub(crate) fn steps(
        &self,
        groups: &[GroupIx],
        direction: Direction,
        services: &ServiceSet,
    ) -> Vec<ServiceSet> {
        services.cut(self.of(groups, direction).map(|rule| &rule.services))
    }

    /// Everything that the given groups let through from or to a peer.
    pub(crate) fn services(
        &self,
        groups: &[GroupIx],
        direction: Direction,
        peer: Peer<'_>,
    ) -> ServiceSet {
        self.of(groups, direction)
            .filter(|rule| rule.reaches(peer))
            .fold(ServiceSet::default(), |all, rule| all.union(&rule.services))
    }

    fn of<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
    ) -> impl Iterator<Item = &'a Compiled> {
        groups
            .iter()
            .flat_map(move |group| &self.rules[group.index()][side(direction)].rules)
    }

    fn covering<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
        packet: Packet,
    ) -> impl Iterator<Item = (&'a Compiled, Cover)> {
        groups
            .iter()
            .flat_map(move |group| self.rules[group.index()][side(direction)].covering(packet))
    }

    /// Every rule of the given groups that certainly lets the packet through, in order.
    pub fn admitting<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
        peer: Peer<'a>,
        packet: Packet,
    ) -> impl Iterator<Item = (GroupIx, usize)> + 'a {
        self.places(groups, direction, packet, move |target, cover| {
            cover == Cover::Certain && target.reaches(peer)
        })
    }

    /// Every rule of the given groups that may let the packet through, for all that the inventory tells, in order.
    pub fn uncertain<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
        peer: Peer<'a>,
        packet: Packet,
    ) -> impl Iterator<Item = (GroupIx, usize)> + 'a {
        self.places(groups, direction, packet, move |target, cover| {
            let possible = cover == Cover::Possible && target.reaches(peer);
            possible || target.may_reach(peer)
        })
    }

    fn places<'a>(
        &'a self,
        groups: &'a [GroupIx],
        direction: Direction,
        packet: Packet,
        wanted: impl Fn(&CompiledTarget, Cover) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (GroupIx, usize)> + 'a {
        groups.iter().flat_map(move |&group| {
            self.rules[group.index()][side(direction)]
                .covering(packet)
                .filter(move |(rule, cover)| wanted(&rule.target, *cover))
                .map(move |(rule, _)| (group, rule.position))
        })
    }
}

/// The rules of one list, for each direction.
pub(super) fn compile(inventory: &Inventory, rules: &[Rule]) -> [DirectionRules; 2] {
    let mut sides = [DirectionRules::default(), DirectionRules::default()];
    for (position, rule) in rules.iter().enumerate() {
        sides[side(rule.direction)].push(inventory, position, rule);
    }
    sides
}

/// The addresses that rules name, by prefix or list.
fn addresses_of<'a>(rules: impl Iterator<Item = (&'a Compiled, Cover)>) -> AddressSet {
    rules.fold(AddressSet::EMPTY, |open, (rule, _)| match &rule.target {
        CompiledTarget::Addresses(set) => open.union(set),
        _ => open,
    })
}

pub(super) const fn side(direction: Direction) -> usize {
    match direction {
        Direction::Egress => 0,
        Direction::Ingress => 1,
    }
}

impl DirectionRules {
    /// Whether a rule lets the packet through, or may.
    pub(super) fn may_admit(&self, peer: Peer<'_>, packet: Packet) -> bool {
        let mut covering = self.covering(packet);
        covering.any(|(rule, _)| rule.target.reaches(peer) || rule.target.may_reach(peer))
    }
}

fn compile_target(inventory: &Inventory, target: &Target) -> CompiledTarget {
    match target {
        Target::Cidr(net) => CompiledTarget::Addresses(AddressSet::new([net])),
        Target::PrefixList(id) => match inventory.prefix_list(id) {
            Some(list) if list.complete => CompiledTarget::Addresses(list.addresses.clone()),
            _ => CompiledTarget::AbsentList,
        },
        Target::Group(id) => match inventory.group_by_id(id) {
            Some(group) => CompiledTarget::Group(group, inventory.member_space(group)),
            None => inventory
                .absent_member_space(id)
                .map_or(CompiledTarget::Nobody, CompiledTarget::AbsentGroup),
        },
    }
}

impl Compiled {
    fn covers(&self, packet: Packet) -> Option<Cover> {
        let RuleProtocol::One(protocol) = self.protocol else {
            return Some(Cover::Certain);
        };
        let certain = |holds: bool| holds.then_some(Cover::Certain);
        if protocol != packet.service.protocol {
            return None;
        }
        match self.ports {
            RulePorts::Any => certain(true),
            RulePorts::Ports(range) => certain(range.contains(packet.service.port)),
            RulePorts::Icmp { kind, code } => covers_icmp(kind, code, packet.icmp),
        }
    }

    fn reaches(&self, peer: Peer<'_>) -> bool {
        self.target.reaches(peer)
    }
}

impl CompiledTarget {
    /// Whether it holds the peer.
    pub(crate) fn reaches(&self, peer: Peer<'_>) -> bool {
        match self {
            Self::Addresses(set) => set.contains(peer.address),
            Self::Group(group, _) => peer.groups.contains(group),
            Self::AbsentGroup(_) | Self::AbsentList | Self::Nobody => false,
        }
    }

    /// Whether it may hold the peer although nothing says that it does.
    fn may_reach(&self, peer: Peer<'_>) -> bool {
        match self {
            Self::Addresses(_) | Self::Nobody => false,
            Self::Group(group, space) => {
                peer.possible.contains(group) || peer.unlisted && space.may_hold(peer.address)
            }
            Self::AbsentGroup(space) => peer.unlisted && space.may_hold(peer.address),
            Self::AbsentList => true,
        }
    }
}

impl Rule {
    /// Its target, looked up.
    pub(crate) fn compiled_target(&self, inventory: &Inventory) -> CompiledTarget {
        compile_target(inventory, &self.target)
    }
}

fn covers_icmp(kind: Option<u8>, code: Option<u8>, packet: Option<(u8, u8)>) -> Option<Cover> {
    match (kind, packet) {
        (None, _) => Some(Cover::Certain),
        (Some(_), None) => Some(Cover::Possible),
        (Some(kind), Some((k, c))) => {
            let holds = kind == k && code.is_none_or(|code| code == c);
            holds.then_some(Cover::Certain)
        }
    }
}
