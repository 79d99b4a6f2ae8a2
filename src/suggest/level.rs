//! How far rules may go beyond what was seen.

use std::net::IpAddr;

use super::ladder::GroupLimits;
use crate::net::{is_public, prefix_of};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The one knob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing that was not seen.
    #[default]
    Exact,
    /// Rules a person can review: many addresses become prefixes or one open port.
    Balanced,
    /// As few rules as make sense.
    Compact,
}

/// The knob and what its positions mean.
#[derive(Clone, Debug)]
pub struct Generalise {
    /// Where it stands.
    pub level: Level,
    /// What [`Level::Balanced`] allows.
    pub balanced: Limits,
    /// What [`Level::Compact`] allows.
    pub compact: Limits,
}

/// What a level allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Up to so many prefixes of one group and service stay exact.
    pub exact_up_to: usize,
    /// A wider prefix has at least one address in so many that was seen.
    pub coverage: u64,
    /// And is no wider than this prefix length.
    pub widest: u8,
    /// From how many used ports on, a range that a rule of today names becomes a rule.
    pub range_from: usize,
    /// Services that go to ever other addresses of the internet may be opened to
    /// all of it: tcp and udp ports; none means any.
    pub unpinned_ports: Option<Vec<u16>>,
}

impl Default for Generalise {
    fn default() -> Self {
        Self {
            level: Level::Exact,
            balanced: Limits {
                exact_up_to: 12,
                coverage: 4,
                widest: 24,
                range_from: 4,
                unpinned_ports: Some(vec![80, 443]),
            },
            compact: Limits {
                exact_up_to: 4,
                coverage: 16,
                widest: 20,
                range_from: 2,
                unpinned_ports: None,
            },
        }
    }
}

impl Generalise {
    /// What a level allows beyond what was seen.
    pub(super) const fn limits(&self, level: Level) -> Option<&Limits> {
        match level {
            Level::Exact => None,
            Level::Balanced => Some(&self.balanced),
            Level::Compact => Some(&self.compact),
        }
    }
}

impl Level {
    /// All, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Balanced, Self::Compact];

    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Balanced => "balanced",
            Self::Compact => "compact",
        }
    }
}

/// How to write these addresses, which one group needs for one port. All of them are public, or none is.
pub(super) fn width(group: &GroupLimits<'_>, addresses: &[IpAddr], port: Option<u16>) -> Width {
    let exact = exact_prefixes(addresses);
    let beyond = group.beyond_exact;
    let Some(limits) = beyond.filter(|limits| exact.len() > limits.exact_up_to) else {
        return Width::Prefixes(exact);
    };
    let covered = covering_prefixes(addresses, limits);
    let is_public = addresses.iter().all(|&address| is_public(address));
    let may_unpin = is_public && port.is_some_and(|port| group.may_unpin(port));
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
