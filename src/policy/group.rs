//! What a policy says about one group: one file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::entry::PolicyEntry;

/// What closegate does with a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyMode {
    /// Its entries are being found and decided.
    #[default]
    Learn,
    /// The entries that are accepted are all that it may open.
    Locked,
}

impl PolicyMode {
    /// The word in the files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learn => "learn",
            Self::Locked => "locked",
        }
    }
}

/// A group that a policy covers.
#[derive(Clone, Debug)]
pub struct GroupPolicy {
    /// `sg-…`, also the file's name.
    pub group: String,
    /// Its name, for people; hostile.
    pub name: String,
    /// The VPC it was made in.
    pub vpc: String,
    /// The account that owns it.
    pub account: String,
    /// Whose it is: the value of the tag that the configuration names.
    pub owner: Option<String>,
    /// Learning or locked.
    pub mode: PolicyMode,
    /// The end of the latest observation window that was merged.
    pub as_of: Option<Timestamp>,
    /// Its entries, in the file's order, those for egress first.
    pub entries: Vec<PolicyEntry>,
}

impl GroupPolicy {
    /// A group without entries.
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            name: String::new(),
            vpc: String::new(),
            account: String::new(),
            owner: None,
            mode: PolicyMode::default(),
            as_of: None,
            entries: Vec::new(),
        }
    }
}

/// Every group that a policy covers, by id.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// The groups.
    pub groups: BTreeMap<String, GroupPolicy>,
}

impl PolicySet {
    /// Every entry, with its group.
    pub fn entries(&self) -> impl Iterator<Item = (&GroupPolicy, &PolicyEntry)> {
        let groups = self.groups.values();
        groups.flat_map(|group| group.entries.iter().map(move |entry| (group, entry)))
    }

    /// Every key.
    pub fn keys(&self) -> BTreeSet<String> {
        self.entries().map(|(_, entry)| entry.key.clone()).collect()
    }

    /// Entries whose key another entry before them has, with that one.
    pub fn repeated(&self) -> Vec<(PlacedEntry<'_>, PlacedEntry<'_>)> {
        let mut first: BTreeMap<&str, PlacedEntry<'_>> = BTreeMap::new();
        let mut repeated = Vec::new();
        for placed in self.entries() {
            match first.get(placed.1.key.as_str()) {
                Some(&before) => repeated.push((placed, before)),
                None => {
                    first.insert(&placed.1.key, placed);
                }
            }
        }
        repeated
    }
}

/// An entry and the group in whose file it is.
pub type PlacedEntry<'a> = (&'a GroupPolicy, &'a PolicyEntry);

/// Whether a text is a group's id that can be the name of a file.
pub fn is_group_id(text: &str) -> bool {
    text.strip_prefix("sg-").is_some_and(is_id_ending)
}

/// Whether a text is a prefix list's id.
pub(super) fn is_list_id(text: &str) -> bool {
    text.strip_prefix("pl-").is_some_and(is_id_ending)
}

fn is_id_ending(text: &str) -> bool {
    let mut bytes = text.bytes();
    (1..=80).contains(&text.len())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
