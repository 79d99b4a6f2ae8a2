//! What people have decided already, whatever shape the rules of a run have.
//!
//! A run's rule may be wider than an entry, name another group of the same interface, or be the other end's half. So decisions are
//! compared with the connections that need the rule, not with the rule alone.

use std::collections::BTreeMap;

use super::entry::{EntryState, PolicyEntry, PolicyTarget};
use super::group::PolicySet;
use super::reach::{overlap, permits, permits_service};
use crate::documents::{ConnectionRow, Direction, EndRow};
use crate::inventory::{Rule, Target};

/// A decided entry.
struct PriorDecision {
    position: usize,
    key: String,
    direction: Direction,
    is_declined: bool,
    /// Whether the ingress half on the target's group belongs to it.
    mutual: bool,
    names_group: bool,
    /// On its own group.
    rules: Vec<Rule>,
}

/// Every decided entry, by group.
pub(super) struct PriorDecisions {
    by_group: BTreeMap<String, Vec<PriorDecision>>,
}

/// A rule of a run, and the connections that need it.
pub(super) struct AskedRule<'r, 'a> {
    /// The group that it belongs to.
    pub(super) group: &'r str,
    pub(super) rule: &'r Rule,
    /// Whether it is half of a mutual pair.
    pub(super) mutual: bool,
    pub(super) connections: &'r [&'a ConnectionRow<'a>],
}

/// What was decided about a rule's connections.
#[derive(Default)]
pub(super) struct DecidedBefore {
    /// Whether each of them, and there are some, has been accepted or declined.
    pub(super) is_settled: bool,
    /// Positions of connections by entry: by the group in whose file it is, and its position there.
    pub(super) by_entry: BTreeMap<(String, usize), Vec<usize>>,
    /// Keys of declined entries that decline some of what the rule would permit, in order.
    pub(super) declined: Vec<String>,
}

impl PriorDecisions {
    pub(super) fn of(policy: &PolicySet) -> Self {
        let mut by_group: BTreeMap<String, Vec<PriorDecision>> = BTreeMap::new();
        for (id, group) in &policy.groups {
            for (position, entry) in group.entries.iter().enumerate() {
                if entry.state.is_decided() {
                    let own = by_group.entry(id.clone()).or_default();
                    own.push(PriorDecision::of(position, entry));
                }
            }
        }
        Self { by_group }
    }

    fn in_files<'d>(
        &'d self,
        end: &'d EndRow<'_>,
        direction: Direction,
    ) -> impl Iterator<Item = (&'d str, &'d PriorDecision)> {
        let files = end.groups.iter();
        files
            .filter_map(move |id| self.by_group.get_key_value(&**id))
            .flat_map(|(id, decisions)| decisions.iter().map(move |one| (id.as_str(), one)))
            .filter(move |(_, one)| one.direction == direction)
    }

    /// What was decided about the connections that need a rule.
    pub(super) fn about(&self, asked: &AskedRule<'_, '_>) -> DecidedBefore {
        let mut found = DecidedBefore::default();
        let mut settled = 0;
        for (at, connection) in asked.connections.iter().enumerate() {
            let (own, other) = match asked.rule.direction {
                Direction::Egress => (&connection.initiator, &connection.responder),
                Direction::Ingress => (&connection.responder, &connection.initiator),
            };
            // One that the rule does not permit says nothing about it. What a list holds is not known here.
            let needs = match asked.rule.target {
                Target::PrefixList(_) => permits_service(asked.rule, connection),
                _ => permits(asked.rule, connection, other, None),
            };
            if !needs {
                continue;
            }
            let mut is_settled = false;
            for (id, one) in self.in_files(own, asked.rule.direction) {
                if !one.permits(connection, other) {
                    continue;
                }
                if one.settles(asked) {
                    is_settled = true;
                    let by = found.by_entry.entry((id.to_owned(), one.position));
                    by.or_default().push(at);
                } else if one.is_declined {
                    found.declined.push(one.key.clone());
                }
            }
            for (id, one) in self.in_files(other, asked.rule.direction.opposite()) {
                if one.settles_other_half() && one.permits(connection, own) {
                    is_settled = true;
                    let by = found.by_entry.entry((id.to_owned(), one.position));
                    by.or_default().push(at);
                }
            }
            settled += usize::from(is_settled);
        }
        found.is_settled = settled > 0 && settled == asked.connections.len();
        let own = self.by_group.get(asked.group).into_iter().flatten();
        let declined = own.filter(|one| one.is_declined);
        let overlapping =
            declined.filter(|one| one.rules.iter().any(|rule| overlap(rule, asked.rule)));
        found
            .declined
            .extend(overlapping.map(|one| one.key.clone()));
        found.declined.sort();
        found.declined.dedup();
        found
    }
}

impl PriorDecision {
    fn of(position: usize, entry: &PolicyEntry) -> Self {
        Self {
            position,
            key: entry.key.clone(),
            direction: entry.direction,
            is_declined: entry.state == EntryState::Declined,
            mutual: entry.mutual,
            names_group: matches!(entry.target, PolicyTarget::Group(_)),
            rules: entry.rules(),
        }
    }

    fn permits(&self, connection: &ConnectionRow<'_>, other: &EndRow<'_>) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| permits(rule, connection, other, None))
    }

    /// Whether it decides about a rule in the same direction, where it permits the connections. Declining addresses says nothing about a
    /// group: a wide prefix is often declined in favour of pairs.
    fn settles(&self, asked: &AskedRule<'_, '_>) -> bool {
        if self.is_declined {
            self.names_group == matches!(asked.rule.target, Target::Group(_))
        } else {
            self.mutual || !asked.mutual
        }
    }

    /// Whether an entry in the file of the other end's group decides: one that declines the group, or an accepted pair.
    fn settles_other_half(&self) -> bool {
        let is_pair = self.direction == Direction::Egress && self.mutual;
        self.names_group && (self.is_declined || is_pair)
    }
}
