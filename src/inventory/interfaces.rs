//! Network interfaces, and which interface an address belongs to.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;

use super::periods::GONE;
use super::{Grade, GroupIx, InterfaceIx, wire};
use crate::net::{HashMap, prefix_of};

/// What an interface is, as far as this tool has to know. `InterfaceType` is an
/// open string (`API_DescribeNetworkInterfaces.html`); what is not listed is
/// [`InterfaceKind::Ordinary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// Instances, load balancers with groups, databases, tasks and the rest.
    Ordinary,
    /// Shared by many functions; only ever opens connections
    /// (lambda/latest/dg/configuration-vpc.html).
    Lambda,
    /// Interface endpoint.
    Endpoint,
    /// Application, Network or Classic Load Balancer.
    LoadBalancer,
    /// Forwards what others sent and never carries groups (vpc-nat-gateway.html).
    NatGateway,
    /// Forwards what others sent: transit gateway attachments and Gateway Load
    /// Balancer (endpoints).
    Transit,
}

/// `InterfaceType` → kind, in the spellings of the API page and of the SDK.
const KINDS: &[(&str, InterfaceKind)] = &[
    ("lambda", InterfaceKind::Lambda),
    ("vpc_endpoint", InterfaceKind::Endpoint),
    ("load_balancer", InterfaceKind::LoadBalancer),
    ("network_load_balancer", InterfaceKind::LoadBalancer),
    ("nat_gateway", InterfaceKind::NatGateway),
    ("natGateway", InterfaceKind::NatGateway),
    ("regional_nat_gateway", InterfaceKind::NatGateway),
    ("transit_gateway", InterfaceKind::Transit),
    ("gateway_load_balancer", InterfaceKind::Transit),
    ("gateway_load_balancer_endpoint", InterfaceKind::Transit),
];

impl InterfaceKind {
    fn of(kind: &str) -> Self {
        KINDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(kind))
            .map_or(Self::Ordinary, |&(_, kind)| kind)
    }

    /// Whether records taken at such an interface repeat what other interfaces sent.
    pub const fn forwards(self) -> bool {
        matches!(self, Self::NatGateway | Self::Transit)
    }
}

/// An interface that the inventory lacks, with the groups that it is taken to have carried.
#[derive(Clone, Debug)]
pub struct GuessedInterface {
    /// `eni-…`
    pub id: String,
    /// Its address.
    pub address: IpAddr,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// The groups, in order.
    pub groups: Vec<GroupIx>,
    /// When it recorded, Unix seconds.
    pub lifetime: Range<u64>,
}

/// One network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// `eni-…`
    pub id: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its VPC: shared by all that are in it, so that two of one are known to be without a look at the text.
    pub vpc: Arc<str>,
    /// Its subnet.
    pub subnet: String,
    /// Its region, from the availability zone; empty when unknown.
    pub region: String,
    /// Private addresses of both families, the primary one first.
    pub addresses: Vec<IpAddr>,
    /// Delegated prefixes, /28 or /80 (ec2-prefix-eni.html): pods live in them.
    pub prefixes: Vec<IpNet>,
    /// The Network Load Balancer whose interface it is: `net/NAME/ID`, as the description has it (requester-managed-eni.html), else the
    /// interface's own id.
    pub network_balancer: Option<String>,
    /// Public addresses associated with it.
    pub public_addresses: Vec<IpAddr>,
    /// Its groups, in order.
    pub groups: Vec<GroupIx>,
    /// Whether the snapshot says which groups it carries.
    pub groups_known: bool,
    /// The instance it is attached to.
    pub instance: Option<String>,
    /// When it carried these groups, Unix seconds. Everything, but for what snapshots of several times, AWS Config and
    /// CloudTrail tell. An interface whose groups changed has an entry for each time.
    pub lifetime: Range<u64>,
    /// How its groups are known.
    pub grade: Grade,
    /// A name for people: the `Name` tag of the interface or its instance, else
    /// its description; hostile.
    pub label: String,
}

impl Interface {
    pub(super) fn from_wire(
        wire: &wire::Interface,
        vpc: Arc<str>,
        groups: Vec<GroupIx>,
        grade: Grade,
    ) -> Self {
        let mut listed: Vec<&wire::PrivateAddress> = wire.private_ip_addresses.iter().collect();
        listed.sort_by_key(|a| !a.primary);
        let addresses = wire
            .private_ip_address
            .iter()
            .chain(listed.iter().map(|a| &a.private_ip_address))
            .chain(wire.ipv6_addresses.iter().map(|a| &a.ipv6_address));
        let prefixes = wire
            .ipv4_prefixes
            .iter()
            .map(|p| &p.ipv4_prefix)
            .chain(wire.ipv6_prefixes.iter().map(|p| &p.ipv6_prefix));
        let public = wire
            .association
            .iter()
            .chain(listed.iter().filter_map(|a| a.association.as_ref()))
            .filter_map(|a| a.public_ip.as_ref());
        let zone = &wire.availability_zone;
        Self {
            id: wire.network_interface_id.clone(),
            kind: InterfaceKind::of(&wire.interface_type),
            vpc,
            subnet: wire.subnet_id.clone(),
            region: zone
                .trim_end_matches(|c: char| c.is_ascii_lowercase())
                .to_owned(),
            addresses: once_each(addresses),
            prefixes: once_each(prefixes),
            public_addresses: once_each(public),
            groups,
            network_balancer: network_balancer(wire),
            groups_known: wire.groups.is_some(),
            instance: wire.attachment.as_ref().and_then(|a| a.instance_id.clone()),
            lifetime: wire.absent_until.unwrap_or(0)..wire.gone_at.unwrap_or(u64::MAX),
            grade,
            label: [wire::name_tag(&wire.tag_set), wire.description.clone()]
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
        }
    }

