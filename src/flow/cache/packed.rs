//! A hash table of flows whose key fits in one number.
//!
//! Rows are folded in batches, and a general table cannot use that. Here a batch first prefetches the cache lines of all its
//! rows, in a loop that does nothing else, so that the processor waits for many of them at once. A row needs two cache
//! lines: a bucket, which finds a flow by its hash alone, and the flow. Measurements: benches/README.md.

use std::hint::black_box;

use super::buckets::{Bucket, FEWEST, FREE, IN_A_BUCKET, SINGLE, start};
use super::keys::{NO_KEY, SRC_DROPPED};
use crate::flow::days::{DAY, Days};
use crate::flow::ports::Ports;
use crate::flow::table::{Counters, FlowFlags};
use crate::net::HashMap;

/// The largest batch of rows.
pub(in crate::flow) const AT_ONCE: usize = 128;

/// A part of the flows.
#[derive(Debug, Default)]
pub(in crate::flow) struct PackedTable {
    /// A power of two of them.
    buckets: Vec<Bucket>,
    pairs: Vec<FlowPair>,
    /// Flows whose other direction has not come: half of a pair's memory, for as long as that is so.
    singles: Vec<PackedFlow>,
    /// Positions of singles that have become pairs, for the next ones.
    free: Vec<u32>,
    /// Cells that something was added to.
    count: usize,
    /// Days of the flows whose rows lie too far apart for their cell, by place.
    far: HashMap<u32, Days>,
}

/// Something to fold: a key, the hash that it has in common with the other way, and what to add.
pub(in crate::flow) trait Addition {
    fn key(&self) -> u128;
    fn hash(&self) -> u32;
    fn days(&self) -> Days;
    /// The same days, as bits by their number modulo 64.
    fn days_modulo_64(&self) -> u64 {
        self.days().modulo_64()
    }
    /// Adds all but the days.
    fn add_to(&self, cell: &mut PackedFlow);
}

/// A key and its [`Counters`], packed into one cache line; unpacked, they take two or three.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(in crate::flow) struct PackedFlow {
    /// In halves, which need less alignment.
    key: [u64; 2],
    packets: u64,
    bytes: u64,
    /// Bits of days by their number modulo 64, as long as the first and the last are less than that apart.
    days: u64,
    /// Unix seconds; rows from 2106 on are none (`ingest`).
    first: u32,
    last: u32,
    dropped: Ports,
    /// The lower 32 bits of their number, and the upper: no log has more rows than forty bits can say.
    records: u32,
    more_records: u8,
    flags: FlowFlags,
}

const _: () = assert!(size_of::<PackedFlow>() == 64, "one line of the cache");

impl PackedFlow {
    const fn of(key: u128) -> Self {
        Self {
            key: halves(key),
            packets: 0,
            bytes: 0,
            days: 0,
            first: u32::MAX,
            last: 0,
            dropped: Ports::NONE,
            records: 0,
            more_records: 0,
            flags: FlowFlags::NONE,
        }
    }

    /// Nothing was added yet.
    const fn is_empty(&self) -> bool {
        self.first == u32::MAX && self.last == 0
    }

    const fn key(&self) -> u128 {
        (self.key[1] as u128) << 64 | self.key[0] as u128
    }

