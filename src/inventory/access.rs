//! Whether today's rules permit a connection, and which of them do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    Admission, Direction, Gates, GroupIx, InterfaceIx, InterfaceKind, Inventory, Packet, Peer,
    Unknown,
};
use crate::net::{AddressSet, prefix_of};

/// One end of a connection that is checked.
#[derive(Clone, Debug)]
pub enum Party {
    /// An address, of an interface or outside.
    Address(IpAddr),
    /// One interface.
    Interface(InterfaceIx),
    /// An instance: any of its interfaces.
    Instance(Vec<InterfaceIx>),
    /// A group: every interface that carries it, by the rules of this group alone.
    Group(GroupIx),
}

/// Why a party is unknown.
#[derive(Debug, thiserror::Error)]
pub enum UnknownParty {
    /// Nothing of that name.
    #[error(
        "`{0}` is neither an address nor an eni-, sg- or i- id nor a group's name of the inventory; check it, or fetch a newer snapshot"
    )]
    None(String),
    /// Several groups of that name.
    #[error("`{name}` is the name of {} groups: {}; give the id of one", ids.len(), ids.join(", "))]
    Several {
        /// What was typed.
        name: String,
        /// The groups that are called so.
        ids: Vec<String>,
    },
}

/// The answer: allowed if no side that is in the inventory denies it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether both gates permit it; `None` where the inventory does not tell.
    pub allowed: Option<bool>,
    /// What the initiator's side says; `None` when it is outside the inventory.
    pub egress: Option<SideAnswer>,
    /// What the responder's side says; `None` when it is outside the inventory.
    pub ingress: Option<SideAnswer>,
}

/// What one side says.
#[derive(Clone, Debug)]
pub struct SideAnswer {
    /// Whether it permits the packet; `None` where the inventory does not tell.
    pub allowed: Option<bool>,
    /// The rules that do, or, where the inventory does not tell, those that may: group, and position among the group's rules.
    pub rules: Vec<(GroupIx, usize)>,
    /// What the inventory would have to tell.
    pub unknown: Option<String>,
    /// No rule is needed: security groups never judge this, or the interface has none.
    pub ungated: bool,
}

/// One way to be a party: the groups that judge, and the addresses that are judged.
#[derive(Clone, Debug, Default)]
struct Role {
    interface: Option<InterfaceIx>,
    /// The interface that has the address, if a path leads there, which the inventory doesn't tell.
    distant: Option<InterfaceIx>,
    groups: Option<Vec<GroupIx>>,
    /// Those that its packets carry, and that packets to it carry.
    addresses: Vec<IpAddr>,
    /// It was asked for by a public address of its own: packets come and go by an internet gateway.
    by_public: bool,
    /// Whether its groups are unknown.
    unlisted: bool,
}

/// After every snapshot.
const NOW: (u64, u64) = (u64::MAX - 1, u64::MAX - 1);

impl Inventory {
    /// Reads an address, an id, or the name of one group.
    pub fn party(&self, text: &str) -> Result<Party, UnknownParty> {
        if let Ok(address) = text.parse() {
            return Ok(Party::Address(address));
        }
        let unknown = || UnknownParty::None(text.to_owned());
        if text.starts_with("eni-") {
            return self
                .interface_by_id(text)
                .map(Party::Interface)
                .ok_or_else(unknown);
        }
        if text.starts_with("sg-") {
            let known = self.group_by_id(text).filter(|&ix| self.group(ix).known);
            return known.map(Party::Group).ok_or_else(unknown);
        }
        let of_instance = |ix: &InterfaceIx| self.interface(*ix).instance.as_deref() == Some(text);
        let interfaces: Vec<_> = self.interface_indexes().filter(of_instance).collect();
        if !interfaces.is_empty() {
            return Ok(Party::Instance(interfaces));
        }
        let groups = self.group_indexes();
        let named: Vec<GroupIx> = groups
            .filter(|&ix| self.group(ix).known && self.group(ix).name == text)
            .collect();
        match named.as_slice() {
            [] => Err(unknown()),
            [group] => Ok(Party::Group(*group)),
            several => Err(UnknownParty::Several {
                name: text.to_owned(),
                ids: several
                    .iter()
                    .map(|&ix| self.group(ix).id.clone())
                    .collect(),
            }),
        }
    }

