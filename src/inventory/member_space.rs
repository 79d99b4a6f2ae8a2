//! Which addresses the interfaces that carry a group may have.
//!
//! A reference to a group means the private addresses of its members (security-group-rules.html). Interfaces come and go, so an address
//! that no interface of the inventory holds may have been a member's, if it lies in a network in which the group can be used.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::groups::Group;
use super::interfaces::Interface;
use super::snapshot::Snapshot;
use super::wire::{GroupPair, Peering};
use crate::net::{AddressSet, HashMap, is_public, prefix_of};

/// The addresses that members of a group may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberSpace {
    /// Those of the networks in which the group can be used.
    Within(Arc<AddressSet>),
    /// The inventory does not tell: any address that is not public.
    Unknown,
}

impl MemberSpace {
    /// The blocks of some VPCs; unknown if those of one of them are.
    fn of<'v>(
        mut vpcs: impl Iterator<Item = &'v str>,
        blocks: &HashMap<String, AddressSet>,
    ) -> Self {
        let all = vpcs.try_fold(AddressSet::EMPTY, |all, vpc| {
            Some(all.union(blocks.get(vpc)?))
        });
        match all {
            Some(all) if all != AddressSet::EMPTY => Self::Within(Arc::new(all)),
            _ => Self::Unknown,
        }
    }

    /// Whether a member may have the address.
    pub(crate) fn may_hold(&self, address: IpAddr) -> bool {
        match self {
            Self::Within(blocks) => blocks.contains(address),
            // Interfaces have public addresses of the newer family.
            Self::Unknown => address.is_ipv6() || !is_public(address),
        }
    }
}

/// A group that rules name and that the inventory does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbsentGroup {
    /// The account that owns it, where a rule says so.
    pub account: Option<String>,
    /// Its VPC, likewise.
    pub vpc: Option<String>,
    /// The peering connection over which rules reach it.
    pub peering: Option<String>,
    /// False where every rule that names it says that the peering connection is not active.
    pub reachable: bool,
}

/// Where members of groups may be, of groups that the inventory holds and of others.
#[derive(Debug, Default)]
pub(super) struct MemberSpaces {
    /// By group.
    spaces: Vec<MemberSpace>,
    absent: BTreeMap<String, (AbsentGroup, MemberSpace)>,
    /// Addresses that belong to interfaces of the inventory's VPCs, listed or not.
    own: AddressSet,
    /// The same by VPC.
    own_by_vpc: Vec<(String, AddressSet)>,
    /// Peered VPCs of other accounts: the account, and the addresses.
    peers: Vec<(String, AddressSet)>,
}

impl MemberSpaces {
    pub(super) fn new(
        snapshot: &Snapshot,
        groups: &[Group],
        interfaces: &[Interface],
        blocks: &HashMap<String, AddressSet>,
    ) -> Self {
        let space = |group: &Group| {
            let vpcs = std::iter::once(&group.vpc).chain(&group.also_in);
            MemberSpace::of(vpcs.map(String::as_str), blocks)
        };
        let with_space = |(id, group): (String, AbsentGroup)| {
            let blocks = match &group.vpc {
                Some(vpc) if blocks.contains_key(vpc) => {
                    MemberSpace::of(std::iter::once(vpc.as_str()), blocks)
                }
                Some(vpc) => peered(&snapshot.peerings, vpc),
                None => MemberSpace::Unknown,
            };
            (id, (group, blocks))
        };
        let own_by_vpc = own(interfaces, blocks);
        Self {
            spaces: groups.iter().map(space).collect(),
            absent: absent(snapshot, groups)
                .into_iter()
                .map(with_space)
                .collect(),
            own: (own_by_vpc.iter()).fold(AddressSet::EMPTY, |all, (_, own)| all.union(own)),
            own_by_vpc,
            peers: peers(snapshot, groups),
        }
    }

    pub(super) fn space(&self, group: usize) -> MemberSpace {
        self.spaces[group].clone()
    }

    pub(super) fn absent(&self, id: &str) -> Option<&(AbsentGroup, MemberSpace)> {
        self.absent.get(id)
    }

    /// The account that is not in the inventory and whose peered VPC holds an address.
    pub(super) fn account_at(&self, address: IpAddr) -> Option<&str> {
        let holder = self
            .peers
            .iter()
            .find(|(_, blocks)| blocks.contains(address));
        holder.map(|(account, _)| account.as_str())
    }

