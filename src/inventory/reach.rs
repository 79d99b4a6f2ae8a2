//! Paths between interfaces: where a group reference works and what security
//! groups never see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::wire;
use super::{Interface, Inventory};

/// An active peering connection between two VPCs.
#[derive(Clone, Debug)]
pub(super) struct Peering {
    vpcs: [String; 2],
    /// Both VPCs lie in one region.
    same_region: bool,
}

pub(super) fn active_peerings(wire: &[wire::Peering]) -> Vec<Peering> {
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

impl Inventory {
    pub(super) fn peering_between(&self, a: &str, b: &str) -> Option<&Peering> {
        self.peerings
            .iter()
            .find(|p| (p.vpcs[0] == a && p.vpcs[1] == b) || (p.vpcs[0] == b && p.vpcs[1] == a))
    }

    /// Whether the inventory knows a way from one to the other: their VPC, or a
    /// peering connection.
    pub fn path_between(&self, a: &Interface, b: &Interface) -> bool {
        a.vpc == b.vpc || self.peering_between(&a.vpc, &b.vpc).is_some()
    }

    /// Whether a rule on one side may name the other side's group: in the same
    /// VPC, or over an active peering connection inside one region
    /// (security-group-rules.html, vpc-peering-security-groups.html). Every other
    /// path, a transit gateway's included, needs addresses, at least for egress.
    pub fn reference_works(&self, a: &Interface, b: &Interface) -> bool {
        !a.vpc.is_empty()
            && (a.vpc == b.vpc
                || self
                    .peering_between(&a.vpc, &b.vpc)
                    .is_some_and(|p| p.same_region))
    }
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
