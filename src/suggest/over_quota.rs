//! Groups with more rules than AWS allows.

use crate::inventory::{Direction, GroupIx};

/// A group with more rules than AWS takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// The group.
    pub group: GroupIx,
    /// The direction.
    pub direction: Direction,
    /// How many rules it would have, of the fuller family.
    pub rules: u64,
}