    /// One that the inventory lacks.
    pub(super) fn guessed(guessed: GuessedInterface) -> Self {
        Self {
            id: guessed.id,
            kind: InterfaceKind::Ordinary,
            vpc: guessed.vpc.into(),
            subnet: guessed.subnet,
            region: String::new(),
            addresses: vec![guessed.address],
            prefixes: Vec::new(),
            public_addresses: Vec::new(),
            network_balancer: None,
            groups: guessed.groups,
            groups_known: true,
            instance: None,
            lifetime: guessed.lifetime,
            grade: Grade::Guessed,
            label: String::new(),
        }
    }

    /// Whether these are all groups that it carried: nobody guessed them, and the snapshot says so.
    pub fn knows_groups(&self) -> bool {
        self.groups_known && self.grade != Grade::Guessed
    }

    /// When it came to carry these groups, and when it no longer did, as far as that is known.
    pub fn changes(&self) -> impl Iterator<Item = u64> + use<> {
        let Range { start, end } = self.lifetime;
        [start, end]
            .into_iter()
            .filter(|&time| time != 0 && time < GONE)
    }

    /// Whether it is gone.
    pub const fn is_gone(&self) -> bool {
        self.lifetime.end != u64::MAX
    }

    /// Whether there may have been such an interface at some time from `first` to `last`.
    pub const fn may_be_of(&self, first: u64, last: u64) -> bool {
        self.lifetime.start <= last && first < self.lifetime.end
    }

    /// Its primary address of IPv4, or the first of IPv6.
    pub fn primary(&self, v4: bool) -> Option<IpAddr> {
        let mut addresses = self.addresses.iter().copied();
        addresses.find(|address| address.is_ipv4() == v4)
    }

    /// Whether `address` is one of its private addresses or lies in a delegated prefix.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.prefixes.iter().any(|p| p.contains(&address))
    }
}

fn network_balancer(wire: &wire::Interface) -> Option<String> {
    let described = wire.description.strip_prefix("ELB ");
    let name = described.filter(|name| name.starts_with("net/"));
    let is_one = wire
        .interface_type
        .eq_ignore_ascii_case("network_load_balancer");
    name.map(str::to_owned)
        .or_else(|| is_one.then(|| wire.network_interface_id.clone()))
}

fn once_each<'a, T: Copy + PartialEq + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut once = Vec::new();
    for &value in all {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// Private address → interfaces. Several, where VPCs overlap.
#[derive(Debug, Default)]
pub(super) struct AddressIndex {
    exact: HashMap<IpAddr, Vec<InterfaceIx>>,
    prefixes: HashMap<IpNet, Vec<InterfaceIx>>,
    lengths: Vec<u8>,
    public: HashMap<IpAddr, InterfaceIx>,
}

impl AddressIndex {
    pub(super) fn new(interfaces: &[Interface]) -> Self {
        let mut index = Self::default();
        for (position, interface) in interfaces.iter().enumerate() {
            let ix = InterfaceIx::new(position);
            for &address in &interface.addresses {
                index.exact.entry(address).or_default().push(ix);
            }
            for prefix in &interface.prefixes {
                index.prefixes.entry(prefix.trunc()).or_default().push(ix);
                if !index.lengths.contains(&prefix.prefix_len()) {
                    index.lengths.push(prefix.prefix_len());
                }
            }
            for &address in &interface.public_addresses {
                index.public.entry(address).or_insert(ix);
            }
        }
        index.lengths.sort_unstable_by(|a, b| b.cmp(a));
        index
    }

    /// The interfaces that hold `address`, an exact match before a prefix.
    pub(super) fn holders(&self, address: IpAddr) -> &[InterfaceIx] {
        if let Some(found) = self.exact.get(&address) {
            return found;
        }
        self.lengths
            .iter()
            .find_map(|&length| self.prefixes.get(&prefix_of(address, length)))
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn public_holder(&self, address: IpAddr) -> Option<InterfaceIx> {
        self.public.get(&address).copied()
    }
}
