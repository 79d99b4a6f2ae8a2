//! What knows of the processor's cache: tables laid out in cache lines, keys as numbers, and prefetching.
//!
//! A table of flows is larger than any cache, and reading it at random is what the fold's time goes to. So a flow is one
//! cache line, whatever is looked up is looked up for many rows together, and lists are sorted by numbers. Nothing
//! outside this folder depends on any of it but for speed.

mod buckets;
mod keys;
mod observers;
mod packed;
mod prefetch;

pub(super) use keys::{SRC_DROPPED, SortKey, pack, pack_row, unpack};
pub(super) use observers::ObserverNames;
pub(super) use packed::{AT_ONCE, Addition, FoldedFlow, FoldedRow, PackedTable, low, seconds};
pub(crate) use prefetch::prefetched_map;
