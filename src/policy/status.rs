//! Where each group of a policy stands.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::entry::{EntryState, days_between};
use super::group::{GroupPolicy, PolicyMode, PolicySet};
use crate::documents::AuditDocument;

/// Where a group stands.
#[derive(Clone, Debug)]
pub struct GroupStatus<'a> {
    /// The group.
    pub group: &'a GroupPolicy,
    /// Its entries by state, in the order of [`EntryState::ALL`].
    pub counts: [usize; 4],
    /// The day on which its newest entry was first seen.
    pub newest: Option<Date>,
    /// Days from then to the end of the latest observation window that was merged.
    pub stable_for: Option<i64>,
    /// Whether every entry is accepted or declined.
    pub decided: bool,
    /// Whether the run says that the evidence is enough; none without a run, or where the run does not know the group.
    pub enough_evidence: Option<bool>,
    /// What the run says to wait for.
    pub wait_for: Vec<String>,
}

impl GroupStatus<'_> {
    /// Whether the group can be locked: everything is decided, and the run says that the evidence is enough.
    pub fn is_ready(&self) -> bool {
        self.decided && self.enough_evidence == Some(true) && self.group.mode == PolicyMode::Learn
    }
}

/// Where every group stands, by id.
pub fn status<'a>(
    policy: &'a PolicySet,
    audit: Option<&AuditDocument<'_>>,
) -> Vec<GroupStatus<'a>> {
    let groups = policy.groups.values();
    groups.map(|group| of(group, audit)).collect()
}

fn of<'a>(group: &'a GroupPolicy, audit: Option<&AuditDocument<'_>>) -> GroupStatus<'a> {
    let mut counts = [0; 4];
    for entry in &group.entries {
        let position = EntryState::ALL
            .iter()
            .position(|state| *state == entry.state);
        counts[position.expect("every state is among all")] += 1;
    }
    let newest = group
        .entries
        .iter()
        .filter_map(|entry| entry.first_seen)
        .max();
    let as_of = group.as_of.map(|time| time.to_zoned(TimeZone::UTC).date());
    let stable_for = newest.zip(as_of);
    let ready = audit.and_then(|audit| {
        let mut rows = audit.readiness.iter();
        rows.find(|row| row.group_id == group.group)
    });
    GroupStatus {
        group,
        counts,
        newest,
        stable_for: stable_for.map(|(newest, as_of)| days_between(newest, as_of).max(0)),
        decided: group.entries.iter().all(|entry| entry.state.is_decided()),
        enough_evidence: ready.map(|row| row.ready),
        wait_for: ready.map(|row| row.wait_for.clone()).unwrap_or_default(),
    }
}
