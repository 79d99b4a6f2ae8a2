//! Stage 3: rows folded by what they have in common.
//!
//! One [`Flow`] per interface, direction of packets, 5-tuple and action, with
//! counters that merge associatively. Nothing is decided here: who opened a
//! connection depends on the whole window, see [`crate::resolve`].

mod cache;
mod contacts;
mod coverage;
mod cuts;
mod days;
mod fold;
mod folder;
mod ports;
mod presume;
mod table;

pub(crate) use cache::prefetched_map;
pub use contacts::Contacts;
pub use coverage::Coverage;
pub use cuts::Cuts;
pub use days::{DAY, Days};
pub use fold::FlowTableBuilder;
pub use folder::Folder;
pub use ports::Ports;
pub use presume::{Dropped, EPHEMERAL_FROM, LISTENERS, PRIVILEGED_BELOW, is_listener};
pub use table::{Counters, Flow, FlowFlags, FlowKey, FlowTable, ObserverIx};