    /// The VPCs of the inventory whose interfaces may hold the address.
    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let is_own = self.own.contains(address);
        let all = self.own_by_vpc.iter().filter(move |_| is_own);
        all.filter(move |(_, own)| own.contains(address))
            .map(|(vpc, _)| vpc.as_str())
    }
}

/// The blocks of VPCs of accounts that own no group of the inventory, over active peering connections.
fn peers(snapshot: &Snapshot, groups: &[Group]) -> Vec<(String, AddressSet)> {
    let active = |peering: &&Peering| peering.status.code.eq_ignore_ascii_case("active");
    let sides = snapshot
        .peerings
        .iter()
        .filter(active)
        .flat_map(|peering| [&peering.requester_vpc_info, &peering.accepter_vpc_info]);
    let is_foreign = |account: &String| {
        !account.is_empty() && groups.iter().all(|group| group.owner != *account)
    };
    sides
        .filter(|side| is_foreign(&side.owner_id))
        .filter_map(|side| match peered(&snapshot.peerings, &side.vpc_id) {
            MemberSpace::Within(blocks) => Some((side.owner_id.clone(), (*blocks).clone())),
            MemberSpace::Unknown => None,
        })
        .collect()
}

/// The blocks of a VPC as the peering connections to it have them.
fn peered(peerings: &[Peering], vpc: &str) -> MemberSpace {
    let sides = peerings
        .iter()
        .flat_map(|peering| [&peering.requester_vpc_info, &peering.accepter_vpc_info]);
    let blocks: Vec<IpNet> = sides
        .filter(|side| side.vpc_id == vpc)
        .flat_map(|side| {
            let v4 = side.cidr_block_set.iter().map(|block| block.cidr_block);
            let v6 = side.ipv6_cidr_block_set.iter();
            let v6 = v6.map(|block| block.ipv6_cidr_block);
            std::iter::once(side.cidr_block).chain(v4).chain(v6)
        })
        .flatten()
        .collect();
    if blocks.is_empty() {
        MemberSpace::Unknown
    } else {
        MemberSpace::Within(Arc::new(AddressSet::new(&blocks)))
    }
}

/// The groups that rules name and the inventory lacks, with what the rules say of them.
fn absent(snapshot: &Snapshot, groups: &[Group]) -> BTreeMap<String, AbsentGroup> {
    let mut absent: BTreeMap<String, AbsentGroup> = BTreeMap::new();
    for (_, pair) in snapshot.pairs() {
        if super::groups::position(groups, &pair.group_id).is_none() {
            let group = absent.entry(pair.group_id.clone()).or_default();
            group.learn(pair);
        }
    }
    absent
}

impl AbsentGroup {
    fn learn(&mut self, pair: &GroupPair) {
        let learn = |known: &mut Option<String>, said: &str| {
            if !said.is_empty() && known.as_deref().is_none_or(|known| said < known) {
                *known = Some(said.to_owned());
            }
        };
        learn(&mut self.account, &pair.user_id);
        learn(&mut self.vpc, &pair.vpc_id);
        learn(&mut self.peering, &pair.vpc_peering_connection_id);
        let status = &pair.peering_status;
        self.reachable |= status.is_empty() || status.eq_ignore_ascii_case("active");
    }
}

/// The blocks of the interfaces' VPCs. Of a VPC whose blocks the inventory lacks, what one block can hold at most around each
/// interface: a /16, or a /44 of IPv6 (vpc-cidr-blocks.html).
fn own(
    interfaces: &[Interface],
    blocks: &HashMap<String, AddressSet>,
) -> Vec<(String, AddressSet)> {
    const LARGEST: [u8; 2] = [16, 44];
    let mut around: BTreeMap<&str, Vec<IpNet>> = BTreeMap::new();
    for interface in interfaces {
        let around = around.entry(&interface.vpc).or_default();
        if !blocks.contains_key(&*interface.vpc) {
            let block =
                |&address: &IpAddr| prefix_of(address, LARGEST[usize::from(address.is_ipv6())]);
            around.extend(interface.addresses.iter().map(block));
        }
    }
    around
        .into_iter()
        .map(|(vpc, mut around)| {
            around.sort_unstable();
            around.dedup();
            let own = blocks.get(vpc);
            let own = own.map_or_else(|| AddressSet::new(&around), Clone::clone);
            (vpc.to_owned(), own)
        })
        .collect()
}