    /// A party in words, with what the inventory knows of it, seen from the other one.
    pub fn describe(&self, party: &Party, other: &Party) -> String {
        let groups = |groups: &[GroupIx]| {
            let names: Vec<&str> = groups
                .iter()
                .map(|&g| self.group(g).name.as_str())
                .collect();
            match names.as_slice() {
                [] => "no group".to_owned(),
                [one] => format!("group {one}"),
                several => format!("groups {}", several.join(", ")),
            }
        };
        let interface = |ix: InterfaceIx| {
            let interface = self.interface(ix);
            format!("{} ({})", interface.id, groups(&interface.groups))
        };
        match party {
            Party::Address(address) => {
                let role = self.role_at(*address, self.vpc_of(other));
                match (role.interface, role.distant) {
                    (Some(ix), _) if role.by_public => {
                        format!("{address}, the public address of {}", interface(ix))
                    }
                    (Some(ix), _) => format!("{address} on {}", interface(ix)),
                    (None, Some(ix)) => {
                        format!("{address} (on {} if a path leads there)", interface(ix))
                    }
                    (None, None) => format!("{address} (outside the inventory)"),
                }
            }
            Party::Interface(ix) => interface(*ix),
            Party::Instance(interfaces) => {
                let all: Vec<String> = interfaces.iter().map(|&ix| interface(ix)).collect();
                all.join(" and ")
            }
            Party::Group(group) => {
                let group = self.group(*group);
                format!("group {} ({})", group.name, group.id)
            }
        }
    }

    /// Answers for a connection from one party to another. Where a party stands
    /// for several interfaces, an instance is allowed if any of them is, and a
    /// group only if all of them are. An interface is allowed if it is with any of its addresses.
    pub fn can(&self, gates: &Gates, from: &Party, to: &Party, packet: Packet) -> Answer {
        let all = matches!(from, Party::Group(_)) || matches!(to, Party::Group(_));
        let mut last: Option<Answer> = None;
        for receiver in self.roles(to, self.vpc_of(from)) {
            let near = receiver.interface.or(receiver.distant);
            let near = near.map(|ix| self.interface(ix).vpc.as_ref());
            for sender in self.roles(from, near) {
                let answer = self.can_once(gates, &sender, &receiver, packet);
                // What one pair settles for all of them: a denial for groups, a permission for instances.
                if answer.allowed == Some(!all) {
                    return answer;
                }
                if last.as_ref().is_none_or(|last| last.allowed.is_some()) {
                    last = Some(answer);
                }
            }
        }
        last.expect("every party has at least one role")
    }

    /// The best answer over the pairs of addresses of one family.
    fn can_once(&self, gates: &Gates, sender: &Role, receiver: &Role, packet: Packet) -> Answer {
        let is_loopback = sender.interface.is_some() && sender.interface == receiver.interface;
        if is_loopback {
            let ungated = || Some(SideAnswer::ungated());
            return Answer::of(ungated(), ungated());
        }
        let family = packet.service.protocol.only_over_v4();
        let mut pairs: Vec<(IpAddr, IpAddr)> = Vec::new();
        for v4 in [true, false] {
            let of_family = |address: &&IpAddr| address.is_ipv4() == v4;
            let fits = family.is_none_or(|only_v4| only_v4 == v4);
            for &from in sender.addresses.iter().filter(of_family).filter(|_| fits) {
                let to = receiver.addresses.iter().filter(of_family);
                pairs.extend(to.map(|&to| (from, to)));
            }
        }
        if pairs.is_empty() {
            pairs.push((nowhere(sender, family), nowhere(receiver, family)));
        }
        let ask = |(from, to)| self.can_between(gates, (sender, from), (receiver, to), packet);
        let mut best: Option<Answer> = None;
        for pair in pairs {
            let answer = ask(pair);
            let is_better = |best: &Answer| answer.rank() > best.rank();
            if best.as_ref().is_none_or(is_better) {
                best = Some(answer);
            }
        }
        best.expect("there is a pair")
    }

    fn can_between(
        &self,
        gates: &Gates,
        (sender, from): (&Role, IpAddr),
        (receiver, to): (&Role, IpAddr),
        packet: Packet,
    ) -> Answer {
        let exempt = sender
            .interface
            .is_some_and(|ix| self.never_filtered(to, ix, packet.service.port));
        let side = |role: &Role, other: &Role, address: IpAddr, direction: Direction| {
            let (groups, is_distant) = match (&role.groups, role.distant) {
                (Some(groups), _) => (groups.as_slice(), false),
                (None, Some(ix)) => (self.interface(ix).groups.as_slice(), true),
                (None, None) => return None,
            };
            if exempt {
                return Some(SideAnswer::ungated());
            }
            let (named, possible) = self.groups_in_view(role, direction, other);
            let peer = Peer {
                address,
                groups: &named,
                possible: &possible,
                unlisted: other.unlisted,
            };
            let said = self.side(gates, role, groups, (direction, peer), packet);
            Some(if is_distant {
                said.if_a_path_leads_there()
            } else {
                said
            })
        };
        let egress = side(sender, receiver, to, Direction::Egress);
        let ingress = if receiver.by_public && sender.interface.is_some() {
            self.by_internet_gateway(gates, sender, receiver, packet)
        } else {
            side(receiver, sender, from, Direction::Ingress)
        };
        Answer::of(egress, ingress)
    }

