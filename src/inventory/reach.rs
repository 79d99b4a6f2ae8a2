//! Paths between interfaces: where a group reference works and what security
//! groups never see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::interfaces::Interface;
use super::shared;
use super::snapshot::Snapshot;
use super::wire;
use crate::documents::Direction;
use crate::net::{AddressSet, HashMap};

/// An active peering connection between two VPCs.
#[derive(Clone, Debug)]
struct Peering {
    vpcs: [String; 2],
    /// Both VPCs lie in one region.
    same_region: bool,
}

fn active_peerings(wire: &[wire::Peering]) -> Vec<Peering> {
    wire.iter()
        .filter(|p| p.status.code.eq_ignore_ascii_case("active"))
        .map(|p| Peering {
            vpcs: [
                p.requester_vpc_info.vpc_id.clone(),
                p.accepter_vpc_info.vpc_id.clone(),
            ],
            // Older output has no Region; such peerings could only be made inside one.
            same_region: match (&p.requester_vpc_info.region, &p.accepter_vpc_info.region) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            },
        })
        .collect()
}

/// The peering connections that rules say are active. A rule can name a group of another VPC over a peering connection of one region
/// alone (vpc-peering-security-groups.html). What describe-vpc-peering-connections says of a connection goes before.
fn peerings_of_rules(snapshot: &Snapshot) -> Vec<Peering> {
    let described = |id: &str| {
        let mut ids = snapshot.peerings.iter();
        ids.any(|p| p.vpc_peering_connection_id.as_deref() == Some(id))
    };
    let vpc_of = |id: &str| {
        let found = snapshot.groups.iter().find(|group| group.group_id == id);
        found.map_or("", |group| group.vpc_id.as_str())
    };
    let mut vpcs: Vec<[String; 2]> = snapshot
        .pairs()
        .filter(|(_, pair)| {
            let id = &pair.vpc_peering_connection_id;
            let status = &pair.peering_status;
            let is_active = status.is_empty() || status.eq_ignore_ascii_case("active");
            !id.is_empty() && is_active && !described(id)
        })
        .map(|(group, pair)| {
            let said = Some(pair.vpc_id.as_str()).filter(|vpc| !vpc.is_empty());
            let named = said.unwrap_or_else(|| vpc_of(&pair.group_id));
            [vpc_of(group).to_owned(), named.to_owned()]
        })
        .filter(|[a, b]| !a.is_empty() && !b.is_empty() && a != b)
        .collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs.into_iter()
        .map(|vpcs| Peering {
            vpcs,
            same_region: true,
        })
        .collect()
}

/// The paths between VPCs, and what stands in them.
#[derive(Debug, Default)]
pub(super) struct NetworkPaths {
    peerings: Vec<Peering>,
    /// Whether the inventory has everything that joins VPCs.
    complete: bool,
    /// VPCs of which it has not.
    unknown: Vec<String>,
    /// Transit gateways by VPC, and whether the attachment supports references.
    attachments: HashMap<String, Vec<(String, bool)>>,
    /// Transit gateways that are known not to support references.
    without_references: Vec<String>,
    /// Where each subnet's routes lead through a middlebox.
    inspected: HashMap<String, AddressSet>,
    /// The same for subnets of a VPC that have no route table of their own.
    inspected_by_default: HashMap<String, AddressSet>,
    /// Whether any of them holds an address.
    inspect_anything: bool,
}

