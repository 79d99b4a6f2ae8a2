//! Open rules of today that stay.

use crate::inventory::{GroupIx, Rule};

/// A group whose open egress stays, or one rule of it that stays open on some ports.
#[derive(Clone, Debug)]
pub struct KeptOpen {
    /// The group.
    pub group: GroupIx,
    /// A rule that permits some ports to everybody; nothing for the group's open egress.
    pub rule: Option<Rule>,
    /// Why.
    pub because: KeptOpenBecause,
}

impl KeptOpen {
    /// What stays of one group for the same reason, each once: rules for some ports, and nothing for its open egress.
    pub fn of<'r>(
        group: GroupIx,
        stays: impl IntoIterator<Item = Option<&'r Rule>>,
        because: KeptOpenBecause,
    ) -> Vec<Self> {
        let stays = stays.into_iter().map(Option::<&Rule>::cloned);
        let mut stays: Vec<Option<Rule>> = stays.collect();
        stays.sort_unstable();
        stays.dedup();
        let kept = stays.into_iter().map(|rule| Self {
            group,
            rule,
            because,
        });
        kept.collect()
    }
}

/// Why an open rule stays.
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
    /// The destinations of a rule for some ports are too many to name: the same rule would have to be made again.
    TooManyAddresses,
    /// With the rules that were to replace a rule for some ports, its group would have more than AWS takes.
    TooManyRules,
}