    /// What a receiver says to a packet to its public address from an interface of the inventory, which arrives with that interface's
    /// public address, or with one of a NAT gateway of its VPC (vpc-security-groups.html, vpc-nat-gateway.html).
    fn by_internet_gateway(
        &self,
        gates: &Gates,
        sender: &Role,
        receiver: &Role,
        packet: Packet,
    ) -> Option<SideAnswer> {
        let groups = receiver.groups.as_ref()?;
        let sender = self.interface(sender.interface?);
        let gateways = self
            .interfaces()
            .iter()
            .filter(|i| i.kind == InterfaceKind::NatGateway && i.vpc == sender.vpc);
        let sources: Vec<IpAddr> = if sender.public_addresses.is_empty() {
            gateways.flat_map(|i| i.public_addresses.clone()).collect()
        } else {
            sender.public_addresses.clone()
        };
        let ask = |&address: &IpAddr| {
            let peer = Peer::listed(address, &[]);
            self.side(gates, receiver, groups, (Direction::Ingress, peer), packet)
        };
        let said: Vec<SideAnswer> = sources.iter().map(ask).collect();
        if let Some(first) = said.first() {
            let allowed = said.iter().find(|side| side.allowed == Some(true));
            return Some(allowed.unwrap_or(first).clone());
        }
        let open = gates.open_addresses(groups, Direction::Ingress, packet);
        let everybody = AddressSet::new(&[prefix_of(NOWHERE, 0)]);
        let mut said = ask(&NOWHERE);
        if !open.contains_set(&everybody) && open.only_v4() != AddressSet::EMPTY {
            said = SideAnswer::unknown(
                "the inventory lacks the public address with which the packet arrives".to_owned(),
            );
        }
        Some(said)
    }

