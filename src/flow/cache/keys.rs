//! The key of an IPv4 flow with one port, packed into one number for hashing, and into numbers that sort as the key does.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::presume::Dropped;
use crate::flow::table::{FlowKey, ObserverIx};
use crate::ingest::Row;
use crate::net::Protocol;

const ACCEPTED: u128 = 1;

/// The bit of a packed key that is set if the sender's port is dropped, and clear if the receiver's is.
pub(in crate::flow) const SRC_DROPPED: u128 = 2;

/// What no flow's packed key is: one of the bits that none has.
pub(in crate::flow) const NO_KEY: u128 = 4;

/// An IPv4 flow with one port as one number: observer, the end whose port is dropped, the other
/// one, its port, protocol, and two flags. Both directions of a connection differ only in [`SRC_DROPPED`].
pub(in crate::flow) fn pack(key: &FlowKey) -> Option<u128> {
    let ends = [(&key.src, key.src_port), (&key.dst, key.dst_port)];
    let packed = pack_ends(ends, key.dropped)?;
    Some(with_rest(packed, key.observer, key.protocol, key.accepted))
}

/// The same of a row. It skips the [`FlowKey`]: a row's addresses are stored as four bytes and a tag, and copying
/// them as sixteen stalls the processor.
#[inline]
pub(in crate::flow) fn pack_row(
    observer: ObserverIx,
    row: &Row<'_>,
    dropped: Dropped,
) -> Option<u128> {
    let ends = [(&row.src, row.src_port), (&row.dst, row.dst_port)];
    let packed = pack_ends(ends, dropped)?;
    Some(with_rest(packed, observer, row.protocol, row.accepted))
}

#[inline]
fn pack_ends([src, dst]: [(&IpAddr, u16); 2], dropped: Dropped) -> Option<u128> {
    let ((IpAddr::V4(from), from_port), (IpAddr::V4(to), to_port)) = (src, dst) else {
        return None;
    };
    let (client, server, port, way) = match dropped {
        Dropped::Src => (from, to, to_port, SRC_DROPPED),
        Dropped::Dst => (to, from, from_port, 0),
        Dropped::Neither => return None,
    };
    let addresses = u128::from(client.to_bits()) << 64 | u128::from(server.to_bits()) << 32;
    Some(addresses | u128::from(port) << 16 | way)
}

#[inline]
fn with_rest(packed: u128, observer: ObserverIx, protocol: Protocol, accepted: bool) -> u128 {
    packed
        | u128::from(observer.0) << 96
        | u128::from(protocol.0) << 8
        | (u128::from(accepted) * ACCEPTED)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each field is cut out of the number"
)]
pub(in crate::flow) fn unpack(packed: u128) -> FlowKey {
    let port = (packed >> 16) as u16;
    let address = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
    let (client, server) = ((packed >> 64) as u32, (packed >> 32) as u32);
    let (src, dst, src_port, dst_port, dropped) = if packed & SRC_DROPPED == 0 {
        (server, client, port, 0, Dropped::Dst)
    } else {
        (client, server, 0, port, Dropped::Src)
    };
    FlowKey {
        observer: ObserverIx((packed >> 96) as u32),
        src: address(src),
        dst: address(dst),
        src_port,
        dst_port,
        protocol: Protocol((packed >> 8) as u8),
        accepted: packed & ACCEPTED == ACCEPTED,
        dropped,
    }
}

/// An IPv4 flow's key as numbers that sort as the key does, in half its size. These are sorted, and each flow is then
/// copied once, to its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::flow) struct SortKey {
    /// Observer, sender, receiver and both ports; in halves, which need less alignment.
    ends: [u64; 2],
    /// Protocol, action, and whose port was dropped.
    rest: u16,
}

impl SortKey {
    /// Of a key that was packed.
    pub(in crate::flow) fn of(key: &FlowKey) -> Self {
        let address = |address| match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(_) => unreachable!("only IPv4 flows are packed"),
        };
        let ports = u64::from(key.src_port) << 16 | u64::from(key.dst_port);
        let dropped = match key.dropped {
            Dropped::Neither => 0,
            Dropped::Src => 1,
            Dropped::Dst => 2,
        };
        Self {
            ends: [
                u64::from(key.observer.0) << 32 | address(key.src),
                address(key.dst) << 32 | ports,
            ],
            rest: u16::from(key.protocol.0) << 3 | u16::from(key.accepted) << 2 | dropped,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is cut out of the number"
    )]
    pub(in crate::flow) fn key(self) -> FlowKey {
        let [first, second] = self.ends;
        let address = |bits: u64| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
        FlowKey {
            observer: ObserverIx((first >> 32) as u32),
            src: address(first),
            dst: address(second >> 32),
            src_port: (second >> 16) as u16,
            dst_port: second as u16,
            protocol: Protocol((self.rest >> 3) as u8),
            accepted: self.rest & 4 == 4,
            dropped: match self.rest & 3 {
                0 => Dropped::Neither,
                1 => Dropped::Src,
                _ => Dropped::Dst,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = FlowKey> {
        let dropped = prop::sample::select(vec![Dropped::Neither, Dropped::Src, Dropped::Dst]);
        let address = (any::<bool>(), any::<u32>())
            .prop_map(|(near, bits)| if near { bits & 3 } else { bits });
        let ends = (address.clone(), address, 0..9u16, any::<u16>());
        (0..3u32, ends, any::<u8>(), any::<bool>(), dropped).prop_map(
            |(observer, (src, dst, src_port, dst_port), protocol, accepted, dropped)| FlowKey {
                observer: ObserverIx(observer),
                src: IpAddr::V4(Ipv4Addr::from_bits(src)),
                dst: IpAddr::V4(Ipv4Addr::from_bits(dst)),
                src_port,
                dst_port,
                protocol: Protocol(protocol),
                accepted,
                dropped,
            },
        )
    }

    proptest! {
        /// A packed key is the key without the port that is dropped, and but for one bit that of the other way.
        #[test]
        fn both_ways_are_one_bit_apart(a in key()) {
            let (without, reversed) = match a.dropped {
                Dropped::Neither => (None, Dropped::Neither),
                Dropped::Src => (Some(FlowKey { src_port: 0, ..a }), Dropped::Dst),
                Dropped::Dst => (Some(FlowKey { dst_port: 0, ..a }), Dropped::Src),
            };
            prop_assert_eq!(pack(&a).map(unpack), without);
            let back = FlowKey {
                src: a.dst,
                dst: a.src,
                src_port: a.dst_port,
                dst_port: a.src_port,
                dropped: reversed,
                ..a
            };
            prop_assert_eq!(pack(&back), pack(&a).map(|packed| packed ^ SRC_DROPPED));
        }

        /// The numbers are the key, and in its order.
        #[test]
        fn keys_are_in_the_order_of_their_numbers(a in key(), b in key()) {
            prop_assert_eq!(SortKey::of(&a).key(), a);
            prop_assert_eq!(SortKey::of(&a).cmp(&SortKey::of(&b)), a.cmp(&b));
        }
    }
}
