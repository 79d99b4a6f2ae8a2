//! Today's rules with the connections that each permitted, as `audit.json` has them.

use crate::audit::Audit;
use crate::documents::{CurrentRow, PermissionRow};
use crate::suggest::rule_id;

/// Every rule of every known group, in order.
pub(super) fn current_rules(audit: &Audit) -> Vec<CurrentRow> {
    let inventory = &audit.inventory;
    let groups = inventory.group_indexes().zip(&audit.hits);
    let rows = groups.flat_map(|(ix, hits)| {
        let group = inventory.group(ix);
        let rules = group.rules.iter().zip(hits).enumerate();
        rules.map(move |(position, (rule, hits))| {
            let others = group
                .rules
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != position);
            // Of two rules that cover each other, the later one is covered.
            let mut covering = others
                .filter(|(other, r)| r.covers(rule) && (!rule.covers(r) || *other < position));
            CurrentRow {
                id: rule_id(inventory, ix, rule),
                group_id: group.id.clone(),
                permission: PermissionRow::new(rule),
                security_group_rule_id: rule.rule_id.clone(),
                connections: hits.connections,
                connections_alone: hits.alone,
                records: hits.records,
                bytes: hits.bytes,
                first_hit: hits.seen.map(|(first, _)| first),
                last_hit: hits.seen.map(|(_, last)| last),
                covered_by: covering.next().map(|(other, _)| other),
            }
        })
    });
    rows.collect()
}
