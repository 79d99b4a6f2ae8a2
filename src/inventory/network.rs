//! The network configuration, connected and indexed.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::error::InventoryError;
use super::groups::{self, Group, Upkeep};
use super::index::{GroupIx, InterfaceIx};
use super::interfaces::{AddressIndex, Interface, InterfaceKind};
use super::lacking;
use super::note::Note;
use super::prefix_lists::{self, PrefixList};
use super::ranges::ServiceRanges;
use super::reach::{self, NetworkPath};
use super::reserved::Reserved;
use super::snapshot::Snapshot;
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
    ranges: Arc<ServiceRanges>,
    log_formats: Vec<(String, String)>,
    transit_gateway_logs: Vec<String>,
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
        let missing = |what, list| InventoryError::Missing {
            dir: dir.to_path_buf(),
            what,
            empty: snapshot.empty.iter().find(|(key, _)| *key == list).cloned(),
            unread: snapshot.unread.list(),
        };
        if snapshot.groups.is_empty() {
            return Err(missing("security groups", "SecurityGroups"));
        }
        if snapshot.interfaces.is_empty() {
            return Err(missing("network interfaces", "NetworkInterfaces"));
        }
        let mut notes = std::mem::take(&mut snapshot.notes);
        notes.extend(lacking::notes(&snapshot));
        for (key, cost) in OPTIONAL {
            if !snapshot.present.contains(key) {
                notes.push(Note::new(format!("the inventory has no {key}: {cost}")));
            }
        }
        let mut groups = connect_groups(&snapshot, &mut notes);
        let interfaces = connect_interfaces(&snapshot, &groups);
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
        Ok(Self {
            addresses: AddressIndex::new(&interfaces),
            prefix_lists,
            paths: reach::NetworkPaths::new(&snapshot),
            ranges,
            log_formats: log_formats(&snapshot),
            transit_gateway_logs: transit_gateway_logs(&snapshot),
            group_ids: groups
                .iter()
                .enumerate()
                .map(|(position, group)| (group.id.clone(), GroupIx::new(position)))
                .collect(),
            groups,
            interfaces,
            reserved: Reserved::new(&snapshot),
            vpc_blocks: vpc_blocks(&snapshot),
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

    /// An interface by `eni-…` id.
    pub fn interface_by_id(&self, id: &str) -> Option<InterfaceIx> {
        self.interfaces
            .binary_search_by(|i| i.id.as_str().cmp(id))
            .ok()
            .map(InterfaceIx::new)
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
            let mut found = holders.iter().filter(|&&ix| {
                let interface = self.interface(ix);
                interface.may_be_of(first, last) && wanted(interface)
            });
            match (found.next(), found.next()) {
                (Some(&ix), None) => Some(ix),
                _ => None,
            }
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

    /// The interface that a public address is associated with.
    pub fn interface_with_public(&self, address: IpAddr) -> Option<InterfaceIx> {
        self.addresses.public_holder(address)
    }

    /// The address blocks of a VPC; empty when the snapshot does not have it.
    pub fn vpc_blocks(&self, vpc: &str) -> &AddressSet {
        const NONE: &AddressSet = &AddressSet::EMPTY;
        self.vpc_blocks.get(vpc).unwrap_or(NONE)
    }

    /// The AWS service whose published range holds the address
    /// (aws-ip-syntax.html): by the inventory's ip-ranges.json, else by the table
    /// that is compiled in.
    pub fn service_of(&self, address: IpAddr) -> Option<&str> {
        self.ranges.service_of(address)
    }

    /// The ids of flow logs on transit gateways and their attachments, from describe-flow-logs; in order.
    pub fn transit_gateway_logs(&self) -> &[String] {
        &self.transit_gateway_logs
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

fn connect_groups(snapshot: &Snapshot, notes: &mut Vec<Note>) -> Vec<Group> {
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
        });
    }
    for (id, name) in carried_but_unlisted(snapshot) {
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
        });
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    for wire::GroupRule { group_id, rule } in &snapshot.rules {
        let Some(group) = groups::position(&groups, group_id) else {
            continue;
        };
        let known = &mut groups[group.index()].rules;
        if let Some(same) = known.iter_mut().find(|r| r.same_permission(rule)) {
            same.rule_id.clone_from(&rule.rule_id);
            same.tag_keys.clone_from(&rule.tag_keys);
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

fn carried_but_unlisted(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut listed: Vec<&str> = snapshot
        .groups
        .iter()
        .map(|g| g.group_id.as_str())
        .collect();
    listed.sort_unstable();
    let mut unlisted: Vec<(String, String)> = snapshot
        .interfaces
        .iter()
        .chain(&snapshot.past)
        .flat_map(|i| i.groups.iter().flatten())
        .filter(|g| listed.binary_search(&g.group_id.as_str()).is_err())
        .map(|g| (g.group_id.clone(), g.group_name.clone()))
        .collect();
    unlisted.sort();
    unlisted.dedup_by(|a, b| a.0 == b.0);
    unlisted
}

/// Every interface once: as it is, or as it was last.
fn present_and_past(snapshot: &Snapshot) -> Vec<wire::Interface> {
    let all = snapshot.interfaces.iter().chain(&snapshot.past);
    let mut all: Vec<wire::Interface> = all.cloned().collect();
    all.sort_by(|a, b| {
        let gone = |i: &wire::Interface| std::cmp::Reverse(i.gone_at.unwrap_or(u64::MAX));
        (&a.network_interface_id, gone(a)).cmp(&(&b.network_interface_id, gone(b)))
    });
    all.dedup_by(|older, newer| {
        let same = older.network_interface_id == newer.network_interface_id;
        if same && older.gone_at.is_some() {
            // It was there before, and nothing says from when on.
            newer.absent_until = None;
        }
        same
    });
    all
}

fn connect_interfaces(snapshot: &Snapshot, groups: &[Group]) -> Vec<Interface> {
    let mut instance_names: Vec<(&str, String)> = snapshot
        .instances
        .iter()
        .map(|i| (i.instance_id.as_str(), wire::name_tag(&i.tags)))
        .collect();
    instance_names.sort();
    let mut vpcs: HashSet<Arc<str>> = HashSet::default();
    let mut interfaces: Vec<Interface> = present_and_past(snapshot)
        .into_iter()
        .map(|wire| {
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
            let mut interface = Interface::from_wire(wire, vpc, carried);
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

fn is_of_transit_gateway(log: &wire::FlowLog) -> bool {
    log.resource_id.starts_with("tgw-")
}

fn transit_gateway_logs(snapshot: &Snapshot) -> Vec<String> {
    let logs = snapshot.flow_logs.iter();
    let ids = logs
        .filter(|log| is_of_transit_gateway(log))
        .map(|log| log.flow_log_id.clone());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids.dedup();
    ids
}

fn log_formats(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut formats: Vec<(String, String)> = snapshot
        .flow_logs
        .iter()
        .filter(|log| !log.log_format.is_empty() && !is_of_transit_gateway(log))
        .map(|log| (log.flow_log_id.clone(), log.log_format.clone()))
        .collect();
    formats.sort();
    formats.dedup();
    formats
}
