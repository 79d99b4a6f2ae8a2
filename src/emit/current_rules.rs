//! Today's rules with their hits, as `audit.json` has them.

use schemars::JsonSchema;
use serde::Serialize;

use super::change::PermissionRow;
use crate::audit::Audit;

/// A rule of today, with its hits: what AWS does not count.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CurrentRow {
    group_id: String,
    #[serde(flatten)]
    permission: PermissionRow,
    security_group_rule_id: Option<String>,
    /// Connections it let through, alone or with other rules of the interface.
    connections: u64,
    /// Those that no other rule of the interface let through.
    connections_alone: u64,
    records: u64,
    bytes: u64,
    first_hit: Option<u64>,
    last_hit: Option<u64>,
    /// Another rule of the group lets everything through that this one does: its
    /// position among the group's rules here, from 0.
    covered_by: Option<usize>,
}

/// Every rule of every known group, in order.
pub(super) fn current_rules(audit: &Audit) -> Vec<CurrentRow> {
    let groups = audit.inventory.groups().iter().zip(&audit.hits);
    let rows = groups.flat_map(|(group, hits)| {
        group
            .rules
            .iter()
            .zip(hits)
            .enumerate()
            .map(|(position, (rule, hits))| {
                let others = group
                    .rules
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != position);
                // Two rules that cover each other are told apart by their place.
                let covering = others
                    .filter(|(other, r)| r.covers(rule) && (!rule.covers(r) || *other < position));
                CurrentRow {
                    group_id: group.id.clone(),
                    permission: PermissionRow::new(rule),
                    security_group_rule_id: rule.rule_id.clone(),
                    connections: hits.connections,
                    connections_alone: hits.alone,
                    records: hits.records,
                    bytes: hits.bytes,
                    first_hit: hits.seen.map(|(first, _)| first),
                    last_hit: hits.seen.map(|(_, last)| last),
                    covered_by: covering.map(|(other, _)| other).next(),
                }
            })
    });
    rows.collect()
}
