//! Addresses as prefixes, as wide as a group's limits allow.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::level::Limits;
use super::limits::GroupLimits;
use crate::net::{Service, is_public, prefix_of};

/// How to write these addresses, which one group needs for one service. All of them are public, or none is.
pub(super) fn width(group: &GroupLimits<'_>, addresses: &[IpAddr], service: Service) -> Width {
    let exact = exact_prefixes(addresses);
    let beyond = group.beyond_exact;
    let Some(limits) = beyond.filter(|limits| exact.len() > limits.exact_up_to) else {
        return Width::Prefixes(exact);
    };
    let covered = covering_prefixes(addresses, limits);
    let is_public = addresses.iter().all(|&address| is_public(address));
    let may_unpin = is_public && group.may_unpin(service);
    if covered.len() > limits.exact_up_to && may_unpin {
        Width::Unpinned
    } else {
        Width::Prefixes(covered)
    }
}

/// How destinations are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Prefixes(Vec<IpNet>),
    /// The whole internet on one port.
    Unpinned,
}

/// The fewest prefixes that hold exactly these addresses.
pub(super) fn exact_prefixes(addresses: &[IpAddr]) -> Vec<IpNet> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for &address in addresses {
        match prefix_of(address, u8::MAX) {
            IpNet::V4(net) => v4.push(net),
            IpNet::V6(net) => v6.push(net),
        }
    }
    let v4 = Ipv4Net::aggregate(&v4).into_iter().map(IpNet::from);
    let v6 = Ipv6Net::aggregate(&v6).into_iter().map(IpNet::from);
    v4.chain(v6).collect()
}

/// Prefixes of which enough was seen, the widest that are; a family as large as
/// IPv6 never has that many, so its addresses stay exact.
fn covering_prefixes(addresses: &[IpAddr], limits: &Limits) -> Vec<IpNet> {
    let mut v4: Vec<IpAddr> = addresses.iter().copied().filter(IpAddr::is_ipv4).collect();
    v4.sort_unstable();
    v4.dedup();
    let mut prefixes = Vec::new();
    for same in v4.chunk_by(|a, b| prefix_of(*a, limits.widest) == prefix_of(*b, limits.widest)) {
        cover(
            same,
            prefix_of(same[0], limits.widest),
            limits,
            &mut prefixes,
        );
    }
    let v6: Vec<IpAddr> = addresses.iter().copied().filter(IpAddr::is_ipv6).collect();
    prefixes.extend(exact_prefixes(&v6));
    prefixes
}

/// One prefix, or its halves if too little of it was seen.
fn cover(addresses: &[IpAddr], prefix: IpNet, limits: &Limits, out: &mut Vec<IpNet>) {
    let Some(first) = addresses.first() else {
        return;
    };
    let size = 1u64 << (32 - prefix.prefix_len());
    if addresses.len() == 1 {
        out.push(prefix_of(*first, u8::MAX));
    } else if addresses.len() as u64 * limits.coverage >= size {
        out.push(prefix);
    } else {
        let length = prefix.prefix_len() + 1;
        let lower = prefix_of(prefix.network(), length);
        let split = addresses.partition_point(|address| lower.contains(address));
        let (left, right) = addresses.split_at(split);
        cover(left, lower, limits, out);
        if let Some(&address) = right.first() {
            cover(right, prefix_of(address, length), limits, out);
        }
    }
}
