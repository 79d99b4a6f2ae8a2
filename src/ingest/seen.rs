//! Rows that were already counted.
//!
//! Flow logs on a VPC, a subnet and an interface record the same traffic each;
//! rows equal in interface, 5-tuple, start, end and action are one row
//! (flow-logs-s3-path.html, overlapping subscriptions).

use std::hash::BuildHasher;
use std::sync::Mutex;

use super::Row;
use crate::net::HashSet;

const SHARDS: usize = 64;

/// Fingerprints of the rows seen so far, shared by all workers.
pub(super) struct Seen {
    hashers: [foldhash::quality::RandomState; 2],
    shards: Vec<Mutex<HashSet<u128>>>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            hashers: std::array::from_fn(|_| foldhash::quality::RandomState::default()),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Whether this is the first such row. The fingerprint is 128 bits with
    /// seeds of this run, so that nobody can make two rows collide.
    pub(super) fn first(&self, row: &Row<'_>) -> bool {
        let identity = (
            row.interface,
            (row.src, row.src_port),
            (row.dst, row.dst_port),
            (row.protocol, row.accepted),
            (row.start, row.end),
        );
        let [a, b] = [0, 1].map(|i| u128::from(self.hashers[i].hash_one(identity)));
        let shard = usize::try_from(a % SHARDS as u128).expect("less than the number of shards");
        self.shards[shard]
            .lock()
            .expect("no worker panics while it holds the lock")
            .insert(a << 64 | b)
    }
}
