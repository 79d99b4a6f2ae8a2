//! One difference from the policy.

use crate::documents::{DriftKind, DriftLevel, DriftSubject};
use crate::inventory::{Inventory, Rule, Target};
use crate::net::{ConnectionId, visible};
use crate::policy::PlacedEntry;

/// A difference from the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind it is.
    pub kind: DriftKind,
    /// How much it matters.
    pub level: DriftLevel,
    /// `sg-…`: the group that it is about; none for a part of a plan that names no known group.
    pub group: Option<String>,
    /// The group's name; hostile.
    pub group_name: String,
    /// The entry's key, if it is about an entry.
    pub key: Option<String>,
    /// Where it is decided: the group in whose file, and the line, from 1. None where the policy has no file for it.
    pub place: Option<(String, usize)>,
    /// The rule, if it is about one.
    pub rule: Option<Rule>,
    /// What sets it apart from others of its kind, group and entry, where no rule does.
    pub about: String,
    /// What differs; foreign text in it is visible.
    pub what: String,
    /// What to do about it.
    pub to_do: String,
    /// How many connections it is about.
    pub connections: u64,
    /// The first of them.
    pub examples: Vec<ConnectionId>,
    /// Whether a plan ends it.
    pub ended_by_plan: bool,
}

impl Difference {
    pub(super) fn new(kind: DriftKind, level: DriftLevel, what: String, to_do: String) -> Self {
        Self {
            kind,
            level,
            group: None,
            group_name: String::new(),
            key: None,
            place: None,
            rule: None,
            about: String::new(),
            what,
            to_do,
            connections: 0,
            examples: Vec::new(),
            ended_by_plan: false,
        }
    }

    /// With the group that it is about.
    pub(super) fn of(mut self, id: &str, name: &str) -> Self {
        self.group = Some(id.to_owned());
        name.clone_into(&mut self.group_name);
        self
    }

    /// With the group's file, if it has one.
    pub(super) fn in_file(mut self, has_file: bool) -> Self {
        self.place = self.group.clone().filter(|_| has_file).map(|id| (id, 1));
        self
    }

    /// With the entry that it is about.
    pub(super) fn by(mut self, (group, entry): PlacedEntry<'_>) -> Self {
        self.key = Some(entry.key.clone());
        self.place = Some((group.group.clone(), entry.line.max(1)));
        self
    }

    /// With the rule that it is about.
    pub(super) fn with_rule(mut self, rule: &Rule) -> Self {
        self.rule = Some(rule.clone());
        self
    }

    /// Whether it decides the exit code. With a plan, only the plan's own differences do: a change is not to blame for what was there
    /// before.
    pub fn decides(&self, with_plan: bool) -> bool {
        self.level != DriftLevel::Note && (!with_plan || self.kind.subject() == DriftSubject::Plan)
    }
}

/// `egress rule for tcp/443 to sg-0123 (db)`.
pub(super) fn rule_in_words(inventory: &Inventory, rule: &Rule) -> String {
    format!(
        "{} rule for {} {} {}",
        rule.direction.as_str(),
        rule.services(),
        rule.direction.preposition(),
        target_in_words(inventory, &rule.target)
    )
}

/// `sg-0123 (db)`, or a prefix.
pub(super) fn target_in_words(inventory: &Inventory, target: &Target) -> String {
    let name = match target {
        Target::Group(id) => {
            let found = inventory.group_by_id(id);
            found.map(|ix| inventory.group(ix).name.as_str())
        }
        Target::PrefixList(id) => inventory.prefix_list(id).map(|list| list.name.as_str()),
        Target::Cidr(_) => None,
    };
    let own = visible(&target.to_string(), 80);
    match name {
        Some(name) if !name.is_empty() && name != own => format!("{own} ({})", visible(name, 60)),
        _ => own,
    }
}