    /// Counters hold whatever a hostile log claims, so they saturate.
    #[inline]
    fn count(&mut self, records: u64, packets: u64, bytes: u64, (first, last): (u32, u32)) {
        let records = self.records().saturating_add(records).min((1 << 40) - 1);
        (self.records, self.more_records) = (low(records), (records >> 32) as u8);
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    const fn records(&self) -> u64 {
        (self.more_records as u64) << 32 | self.records as u64
    }

    /// Whether its days are less than 64 apart, so that their numbers modulo 64 are distinct.
    #[inline]
    fn is_near(&self) -> bool {
        const SURELY: u64 = DAY * (u64::BITS as u64 - 1);
        let (first, last) = (u64::from(self.first), u64::from(self.last));
        // Most rows need no division.
        last < first + SURELY || last / DAY < first / DAY + u64::from(u64::BITS)
    }

    /// The days between two times, while they are less than 64 apart.
    fn days(&self, first: u32, last: u32) -> Days {
        let days = u64::from(first) / DAY..=u64::from(last) / DAY;
        Days::among(days, |day| {
            self.days >> (day % u64::from(u64::BITS)) & 1 == 1
        })
    }
}

/// Both directions of a connection, side by side: their rows come together, so the second row finds its flow in the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
struct FlowPair([PackedFlow; 2]);

impl FlowPair {
    /// Those of a flow and the one the other way.
    const fn of(key: u128) -> Self {
        Self([
            PackedFlow::of(key & !SRC_DROPPED),
            PackedFlow::of(key | SRC_DROPPED),
        ])
    }
}

/// The place of a flow's cell: among those of all pairs, or among the single flows.
const fn place(slot: u32, key: u128) -> u32 {
    if slot & SINGLE == 0 {
        2 * slot + direction(key)
    } else {
        slot
    }
}

/// Which of a pair's cells a flow has.
const fn direction(key: u128) -> u32 {
    (key & SRC_DROPPED != 0) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
const fn halves(key: u128) -> [u64; 2] {
    [key as u64, (key >> 64) as u64]
}

/// What of a hash chooses the place in a part.
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
pub(in crate::flow) const fn low(hash: u64) -> u32 {
    hash as u32
}

/// Rows from 2106 on are none (`ingest`).
pub(in crate::flow) fn seconds(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}

/// A row on its way into the table, without what the key says already.
#[derive(Clone, Copy, Debug)]
pub(in crate::flow) struct FoldedRow {
    pub(in crate::flow) key: u128,
    pub(in crate::flow) packets: u64,
    pub(in crate::flow) bytes: u64,
    pub(in crate::flow) hash: u32,
    pub(in crate::flow) start: u32,
    pub(in crate::flow) end: u32,
    pub(in crate::flow) dropped: u16,
    pub(in crate::flow) flags: FlowFlags,
    /// 0 for a row that was counted already.
    pub(in crate::flow) records: u8,
}

impl Addition for FoldedRow {
    fn key(&self) -> u128 {
        self.key
    }

    fn hash(&self) -> u32 {
        self.hash
    }

    #[inline]
    fn days(&self) -> Days {
        Days::of(u64::from(self.start), u64::from(self.end))
    }

    #[inline]
    fn days_modulo_64(&self) -> u64 {
        let (first, last) = (u64::from(self.start) / DAY, u64::from(self.end) / DAY);
        if first == last {
            return 1 << (first % u64::from(u64::BITS));
        }
        self.days().modulo_64()
    }

    #[inline]
    fn add_to(&self, cell: &mut PackedFlow) {
        let times = (self.start, self.end);
        cell.count(u64::from(self.records), self.packets, self.bytes, times);
        cell.flags.join(self.flags);
        cell.dropped.add(self.dropped);
    }
}

/// A flow of another table on its way into this one.
#[derive(Clone, Copy)]
pub(in crate::flow) struct FoldedFlow {
    pub(in crate::flow) key: u128,
    pub(in crate::flow) hash: u32,
    pub(in crate::flow) counters: Counters,
}

impl Addition for FoldedFlow {
    fn key(&self) -> u128 {
        self.key
    }

    fn hash(&self) -> u32 {
        self.hash
    }

    fn days(&self) -> Days {
        self.counters.days
    }

    fn add_to(&self, cell: &mut PackedFlow) {
        let Counters {
            records,
            packets,
            bytes,
            first,
            last,
            days: _,
            flags,
            dropped,
        } = self.counters;
        // In a damaged store the end may be before the start.
        let times = (seconds(first.min(last)), seconds(last));
        cell.count(records, packets, bytes, times);
        cell.flags.join(flags);
        cell.dropped.join(&dropped);
    }
}

impl PackedTable {
    /// Adds up to [`AT_ONCE`] rows.
    pub(in crate::flow) fn fold(&mut self, rows: &[impl Addition]) {
        if rows.is_empty() {
            return;
        }
        if (self.connections() + rows.len()) * 4 > self.buckets.len() * IN_A_BUCKET * 3 {
            self.grow(rows.len());
        }
        let mask = self.buckets.len() - 1;
        let mut loaded = 0;
        for row in rows {
            loaded ^= self.buckets[start(row.hash(), mask)].places[0];
        }
        black_box(loaded);
        let mut places = [0; AT_ONCE];
        for (at, row) in places.iter_mut().zip(rows) {
            *at = place(self.slot(row, mask), row.key());
        }
        let mut loaded = 0;
        for &at in &places[..rows.len()] {
            loaded ^= self.prefetch(at);
        }
        black_box(loaded);
        for (&at, row) in places.iter().zip(rows) {
            let at = if self.cell(at).key == halves(row.key()) {
                at
            } else {
                self.true_place(row, mask)
            };
            self.add(at, row);
        }
    }

    fn connections(&self) -> usize {
        self.pairs.len() + self.singles.len() - self.free.len()
    }

    #[inline]
    fn cell(&self, place: u32) -> &PackedFlow {
        if place & SINGLE == 0 {
            &self.pairs[place as usize / 2].0[place as usize % 2]
        } else {
            &self.singles[(place ^ SINGLE) as usize]
        }
    }

    #[inline]
    fn cell_mut(&mut self, place: u32) -> &mut PackedFlow {
        if place & SINGLE == 0 {
            &mut self.pairs[place as usize / 2].0[place as usize % 2]
        } else {
            &mut self.singles[(place ^ SINGLE) as usize]
        }
    }

    /// The pair or the single flow of a row's hash, which is nearly always the one of its key; a new hash gets a single flow.
    #[inline]
    fn slot(&mut self, row: &impl Addition, mask: usize) -> u32 {
        let mut at = start(row.hash(), mask);
        loop {
            let bucket = &self.buckets[at];
            let found = bucket.with(row.hash()).trailing_zeros() as usize;
            let place = bucket.places.get(found).copied().unwrap_or(FREE);
            if place != FREE {
                return place;
            }
            if bucket.places[IN_A_BUCKET - 1] == FREE {
                return self.insert(at, row);
            }
            at = (at + 1) & mask;
        }
    }

    /// The place of a row's key, if that of its hash is another's: the other direction's, mostly.
    fn true_place(&mut self, row: &impl Addition, mask: usize) -> u32 {
        let (key, other_way) = (halves(row.key()), halves(row.key() ^ SRC_DROPPED));
        let mut at = start(row.hash(), mask);
        loop {
            for (position, slot) in self.buckets[at].places.into_iter().enumerate() {
                if slot == FREE {
                    let slot = self.insert(at, row);
                    return place(slot, row.key());
                }
                let place = place(slot, row.key());
                let found = self.cell(place).key;
                if found == key {
                    return place;
                }
                if found == other_way {
                    let pair = self.pair_up(slot, row);
                    self.buckets[at].places[position] = pair;
                    return self::place(pair, row.key());
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Gives a flow its place, in a bucket with room.
    fn insert(&mut self, at: usize, row: &impl Addition) -> u32 {
        let cell = PackedFlow::of(row.key());
        let position = if let Some(position) = self.free.pop() {
            self.singles[position as usize] = cell;
            position
        } else {
            self.singles.push(cell);
            u32::try_from(self.singles.len() - 1).expect("parts are small")
        };
        let slot = SINGLE | position;
        self.buckets[at].put(row.hash(), slot);
        slot
    }

    /// Makes a pair of a single flow, for a row of the other direction.
    fn pair_up(&mut self, slot: u32, row: &impl Addition) -> u32 {
        let position = (slot ^ SINGLE) as usize;
        let single = std::mem::replace(&mut self.singles[position], PackedFlow::of(NO_KEY));
        self.free.push(slot ^ SINGLE);
        let pair = u32::try_from(self.pairs.len()).expect("parts are small");
        let mut both = FlowPair::of(row.key());
        both.0[direction(single.key()) as usize] = single;
        self.pairs.push(both);
        if let Some(days) = self.far.remove(&slot) {
            self.far.insert(place(pair, single.key()), days);
        }
        pair
    }

    #[inline]
    fn add(&mut self, place: u32, row: &impl Addition) {
        let is_new = self.cell(place).is_empty();
        self.count += usize::from(is_new);
        let cell = self.cell_mut(place);
        let (first, last) = (cell.first, cell.last);
        row.add_to(cell);
        if cell.is_near() {
            cell.days |= row.days_modulo_64();
        } else {
            let before = cell.days(first, last);
            let known = self.far.entry(place).or_insert(before);
            known.join(row.days());
        }
    }

    fn grow(&mut self, more: usize) {
        let needed = (self.connections() + more) * 2 / IN_A_BUCKET;
        let size = needed.next_power_of_two().max(FEWEST);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; size]);
        let mask = size - 1;
        for Bucket { hashes, places } in old {
            let used = hashes.into_iter().zip(places);
            for (hash, place) in used.filter(|&(_, place)| place != FREE) {
                let mut at = start(hash, mask);
                while !self.buckets[at].put(hash, place) {
                    at = (at + 1) & mask;
                }
            }
        }
    }

    /// How many flows there are.
    pub(in crate::flow) const fn len(&self) -> usize {
        self.count
    }

    /// How many flows there is room for: two for each pair, and the single ones.
    pub(in crate::flow) const fn capacity(&self) -> usize {
        2 * self.pairs.len() + self.singles.len()
    }

    /// Every key with its dropped ports and the place of its flow, in no order.
    pub(in crate::flow) fn entries(&self) -> impl Iterator<Item = (u128, &Ports, u32)> {
        let cells = self.pairs.iter().flat_map(|FlowPair(cells)| cells);
        let all = cells.zip(0..).chain(self.singles.iter().zip(SINGLE..));
        let used = all.filter(|(cell, _)| !cell.is_empty());
        used.map(|(cell, place)| (cell.key(), &cell.dropped, place))
    }

    /// Reads one number of a flow of [`Self::entries`], which brings its cache line.
    #[inline]
    pub(in crate::flow) fn prefetch(&self, place: u32) -> u64 {
        self.cell(place).packets
    }

    /// What a flow of [`Self::entries`] adds up to.
    pub(in crate::flow) fn counters(&self, place: u32) -> Counters {
        let cell = self.cell(place);
        let far = self.far.get(&place).copied();
        Counters {
            records: cell.records(),
            packets: cell.packets,
            bytes: cell.bytes,
            first: u64::from(cell.first),
            last: u64::from(cell.last),
            days: far.unwrap_or_else(|| cell.days(cell.first, cell.last)),
            flags: cell.flags,
            dropped: cell.dropped,
        }
    }

    /// The flows without the buckets, for reading all of them.
    pub(in crate::flow) fn without_buckets(self) -> Self {
        Self {
            buckets: Vec::new(),
            free: Vec::new(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A row of any day in a year and a half, rarely longer than an hour.
    fn row() -> impl Strategy<Value = FoldedRow> {
        let length = prop_oneof![4 => 0..3_600u32, 1 => 0..20_000_000u32];
        let count = prop_oneof![4 => 0..100u64, 1 => any::<u64>()];
        let counts = (count.clone(), count, 0..2u8);
        let port = prop_oneof![3 => 0..8u16, 1 => any::<u16>(), 1 => Just(u16::MAX)];
        (0..50_000_000u32, length, counts, port, 0..64u8).prop_map(
            |(start, length, (packets, bytes, records), dropped, flags)| FoldedRow {
                key: 0,
                packets,
                bytes,
                hash: 0,
                start,
                end: start + length,
                dropped,
                flags: FlowFlags::from_bits(flags),
                records,
            },
        )
    }

    proptest! {
        /// Rows add up as [`Counters`] do, however many keys share a hash and however far apart they lie.
        #[test]
        fn rows_add_up(
            rows in prop::collection::vec((0..40u64, 0..4u64, row()), 1..400),
            hashes in prop::sample::select(vec![1, 3, 1 << 20]),
            at_once in 1..=AT_ONCE,
        ) {
            let mut table = PackedTable::default();
            let mut sums: BTreeMap<u128, Counters> = BTreeMap::new();
            let rows: Vec<FoldedRow> = rows.into_iter().map(|(low, high, row)| {
                let connection = low & !u64::try_from(SRC_DROPPED).unwrap();
                let hash = u32::try_from((connection * 0x9e37 + high) % hashes).unwrap();
                // As keys are packed: no bit between the flags and the protocol.
                let low = low & 3 | low >> 2 << 16;
                FoldedRow { key: u128::from(high) << 64 | u128::from(low), hash, ..row }
            }).collect();
            for some in rows.chunks(at_once) {
                table.fold(some);
            }
            for row in &rows {
                let counters = Counters {
                    records: row.records.into(),
                    packets: row.packets,
                    bytes: row.bytes,
                    first: row.start.into(),
                    last: row.end.into(),
                    days: Days::of(row.start.into(), row.end.into()),
                    flags: row.flags,
                    dropped: Ports::of(row.dropped),
                };
                sums.entry(row.key).and_modify(|sum| sum.add(&counters)).or_insert(counters);
            }
            let entries = table.entries();
            let found: BTreeMap<u128, Counters> =
                entries.map(|(key, _, place)| (key, table.counters(place))).collect();
            prop_assert_eq!(table.len(), sums.len());
            prop_assert_eq!(&found, &sums);
            // And flows of another table as the rows that they were.
            let mut again = PackedTable::default();
            let mut hashes: BTreeMap<u128, u32> = BTreeMap::new();
            hashes.extend(rows.iter().map(|row| (row.key, row.hash)));
            for (&key, &counters) in &sums {
                again.fold(&[FoldedFlow { key, hash: hashes[&key], counters }]);
            }
            let entries = again.entries();
            let found: BTreeMap<u128, Counters> =
                entries.map(|(key, _, place)| (key, again.counters(place))).collect();
            prop_assert_eq!(found, sums);
        }

        /// Nor is one lost whose times a damaged store has the wrong way round.
        #[test]
        fn every_flow_stays(times in prop::collection::vec((any::<bool>(), any::<bool>()), 1..9)) {
            let mut table = PackedTable::default();
            for &(later, earlier) in &times {
                let time = |is_last| if is_last { u64::MAX } else { 0 };
                let counters = Counters {
                    records: 0,
                    packets: 0,
                    bytes: 0,
                    first: time(later),
                    last: time(earlier),
                    days: Days::default(),
                    flags: FlowFlags::NONE,
                    dropped: Ports::NONE,
                };
                table.fold(&[FoldedFlow { key: 0, hash: 0, counters }]);
            }
            prop_assert_eq!(table.len(), 1);
            prop_assert_eq!(table.entries().count(), 1);
        }
    }
}
