//! The network configuration, connected and indexed.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::error::InventoryError;
use super::groups::{self, Group, Upkeep};
use super::index::{GroupIx, InterfaceIx};
use super::interfaces::{AddressIndex, Interface, InterfaceKind};
use super::lacking;
use super::member_space::{AbsentGroup, MemberSpace, MemberSpaces};
use super::note::Note;
use super::periods::{Graded, periods};
use super::prefix_lists::{self, PrefixList};
use super::ranges::ServiceRanges;
use super::reach::{self, NetworkPath};
use super::reserved::Reserved;
use super::rules::Rule;
use super::snapshot::Snapshot;
use super::trail::{self, Birth, PastRule, RuleHistory};
use super::wire;
use crate::documents::Direction;
use crate::net::{AddressSet, HashMap, HashSet};

/// What each optional part is good for, said once when it is missing.
const OPTIONAL: &[(&str, &str)] = &[
    (
        "SecurityGroupRules",
        "rules can't be named by their sgr- id",
    ),
    ("Vpcs", "the Amazon DNS address of each VPC is unknown"),
    (
        "PrefixLists",
        "S3 and DynamoDB destinations become exact addresses, which change",
    ),
    ("VpcEndpoints", "gateway endpoints are not recognised"),
    (
        "VpcPeeringConnections",
        "groups in other VPCs are reached by address instead of by reference",
    ),
    (
        "RouteTables",
        "middleboxes between subnets, which groups can't be named across, are not seen",
    ),
];

/// The network configuration, connected.
#[derive(Debug)]
pub struct Inventory {
    groups: Vec<Group>,
    group_ids: HashMap<String, GroupIx>,
    interfaces: Vec<Interface>,
    prefix_lists: Vec<PrefixList>,
    addresses: AddressIndex,
    paths: reach::NetworkPaths,
    reserved: Reserved,
    vpc_blocks: HashMap<String, AddressSet>,
    spaces: MemberSpaces,
    ranges: Arc<ServiceRanges>,
    log_formats: Vec<(String, String)>,
    rule_history: RuleHistory,
    notes: Vec<Note>,
}

impl Inventory {
    /// Reads every JSON file below `dir`.
    pub fn load(dir: &Path) -> Result<Self, InventoryError> {
        Self::connect(Snapshot::read_dir(dir)?, dir)
    }

    /// The same, with an ip-ranges.json that lies elsewhere.
    pub fn load_with(dir: &Path, ranges: Option<&Path>) -> Result<Self, InventoryError> {
        // Most inventories have none and need those that are bundled, whose table takes as long to make as reading does.
        let prepare = || {
            if ranges.is_none() {
                ServiceRanges::prepare();
            }
        };
        let (snapshot, ()) = rayon::join(|| Snapshot::read_dir(dir), prepare);
        let mut snapshot = snapshot?;
        if let Some(ranges) = ranges {
            snapshot.read_file(ranges, ranges, None)?;
        }
        Self::connect(snapshot, dir)
    }

