//! Rows that were already counted.
//!
//! Flow logs on a VPC, a subnet and an interface record the same traffic each;
//! rows equal in interface, 5-tuple, start, end and action are one row
//! (flow-logs-s3-path.html, overlapping subscriptions). Their formats may differ,
//! so one may carry flags or counts that the other lacks; whichever comes first,
//! the outcome is the same.
//!
//! What is remembered is bounded by time: the name of an S3 object tells in which five
//! minutes its rows end, so once every object of a time is read, its rows are forgotten.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::DateTime;

use super::row::{Interval, Row};
use super::source::Source;
use crate::net::HashMap;

const SHARDS: usize = 64;

/// Rows are remembered and forgotten by the hour in which they end.
const HOUR: u64 = 3600;

/// Fingerprints of the rows seen so far, shared by all workers.
pub(super) struct Deduplication {
    hashers: [foldhash::quality::RandomState; 2],
    shards: Vec<Mutex<Shard>>,
    unread: Mutex<Unread>,
}

/// Hour → fingerprint → the most packets and bytes that any of its rows had.
type Shard = BTreeMap<u64, HashMap<u128, (u64, u64)>>;

/// How far reading has come, in the order of time.
struct Unread {
    /// By source in the order of reading; `None` where a name tells nothing, first.
    hours: Vec<Option<u64>>,
    done: Vec<bool>,
    /// Sources before this one are read.
    before: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deduplication {
    /// `order` is that of reading, by time.
    pub(super) fn new(sources: &[Source], order: &[usize]) -> Self {
        let hours = order.iter().map(|&source| hour(sources[source].slot()?));
        Self {
            hashers: std::array::from_fn(|_| foldhash::quality::RandomState::default()),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            unread: Mutex::new(Unread {
                hours: hours.collect(),
                done: vec![false; order.len()],
                before: 0,
            }),
        }
    }

    /// `None` for the first such row; else how many packets and bytes it has beyond
    /// the rows before it. The fingerprint is 128 bits with seeds of this run, so
    /// that nobody can make two rows collide.
    pub(super) fn duplicate_row(&self, row: &Row<'_>) -> Option<(u64, u64)> {
        let identity = (
            row.interface,
            (row.src, row.src_port),
            (row.dst, row.dst_port),
            (row.protocol, row.accepted),
            (row.start, row.end),
        );
        self.count(
            row.end,
            self.fingerprint(&identity),
            (row.packets, row.bytes),
        )
    }

    /// Whether such an interval without traffic was counted already.
    pub(super) fn duplicate_interval(&self, interval: Interval<'_>, skipped: bool) -> bool {
        let identity = (interval.interface, interval.start, interval.end, skipped);
        self.count(interval.end, self.fingerprint(&identity), (0, 0))
            .is_some()
    }

    fn fingerprint(&self, identity: &impl Hash) -> u128 {
        let [a, b] = [0, 1].map(|i| u128::from(self.hashers[i].hash_one(identity)));
        a << 64 | b
    }

    fn count(&self, end: u64, fingerprint: u128, counts: (u64, u64)) -> Option<(u64, u64)> {
        let shard = usize::try_from((fingerprint >> 64) % SHARDS as u128)
            .expect("less than the number of shards");
        let mut shard = lock(&self.shards[shard]);
        match shard.entry(end / HOUR).or_default().entry(fingerprint) {
            Entry::Vacant(new) => {
                new.insert(counts);
                None
            }
            Entry::Occupied(mut known) => {
                let (packets, bytes) = *known.get();
                known.insert((packets.max(counts.0), bytes.max(counts.1)));
                Some((
                    counts.0.saturating_sub(packets),
                    counts.1.saturating_sub(bytes),
                ))
            }
        }
    }

    /// The source at this place of the order was read to its end: forgets the hours that no
    /// other source can add to. An hour more is kept, for rows are off by a minute now and then.
    pub(super) fn finished(&self, place: usize) {
        let mut unread = lock(&self.unread);
        unread.done[place] = true;
        let before = unread.before;
        while unread.done.get(unread.before) == Some(&true) {
            unread.before += 1;
        }
        let hour = |place: usize| unread.hours.get(place).copied().flatten();
        let earliest = hour(unread.before);
        if earliest == hour(before) {
            return;
        }
        drop(unread);
        for shard in &self.shards {
            let mut shard = lock(shard);
            match earliest {
                Some(earliest) => *shard = shard.split_off(&earliest.saturating_sub(1)),
                None => shard.clear(),
            }
        }
    }
}

/// The hour since 1970 of `{YYYYMMDD}T{HHmm}Z`.
fn hour(slot: &str) -> Option<u64> {
    let time = DateTime::strptime("%Y%m%dT%H%MZ", slot).ok()?;
    let seconds = time.in_tz("UTC").ok()?.timestamp().as_second();
    Some(u64::try_from(seconds).ok()? / HOUR)
}
