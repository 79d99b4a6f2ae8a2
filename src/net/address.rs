//! Address sets, and which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::IntervalSet;

/// A set of addresses of both families. The families never mix: `::/0` does not
/// hold an IPv4 address, as in a security group (security-group-rules.html).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressSet {
    v4: IntervalSet,
    v6: IntervalSet,
}

impl AddressSet {
    /// No address.
    pub const EMPTY: Self = Self {
        v4: IntervalSet::EMPTY,
        v6: IntervalSet::EMPTY,
    };

    /// The addresses of the given prefixes.
    pub fn new<'a>(prefixes: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix {
                IpNet::V4(net) => v4.push((
                    u128::from(net.network().to_bits()),
                    u128::from(net.broadcast().to_bits()),
                )),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: IntervalSet::new(v4),
            v6: IntervalSet::new(v6),
        }
    }

    /// Its IPv4 addresses.
    #[must_use]
    pub fn only_v4(&self) -> Self {
        Self {
            v4: self.v4.clone(),
            v6: IntervalSet::EMPTY,
        }
    }

    /// Its IPv6 addresses.
    #[must_use]
    pub fn only_v6(&self) -> Self {
        Self {
            v4: IntervalSet::EMPTY,
            v6: self.v6.clone(),
        }
    }

    /// Whether `address` is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => self.v4.contains(u128::from(a.to_bits())),
            IpAddr::V6(a) => self.v6.contains(a.to_bits()),
        }
    }

    /// Those whose address is in the set, of some that are in the order of their addresses.
    pub fn among<'a, T>(
        &'a self,
        sorted: &'a [(IpAddr, T)],
    ) -> impl Iterator<Item = &'a (IpAddr, T)> {
        let v4 = self.v4.intervals().iter().filter_map(|&(start, end)| {
            let bits = |value| u32::try_from(value).ok();
            Some((v4_of(bits(start)?), v4_of(bits(end)?)))
        });
        let v6 = self.v6.intervals().iter();
        let v6 = v6.map(|&(start, end)| (v6_of(start), v6_of(end)));
        v4.chain(v6).flat_map(move |(start, end)| {
            let from = sorted.partition_point(|(address, _)| *address < start);
            let to = sorted.partition_point(|(address, _)| *address <= end);
            &sorted[from..to]
        })
    }

    /// Whether every address of `other` is in this set.
    pub fn contains_set(&self, other: &Self) -> bool {
        self.v4.contains_set(&other.v4) && self.v6.contains_set(&other.v6)
    }

    /// The addresses in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.union(&other.v4),
            v6: self.v6.union(&other.v6),
        }
    }

    /// The addresses of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.difference(&other.v4),
            v6: self.v6.difference(&other.v6),
        }
    }

    /// Its lowest address, IPv4 before IPv6.
    pub fn first(&self) -> Option<IpAddr> {
        let v4 = self.v4.intervals().first();
        let v4 = v4.and_then(|&(start, _)| u32::try_from(start).ok());
        let v6 = self.v6.intervals().first();
        v4.map(v4_of).or(v6.map(|&(start, _)| v6_of(start)))
    }

    /// How many addresses are in the set, of both families.
    pub fn count(&self) -> u128 {
        self.v4.count().saturating_add(self.v6.count())
    }
}

const fn v4_of(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits))
}

const fn v6_of(bits: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(bits))
}

/// The prefix of length `length` that holds `address`; a length past the
/// family's width means the address alone.
pub fn prefix_of(address: IpAddr, length: u8) -> IpNet {
    match address {
        IpAddr::V4(a) => Ipv4Net::new_assert(a, length.min(32)).trunc().into(),
        IpAddr::V6(a) => Ipv6Net::new_assert(a, length.min(128)).trunc().into(),
    }
}

/// Prefixes that are not the public internet, from the IANA special-purpose
/// address registries (RFC 6890 and its updates). Documentation prefixes are not
/// listed: logs that were made public often carry them where the real
/// destination stood, and on a real network they are as foreign as any other.
const NOT_PUBLIC: &[(IpAddr, u8)] = &[
    (v4(0, 0, 0, 0), 8),      // "this network"
    (v4(10, 0, 0, 0), 8),     // RFC 1918
    (v4(100, 64, 0, 0), 10),  // shared address space, RFC 6598
    (v4(127, 0, 0, 0), 8),    // loopback
    (v4(169, 254, 0, 0), 16), // link local
    (v4(172, 16, 0, 0), 12),  // RFC 1918
    (v4(192, 168, 0, 0), 16), // RFC 1918
    (v4(224, 0, 0, 0), 3),    // multicast, reserved, broadcast
    (v6(0, 0), 127),          // unspecified and loopback
    (v6(0xfc00, 0), 7),       // unique local
    (v6(0xfe80, 0), 10),      // link local
    (v6(0xff00, 0), 8),       // multicast
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(first: u16, second: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0))
}

/// Every address that does not belong to the public internet.
pub fn not_public() -> AddressSet {
    let prefixes: Vec<IpNet> = NOT_PUBLIC
        .iter()
        .map(|&(network, length)| prefix_of(network, length))
        .collect();
    AddressSet::new(&prefixes)
}

/// Whether no address of a prefix belongs to the public internet.
pub fn is_internal(net: &IpNet) -> bool {
    NOT_PUBLIC
        .iter()
        .any(|&(network, length)| prefix_of(network, length).contains(net))
}

/// Whether `address` is none of the private ones: a quick look, for what is asked of every row.
#[inline]
pub const fn may_be_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => !a.is_private() && !a.is_link_local() && !a.is_multicast(),
        IpAddr::V6(a) => !a.is_unique_local() && !a.is_unicast_link_local() && !a.is_multicast(),
    }
}

/// Whether `address` belongs to the public internet rather than to somebody's
/// own network.
pub fn is_public(address: IpAddr) -> bool {
    !NOT_PUBLIC
        .iter()
        .any(|&(network, length)| prefix_of(network, length).contains(&address))
}