    /// Reads files that are already in memory: name and text.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, InventoryError> {
        let mut snapshot = Snapshot::default();
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_by_key(|&(name, _)| name);
        for (name, bytes) in files {
            snapshot.read_bytes(Path::new(name), bytes)?;
        }
        Self::connect(snapshot, Path::new("in memory"))
    }

    fn connect(mut snapshot: Snapshot, dir: &Path) -> Result<Self, InventoryError> {
        snapshot.settle();
        let missing = |key, what| {
            let dir = dir.to_path_buf();
            if snapshot.present.contains(&key) {
                return InventoryError::Empty { dir, key, what };
            }
            let unread = snapshot.unread.list();
            InventoryError::Missing { dir, what, unread }
        };
        if snapshot.groups.is_empty() {
            return Err(missing("SecurityGroups", "security groups"));
        }
        if snapshot.interfaces.is_empty() {
            return Err(missing("NetworkInterfaces", "network interfaces"));
        }
        let mut notes = std::mem::take(&mut snapshot.notes);
        notes.extend(lacking::notes(&snapshot));
        for (key, cost) in OPTIONAL {
            if !snapshot.present.contains(key) {
                notes.push(Note::new(format!("the inventory has no {key}: {cost}")));
            }
        }
        let events = std::mem::take(&mut snapshot.trail).settled(&mut notes);
        let periods = periods(&snapshot, trail::lives(&events));
        let mut groups = connect_groups(&snapshot, &periods, &mut notes);
        let interfaces = connect_interfaces(&snapshot, periods, &groups);
        for (position, interface) in interfaces.iter().enumerate() {
            let present = !interface.is_gone();
            for &group in interface.groups.iter().filter(|_| present) {
                groups[group.index()]
                    .members
                    .push(InterfaceIx::new(position));
            }
        }
        let ranges = ServiceRanges::new(&snapshot.ranges);
        let prefix_lists = prefix_lists::join(&snapshot, &ranges, &mut notes);
        notes.sort();
        notes.dedup();
        let vpc_blocks = vpc_blocks(&snapshot);
        Ok(Self {
            spaces: MemberSpaces::new(&snapshot, &groups, &interfaces, &vpc_blocks),
            addresses: AddressIndex::new(&interfaces),
            prefix_lists,
            paths: reach::NetworkPaths::new(&snapshot),
            ranges,
            rule_history: trail::rule_history(&events),
            log_formats: log_formats(&snapshot),
            group_ids: groups
                .iter()
                .enumerate()
                .map(|(position, group)| (group.id.clone(), GroupIx::new(position)))
                .collect(),
            groups,
            interfaces,
            reserved: Reserved::new(&snapshot),
            vpc_blocks,
            notes,
        })
    }

    /// All groups, by id.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All interfaces, by id.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Every interface's position.
    pub fn interface_indexes(&self) -> impl Iterator<Item = InterfaceIx> + use<> {
        (0..self.interfaces.len()).map(InterfaceIx::new)
    }

    /// Every group's position.
    pub fn group_indexes(&self) -> impl Iterator<Item = GroupIx> + use<> {
        (0..self.groups.len()).map(GroupIx::new)
    }

    /// One group.
    pub fn group(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.index()]
    }

    /// One interface.
    pub fn interface(&self, ix: InterfaceIx) -> &Interface {
        &self.interfaces[ix.index()]
    }

    /// A group by `sg-…` id.
    pub fn group_by_id(&self, id: &str) -> Option<GroupIx> {
        self.group_ids.get(id).copied()
    }

    /// An interface by `eni-…` id, as it is or as it was last.
    pub fn interface_by_id(&self, id: &str) -> Option<InterfaceIx> {
        self.periods_of(id).last()
    }

    /// The entries of an interface, one for each time in which it carried the same groups, in order.
    pub fn periods_of(&self, id: &str) -> impl DoubleEndedIterator<Item = InterfaceIx> + use<> {
        let start = self.interfaces.partition_point(|i| i.id.as_str() < id);
        let same = self.interfaces[start..].iter().take_while(|i| i.id == id);
        (start..start + same.count()).map(InterfaceIx::new)
    }

    /// The other entries of an interface that have to do with a time.
    pub fn other_periods(
        &self,
        ix: InterfaceIx,
        (first, last): (u64, u64),
    ) -> impl Iterator<Item = InterfaceIx> + '_ {
        let id = &self.interface(ix).id;
        let same = move |other: &usize| self.interfaces[*other].id == *id;
        let before = (0..ix.index()).rev().take_while(same);
        let after = (ix.index() + 1..self.interfaces.len()).take_while(same);
        let others = before.chain(after).map(InterfaceIx::new);
        others.filter(move |&other| self.interface(other).may_be_of(first, last))
    }

    /// Of several entries of one interface, the one for a time; nothing where they are not one interface's.
    fn at_one_time(
        &self,
        mut all: impl Iterator<Item = InterfaceIx>,
        last: u64,
    ) -> Option<InterfaceIx> {
        let mut found = all.next()?;
        for other in all {
            if self.interface(other).id != self.interface(found).id {
                return None;
            }
            // In order of time.
            if self.interface(other).lifetime.start <= last {
                found = other;
            }
        }
        Some(found)
    }

    /// Prefix lists, by id.
    pub fn prefix_lists(&self) -> &[PrefixList] {
        &self.prefix_lists
    }

    /// A prefix list by `pl-…` id.
    pub fn prefix_list(&self, id: &str) -> Option<&PrefixList> {
        self.prefix_lists.iter().find(|list| list.id == id)
    }

    /// The interface that holds a private address, seen from `vpc`: that VPC's
    /// own first, then one in a VPC joined to it, then the only one anywhere; of those that
    /// there may have been from `first` to `last`, Unix seconds. `None`
    /// when there is none, or when several are equally likely.
    pub fn interface_at(
        &self,
        address: IpAddr,
        vpc: Option<&str>,
        (first, last): (u64, u64),
    ) -> Option<InterfaceIx> {
        let holders = self.addresses.holders(address);
        if let [ix] = holders {
            return self.interface(*ix).may_be_of(first, last).then_some(*ix);
        }
        let only = |wanted: &dyn Fn(&Interface) -> bool| {
            let found = holders.iter().filter(|&&ix| {
                let interface = self.interface(ix);
                interface.may_be_of(first, last) && wanted(interface)
            });
            self.at_one_time(found.copied(), last)
        };
        if let Some(vpc) = vpc {
            if let Some(ix) = only(&|i| *i.vpc == *vpc) {
                return Some(ix);
            }
            if let Some(ix) = only(&|i| self.joined(vpc, &i.vpc)) {
                return Some(ix);
            }
        }
        only(&|_| true)
    }

    /// Every interface that holds, or held, a private address.
    pub fn holders(&self, address: IpAddr) -> &[InterfaceIx] {
        self.addresses.holders(address)
    }

    /// The interface that a public address is associated with.
    pub fn interface_with_public(&self, address: IpAddr) -> Option<InterfaceIx> {
        self.addresses.public_holder(address)
    }

    /// The address blocks of a VPC; empty when the snapshot does not have it.
    pub fn vpc_blocks(&self, vpc: &str) -> &AddressSet {
        const NONE: &AddressSet = &AddressSet::EMPTY;
        self.vpc_blocks.get(vpc).unwrap_or(NONE)
    }

    /// Rules that a group had once, as CloudTrail remembers them.
    pub fn past_rules(&self, group: GroupIx) -> &[PastRule] {
        let past = self.rule_history.past.get(&self.group(group).id);
        past.map_or(&[], Vec::as_slice)
    }

    /// Who made a rule of today, as CloudTrail remembers it.
    pub fn birth(&self, group: GroupIx, rule: &Rule) -> Option<&Birth> {
        let births = self.rule_history.births.get(&self.group(group).id)?;
        let same = |born: &Rule| match (&born.rule_id, &rule.rule_id) {
            (Some(born), Some(id)) => born == id,
            _ => born.same_permission(rule),
        };
        let found = births.iter().rev().find(|(born, _)| same(born));
        found.map(|(_, birth)| birth)
    }

    /// The addresses that members of a group may have.
    pub(crate) fn member_space(&self, group: GroupIx) -> MemberSpace {
        self.spaces.space(group.index())
    }

    /// The same for a group that rules name and that is not in the inventory; nothing where nobody can carry it here any more.
    pub(crate) fn absent_member_space(&self, id: &str) -> Option<MemberSpace> {
        match self.spaces.absent(id) {
            Some((group, _)) if !group.reachable => None,
            Some((_, space)) => Some(space.clone()),
            None => Some(MemberSpace::Unknown),
        }
    }

    /// Whether an interface with an address may carry a group, for all that the inventory tells.
    pub fn may_carry(&self, address: IpAddr, group: GroupIx) -> bool {
        self.member_space(group).may_hold(address)
    }

    /// The account that is not in the inventory and in whose VPC, by an active peering connection, an address lies.
    pub fn account_at(&self, address: IpAddr) -> Option<&str> {
        self.spaces.account_at(address)
    }

    /// What rules say of a group that is not in the inventory.
    pub fn absent_group(&self, id: &str) -> Option<&AbsentGroup> {
        self.spaces.absent(id).map(|(group, _)| group)
    }

    /// Whether an address that no interface of the inventory holds may be that of an interface which the inventory's VPCs had.
    pub fn may_be_an_interface(&self, address: IpAddr) -> bool {
        self.spaces.may_hold(address)
    }

    /// The AWS service whose published range holds the address
    /// (aws-ip-syntax.html): by the inventory's ip-ranges.json, else by the table
    /// that is compiled in.
    pub fn service_of(&self, address: IpAddr) -> Option<&str> {
        self.ranges.service_of(address)
    }

    /// `LogFormat` by flow log id, from describe-flow-logs.
    pub fn log_formats(&self) -> &[(String, String)] {
        &self.log_formats
    }

    /// What is missing or odd in the snapshot, and what it costs.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether security groups never judge traffic to this address: link-local
    /// services, the Amazon DNS address and the router of the interface's own
    /// network (vpc-security-groups.html, flow-logs-limitations.html).
    pub fn never_filtered(&self, address: IpAddr, from: InterfaceIx, port: u16) -> bool {
        let interface = self.interface(from);
        reach::is_link_local_service(address)
            || (port == 53 && self.reserved.is_resolver(address, &interface.vpc))
            || self.reserved.is_router(address, &interface.subnet)
    }
}

