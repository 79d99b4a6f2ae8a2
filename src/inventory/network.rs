//! The network configuration, connected and indexed.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::balancers::{Balancer, BalancerIx, Balancers, Fronting};
use super::connect;
use super::error::InventoryError;
use super::groups::Group;
use super::index::{GroupIx, InterfaceIx};
use super::interfaces::{AddressIndex, GuessedInterface, Interface};
use super::lacking;
use super::member_space::{AbsentGroup, MemberSpace, MemberSpaces};
use super::note::Note;
use super::periods::periods;
use super::prefix_lists::{self, PrefixList};
use super::ranges::ServiceRanges;
use super::reach::{self, NetworkPath};
use super::reserved::Reserved;
use super::rules::Rule;
use super::shared;
use super::snapshot::Snapshot;
use super::subnets::{Subnet, Subnets};
use super::trail::{self, Birth, PastRule, RuleHistory};
use crate::documents::Direction;
use crate::net::{AddressSet, HashMap};

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
        "groups in other VPCs are reached by address instead of by reference, but for those that a rule names with its peering connection",
    ),
    (
        "RouteTables",
        "middleboxes between subnets, which groups can't be named across, are not seen",
    ),
];

/// What joins VPCs through a transit gateway; not missed where there is one VPC.
const TRANSIT: &str = "TransitGatewayVpcAttachments";

/// The network configuration, connected.
#[derive(Debug)]
pub struct Inventory {
    groups: Vec<Group>,
    group_ids: HashMap<String, GroupIx>,
    interfaces: Vec<Interface>,
    prefix_lists: Vec<PrefixList>,
    addresses: AddressIndex,
    balancers: Balancers,
    paths: reach::NetworkPaths,
    reserved: Reserved,
    subnets: Subnets,
    vpc_blocks: HashMap<String, AddressSet>,
    spaces: MemberSpaces,
    ranges: Arc<ServiceRanges>,
    log_formats: Vec<(String, String)>,
    rule_history: RuleHistory,
    transit_gateway_logs: Vec<String>,
    notes: Vec<Note>,
}

impl Inventory {
    /// Reads every JSON file below `dir`.
    pub fn load(dir: &Path) -> Result<Self, InventoryError> {
        Self::connect(Snapshot::read_dir(dir)?, dir)
    }

