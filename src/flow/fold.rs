//! The fold: rows into a table that all workers share.
//!
//! With a table per worker, every table would hold nearly the same keys, and merging them would take as long as reading. So
//! there is one table, in parts with a lock each. A worker collects rows by part and folds a batch of one part at a
//! time: it takes the lock once for the batch, and the lookups of the batch overlap.
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use rayon::prelude::*;

use super::cache::{
    AT_ONCE, Addition, FoldedFlow, PackedTable, SRC_DROPPED, SortKey, low, pack, prefetched_map,
    unpack,
};
use super::table::{Counters, Flow, FlowFlags, FlowKey, FlowTable, ObserverIx, note_service};
use super::{Contacts, Coverage, Cuts, Days, Dropped, Ports};
use crate::ingest::Row;
use crate::net::HashMap;

/// Parts of the table.
pub(super) const PARTS: usize = 64;

/// A fold in progress.
#[derive(Debug)]
pub struct FlowTableBuilder {
    hasher: foldhash::fast::RandomState,
    parts: Vec<Mutex<Part>>,
    pub(super) shared: Mutex<Shared>,
    pub(super) cuts: Option<Cuts>,
}

/// Flows whose hash ends alike.
#[derive(Debug, Default)]
struct Part {
    /// IPv4 flows with one port, which most are, by [`pack`].
    packed: PackedTable,
    rest: HashTable<(FlowKey, Counters)>,
    /// By [`FlowKey::of_calls`].
    contacts: HashTable<(FlowKey, Contacts)>,
}

/// What a worker needs once per interface.
#[derive(Debug, Default)]
pub(super) struct Shared {
    names: HashMap<Box<[u8]>, ObserverIx>,
    /// While the table is folded, an interface has one more position for each time of the [`Cuts`] from which on rows of it are kept
    /// apart.
    apart: HashMap<(ObserverIx, u64), ObserverIx>,
    pub(super) coverage: Vec<Coverage>,
    pub(super) services: HashMap<IpAddr, String>,
}

impl Shared {
    /// The next position.
    fn next(&self) -> ObserverIx {
        let positions = self.names.len() + self.apart.len();
        ObserverIx(u32::try_from(positions).expect("fewer than 2^32 interfaces"))
    }
}

impl Default for FlowTableBuilder {
    fn default() -> Self {
        Self::new(None)
    }
}

impl FlowTableBuilder {
    /// A table in which rows from before and after certain times are kept apart.
    pub fn new(cuts: Option<Cuts>) -> Self {
        Self {
            cuts,
            hasher: foldhash::fast::RandomState::default(),
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            shared: Mutex::default(),
        }
    }
}

