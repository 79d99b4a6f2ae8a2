//! The policy: a list of connections that a team keeps in Git, one file per security group.
//!
//! Files in, files out: [`parse_group`] reads a file and names the place of whatever is wrong, [`write_group`] writes it again and leaves
//! alone what did not change. `cli` reads and writes the directory.

mod entry;
mod group;
mod key;
mod read;
mod write;

pub use entry::{EntryEvidence, EntryState, PolicyEntry, PolicyTarget};
pub use group::{GroupPolicy, PlacedEntry, PolicyMode, PolicySet, is_group_id};
pub use read::{POLICY_MARKER, POLICY_SCHEMA, PolicyError, parse_group, parse_marker};
pub use write::{new_marker, write_group};