impl Inventory {
    /// Whether the two VPCs are joined by peering or by a transit gateway.
    fn joined(&self, a: &str, b: &str) -> bool {
        self.paths.join(a, b)
    }

    /// The way between two interfaces; the same both paths.
    pub fn way(&self, a: &Interface, b: &Interface) -> NetworkPath {
        self.paths.between(a, b)
    }

    /// Whether the inventory knows a way from one to the other.
    pub fn path_between(&self, a: &Interface, b: &Interface) -> bool {
        self.way(a, b) != NetworkPath::Unknown
    }

    /// Whether rules of one direction at `at` may name the groups of `peer`.
    pub fn reference_works(&self, at: &Interface, direction: Direction, peer: &Interface) -> bool {
        match self.way(at, peer) {
            NetworkPath::Vpc | NetworkPath::Peering => true,
            NetworkPath::TransitGateway { inbound_references } => {
                inbound_references && direction == Direction::Ingress
            }
            NetworkPath::OtherRegion | NetworkPath::Inspected | NetworkPath::Unknown => false,
        }
    }

    /// The groups of `peer` that rules of one direction at `at` may name.
    pub fn nameable_groups<'a>(
        &self,
        at: &Interface,
        direction: Direction,
        peer: &'a Interface,
    ) -> &'a [GroupIx] {
        if self.reference_works(at, direction, peer) {
            &peer.groups
        } else {
            &[]
        }
    }
}

