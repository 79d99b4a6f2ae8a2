//! The traffic against the policy.

use std::collections::BTreeMap;

use super::basis::{DriftBasis, DriftTraffic};
use super::difference::Difference;
use super::fold::{AlikeConnections, Lacking};
use super::policy_rules::PolicyRules;
use crate::documents::{Direction, DriftKind, DriftLevel};
use crate::inventory::Admission;
use crate::policy::{EntryState, GroupPolicy, PlacedEntry, PolicyMode};
use crate::replay;
use crate::resolve::{Connection, End, Verdict};

/// What the connections show about the policy.
pub(super) struct TrafficSeen<'a> {
    /// When each entry was used last, by key: Unix seconds.
    pub(super) used: BTreeMap<&'a str, u64>,
    /// Accepted connections of which the inventory does not tell whether the policy permits them.
    pub(super) not_judged: u64,
}

/// Finds the connections that the policy does not permit.
pub(super) fn traffic<'a>(
    basis: &'a DriftBasis<'a>,
    rules: &PolicyRules<'a>,
    traffic: DriftTraffic<'a>,
    found: &mut Vec<Difference>,
) -> TrafficSeen<'a> {
    let mut seen = TrafficSeen {
        used: BTreeMap::new(),
        not_judged: 0,
    };
    let mut accepted = AlikeConnections::new(basis.inventory);
    let mut quarantined = AlikeConnections::new(basis.inventory);
    for connection in traffic.connections {
        let is_quarantined = match connection.verdict {
            Verdict::Accepted => false,
            Verdict::Quarantined(_) => true,
            Verdict::Rejected | Verdict::Unattributed(_) => continue,
        };
        if connection.unfiltered(basis.inventory) {
            continue;
        }
        use_entries(rules, connection, &mut seen.used);
        let lacking = match lacking(basis, rules, connection, is_quarantined) {
            Lack::Nothing => continue,
            Lack::Unknown => {
                seen.not_judged += u64::from(!is_quarantined);
                continue;
            }
            Lack::Rule(lacking) => lacking,
        };
        if is_quarantined {
            quarantined.add(*lacking);
        } else {
            accepted.add(*lacking);
        }
    }
    found.extend(accepted.finish("accepted"));
    found.extend(quarantined.finish("quarantined"));
    seen
}

/// The two sides of a connection: the end that judges, the other, and the direction.
pub(super) fn sides(connection: &Connection) -> [((End, End), Direction); 2] {
    let (initiator, responder) = (connection.initiator, connection.responder);
    [
        ((initiator, responder), Direction::Egress),
        ((responder, initiator), Direction::Ingress),
    ]
}

/// Remembers which entries a connection needs.
fn use_entries<'a>(
    rules: &PolicyRules<'a>,
    connection: &Connection,
    used: &mut BTreeMap<&'a str, u64>,
) {
    for (ends, direction) in sides(connection) {
        for (_, entry) in rules.permitting(ends, direction, connection.service) {
            let last = used.entry(&entry.key).or_default();
            *last = (*last).max(connection.totals.last);
        }
    }
}

/// What a connection lacks in the policy.
enum Lack<'a> {
    Nothing,
    /// The inventory does not tell.
    Unknown,
    Rule(Box<Lacking<'a>>),
}

/// What the policy lacks for a connection: on the initiator's side, else on the responder's. A side whose groups the policy does not
/// cover lacks nothing.
fn lacking<'a>(
    basis: &'a DriftBasis<'a>,
    rules: &PolicyRules<'a>,
    connection: &'a Connection,
    is_quarantined: bool,
) -> Lack<'a> {
    let passage = replay::passage(basis.inventory, &rules.gates, connection);
    let mut unknown = false;
    for ((ends, direction), said) in sides(connection)
        .into_iter()
        .zip([passage.egress, passage.ingress])
    {
        let covered = rules.covered(ends.0);
        let Some(group) = PolicyRules::charged(&covered) else {
            continue;
        };
        match said {
            Admission::Allowed(..) | Admission::NoGate => {}
            Admission::Unknown(_) => unknown = true,
            // The entry of a pair is the initiator's.
            Admission::Denied
                if direction == Direction::Ingress && basis.is_end_elsewhere(ends.1) =>
            {
                unknown = true;
            }
            Admission::Denied => {
                let entry = rules.unwanted(ends, direction, connection.service);
                let (kind, level, says, to_do) = if is_quarantined {
                    quarantined()
                } else {
                    accepted(basis, group, entry, direction)
                };
                return Lack::Rule(Box::new(Lacking {
                    kind,
                    level,
                    group: (group.group.as_str(), group.name.as_str(), true),
                    entry,
                    ends,
                    direction,
                    connection,
                    says,
                    to_do,
                }));
            }
        }
    }
    if unknown {
        Lack::Unknown
    } else {
        Lack::Nothing
    }
}

/// What is said, and what to do.
type Said = (DriftKind, DriftLevel, String, String);

fn quarantined() -> Said {
    (
        DriftKind::ConnectionQuarantined,
        DriftLevel::Note,
        "suspicious or denied by today's rules, and not permitted by the policy.".to_owned(),
        "Audit the same logs, and look at the findings.".to_owned(),
    )
}

/// What is said of accepted connections that a group's entries do not permit.
fn accepted(
    basis: &DriftBasis<'_>,
    group: &GroupPolicy,
    entry: Option<PlacedEntry<'_>>,
    direction: Direction,
) -> Said {
    let is_locked = group.mode == PolicyMode::Locked;
    // What a group may open is decided by locking it; ingress stays as it is.
    let counts = is_locked && (direction == Direction::Egress || basis.closes_ingress);
    let level = if counts {
        DriftLevel::Warning
    } else {
        DriftLevel::Note
    };
    let uncovered = DriftKind::ConnectionNotCovered;
    let Some((_, entry)) = entry else {
        let says = "no entry of the policy permits them.".to_owned();
        let to_do = if is_locked {
            "Merge a run with `closegate policy update` and decide what it proposes, or revoke the rule that permits them."
        } else {
            "Merge a run with `closegate policy update`, and decide what it proposes."
        };
        return (uncovered, level, says, to_do.to_owned());
    };
    let key = &entry.key;
    match entry.state {
        EntryState::Declined => (
            DriftKind::ConnectionDeclined,
            DriftLevel::Warning,
            format!("{key} is declined, and today's rules permit them."),
            "Lock the group or revoke the rule that permits them; or accept the entry.".to_owned(),
        ),
        EntryState::Accepted => (
            uncovered,
            level,
            format!("{key} was accepted, and its last day is over."),
            format!("Decide {key} again."),
        ),
        EntryState::Proposed | EntryState::Deferred => (
            uncovered,
            level,
            format!(
                "{key} is {}, so the policy does not want it yet.",
                entry.state.as_str()
            ),
            format!("Decide {key}."),
        ),
    }
}
