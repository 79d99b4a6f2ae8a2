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
use crate::net::Protocol;

/// Rows that are folded at a time, at most.
pub(super) const AT_ONCE: usize = 64;

/// No key is zero: a packed one has a protocol with ports in it.
const FREE: u128 = 0;

const SMALLEST: usize = 64;

/// A part of the flows.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// A power of two of them, [`FREE`] or a key.
    keys: Vec<u128>,
    /// Where the cell of each key is.
    places: Vec<u32>,
    cells: Vec<Cell>,
}

/// Something to fold: a key, its hash, and what to add.
pub(super) trait Addition {
    fn key(&self) -> u128;
    fn hash(&self) -> u64;
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
    pub(super) fn count(&mut self, packets: u64, bytes: u64, (first, last): (u64, u64)) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.first = self.first.min(u32::try_from(first).unwrap_or(u32::MAX));
        self.last = self.last.max(u32::try_from(last).unwrap_or(u32::MAX));
    }

    fn counters(&self) -> Counters {
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

impl Packed {
    /// Adds up to [`AT_ONCE`] rows.
    pub(super) fn fold(&mut self, rows: &[impl Addition], rehash: impl Fn(u128) -> u64) {
        if rows.is_empty() {
            return;
        }
        if (self.cells.len() + rows.len()) * 3 > self.keys.len() * 2 {
            self.grow(rows.len(), rehash);
        }
        let mask = self.keys.len() - 1;
        let mut touched = 0;
        for row in rows {
            touched ^= self.keys[start(row.hash(), mask)];
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
        let mut at = start(row.hash(), mask);
        loop {
            if self.keys[at] == row.key() {
                return self.places[at];
            }
            if self.keys[at] == FREE {
                let place = u32::try_from(self.cells.len()).expect("parts are small");
                self.keys[at] = row.key();
                self.places[at] = place;
                self.cells.push(Cell::NONE);
                return place;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self, more: usize, rehash: impl Fn(u128) -> u64) {
        let needed = (self.cells.len() + more) * 2;
        let size = needed.next_power_of_two().max(SMALLEST);
        let old = std::mem::replace(&mut self.keys, vec![FREE; size]);
        let old_places = std::mem::replace(&mut self.places, vec![0; size]);
        let mask = size - 1;
        for (key, place) in old.into_iter().zip(old_places) {
            if key == FREE {
                continue;
            }
            let mut at = start(rehash(key), mask);
            while self.keys[at] != FREE {
                at = (at + 1) & mask;
            }
            self.keys[at] = key;
            self.places[at] = place;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Everything, in no order.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (u128, Counters)> {
        let Self {
            keys,
            places,
            cells,
        } = self;
        let used = keys.into_iter().zip(places).filter(|(key, _)| *key != FREE);
        used.map(move |(key, place)| (key, cells[place as usize].counters()))
    }
}

/// Where to look for a hash first.
fn start(hash: u64, mask: usize) -> usize {
    usize::try_from(hash & mask as u64).unwrap_or_default()
}

const ACCEPTED: u128 = 1;
const SRC_DROPPED: u128 = 2;

/// An IPv4 flow with one port as one number: observer, sender, receiver, port,
/// protocol, and two flags.
pub(super) fn pack(key: &FlowKey) -> Option<u128> {
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (key.src, key.dst) else {
        return None;
    };
    let (port, flag) = match key.dropped {
        Dropped::Src => (key.dst_port, SRC_DROPPED),
        Dropped::Dst => (key.src_port, 0),
        Dropped::Neither => return None,
    };
    Some(
        u128::from(key.observer.0) << 96
            | u128::from(src.to_bits()) << 64
            | u128::from(dst.to_bits()) << 32
            | u128::from(port) << 16
            | u128::from(key.protocol.0) << 8
            | flag
            | u128::from(key.accepted),
    )
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
