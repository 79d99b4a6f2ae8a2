//! Open egress that stays.

use crate::inventory::GroupIx;

/// A group whose open egress stays.
#[derive(Clone, Debug)]
pub struct KeptOpen {
    /// The group.
    pub group: GroupIx,
    /// Why.
    pub because: KeptOpenBecause,
}

/// Why open egress stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptOpenBecause {
    /// No interface carries the group: nothing leaves by it, and nothing is known.
    Unused,
    /// No interface that carries it recorded anything, not even that it was idle.
    Unseen,
    /// A rule that was to replace it would permit what today's rules deny, and was left out.
    Unproven,
    /// The rules that were to replace it are more than AWS takes, and were left out.
    OverQuota,
    /// An accepted entry of the policy wants it.
    Accepted,
}
