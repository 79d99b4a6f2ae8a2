//! The table's hot half: flows whose key is one number.
//!
//! An open-addressing table, because its access pattern is known as no general one can know it:
//! rows come by the dozen. What they will touch is touched for all of them first, in
//! a loop with nothing else in it, so that the processor waits for many places of memory at
//! once instead of for one after the other; that halved the time of the fold.

use std::hint::black_box;

use super::table::Counters;

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
    /// Where the counters of each key are.
    places: Vec<u32>,
    counters: Vec<Counters>,
}

/// Something to fold: a key, its hash, and what to add.
pub(super) trait Addition {
    fn key(&self) -> u128;
    fn hash(&self) -> u64;
    fn counters(&self) -> Counters;
}

impl Packed {
    /// Adds up to [`AT_ONCE`] rows.
    pub(super) fn fold(&mut self, rows: &[impl Addition], rehash: impl Fn(u128) -> u64) {
        if rows.is_empty() {
            return;
        }
        if (self.counters.len() + rows.len()) * 3 > self.keys.len() * 2 {
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
            let counters = &self.counters[place as usize];
            touched ^= counters.records ^ counters.last;
        }
        black_box(touched);
        for (&place, row) in places.iter().zip(rows) {
            self.counters[place as usize].add(&row.counters());
        }
    }

    /// Where the counters of a row's key are; a new key gets its place.
    fn place(&mut self, row: &impl Addition, mask: usize) -> u32 {
        let mut at = start(row.hash(), mask);
        loop {
            if self.keys[at] == row.key() {
                return self.places[at];
            }
            if self.keys[at] == FREE {
                let place = u32::try_from(self.counters.len()).expect("parts are small");
                self.keys[at] = row.key();
                self.places[at] = place;
                self.counters.push(Counters::NONE);
                return place;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self, more: usize, rehash: impl Fn(u128) -> u64) {
        let needed = (self.counters.len() + more) * 2;
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
        self.counters.len()
    }

    /// Everything, in no order.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (u128, Counters)> {
        let Self {
            keys,
            places,
            counters,
        } = self;
        let used = keys.into_iter().zip(places).filter(|(key, _)| *key != FREE);
        used.map(move |(key, place)| (key, counters[place as usize]))
    }
}

/// Where to look for a hash first.
fn start(hash: u64, mask: usize) -> usize {
    usize::try_from(hash & mask as u64).unwrap_or_default()
}
