//! The rules that a policy wants, beside those that stand today.
//!
//! Accepted entries that hold are written; everything that writes or compares the policy's rules reads them here.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::entry::{EntryState, PolicyEntry, PolicyTarget};
use super::group::{GroupPolicy, PlacedEntry, PolicyMode, PolicySet};
use crate::documents::Direction;
use crate::inventory::{Group, Inventory, Rule, Target};
use crate::replay::Change;

/// A reason for a rule.
#[derive(Clone, Copy, Debug)]
pub struct WantedBy<'a> {
    /// The group in whose file the entry is.
    pub group: &'a GroupPolicy,
    /// The entry.
    pub entry: &'a PolicyEntry,
    /// Whether the rule is the ingress half on the group that the entry names.
    pub is_other_half: bool,
    /// The position of the rule's ports among the entry's. Those at 0 are named by the key alone.
    pub ports: usize,
}

/// A rule that the policy wants: one permission on one group.
#[derive(Clone, Debug)]
pub struct WantedRule<'a> {
    /// The rule; today's, with its id, description and tags, if it stands.
    pub rule: Rule,
    /// Whether it stands today.
    pub stands: bool,
    /// Why it is wanted, by key; never empty. The first names it.
    pub because: Vec<WantedBy<'a>>,
}

impl WantedRule<'_> {
    /// The other half of a rule of the group `own`, and the group that it belongs to, where an entry wants both.
    pub fn other_half(&self, own: &str) -> Option<(&str, Rule)> {
        let other = self.because.iter().find_map(|by| match &by.entry.target {
            _ if by.is_other_half => Some(by.group.group.as_str()),
            PolicyTarget::Group(id)
                if by.entry.mutual && by.entry.direction == Direction::Egress =>
            {
                Some(id.as_str())
            }
            _ => None,
        })?;
        let half = Rule {
            direction: self.rule.direction.opposite(),
            protocol: self.rule.protocol,
            ports: self.rule.ports,
            target: Target::Group(own.to_owned()),
            rule_id: None,
            description: String::new(),
            tags: Vec::new(),
        };
        Some((other, half))
    }
}

/// A rule of today that no entry wants as it is.
#[derive(Clone, Debug)]
pub struct RuleOutside {
    /// The rule.
    pub rule: Rule,
    /// Whether one that is wanted permits all that it does.
    pub is_covered: bool,
}

/// What the policy wants of one group.
#[derive(Clone, Debug)]
pub struct DesiredGroup<'a> {
    /// `sg-…`
    pub id: &'a str,
    /// Its file; none for a group that another group's entries name only.
    pub policy: Option<&'a GroupPolicy>,
    /// The group as it is in the account.
    pub group: &'a Group,
    /// What is wanted, egress first, in the order of rules.
    pub wanted: Vec<WantedRule<'a>>,
    /// What stands beside it, egress first, in the order of rules.
    pub outside: Vec<RuleOutside>,
}

impl DesiredGroup<'_> {
    /// Whether what is wanted is all that the group may open.
    pub fn is_locked(&self) -> bool {
        self.policy
            .is_some_and(|policy| policy.mode == PolicyMode::Locked)
    }

    /// Egress of a locked group that the policy does not permit.
    pub fn reopened(&self) -> impl Iterator<Item = &Rule> {
        let outside = self.outside.iter().filter(|_| self.is_locked());
        let egress = outside.filter(|outside| outside.rule.direction == Direction::Egress);
        egress
            .filter(|outside| !outside.is_covered)
            .map(|outside| &outside.rule)
    }
}

/// Why an accepted entry is not written, or only in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotWritten {
    /// The last day on which it holds is over.
    Expired,
    /// It names a service of AWS.
    Service,
    /// The inventory has not the group whose entry it is.
    OwnGroupUnknown,
    /// The inventory has not the group that it names.
    TargetUnknown,
    /// The inventory has not the prefix list that it names.
    ListUnknown,
}

impl NotWritten {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "it has expired",
            Self::Service => {
                "closegate writes no rules for a service by its name; name its prefix list or prefixes"
            }
            Self::OwnGroupUnknown => "its group is not in the inventory",
            Self::TargetUnknown => "the group that it names is not in the inventory",
            Self::ListUnknown => "the prefix list that it names is not in the inventory",
        }
    }
}

