//! Rows that were already counted.
//!
//! Flow logs on a VPC, a subnet and an interface record the same traffic each;
//! rows equal in interface, 5-tuple, start, end and action are one row
//! (flow-logs-s3-path.html, overlapping subscriptions). Their formats may differ,
//! so one may carry flags or counts that the other lacks; whichever comes first,
//! the outcome is the same.

use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::sync::Mutex;

use super::{Interval, Row};
use crate::net::HashMap;

const SHARDS: usize = 64;

/// Fingerprints of the rows seen so far, shared by all workers.
pub(super) struct Seen {
    hashers: [foldhash::quality::RandomState; 2],
    /// Fingerprint → the most packets and bytes that any of its rows had.
    shards: Vec<Mutex<HashMap<u128, (u64, u64)>>>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            hashers: std::array::from_fn(|_| foldhash::quality::RandomState::default()),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// `None` for the first such row; else how many packets and bytes it has beyond
    /// the rows before it. The fingerprint is 128 bits with seeds of this run, so
    /// that nobody can make two rows collide.
    pub(super) fn again(&self, row: &Row<'_>) -> Option<(u64, u64)> {
        let identity = (
            row.interface,
            (row.src, row.src_port),
            (row.dst, row.dst_port),
            (row.protocol, row.accepted),
            (row.start, row.end),
        );
        self.count(self.fingerprint(&identity), (row.packets, row.bytes))
    }

    /// Whether such an interval without traffic was counted already.
    pub(super) fn idle_again(&self, interval: Interval<'_>, skipped: bool) -> bool {
        let identity = (interval.interface, interval.start, interval.end, skipped);
        self.count(self.fingerprint(&identity), (0, 0)).is_some()
    }

    fn fingerprint(&self, identity: &impl Hash) -> u128 {
        let [a, b] = [0, 1].map(|i| u128::from(self.hashers[i].hash_one(identity)));
        a << 64 | b
    }

    fn count(&self, fingerprint: u128, counts: (u64, u64)) -> Option<(u64, u64)> {
        let shard = usize::try_from((fingerprint >> 64) % SHARDS as u128)
            .expect("less than the number of shards");
        let mut shard = self.shards[shard]
            .lock()
            .expect("no worker panics while it holds the lock");
        match shard.entry(fingerprint) {
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
}