/// A worker that panicked ends the program; what it left behind is never used.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FlowTableBuilder {
    /// The position of rows of an interface from a time on.
    pub(super) fn observer_from(&self, observer: ObserverIx, time: u64) -> ObserverIx {
        let mut shared = lock(&self.shared);
        let next = shared.next();
        *shared.apart.entry((observer, time)).or_insert(next)
    }

    /// How many flows there is room for so far, at most twice as many as there are; without what folders
    /// have gathered.
    pub fn capacity(&self) -> usize {
        let count = |part: &Mutex<Part>| {
            let part = lock(part);
            part.packed.capacity() + part.rest.len()
        };
        self.parts.iter().map(count).sum()
    }

    pub(super) fn observer(&self, name: &[u8]) -> ObserverIx {
        let mut shared = lock(&self.shared);
        if let Some(&known) = shared.names.get(name) {
            return known;
        }
        let next = shared.next();
        shared.names.insert(name.into(), next);
        next
    }

    /// Folds rows of one part.
    pub(super) fn fold(&self, part: usize, rows: &[impl Addition]) {
        lock(&self.parts[part]).packed.fold(rows);
    }

    /// When clients called: their flows' keys, the start, and the client's port.
    pub(super) fn call(&self, part: usize, calls: &[(FlowKey, u32, u16)]) {
        if calls.is_empty() {
            return;
        }
        let mut table = lock(&self.parts[part]);
        for (key, start, port) in calls {
            table
                .contacts(*key, self.hash_of(key), |key| self.hash_of(key))
                .note(*start, *port);
        }
    }

    /// The hash that both directions share.
    #[inline]
    pub(super) fn hash_of_packed(&self, key: u128) -> u64 {
        self.hasher.hash_one(key & !SRC_DROPPED)
    }

    pub(super) fn hash_of(&self, key: &FlowKey) -> u64 {
        match pack(key) {
            Some(packed) => self.hash_of_packed(packed),
            None => self.hasher.hash_one(key),
        }
    }

    /// Adds a row that does not pack.
    #[inline(never)]
    pub(super) fn add_row(
        &self,
        observer: ObserverIx,
        row: Row<'_>,
        dropped: Dropped,
        records: u8,
    ) {
        let (src_port, dst_port, ports) = match dropped {
            Dropped::Src => (0, row.dst_port, Ports::of(row.src_port)),
            Dropped::Dst => (row.src_port, 0, Ports::of(row.dst_port)),
            Dropped::Neither => (row.src_port, row.dst_port, Ports::NONE),
        };
        let key = FlowKey {
            observer,
            src: row.src,
            dst: row.dst,
            src_port,
            dst_port,
            protocol: row.protocol,
            accepted: row.accepted,
            dropped,
        };
        let counters = Counters {
            records: u64::from(records),
            packets: row.packets,
            bytes: row.bytes,
            first: row.start,
            last: row.end,
            days: Days::of(row.start, row.end),
            flags: FlowFlags::of(&row),
            dropped: ports,
        };
        self.add(key, &counters);
    }

    /// Adds a flow that does not pack.
    fn add(&self, key: FlowKey, counters: &Counters) {
        let hash = self.hasher.hash_one(key);
        let table = &mut lock(&self.parts[part(hash)]).rest;
        let rehash = |(key, _): &(FlowKey, Counters)| self.hasher.hash_one(key);
        match table.find_mut(hash, |(known, _)| *known == key) {
            Some((_, known)) => known.add(counters),
            None => {
                table.insert_unique(hash, (key, *counters), rehash);
            }
        }
    }

    /// Adds another table, as [`Self::finish_as_folded`] gives it.
    pub fn absorb(&self, table: &FlowTable) {
        let names = table.observers.iter();
        let observers: Vec<ObserverIx> = names.map(|name| self.observer(name.as_bytes())).collect();
        {
            let mut shared = lock(&self.shared);
            for (ix, own) in observers.iter().zip(&table.coverage) {
                if shared.coverage.len() <= ix.index() {
                    shared.coverage.resize(ix.index() + 1, Coverage::default());
                }
                // What rows say of their interface is counted when they are in order.
                shared.coverage[ix.index()].merge(&Coverage { rows: 0, ..*own });
            }
            #[expect(clippy::iter_over_hash_type, reason = "the minimum is commutative")]
            for (address, name) in &table.services {
                note_service(&mut shared.services, *address, name.as_bytes());
            }
        }
        let mut gathered: Vec<Vec<FoldedFlow>> = vec![Vec::new(); PARTS];
        for flow in &table.flows {
            let position = flow.key.observer.index();
            let (name, first) = (table.observers[position].as_bytes(), flow.counters.first);
            let cut = self.cuts.as_ref();
            let cut = cut.map_or(0, |cuts| {
                cuts.before(name, flow.key.src, flow.key.dst, first)
            });
            let observer = match cut {
                0 => observers[position],
                time => self.observer_from(observers[position], time),
            };
            let key = FlowKey {
                observer,
                ..flow.key
            };
            let Some(packed) = pack(&key) else {
                self.add(key, &flow.counters);
                continue;
            };
            let hash = self.hash_of_packed(packed);
            let part = part(hash);
            gathered[part].push(FoldedFlow {
                key: packed,
                hash: low(hash),
                counters: flow.counters,
            });
            if gathered[part].len() >= AT_ONCE {
                self.fold(part, &gathered[part]);
                gathered[part].clear();
            }
        }
        for (part, flows) in gathered.iter().enumerate() {
            self.fold(part, flows);
        }
        for (key, contacts) in &table.contacts {
            let key = FlowKey {
                observer: observers[key.observer.index()],
                ..*key
            };
            let hash = self.hash_of(&key);
            lock(&self.parts[part(hash)])
                .contacts(key, hash, |key| self.hash_of(key))
                .join(contacts);
        }
    }

    /// Puts everything in order.
    pub fn finish(mut self) -> FlowTable {
        let cuts = self.cuts.take();
        let mut table = self.in_order(whole);
        // A flow that got its port back may have been there with it already.
        match &cuts {
            None => table.add_up(|_, _| true),
            Some(cuts) => {
                let time = |names: &[String], flow: &Flow| {
                    let name = names[flow.key.observer.index()].as_bytes();
                    cuts.before(name, flow.key.src, flow.key.dst, flow.counters.first)
                };
                let names = std::mem::take(&mut table.observers);
                table.add_up(|a, b| time(&names, a) == time(&names, b));
                table.observers = names;
            }
        }
        table
            .contacts
            .retain(|(_, contacts)| contacts.calls().len() >= Contacts::ENOUGH);
        table
    }

    /// The same, with every port that was dropped still dropped: so it can be
    /// taken up again.
    pub fn finish_as_folded(self) -> FlowTable {
        self.in_order(|key, _| key)
    }

    fn in_order(self, finished: impl Fn(FlowKey, &Ports) -> FlowKey + Sync) -> FlowTable {
        let shared = self
            .shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut named: Vec<(Box<[u8]>, ObserverIx)> = shared.names.into_iter().collect();
        named.sort();
        let mut renumbered = vec![ObserverIx(0); named.len() + shared.apart.len()];
        for (new, (_, old)) in (0u32..).zip(&named) {
            renumbered[old.index()] = ObserverIx(new);
        }
        let is_cut = !shared.apart.is_empty();
        #[expect(clippy::iter_over_hash_type, reason = "each has a place of its own")]
        for ((observer, _), apart) in shared.apart {
            renumbered[apart.index()] = renumbered[observer.index()];
        }
        let renumber = |key: FlowKey| FlowKey {
            observer: renumbered[key.observer.index()],
            ..key
        };
        let mut parts: Vec<Part> = self
            .parts
            .into_iter()
            .map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let contacts = parts
            .iter_mut()
            .flat_map(|part| std::mem::take(&mut part.contacts));
        let mut contacts: Vec<(FlowKey, Contacts)> = contacts
            .map(|(key, contacts)| (renumber(key), contacts))
            .collect();
        contacts.par_sort_unstable_by_key(|(key, _)| *key);
        let finished = |key: FlowKey, ports: &Ports| finished(renumber(key), ports);
        let mut flows = flows_in_order(parts, &finished);
        if is_cut {
            let same = flows.par_chunk_by_mut(|a, b| a.key == b.key);
            same.for_each(|same| same.sort_by_key(|f| (f.counters.first, f.counters.last)));
        }
        let mut coverage: Vec<Coverage> = named
            .iter()
            .map(|(_, old)| {
                let known = shared.coverage.get(old.index());
                known.copied().unwrap_or_default()
            })
            .collect();
        for (observer, rows, days) in rows_by_observer(&flows) {
            let coverage = &mut coverage[observer.index()];
            coverage.rows += rows;
            coverage.days.join(days);
        }
        FlowTable {
            coverage,
            observers: named
                .iter()
                .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                .collect(),
            flows,
            services: shared.services,
            contacts,
        }
    }
}