    fn side(
        &self,
        gates: &Gates,
        role: &Role,
        groups: &[GroupIx],
        (direction, peer): (Direction, Peer<'_>),
        packet: Packet,
    ) -> SideAnswer {
        let said = if role.unlisted && role.distant.is_none() {
            Admission::Unknown(Unknown::Interface)
        } else {
            gates.judge_groups(self, groups, direction, peer, packet)
        };
        let rules = match said {
            Admission::Allowed(..) => gates.admitting(groups, direction, peer, packet).collect(),
            Admission::Unknown(Unknown::Target(..) | Unknown::IcmpType(..)) => {
                gates.uncertain(groups, direction, peer, packet).collect()
            }
            _ => Vec::new(),
        };
        let unknown = match said {
            Admission::Unknown(Unknown::Target(..)) => Some(
                "the inventory doesn't tell whether the target of these rules holds the other end"
                    .to_owned(),
            ),
            Admission::Unknown(Unknown::IcmpType(..)) => Some(
                "these rules are for some ICMP types; ask with the type, as in icmp/8".to_owned(),
            ),
            Admission::Unknown(Unknown::Rules(group)) => Some(format!(
                "the inventory lacks the rules of {}",
                self.group(group).id
            )),
            Admission::Unknown(Unknown::Interface) => {
                Some("the inventory lacks the groups of the interface".to_owned())
            }
            Admission::Allowed(..) | Admission::Denied | Admission::NoGate => None,
        };
        SideAnswer {
            allowed: unknown.is_none().then(|| said.passes()),
            rules,
            unknown,
            ungated: said == Admission::NoGate,
        }
    }

    /// The VPC of a party, if it is in one.
    fn vpc_of(&self, party: &Party) -> Option<&str> {
        let ix = match party {
            Party::Address(address) => self.role_at(*address, None).interface,
            Party::Interface(ix) => Some(*ix),
            Party::Instance(all) => all.first().copied(),
            Party::Group(group) => self.group(*group).members.first().copied(),
        };
        ix.map(|ix| self.interface(ix).vpc.as_ref())
    }

    /// What has an address, seen from a VPC or from nowhere.
    fn role_at(&self, address: IpAddr, vpc: Option<&str>) -> Role {
        let addresses = vec![address];
        if let Some(ix) = self.interface_at(address, vpc, NOW) {
            return Role {
                addresses,
                ..self.role_of(ix)
            };
        }
        if let Some(ix) = self.interface_with_public(address) {
            return Role {
                addresses,
                by_public: true,
                ..self.role_of(ix)
            };
        }
        Role {
            addresses,
            distant: vpc.and_then(|vpc| self.distant_interface_at(address, vpc, NOW)),
            unlisted: true,
            ..Role::default()
        }
    }

    fn role_of(&self, ix: InterfaceIx) -> Role {
        let interface = self.interface(ix);
        let prefixes = interface.prefixes.iter().map(IpNet::network);
        Role {
            interface: Some(ix),
            groups: Some(interface.groups.clone()),
            addresses: interface
                .addresses
                .iter()
                .copied()
                .chain(prefixes)
                .collect(),
            unlisted: !interface.groups_known,
            ..Role::default()
        }
    }

    fn roles(&self, party: &Party, near: Option<&str>) -> Vec<Role> {
        match party {
            Party::Address(address) => vec![self.role_at(*address, near)],
            Party::Interface(ix) => vec![self.role_of(*ix)],
            Party::Instance(interfaces) => interfaces.iter().map(|&ix| self.role_of(ix)).collect(),
            Party::Group(group) => {
                let alone = |role: Role| Role {
                    groups: Some(vec![*group]),
                    ..role
                };
                let members = self.group(*group).members.iter();
                let members: Vec<Role> = members.map(|&ix| alone(self.role_of(ix))).collect();
                if members.is_empty() {
                    vec![alone(Role::default())]
                } else {
                    members
                }
            }
        }
    }

    /// The groups of `other` that rules of `role` may name, and those that they may name if a path leads there. A group without
    /// members is taken to be within reach.
    fn groups_in_view(
        &self,
        role: &Role,
        direction: Direction,
        other: &Role,
    ) -> (Vec<GroupIx>, Vec<GroupIx>) {
        if role.by_public || other.by_public {
            // Between private addresses of one VPC only.
            return (Vec::new(), Vec::new());
        }
        let own = || other.groups.clone().unwrap_or_default();
        match (role.interface, other.interface) {
            (Some(a), Some(b)) => {
                let (a, b) = (self.interface(a), self.interface(b));
                if self.reference_works(a, direction, b) {
                    (own(), Vec::new())
                } else {
                    (Vec::new(), self.maybe_nameable_groups(a, b).to_vec())
                }
            }
            _ => match other.distant {
                Some(ix) => (Vec::new(), self.interface(ix).groups.clone()),
                None => (own(), Vec::new()),
            },
        }
    }
}

const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// An address for a party without one of the family: a group without members, and then only rules for everybody or for the group
/// count.
fn nowhere(role: &Role, only_v4: Option<bool>) -> IpAddr {
    match only_v4 {
        Some(true) => NOWHERE,
        Some(false) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        None => role.addresses.first().copied().unwrap_or(NOWHERE),
    }
}

impl Answer {
    fn of(egress: Option<SideAnswer>, ingress: Option<SideAnswer>) -> Self {
        let sides = [&egress, &ingress].map(|side| side.as_ref().map_or(Some(true), |s| s.allowed));
        let allowed = if sides.contains(&Some(false)) {
            Some(false)
        } else {
            sides.iter().all(Option::is_some).then_some(true)
        };
        Self {
            allowed,
            egress,
            ingress,
        }
    }

    /// A permission before a doubt, and a doubt before a denial.
    const fn rank(&self) -> u8 {
        match self.allowed {
            Some(true) => 2,
            None => 1,
            Some(false) => 0,
        }
    }
}

impl SideAnswer {
    const fn ungated() -> Self {
        Self {
            allowed: Some(true),
            rules: Vec::new(),
            unknown: None,
            ungated: true,
        }
    }

    const fn unknown(what: String) -> Self {
        Self {
            allowed: None,
            rules: Vec::new(),
            unknown: Some(what),
            ungated: false,
        }
    }

    /// What an interface says that has the address, where another host may have it, which no group of the inventory judges.
    fn if_a_path_leads_there(self) -> Self {
        if self.allowed == Some(true) {
            return self;
        }
        Self {
            rules: self.rules,
            ..Self::unknown(
                "the inventory doesn't tell whether a path leads to the interface that has this address"
                    .to_owned(),
            )
        }
    }
}