impl NetworkPaths {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let enabled = |text: &str| text.eq_ignore_ascii_case("enable");
        let mut paths = Self {
            peerings: active_peerings(&snapshot.peerings),
            complete: ["VpcPeeringConnections", "TransitGatewayVpcAttachments"]
                .iter()
                .all(|key| snapshot.present.contains(key)),
            unknown: shared::unknown_joins(snapshot)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        };
        paths.peerings.extend(peerings_of_rules(snapshot));
        for gateway in &snapshot.transit_gateways {
            if !enabled(&gateway.options.security_group_referencing_support) {
                paths
                    .without_references
                    .push(gateway.transit_gateway_id.clone());
            }
        }
        for attachment in &snapshot.attachments {
            // A snapshot that does not say counts as attached.
            if attachment.state.is_empty() || attachment.state.eq_ignore_ascii_case("available") {
                paths
                    .attachments
                    .entry(attachment.vpc_id.clone())
                    .or_default()
                    .push((
                        attachment.transit_gateway_id.clone(),
                        enabled(&attachment.options.security_group_referencing_support),
                    ));
            }
        }
        for table in &snapshot.route_tables {
            let inspected = behind_middleboxes(&table.routes);
            paths.inspect_anything |= inspected != AddressSet::EMPTY;
            for association in &table.associations {
                if let Some(subnet) = &association.subnet_id {
                    paths.inspected.insert(subnet.clone(), inspected.clone());
                }
                if association.main {
                    paths
                        .inspected_by_default
                        .insert(table.vpc_id.clone(), inspected.clone());
                }
            }
        }
        paths
    }

    fn peering_between(&self, a: &str, b: &str) -> Option<&Peering> {
        self.peerings
            .iter()
            .find(|p| (p.vpcs[0] == a && p.vpcs[1] == b) || (p.vpcs[0] == b && p.vpcs[1] == a))
    }

    /// Whether a rule of one direction in one VPC can name a group of another VPC.
    pub(super) fn reference_works(&self, at: &str, direction: Direction, other: &str) -> bool {
        let peered = || {
            self.peering_between(at, other)
                .is_some_and(|p| p.same_region)
        };
        let attached = || {
            let references = NetworkPath::TransitGateway {
                inbound_references: true,
            };
            direction == Direction::Ingress && self.transit(at, other) == Some(references)
        };
        at == other || peered() || attached()
    }

    /// The way through a transit gateway that both VPCs are attached to.
    fn transit(&self, a: &str, b: &str) -> Option<NetworkPath> {
        let (from, to) = (self.attachments.get(a)?, self.attachments.get(b)?);
        let shared = from.iter().flat_map(|(gateway, here)| {
            let there = to.iter().filter(move |(other, _)| other == gateway);
            there.map(move |(_, there)| (gateway, *here && *there))
        });
        let references = |(gateway, attached): (&String, bool)| {
            attached && !self.without_references.contains(gateway)
        };
        shared
            .map(references)
            .reduce(|a, b| a || b)
            .map(|inbound_references| NetworkPath::TransitGateway { inbound_references })
    }

    /// Whether the two VPCs are joined.
    pub(super) fn join(&self, a: &str, b: &str) -> bool {
        self.peering_between(a, b).is_some() || self.transit(a, b).is_some()
    }

    /// Whether the two VPCs may be joined, for all that the inventory tells. An interface without a VPC may be in any. Transit gateways
    /// can be peered with each other (tgw-peering.html), which the inventory doesn't hold.
    pub(super) fn may_join(&self, a: &str, b: &str) -> bool {
        let attached = || [a, b].iter().all(|vpc| self.attachments.contains_key(*vpc));
        let is_unknown = self.is_unknown(a) || self.is_unknown(b);
        is_unknown || a == b || self.join(a, b) || attached()
    }

    /// Whether rules of the two VPCs may name each other's groups, for all that the inventory tells: not across transit gateways that are
    /// peered (tgw-vpc-attachments.html).
    pub(super) fn may_reference(&self, a: &str, b: &str) -> bool {
        self.is_unknown(a) || self.is_unknown(b)
    }

    /// Whether the inventory does not tell what a VPC is joined to.
    fn is_unknown(&self, vpc: &str) -> bool {
        !self.complete || vpc.is_empty() || self.unknown.iter().any(|other| other == vpc)
    }

    /// The way between two interfaces; the same both paths.
    pub(super) fn between(&self, a: &Interface, b: &Interface) -> NetworkPath {
        let way = if a.vpc.is_empty() || b.vpc.is_empty() {
            NetworkPath::Unknown
        } else if Arc::ptr_eq(&a.vpc, &b.vpc) || a.vpc == b.vpc {
            NetworkPath::Vpc
        } else if let Some(peering) = self.peering_between(&a.vpc, &b.vpc) {
            if peering.same_region {
                NetworkPath::Peering
            } else {
                NetworkPath::OtherRegion
            }
        } else {
            self.transit(&a.vpc, &b.vpc).unwrap_or(NetworkPath::Unknown)
        };
        if self.inspect_anything && (self.inspects(a, b) || self.inspects(b, a)) {
            NetworkPath::Inspected
        } else {
            way
        }
    }

    /// Whether any route leads through a middlebox.
    pub(super) const fn inspects_anything(&self) -> bool {
        self.inspect_anything
    }

    /// Whether packets from one to the other pass a middlebox first.
    fn inspects(&self, from: &Interface, to: &Interface) -> bool {
        let routes = self
            .inspected
            .get(&from.subnet)
            .or_else(|| self.inspected_by_default.get(&*from.vpc));
        routes.is_some_and(|inspected| to.addresses.iter().any(|&a| inspected.contains(a)))
    }
}

/// The destinations that a route table sends through an appliance, a Gateway Load
/// Balancer endpoint or a firewall endpoint: the longest prefix decides
/// (VPC user guide, route-tables.html). Gateway endpoints are routed by prefix list and are
/// none.
fn behind_middleboxes(routes: &[wire::Route]) -> AddressSet {
    let mut by_length: Vec<(IpNet, bool)> = routes
        .iter()
        .filter_map(|route| {
            let destination = route
                .destination_cidr_block
                .or(route.destination_ipv6_cidr_block)?;
            let endpoint = route.gateway_id.as_ref();
            let middlebox = endpoint.is_some_and(|id| id.starts_with("vpce-"))
                || route.network_interface_id.is_some()
                || route.instance_id.is_some();
            Some((destination, middlebox))
        })
        .collect();
    by_length.sort_by_key(|(net, _)| net.prefix_len());
    by_length
        .iter()
        .fold(AddressSet::EMPTY, |inspected, (net, middlebox)| {
            let net = AddressSet::new([net]);
            if *middlebox {
                inspected.union(&net)
            } else {
                inspected.difference(&net)
            }
        })
}

/// How packets get from one interface to another, as far as a rule cares
/// (security-group-rules.html, vpc-peering-security-groups.html,
/// tgw-vpc-attachments.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkPath {
    /// Inside one VPC.
    Vpc,
    /// Over an active peering connection inside one region.
    Peering,
    /// Over an active peering connection to another region.
    OtherRegion,
    /// Through a transit gateway that both VPCs are attached to.
    TransitGateway {
        /// Ingress rules may name groups of the other side; egress rules never may.
        inbound_references: bool,
    },
    /// Through a middlebox: what arrives no longer counts as the sender's.
    Inspected,
    /// The inventory knows none: there is none, it goes over something else, or a part of the inventory is missing.
    Unknown,
}

/// Services on link-local or unique-local addresses that security groups never
/// judge (vpc-security-groups.html): DNS, instance metadata, ECS task metadata,
/// time, Windows activation.
const LINK_LOCAL_SERVICES: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 123)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 250)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 251)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123)),
];

pub(super) fn is_link_local_service(address: IpAddr) -> bool {
    LINK_LOCAL_SERVICES.contains(&address)
}