fn connect_groups(snapshot: &Snapshot, periods: &[Graded], notes: &mut Vec<Note>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(snapshot.groups.len());
    for wire in &snapshot.groups {
        let egress = groups::flatten(
            Direction::Egress,
            wire.ip_permissions_egress.iter().flatten(),
        );
        let ingress = groups::flatten(Direction::Ingress, wire.ip_permissions.iter().flatten());
        let rules = egress.chain(ingress).collect();
        let name = if wire.group_name.is_empty() {
            &wire.group_id
        } else {
            &wire.group_name
        };
        groups.push(Group {
            id: wire.group_id.clone(),
            name: name.clone(),
            vpc: wire.vpc_id.clone(),
            also_in: associated_vpcs(snapshot, &wire.group_id),
            owner: wire.owner_id.clone(),
            rules,
            members: Vec::new(),
            upkeep: Upkeep::of(&wire.group_name, &wire.tags),
            known: true,
            knows: [
                wire.ip_permissions_egress.is_some(),
                wire.ip_permissions.is_some(),
            ],
        });
    }
    for (id, name) in carried_but_unlisted(snapshot, periods) {
        notes.push(Note::new(format!(
            "{id}: an interface carries this group, but the inventory doesn't hold it; nothing is concluded about its rules"
        )));
        groups.push(Group {
            id,
            name,
            vpc: String::new(),
            also_in: Vec::new(),
            owner: String::new(),
            rules: Vec::new(),
            members: Vec::new(),
            upkeep: Upkeep::default(),
            known: false,
            knows: [false; 2],
        });
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    for wire::GroupRule { group_id, rule, .. } in &snapshot.rules {
        let Some(group) = groups::position(&groups, group_id) else {
            continue;
        };
        let known = &mut groups[group.index()].rules;
        if let Some(same) = known.iter_mut().find(|r| r.same_permission(rule)) {
            same.rule_id.clone_from(&rule.rule_id);
        }
    }
    for group in &mut groups {
        group.rules.sort();
        group.rules.dedup_by(|a, b| a.same_permission(b));
    }
    groups
}

/// The further VPCs that a group may be used in (security-group-assoc.html).
fn associated_vpcs(snapshot: &Snapshot, group: &str) -> Vec<String> {
    let mut vpcs: Vec<String> = snapshot
        .group_vpcs
        .iter()
        .filter(|a| a.group_id == group && a.state.eq_ignore_ascii_case("associated"))
        .map(|a| a.vpc_id.clone())
        .collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs
}

fn carried_but_unlisted(snapshot: &Snapshot, periods: &[Graded]) -> Vec<(String, String)> {
    let mut listed: Vec<&str> = snapshot
        .groups
        .iter()
        .map(|g| g.group_id.as_str())
        .collect();
    listed.sort_unstable();
    let mut unlisted: Vec<(String, String)> = periods
        .iter()
        .flat_map(|(interface, _)| interface.groups.iter().flatten())
        .filter(|g| listed.binary_search(&g.group_id.as_str()).is_err())
        .map(|g| (g.group_id.clone(), g.group_name.clone()))
        .collect();
    unlisted.sort();
    unlisted.dedup_by(|a, b| a.0 == b.0);
    unlisted
}

fn connect_interfaces(snapshot: &Snapshot, all: Vec<Graded>, groups: &[Group]) -> Vec<Interface> {
    let mut instance_names: Vec<(&str, String)> = snapshot
        .instances
        .iter()
        .map(|i| (i.instance_id.as_str(), wire::name_tag(&i.tags)))
        .collect();
    instance_names.sort();
    let mut vpcs: HashSet<Arc<str>> = HashSet::default();
    let mut interfaces: Vec<Interface> = all
        .into_iter()
        .map(|(wire, grade)| {
            let wire = &wire;
            let mut carried: Vec<GroupIx> = wire
                .groups
                .iter()
                .flatten()
                .filter_map(|g| groups::position(groups, &g.group_id))
                .collect();
            carried.sort_unstable();
            carried.dedup();
            let vpc = vpcs.get(wire.vpc_id.as_str()).cloned();
            let vpc = vpc.unwrap_or_else(|| Arc::from(wire.vpc_id.as_str()));
            vpcs.insert(Arc::clone(&vpc));
            let mut interface = Interface::from_wire(wire, vpc, carried, grade);
            let instance = interface.instance.as_deref().unwrap_or_default();
            if let Ok(found) = instance_names.binary_search_by(|(id, _)| (*id).cmp(instance))
                && wire::name_tag(&wire.tag_set).is_empty()
                && !instance_names[found].1.is_empty()
            {
                interface.label.clone_from(&instance_names[found].1);
            }
            interface
        })
        .collect();
    let mut translating: Vec<&str> = snapshot
        .nat_gateways
        .iter()
        .flat_map(|gateway| &gateway.nat_gateway_addresses)
        .filter_map(|address| address.network_interface_id.as_deref())
        .collect();
    translating.sort_unstable();
    for interface in &mut interfaces {
        if translating.binary_search(&interface.id.as_str()).is_ok() {
            interface.kind = InterfaceKind::NatGateway;
        }
    }
    interfaces
}

fn vpc_blocks(snapshot: &Snapshot) -> HashMap<String, AddressSet> {
    let blocks = |vpc: &wire::Vpc| {
        let v4 = vpc.cidr_block_association_set.iter().map(|b| &b.cidr_block);
        let v6 = vpc
            .ipv6_cidr_block_association_set
            .iter()
            .map(|b| &b.ipv6_cidr_block);
        let blocks = std::iter::once(&vpc.cidr_block).chain(v4).chain(v6);
        let prefixes: Vec<ipnet::IpNet> = blocks.flatten().copied().collect();
        AddressSet::new(&prefixes)
    };
    snapshot
        .vpcs
        .iter()
        .map(|vpc| (vpc.vpc_id.clone(), blocks(vpc)))
        .collect()
}

fn log_formats(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut formats: Vec<(String, String)> = snapshot
        .flow_logs
        .iter()
        .filter(|log| !log.log_format.is_empty())
        .map(|log| (log.flow_log_id.clone(), log.log_format.clone()))
        .collect();
    formats.sort();
    formats.dedup();
    formats
}
