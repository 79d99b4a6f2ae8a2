//! The table's hot half: flows whose key is one number.
//!
//! An open-addressing table, because its access pattern is known as no general one can know it:
//! rows come by the dozen. What they will touch is touched for all of them first, in
//! a loop with nothing else in it, so that the processor waits for many places of memory at
//! once instead of for one after the other; that halved the time of the fold.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use super::table::{Counters, FlowKey, ObserverIx, Signs};
use super::{Days, Dropped, Ports};
use crate::ingest::Row;
use crate::net::Protocol;

/// Rows that are folded at a time, at most.
pub(super) const AT_ONCE: usize = 64;

/// No key is zero: a packed one has a protocol with ports in it.
const FREE: [u64; 2] = [0, 0];

const SMALLEST: usize = 64;

/// A part of the flows.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// A power of two of them.
    slots: Vec<Slot>,
    cells: Vec<Cell>,
}

/// A key and where its cell is, side by side, so that both are one access to memory.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// [`FREE`] or a key; in halves, which need less alignment.
    key: [u64; 2],
    place: u32,
}

impl Slot {
    const FREE: Self = Self {
        key: FREE,
        place: 0,
    };

    const fn key(&self) -> u128 {
        (self.key[1] as u128) << 64 | self.key[0] as u128
    }

    fn is_used(&self) -> bool {
        self.key != FREE
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
const fn halves(key: u128) -> [u64; 2] {
    [key as u64, (key >> 64) as u64]
}

/// Something to fold: a key, its hash, and what to add.
pub(super) trait Addition {
    fn key(&self) -> u128;
    fn hash(&self) -> u32;
    fn add_to(&self, cell: &mut Cell);
}

/// [`Counters`] in the least room that holds them: one line of the processor's cache, where
/// they would lie across two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Cell {
    pub(super) records: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) days: Days,
    /// Unix seconds; rows from 2106 on are none (`ingest`).
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) dropped: Ports,
    pub(super) signs: Signs,
}

const _: () = assert!(size_of::<Cell>() == 64, "one line of the cache");

impl Cell {
    const NONE: Self = Self {
        records: 0,
        packets: 0,
        bytes: 0,
        days: Days::NONE,
        first: u32::MAX,
        last: 0,
        dropped: Ports::NONE,
        signs: Signs::NONE,
    };

    /// Counters hold whatever a hostile log claims, so they saturate.
    pub(super) fn count(&mut self, packets: u64, bytes: u64, (first, last): (u32, u32)) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            records: self.records,
            packets: self.packets,
            bytes: self.bytes,
            first: u64::from(self.first),
            last: u64::from(self.last),
            days: self.days,
            signs: self.signs,
            dropped: self.dropped,
        }
    }
}

/// What of a hash chooses the place in a part.
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
pub(super) const fn low(hash: u64) -> u32 {
    hash as u32
}

/// Rows from 2106 on are none (`ingest`).
pub(super) fn seconds(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}

/// A row on its way into the table, without what the key says already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gathered {
    pub(super) key: u128,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) hash: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) dropped: u16,
    pub(super) signs: Signs,
    /// 0 for a row that was counted already.
    pub(super) records: u8,
}

impl Addition for Gathered {
    fn key(&self) -> u128 {
        self.key
    }

    fn hash(&self) -> u32 {
        self.hash
    }

    fn add_to(&self, cell: &mut Cell) {
        cell.count(self.packets, self.bytes, (self.start, self.end));
        cell.records += u64::from(self.records);
        let days = Days::of(u64::from(self.start), u64::from(self.end));
        cell.days.join(days);
        cell.signs.join(self.signs);
        cell.dropped.add(self.dropped);
    }
}

/// A flow of another table on its way into this one.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) key: u128,
    pub(super) hash: u32,
    pub(super) counters: Counters,
}

impl Addition for Whole {
    fn key(&self) -> u128 {
        self.key
    }

    fn hash(&self) -> u32 {
        self.hash
    }

    fn add_to(&self, cell: &mut Cell) {
        let Counters {
            records,
            packets,
            bytes,
            first,
            last,
            days,
            signs,
            dropped,
        } = self.counters;
        cell.count(packets, bytes, (seconds(first), seconds(last)));
        cell.records += records;
        cell.days.join(days);
        cell.signs.join(signs);
        cell.dropped.join(&dropped);
    }
}

impl Packed {
    /// Adds up to [`AT_ONCE`] rows.
    pub(super) fn fold(&mut self, rows: &[impl Addition], rehash: impl Fn(u128) -> u32) {
        if rows.is_empty() {
            return;
        }
        if (self.cells.len() + rows.len()) * 3 > self.slots.len() * 2 {
            self.grow(rows.len(), rehash);
        }
        let mask = self.slots.len() - 1;
        let mut touched = 0;
        for row in rows {
            touched ^= self.slots[start(row.hash(), mask)].place;
        }
        black_box(touched);
        let mut places = [0; AT_ONCE];
        for (place, row) in places.iter_mut().zip(rows) {
            *place = self.place(row, mask);
        }
        let mut touched = 0;
        for &place in &places[..rows.len()] {
            touched ^= self.cells[place as usize].records;
        }
        black_box(touched);
        for (&place, row) in places.iter().zip(rows) {
            row.add_to(&mut self.cells[place as usize]);
        }
    }