/// The rules that a policy wants.
#[derive(Clone, Debug)]
pub struct DesiredState<'a> {
    /// By group; those with a file, and those that a mutual entry names.
    pub groups: BTreeMap<&'a str, DesiredGroup<'a>>,
    /// Accepted entries that are not written, or only in part, with the reason.
    pub not_written: Vec<(PlacedEntry<'a>, NotWritten)>,
}

impl DesiredState<'_> {
    /// What has to come and go so that the policy's rules stand, and locked groups open nothing else.
    pub fn change(&self, inventory: &Inventory) -> Change {
        let mut change = Change::default();
        for (id, group) in &self.groups {
            let Some(ix) = inventory.group_by_id(id) else {
                continue;
            };
            let missing = group.wanted.iter().filter(|wanted| !wanted.stands);
            let missing = missing.map(|wanted| (ix, wanted.rule.clone()));
            change.additions.extend(missing);
            let going = group.reopened().map(|rule| (ix, rule.clone()));
            change.removals.extend(going);
        }
        change
    }
}

/// What a policy wants of an account on a day.
pub fn desired<'a>(
    policy: &'a PolicySet,
    inventory: &'a Inventory,
    today: Date,
) -> DesiredState<'a> {
    let mut not_written = Vec::new();
    let mut wanted: BTreeMap<&str, BTreeMap<Rule, Vec<WantedBy<'_>>>> = BTreeMap::new();
    for id in policy.groups.keys() {
        wanted.entry(id).or_default();
    }
    let known = |id: &str| {
        let group = inventory.group_by_id(id).map(|ix| inventory.group(ix));
        group.filter(|group| group.known)
    };
    for (group, entry) in policy.entries() {
        if entry.state != EntryState::Accepted {
            continue;
        }
        let target = match &entry.target {
            _ if !entry.holds_on(today) => Some(NotWritten::Expired),
            _ if known(&group.group).is_none() => Some(NotWritten::OwnGroupUnknown),
            PolicyTarget::Service(_) => Some(NotWritten::Service),
            PolicyTarget::Group(id) if known(id).is_none() => Some(NotWritten::TargetUnknown),
            PolicyTarget::PrefixList(id) if inventory.prefix_list(id).is_none() => {
                Some(NotWritten::ListUnknown)
            }
            _ => None,
        };
        if let Some(reason) = target {
            not_written.push(((group, entry), reason));
            continue;
        }
        let because = |rule: &Rule, is_other_half| WantedBy {
            group,
            entry,
            is_other_half,
            ports: entry
                .ports
                .iter()
                .position(|ports| *ports == rule.ports)
                .unwrap_or_default(),
        };
        for rule in entry.rules() {
            let by = because(&rule, false);
            let own = wanted.entry(&group.group).or_default();
            own.entry(rule).or_default().push(by);
        }
        if let PolicyTarget::Group(other) = &entry.target {
            for rule in entry.other_half(&group.group) {
                let by = because(&rule, true);
                let theirs = wanted.entry(other).or_default();
                theirs.entry(rule).or_default().push(by);
            }
        }
    }
    let groups = wanted.into_iter().filter_map(|(id, wanted)| {
        let group = known(id)?;
        let policy = policy.groups.get(id);
        Some((id, beside_today(id, policy, group, wanted)))
    });
    DesiredState {
        groups: groups.collect(),
        not_written,
    }
}

fn beside_today<'a>(
    id: &'a str,
    policy: Option<&'a GroupPolicy>,
    group: &'a Group,
    wanted: BTreeMap<Rule, Vec<WantedBy<'a>>>,
) -> DesiredGroup<'a> {
    let wanted = wanted.into_iter().map(|(rule, mut because)| {
        because.sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
        let mut today = group.rules.iter();
        let standing = today.find(|own| own.same_permission(&rule));
        WantedRule {
            stands: standing.is_some(),
            rule: standing.cloned().unwrap_or(rule),
            because,
        }
    });
    let wanted: Vec<WantedRule<'_>> = wanted.collect();
    let outside = group.rules.iter().filter(|rule| {
        let mut wanted = wanted.iter();
        !wanted.any(|wanted| wanted.rule.same_permission(rule))
    });
    let outside = outside.map(|rule| RuleOutside {
        rule: rule.clone(),
        is_covered: wanted.iter().any(|wanted| wanted.rule.covers(rule)),
    });
    DesiredGroup {
        id,
        policy,
        group,
        outside: outside.collect(),
        wanted,
    }
}
