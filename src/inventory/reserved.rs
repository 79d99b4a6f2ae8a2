//! Addresses that AWS keeps for itself in every network.

use std::net::IpAddr;

use ipnet::IpNet;

use super::snapshot::Snapshot;
use crate::net::HashMap;

/// The Amazon DNS address of each VPC and the router of each subnet, by address.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    resolvers: HashMap<IpAddr, Vec<String>>,
    routers: HashMap<IpAddr, Vec<String>>,
}

impl Reserved {
    /// Amazon DNS is the base of each IPv4 block of the VPC plus 2, the router the
    /// base of the subnet plus 1 (vpc-security-groups.html, flow-logs-limitations.html).
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let mut reserved = Self::default();
        for vpc in &snapshot.vpcs {
            let more = vpc.cidr_block_association_set.iter();
            let blocks = std::iter::once(&vpc.cidr_block).chain(more.map(|b| &b.cidr_block));
            for address in blocks.filter_map(|&block| nth(block?, 2)) {
                let holders = reserved.resolvers.entry(address).or_default();
                holders.push(vpc.vpc_id.clone());
            }
        }
        for subnet in &snapshot.subnets {
            if let Some(address) = subnet.cidr_block.and_then(|block| nth(block, 1)) {
                let holders = reserved.routers.entry(address).or_default();
                holders.push(subnet.subnet_id.clone());
            }
        }
        reserved
    }

    pub(super) fn is_resolver(&self, address: IpAddr, vpc: &str) -> bool {
        self.resolvers
            .get(&address)
            .is_some_and(|vpcs| vpcs.iter().any(|v| v == vpc))
    }

    pub(super) fn is_router(&self, address: IpAddr, subnet: &str) -> bool {
        self.routers
            .get(&address)
            .is_some_and(|subnets| subnets.iter().any(|s| s == subnet))
    }
}

/// The address at a place in an IPv4 block; IPv6 blocks keep none.
fn nth(block: IpNet, n: u32) -> Option<IpAddr> {
    match block {
        IpNet::V4(net) => {
            let bits = net.network().to_bits().checked_add(n)?;
            Some(IpAddr::from(bits.to_be_bytes()))
        }
        IpNet::V6(_) => None,
    }
}
