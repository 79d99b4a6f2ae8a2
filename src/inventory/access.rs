//! Whether today's rules permit a connection, and which of them do.

use std::net::{IpAddr, Ipv4Addr};

use super::{Admission, Direction, Gates, GroupIx, InterfaceIx, Inventory, Packet, Peer, Unknown};

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

/// One way to be a party: the groups that judge, and the address that is judged.
#[derive(Clone, Debug)]
struct Role {
    interface: Option<InterfaceIx>,
    groups: Option<Vec<GroupIx>>,
    addresses: Vec<IpAddr>,
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

    /// A party in words, with what the inventory knows of it.
    pub fn describe(&self, party: &Party) -> String {
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
            Party::Address(address) => match self.interface_at(*address, None, NOW) {
                Some(ix) => format!("{address} on {}", interface(ix)),
                None => format!("{address} (outside the inventory)"),
            },
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
    /// group only if all of them are.
    pub fn can(&self, gates: &Gates, from: &Party, to: &Party, packet: Packet) -> Answer {
        let all = matches!(from, Party::Group(_)) || matches!(to, Party::Group(_));
        let receivers = self.roles(to, None);
        let mut last = None;
        for receiver in &receivers {
            for sender in self.roles(from, receiver.interface) {
                let answer = self.can_once(gates, &sender, receiver, packet);
                // What one pair settles for all of them: a denial for groups, a permission for instances.
                if answer.allowed == Some(!all) {
                    return answer;
                }
                let is_worse = |last: &Answer| last.allowed.is_some();
                if last.as_ref().is_none_or(is_worse) {
                    last = Some(answer);
                }
            }
        }
        last.expect("every party has at least one role")
    }

    fn can_once(&self, gates: &Gates, sender: &Role, receiver: &Role, packet: Packet) -> Answer {
        let (from, to) = same_family(sender, receiver);
        let exempt = sender
            .interface
            .is_some_and(|ix| self.never_filtered(to, ix, packet.service.port));
        let side = |role: &Role, other: &Role, address: IpAddr, direction: Direction| {
            let groups = role.groups.as_ref()?;
            let named = self.groups_in_view(role, direction, other);
            let peer = Peer {
                address,
                groups: &named,
                unlisted: other.unlisted,
            };
            if exempt {
                return Some(SideAnswer {
                    allowed: Some(true),
                    rules: Vec::new(),
                    unknown: None,
                    ungated: true,
                });
            }
            Some(self.side(gates, role, groups, (direction, peer), packet))
        };
        let egress = side(sender, receiver, to, Direction::Egress);
        let ingress = side(receiver, sender, from, Direction::Ingress);
        let sides = [&egress, &ingress].map(|side| side.as_ref().map_or(Some(true), |s| s.allowed));
        let allowed = if sides.contains(&Some(false)) {
            Some(false)
        } else {
            sides.iter().all(Option::is_some).then_some(true)
        };
        Answer {
            allowed,
            egress,
            ingress,
        }
    }

    fn side(
        &self,
        gates: &Gates,
        role: &Role,
        groups: &[GroupIx],
        (direction, peer): (Direction, Peer<'_>),
        packet: Packet,
    ) -> SideAnswer {
        let said = if role.unlisted {
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
            Admission::Unknown(Unknown::IcmpType(..)) => {
                Some("these rules are for some ICMP types; ask with the type, as in icmp/8".to_owned())
            }
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

    fn roles(&self, party: &Party, near: Option<InterfaceIx>) -> Vec<Role> {
        let vpc = near.map(|ix| self.interface(ix).vpc.as_ref());
        let of_interface = |ix: InterfaceIx| Role {
            interface: Some(ix),
            groups: Some(self.interface(ix).groups.clone()),
            addresses: self.interface(ix).addresses.clone(),
            unlisted: !self.interface(ix).groups_known,
        };
        match party {
            Party::Address(address) => {
                let interface = self.interface_at(*address, vpc, NOW);
                vec![Role {
                    interface,
                    groups: interface.map(|ix| self.interface(ix).groups.clone()),
                    addresses: vec![*address],
                    unlisted: interface.is_none_or(|ix| !self.interface(ix).groups_known),
                }]
            }
            Party::Interface(ix) => vec![of_interface(*ix)],
            Party::Instance(interfaces) => interfaces.iter().map(|&ix| of_interface(ix)).collect(),
            Party::Group(group) => {
                let alone = |role: Role| Role {
                    groups: Some(vec![*group]),
                    ..role
                };
                let members: Vec<_> = self
                    .group(*group)
                    .members
                    .iter()
                    .map(|&ix| alone(of_interface(ix)))
                    .collect();
                if members.is_empty() {
                    vec![Role {
                        interface: None,
                        groups: Some(vec![*group]),
                        addresses: Vec::new(),
                        unlisted: false,
                    }]
                } else {
                    members
                }
            }
        }
    }

    /// The groups of `other` that rules of `role` may name. A group without
    /// members is taken to be within reach.
    fn groups_in_view(&self, role: &Role, direction: Direction, other: &Role) -> Vec<GroupIx> {
        let reachable = match (role.interface, other.interface) {
            (Some(a), Some(b)) => {
                self.reference_works(self.interface(a), direction, self.interface(b))
            }
            _ => true,
        };
        if reachable {
            other.groups.clone().unwrap_or_default()
        } else {
            Vec::new()
        }
    }
}

/// An address of each, of one family if there is one. A group without members
/// has no address, and then only rules for everybody or for the group count.
fn same_family(sender: &Role, receiver: &Role) -> (IpAddr, IpAddr) {
    const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let pick = |role: &Role, v4: bool| role.addresses.iter().copied().find(|a| a.is_ipv4() == v4);
    for v4 in [true, false] {
        if let (Some(from), Some(to)) = (pick(sender, v4), pick(receiver, v4)) {
            return (from, to);
        }
    }
    let first = |role: &Role| role.addresses.first().copied().unwrap_or(NOWHERE);
    (first(sender), first(receiver))
}
