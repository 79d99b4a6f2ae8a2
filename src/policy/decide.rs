//! What people decided, put into a policy.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::entry::{EntryState, PolicyEntry, PolicyTarget};
use super::group::{GroupPolicy, PlacedEntry, PolicySet};
use super::read::is_key;
use crate::documents::Rating;
use crate::net::{is_internal, visible};

/// One decision.
#[derive(Clone, Debug)]
pub struct PolicyDecision {
    /// The entry.
    pub key: String,
    /// What it becomes.
    pub state: EntryState,
    /// Why; declining needs it.
    pub reason: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it was discussed.
    pub ticket: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
}

/// Which entries a decision is for. What is not given holds for all.
#[derive(Clone, Debug, Default)]
pub struct DecisionFilter {
    /// Groups whose files have the entry, by id or name.
    pub groups: Vec<String>,
    /// At least this sure.
    pub confidence: Option<Rating>,
    /// In this state.
    pub state: Option<EntryState>,
    /// Seen on at least so many days.
    pub seen_days: Option<usize>,
    /// For targets of these kinds.
    pub kinds: Vec<EntryKind>,
}

/// What an entry's target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A security group.
    Group,
    /// Prefixes of private address space only.
    Internal,
    /// Other prefixes.
    Internet,
    /// A prefix list.
    PrefixList,
    /// A service of AWS.
    Service,
}

impl EntryKind {
    fn of(target: &PolicyTarget) -> Self {
        match target {
            PolicyTarget::Group(_) => Self::Group,
            PolicyTarget::Prefixes(nets) if nets.iter().all(is_internal) => Self::Internal,
            PolicyTarget::Prefixes(_) => Self::Internet,
            PolicyTarget::PrefixList(_) => Self::PrefixList,
            PolicyTarget::Service(_) => Self::Service,
        }
    }
}

impl DecisionFilter {
    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.confidence.is_none()
            && self.state.is_none()
            && self.seen_days.is_none()
            && self.kinds.is_empty()
    }

    /// The same with ids instead of names. The error says which group the policy does not have, or which name several have: to decide
    /// for both would be to decide for one that nobody meant.
    pub fn with_ids(mut self, policy: &PolicySet) -> Result<Self, String> {
        for wanted in &mut self.groups {
            if policy.groups.contains_key(wanted.as_str()) {
                continue;
            }
            let named = policy.groups.values().filter(|group| group.name == *wanted);
            let ids: Vec<&str> = named.map(|group| group.group.as_str()).collect();
            match ids[..] {
                [id] => id.clone_into(wanted),
                [] => {
                    let name = visible(wanted, 110);
                    return Err(format!(
                        "the policy has no group {name}; `closegate policy status` lists them"
                    ));
                }
                _ => {
                    let name = visible(wanted, 110);
                    let ids = ids.join(", ");
                    return Err(format!(
                        "several groups are called {name}; name one by its id: {ids}"
                    ));
                }
            }
        }
        Ok(self)
    }

    fn holds(&self, group: &GroupPolicy, entry: &PolicyEntry) -> bool {
        let mut groups = self.groups.iter();
        let kind = EntryKind::of(&entry.target);
        (self.groups.is_empty() || groups.any(|wanted| *wanted == group.group))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self
                .confidence
                .is_none_or(|least| entry.confidence >= Some(least))
            && self.state.is_none_or(|state| entry.state == state)
            && self.seen_days.is_none_or(|least| entry.days.len() >= least)
    }

    /// The keys of the entries that it holds for: of all that are not decided yet, or of those in the state that it names. Entries that
    /// permit quarantined connections are accepted by their key only; those that it leaves out for that come second.
    pub fn keys(&self, policy: &PolicySet, to: EntryState) -> (Vec<String>, Vec<String>) {
        let entries = policy.entries().filter(|(group, entry)| {
            (self.state.is_some() || !entry.state.is_decided()) && self.holds(group, entry)
        });
        let (left, found): (Vec<_>, Vec<_>) = entries
            .partition(|(_, entry)| to == EntryState::Accepted && entry.permits_quarantined());
        let keys = |entries: Vec<PlacedEntry<'_>>| -> Vec<String> {
            let entries = entries.into_iter();
            entries.map(|(_, entry)| entry.key.clone()).collect()
        };
        (keys(found), keys(left))
    }

    /// The same among some keys; the error names those that the policy does not have.
    pub fn among(&self, policy: &PolicySet, keys: &[String]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for key in keys {
            match policy.entries().find(|(_, entry)| entry.key == *key) {
                Some((group, entry)) if self.holds(group, entry) => found.push(key.clone()),
                Some(_) => {}
                None => unknown.push(key.as_str()),
            }
        }
        if unknown.is_empty() {
            Ok(found)
        } else {
            Err(no_such(&unknown))
        }
    }
}