    /// Where the cell of a row's key is; a new key gets its place.
    fn place(&mut self, row: &impl Addition, mask: usize) -> u32 {
        let key = halves(row.key());
        let mut at = start(row.hash(), mask);
        loop {
            let slot = &mut self.slots[at];
            if slot.key == key {
                return slot.place;
            }
            if slot.key == FREE {
                let place = u32::try_from(self.cells.len()).expect("parts are small");
                *slot = Slot { key, place };
                self.cells.push(Cell::NONE);
                return place;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self, more: usize, rehash: impl Fn(u128) -> u32) {
        let needed = (self.cells.len() + more) * 2;
        let size = needed.next_power_of_two().max(SMALLEST);
        let old = std::mem::replace(&mut self.slots, vec![Slot::FREE; size]);
        let mask = size - 1;
        for slot in old.into_iter().filter(Slot::is_used) {
            let mut at = start(rehash(slot.key()), mask);
            while self.slots[at].is_used() {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Every key and the place of its cell, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u128, u32)> {
        let used = self.slots.iter().filter(|slot| slot.is_used());
        used.map(|slot| (slot.key(), slot.place))
    }

    pub(super) fn cell(&self, place: u32) -> &Cell {
        &self.cells[place as usize]
    }

    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.cells
    }
}

/// Where to look for a hash first.
const fn start(hash: u32, mask: usize) -> usize {
    hash as usize & mask
}

const ACCEPTED: u128 = 1;
const SRC_DROPPED: u128 = 2;

/// An IPv4 flow with one port as one number: observer, sender, receiver, port,
/// protocol, and two flags.
pub(super) fn pack(key: &FlowKey) -> Option<u128> {
    let ends = [(&key.src, key.src_port), (&key.dst, key.dst_port)];
    let packed = pack_ends(ends, key.dropped)?;
    Some(with_rest(packed, key.observer, key.protocol, key.accepted))
}

/// The same of a row, without a key in between: a row's addresses are four bytes with a mark
/// in front, and the processor waits when they are copied as sixteen.
#[inline]
pub(super) fn pack_row(observer: ObserverIx, row: &Row<'_>, dropped: Dropped) -> Option<u128> {
    let ends = [(&row.src, row.src_port), (&row.dst, row.dst_port)];
    let packed = pack_ends(ends, dropped)?;
    Some(with_rest(packed, observer, row.protocol, row.accepted))
}

#[inline]
fn pack_ends([src, dst]: [(&IpAddr, u16); 2], dropped: Dropped) -> Option<u128> {
    let ((IpAddr::V4(from), from_port), (IpAddr::V4(to), to_port)) = (src, dst) else {
        return None;
    };
    let (port, flag) = match dropped {
        Dropped::Src => (to_port, SRC_DROPPED),
        Dropped::Dst => (from_port, 0),
        Dropped::Neither => return None,
    };
    let addresses = u128::from(from.to_bits()) << 64 | u128::from(to.to_bits()) << 32;
    Some(addresses | u128::from(port) << 16 | flag)
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
pub(super) fn unpack(packed: u128) -> FlowKey {
    let port = (packed >> 16) as u16;
    let (src_port, dst_port, dropped) = if packed & SRC_DROPPED == 0 {
        (port, 0, Dropped::Dst)
    } else {
        (0, port, Dropped::Src)
    };
    FlowKey {
        observer: ObserverIx((packed >> 96) as u32),
        src: IpAddr::V4(Ipv4Addr::from_bits((packed >> 64) as u32)),
        dst: IpAddr::V4(Ipv4Addr::from_bits((packed >> 32) as u32)),
        src_port,
        dst_port,
        protocol: Protocol((packed >> 8) as u8),
        accepted: packed & ACCEPTED == ACCEPTED,
        dropped,
    }
}

/// An IPv4 flow's key as numbers that are in its order, in half the room: what is sorted is this, and flows are
/// put down once, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Observer, sender, receiver and both ports; in halves, which need less alignment.
    ends: [u64; 2],
    /// Protocol, action, and whose port was dropped.
    rest: u16,
}

impl Order {
    /// Of a key that was packed.
    pub(super) fn of(key: &FlowKey) -> Self {
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
    pub(super) fn key(self) -> FlowKey {
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
        /// The numbers are the key, and in its order.
        #[test]
        fn keys_are_in_the_order_of_their_numbers(a in key(), b in key()) {
            prop_assert_eq!(Order::of(&a).key(), a);
            prop_assert_eq!(Order::of(&a).cmp(&Order::of(&b)), a.cmp(&b));
        }
    }
}