impl Part {
    fn contacts(
        &mut self,
        key: FlowKey,
        hash: u64,
        rehash: impl Fn(&FlowKey) -> u64,
    ) -> &mut Contacts {
        let entry =
            self.contacts
                .entry(hash, |(known, _)| *known == key, |(known, _)| rehash(known));
        let (_, contacts) = entry
            .or_insert_with(|| (key, Contacts::default()))
            .into_mut();
        contacts
    }
}

/// Which part a hash belongs to; the low bits choose the place in the part.
pub(super) fn part(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default() % PARTS
}

/// Every flow of a table, in order. Flows are large, so their keys and places are sorted, and each flow is then copied
/// once.
fn flows_in_order(
    parts: Vec<Part>,
    finished: &(impl Fn(FlowKey, &Ports) -> FlowKey + Sync),
) -> Vec<Flow> {
    /// In place of a part: the flow is one of those that are not packed.
    const NOT_PACKED: u32 = u32::MAX;
    let (packed, rest): (Vec<PackedTable>, Vec<_>) = parts
        .into_iter()
        .map(|part| (part.packed.without_buckets(), part.rest))
        .unzip();
    let rest = rest.into_par_iter().flat_map_iter(|rest| {
        let finished =
            |(key, counters): (FlowKey, Counters)| flow(finished(key, &counters.dropped), counters);
        rest.into_iter().map(finished)
    });
    let (rest, mut long): (Vec<Flow>, Vec<Flow>) =
        rest.partition(|flow| flow.key.src.is_ipv4() && flow.key.dst.is_ipv4());
    let count = packed.iter().map(PackedTable::len).sum::<usize>() + rest.len();
    let nowhere = (SortKey::default(), NOT_PACKED, 0u32);
    let mut order: Vec<_> = rayon::iter::repeat_n(nowhere, count).collect();
    // Each part writes to its own range of the list, so that nothing is moved afterwards.
    let mut rooms = Vec::with_capacity(packed.len());
    let mut left = &mut order[..];
    for (part, number) in packed.iter().zip(0..) {
        let room;
        (room, left) = left.split_at_mut(part.len());
        rooms.push((number, part, room));
    }
    for ((place, flow), at) in left.iter_mut().zip(&rest).zip(0..) {
        (place.0, place.2) = (SortKey::of(&flow.key), at);
    }
    rooms.into_par_iter().for_each(|(number, part, room)| {
        for (place, (key, dropped, cell)) in room.iter_mut().zip(part.entries()) {
            let key = finished(unpack(key), dropped);
            *place = (SortKey::of(&key), number, cell);
        }
    });
    order.par_sort_unstable();
    let flow_at = |&(order, part, place): &(SortKey, u32, u32)| match packed.get(part as usize) {
        Some(packed) => flow(order.key(), packed.counters(place)),
        None => rest[place as usize],
    };
    let load = |&(_, part, place): &(SortKey, u32, u32)| {
        let part = packed.get(part as usize);
        part.map_or(0, |part| part.prefetch(place))
    };
    let mut flows: Vec<Flow> = prefetched_map(&order, load, flow_at).collect();
    if !long.is_empty() {
        long.par_sort_unstable_by_key(|flow| flow.key);
        flows.append(&mut long);
        // Stable sorting finds the two runs that are in order already.
        flows.par_sort_by_key(|flow| flow.key);
    }
    flows
}