    /// The same, with an ip-ranges.json that lies elsewhere, and with trail files of CloudTrail: name and content, packed or not.
    pub fn load_with<'a>(
        dir: &Path,
        ranges: Option<&Path>,
        trail: impl IntoIterator<Item = (&'a Path, Vec<u8>)>,
    ) -> Result<Self, InventoryError> {
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
        for (name, bytes) in trail {
            snapshot.read_trail(name, &bytes)?;
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
        notes.extend(shared::notes(&snapshot));
        for (key, cost) in OPTIONAL {
            if !snapshot.present.contains(key) {
                notes.push(Note::new(format!("the inventory has no {key}: {cost}")));
            }
        }
        let mut vpcs = snapshot.interfaces.iter().map(|i| &i.vpc_id);
        let first = vpcs.next();
        if !snapshot.present.contains(&TRANSIT) && vpcs.any(|vpc| Some(vpc) != first) {
            notes.push(Note::new(format!(
                "the inventory has no {TRANSIT}: closegate can't tell which VPCs a transit gateway joins, and where rules may name groups across it"
            )));
        }
        let events = std::mem::take(&mut snapshot.trail).settled(&mut notes);
        let periods = periods(&snapshot, trail::lives(&events));
        let mut groups = connect::groups(&snapshot, &periods, &mut notes);
        let interfaces = connect::interfaces(&snapshot, periods, &groups);
        list_members(&mut groups, &interfaces);
        let subnets = Subnets::new(&snapshot, &interfaces);
        let ranges = ServiceRanges::new(&snapshot.ranges);
        let prefix_lists = prefix_lists::join(&snapshot, &ranges, &mut notes);
        notes.sort();
        notes.dedup();
        let vpc_blocks = connect::vpc_blocks(&snapshot);
        Ok(Self {
            spaces: MemberSpaces::new(&snapshot, &groups, &interfaces, &vpc_blocks),
            addresses: AddressIndex::new(&interfaces),
            balancers: Balancers::new(&snapshot, &interfaces),
            prefix_lists,
            paths: reach::NetworkPaths::new(&snapshot),
            ranges,
            rule_history: trail::rule_history(&events),
            log_formats: connect::log_formats(&snapshot),
            transit_gateway_logs: connect::transit_gateway_logs(&snapshot),
            group_ids: groups
                .iter()
                .enumerate()
                .map(|(position, group)| (group.id.clone(), GroupIx::new(position)))
                .collect(),
            groups,
            interfaces,
            reserved: Reserved::new(&snapshot),
            subnets,
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
    /// own first, then one in a VPC joined to it; from nowhere, the only one there is. Of those that
    /// there may have been from `first` to `last`, Unix seconds. `None`
    /// when there is none, or when several are equally likely.
    pub fn interface_at(
        &self,
        address: IpAddr,
        vpc: Option<&str>,
        (first, last): (u64, u64),
    ) -> Option<InterfaceIx> {
        let holders = self.addresses.holders(address);
        let is_near = |vpc: &str, other: &str| {
            vpc == other || vpc.is_empty() || other.is_empty() || self.joined(vpc, other)
        };
        if let [ix] = holders {
            let interface = self.interface(*ix);
            let is_it = interface.may_be_of(first, last)
                && vpc.is_none_or(|vpc| is_near(vpc, &interface.vpc));
            return is_it.then_some(*ix);
        }
        let only = |wanted: &dyn Fn(&Interface) -> bool| {
            let found = holders.iter().filter(|&&ix| {
                let interface = self.interface(ix);
                interface.may_be_of(first, last) && wanted(interface)
            });
            self.at_one_time(found.copied(), last)
        };
        match vpc {
            Some(vpc) => {
                let own = only(&|i| *i.vpc == *vpc);
                own.or_else(|| only(&|i| is_near(vpc, &i.vpc)))
            }
            None => only(&|_| true),
        }
    }

    /// The only interface that held a private address at a time and that no path of the inventory leads to from `vpc`, where there may
    /// be one.
    pub fn distant_interface_at(
        &self,
        address: IpAddr,
        vpc: &str,
        (first, last): (u64, u64),
    ) -> Option<InterfaceIx> {
        let may_be = |ix: &&InterfaceIx| {
            let interface = self.interface(**ix);
            interface.may_be_of(first, last) && self.may_join(vpc, &interface.vpc)
        };
        let found = self.addresses.holders(address).iter().filter(may_be);
        self.at_one_time(found.copied(), last)
    }

    /// Network Load Balancers, by name.
    pub fn balancers(&self) -> &[Balancer] {
        self.balancers.all()
    }

    /// The interfaces of all of them.
    pub fn balancer_interfaces(&self) -> HashMap<InterfaceIx, BalancerIx> {
        let all = self.balancers().iter().enumerate();
        all.flat_map(|(position, balancer)| {
            let own = balancer.interfaces.iter();
            own.map(move |&own| (own, BalancerIx::new(position)))
        })
        .collect()
    }

    /// One of them.
    pub fn balancer(&self, ix: BalancerIx) -> &Balancer {
        &self.balancers.all()[ix.index()]
    }

    /// The balancers that may stand before a port of an interface and preserve the client's address: those whose targets say so, and of
    /// those whose targets the inventory lacks, all of its VPC or a joined one.
    pub fn balancers_before(
        &self,
        target: InterfaceIx,
        port: u16,
    ) -> impl Iterator<Item = (BalancerIx, Fronting)> + '_ {
        let target = self.interface(target);
        let all = self.balancers().iter().enumerate();
        all.filter_map(move |(position, balancer)| {
            let own = self.interface(*balancer.interfaces.first()?);
            let is_near = own.vpc == target.vpc || self.joined(&own.vpc, &target.vpc);
            let fronting = is_near.then(|| balancer.fronts(target, port))??;
            Some((BalancerIx::new(position), fronting))
        })
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

    /// The subnet that an address lies in; nothing where several networks of the inventory have it.
    pub fn subnet_at(&self, address: IpAddr) -> Option<&Subnet> {
        self.subnets.at(address)
    }

    /// The groups that every interface of a subnet carries that is there; of those that forward, serve functions or balance none is
    /// asked.
    pub fn groups_of_subnet(&self, subnet: &Subnet) -> Vec<GroupIx> {
        let groups = self.subnets.common(subnet).iter().copied();
        groups.filter(|&group| self.group(group).known).collect()
    }

    /// With interfaces whose groups are guessed.
    #[must_use]
    pub fn with_guessed(mut self, guessed: Vec<GuessedInterface>) -> Self {
        self.interfaces
            .extend(guessed.into_iter().map(Interface::guessed));
        let key = |interface: &Interface| (interface.id.clone(), interface.lifetime.start);
        self.interfaces.sort_by_key(key);
        self.addresses = AddressIndex::new(&self.interfaces);
        self.balancers.find_interfaces(&self.interfaces);
        list_members(&mut self.groups, &self.interfaces);
        self
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

    /// Whether an address, seen from a VPC or from nowhere, may be that of an interface which the inventory's VPCs have or had.
    pub fn may_be_an_interface(&self, address: IpAddr, seen_from: Option<&str>) -> bool {
        let mut vpcs = self.spaces.holding(address);
        vpcs.any(|vpc| seen_from.is_none_or(|from| self.may_join(from, vpc)))
    }

    /// The AWS service whose published range holds the address
    /// (aws-ip-syntax.html): by the inventory's ip-ranges.json, else by the table
    /// that is compiled in.
    pub fn service_of(&self, address: IpAddr) -> Option<&str> {
        self.ranges.service_of(address)
    }

    /// The prefix that AWS publishes for the service which [`Self::service_of`] names.
    pub fn published_prefix(&self, address: IpAddr) -> Option<IpNet> {
        Some(self.ranges.published_at(address)?.ip_prefix)
    }

    /// The ids of flow logs on transit gateways and their attachments, from describe-flow-logs; in order.
    pub fn transit_gateway_logs(&self) -> &[String] {
        &self.transit_gateway_logs
    }

    /// `LogFormat` by flow log id, from describe-flow-logs.
    pub fn log_formats(&self) -> &[(String, String)] {
        &self.log_formats
    }

    /// Adds a note about what is read beside the snapshot.
    #[must_use]
    pub fn with_note(mut self, text: &str) -> Self {
        self.notes.push(Note::new(text));
        self.notes.sort();
        self
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

    /// Whether the two VPCs may be joined, for all that the inventory tells.
    fn may_join(&self, a: &str, b: &str) -> bool {
        self.paths.may_join(a, b)
    }

    /// The way between two interfaces; the same both paths.
    pub fn way(&self, a: &Interface, b: &Interface) -> NetworkPath {
        self.paths.between(a, b)
    }

    /// Whether routes lead through a middlebox anywhere, so that the way between two interfaces depends on their subnets too.
    pub(crate) const fn inspects(&self) -> bool {
        self.paths.inspects_anything()
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

    /// Whether no rule of one direction in a group can name another group any more: no path between their VPCs lets it.
    pub fn is_out_of_reference(
        &self,
        group: GroupIx,
        direction: Direction,
        other: GroupIx,
    ) -> bool {
        let vpcs = |group: GroupIx| {
            let group = self.group(group);
            std::iter::once(&group.vpc).chain(&group.also_in)
        };
        let works = |at: &String| {
            let mut others = vpcs(other);
            others.any(|other| {
                self.paths.may_reference(at, other)
                    || self.paths.reference_works(at, direction, other)
            })
        };
        !vpcs(group).any(works)
    }

    /// The groups of `peer` that rules of one direction at `at` may name if there is a path that the inventory lacks.
    pub fn maybe_nameable_groups<'a>(&self, at: &Interface, peer: &'a Interface) -> &'a [GroupIx] {
        let is_unknown = self.way(at, peer) == NetworkPath::Unknown;
        if is_unknown && self.paths.may_reference(&at.vpc, &peer.vpc) {
            &peer.groups
        } else {
            &[]
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

/// Gives each group the interfaces that carry it and are there.
fn list_members(groups: &mut [Group], interfaces: &[Interface]) {
    for group in groups.iter_mut() {
        group.members.clear();
    }
    for (position, interface) in interfaces.iter().enumerate() {
        for group in interface.groups.iter().filter(|_| !interface.is_gone()) {
            let members = &mut groups[group.index()].members;
            members.push(InterfaceIx::new(position));
        }
    }
}