fn no_such(keys: &[&str]) -> String {
    let shown: Vec<String> = keys.iter().map(|key| visible(key, 110)).collect();
    format!(
        "the policy has no entry {}; `closegate policy status --json` lists the keys",
        shown.join(", ")
    )
}

/// Puts decisions into a policy: all of them, or none if one can't be. Gives the number of entries that changed.
pub fn decide(policy: &mut PolicySet, decisions: &[PolicyDecision]) -> Result<usize, String> {
    let keys = policy.keys();
    let unknown: Vec<&str> = decisions
        .iter()
        .map(|decision| decision.key.as_str())
        .filter(|key| !is_key(key) || !keys.contains(*key))
        .collect();
    if !unknown.is_empty() {
        return Err(no_such(&unknown));
    }
    let mut by_key: BTreeMap<&str, Vec<&PolicyDecision>> = BTreeMap::new();
    for decision in decisions {
        let same = by_key.entry(&decision.key).or_default();
        if same.iter().any(|other| other.state != decision.state) {
            let key = &decision.key;
            return Err(format!("{key} is decided twice, and differently; keep one"));
        }
        same.push(decision);
    }
    let mut changed = 0;
    for group in policy.groups.values_mut() {
        for entry in &mut group.entries {
            let before = said(entry);
            for decision in by_key.get(entry.key.as_str()).into_iter().flatten() {
                apply(entry, decision)?;
            }
            changed += usize::from(before != said(entry));
        }
    }
    Ok(changed)
}

/// What a person has said about an entry.
#[derive(PartialEq)]
struct Said {
    state: EntryState,
    texts: [Option<String>; 4],
    expires: Option<Date>,
}

fn said(entry: &PolicyEntry) -> Said {
    Said {
        state: entry.state,
        texts: [
            entry.reason.clone(),
            entry.owner.clone(),
            entry.ticket.clone(),
            entry.changed.clone(),
        ],
        expires: entry.expires,
    }
}

fn apply(entry: &mut PolicyEntry, decision: &PolicyDecision) -> Result<(), String> {
    let given = |text: Option<&String>| text.filter(|text| !text.trim().is_empty()).cloned();
    let given_reason = given(decision.reason.as_ref());
    let (from, to) = (entry.state, decision.state);
    let is_reversed = from != to && from.is_decided() && to.is_decided();
    if is_reversed && given_reason.is_none() && entry.reason.is_some() {
        return Err(format!(
            "{} is {}; give a reason why it is {} now, for the one that is there speaks for the opposite",
            entry.key,
            from.as_str(),
            to.as_str()
        ));
    }
    let reason = given_reason.or_else(|| entry.reason.clone());
    if decision.state == EntryState::Declined && reason.is_none() {
        return Err(format!(
            "{} can't be declined without a reason; say why, so that nobody has to find out again",
            entry.key
        ));
    }
    entry.state = decision.state;
    entry.reason = reason;
    entry.owner = given(decision.owner.as_ref()).or_else(|| entry.owner.take());
    entry.ticket = given(decision.ticket.as_ref()).or_else(|| entry.ticket.take());
    entry.expires = decision.expires.or(entry.expires);
    if decision.state != EntryState::Proposed {
        entry.changed = None;
    }
    Ok(())
}