/// How many rows each interface recorded, and on which days.
fn rows_by_observer(flows: &[Flow]) -> Vec<(ObserverIx, u64, Days)> {
    let same = flows.par_chunk_by(|a, b| a.key.observer == b.key.observer);
    same.map(|flows| {
        let start = (flows[0].key.observer, 0, Days::default());
        flows
            .iter()
            .fold(start, |(observer, rows, mut days), flow| {
                days.join(flow.counters.days);
                (observer, rows + flow.counters.records, days)
            })
    })
    .collect()
}

/// A flow's key with both ports, if the dropped one was always the same.
fn whole(mut key: FlowKey, dropped: &Ports) -> FlowKey {
    if let Some(port) = dropped.only() {
        match key.dropped {
            Dropped::Src => key.src_port = port,
            Dropped::Dst => key.dst_port = port,
            Dropped::Neither => {}
        }
        key.dropped = Dropped::Neither;
    }
    key
}

/// A flow that got its port back has none that stands for several.
fn flow(key: FlowKey, counters: Counters) -> Flow {
    let dropped = match key.dropped {
        Dropped::Neither => Ports::default(),
        Dropped::Src | Dropped::Dst => counters.dropped,
    };
    Flow {
        key,
        counters: Counters {
            dropped,
            ..counters
        },
    }
}
