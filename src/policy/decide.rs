//! What people decided, put into a policy.

use jiff::civil::Date;

use super::entry::{EntryState, PolicyEntry};
use super::group::{GroupPolicy, PolicySet};
use super::read::is_key;
use crate::documents::Rating;
use crate::net::visible;

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
}

impl DecisionFilter {
    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.confidence.is_none()
            && self.state.is_none()
            && self.seen_days.is_none()
    }

    fn holds(&self, group: &GroupPolicy, entry: &PolicyEntry) -> bool {
        let mut groups = self.groups.iter();
        let is_named = |wanted: &String| *wanted == group.group || *wanted == group.name;
        (self.groups.is_empty() || groups.any(is_named))
            && self
                .confidence
                .is_none_or(|least| entry.confidence >= Some(least))
            && self.state.is_none_or(|state| entry.state == state)
            && self.seen_days.is_none_or(|least| entry.days.len() >= least)
    }

    /// The keys of the entries that it holds for: of all that are not decided yet, or of those in the state that it names.
    pub fn keys(&self, policy: &PolicySet) -> Vec<String> {
        let entries = policy.entries().filter(|(group, entry)| {
            (self.state.is_some() || !entry.state.is_decided()) && self.holds(group, entry)
        });
        entries.map(|(_, entry)| entry.key.clone()).collect()
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
    for (position, decision) in decisions.iter().enumerate() {
        let key = &decision.key;
        let mut before = decisions[..position].iter();
        if before.any(|other| other.key == *key && other.state != decision.state) {
            return Err(format!("{key} is decided twice, and differently; keep one"));
        }
    }
    let mut changed = 0;
    for group in policy.groups.values_mut() {
        for entry in &mut group.entries {
            let before = said(entry);
            for decision in decisions {
                if decision.key == entry.key {
                    apply(entry, decision)?;
                }
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
    let reason = given(decision.reason.as_ref()).or_else(|| entry.reason.clone());
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
