//! The policy: a list of connections that a team keeps in Git, one file per security group.
//!
//! Files in, files out: [`parse_group`] reads a file and names the place of whatever is wrong, [`write_group`] writes it again and leaves
//! alone what did not change. [`update()`] merges a run, [`decide()`] records what people decided, [`check()`] says what keeps the policy
//! from being used, [`status()`] where each group stands, and [`desired()`] which rules it wants beside those that stand. [`decided()`]
//! hands its decisions to the stage that suggests rules. `cli` reads and writes the directory.

mod account;
mod changed;
mod check;
mod decide;
mod decided;
mod desired;
mod entry;
mod group;
mod key;
mod prior;
mod reach;
mod read;
mod status;
mod update;
mod write;

pub use account::{NO_ACCOUNT, account_directory, is_account_directory};
pub use check::{PolicyBasis, PolicyProblem, check};
pub use decide::{DecisionFilter, EntryKind, PolicyDecision, decide};
pub use decided::decided;
pub use desired::{
    DesiredGroup, DesiredState, NotWritten, RuleOutside, WantedBy, WantedRule, desired,
};
pub use entry::{EntryEvidence, EntryState, PolicyEntry, PolicyTarget};
pub use group::{GroupPolicy, PlacedEntry, PolicyMode, PolicySet, is_group_id};
pub use read::{POLICY_MARKER, POLICY_SCHEMA, PolicyError, parse_group, parse_marker};
pub use status::{GroupStatus, status};
pub use update::{PolicyRun, UpdateSummary, update};
pub use write::{new_marker, write_group};
