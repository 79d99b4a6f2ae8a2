//! Differences from the policy: the document, and how people and code scanning read it.

mod sarif;
mod text;

pub use sarif::drift_sarif;
pub use text::drift_text;

use crate::documents::{
    DifferenceRow, DriftCounts, DriftDocument, DriftLevel, PermissionRow, SCHEMA_VERSION, Tool,
    Window,
};
use crate::drift::{Difference, Drift};
use crate::net::stable_id;

/// What a document says beside the differences.
#[derive(Clone, Debug)]
pub struct DriftFacts<'a> {
    /// The day with which expiries were compared.
    pub today: &'a str,
    /// The time that the flow logs cover, Unix seconds.
    pub window: Option<(u64, u64)>,
}

/// The document of the differences. `file` names the policy's file of a group, or the one that marks the policy.
pub fn drift_document(
    drift: &Drift,
    facts: &DriftFacts<'_>,
    file: impl Fn(Option<&str>) -> String,
) -> DriftDocument {
    let row = |difference: &Difference| row(difference, drift.with_plan, &file);
    let differences: Vec<DifferenceRow> = drift.differences.iter().map(row).collect();
    let (counting, today): (Vec<&DifferenceRow>, Vec<&DifferenceRow>) = differences
        .iter()
        .partition(|row| !drift.with_plan || row.is_of_plan());
    let (counts, today_counts) = (count(&counting), count(&today));
    DriftDocument {
        schema_version: SCHEMA_VERSION,
        tool: Tool::default(),
        today: facts.today.to_owned(),
        window: facts.window.map(|(start, end)| Window { start, end }),
        with_plan: drift.with_plan,
        differs: drift.differs(),
        counts,
        today_counts,
        not_judged: drift.not_judged,
        differences,
    }
}

fn row(
    difference: &Difference,
    with_plan: bool,
    file: impl Fn(Option<&str>) -> String,
) -> DifferenceRow {
    let rule = difference.rule.as_ref().map(PermissionRow::new);
    let permission = rule.as_ref().map(ToString::to_string);
    let parts = [
        difference.kind.as_str(),
        difference.group.as_deref().unwrap_or_default(),
        difference.key.as_deref().unwrap_or_default(),
        // Of connections to many addresses, there is a rule while there is one address only.
        match permission.as_deref() {
            Some(permission) if difference.about.is_empty() => permission,
            _ => difference.about.as_str(),
        },
    ];
    let (group, line) = match &difference.place {
        Some((group, line)) => (Some(group.as_str()), *line),
        None => (None, 1),
    };
    DifferenceRow {
        id: stable_id("dr", &parts),
        kind: difference.kind,
        level: difference.level,
        subject: difference.kind.subject(),
        decides: difference.decides(with_plan),
        group_id: difference.group.clone(),
        group_name: difference.group_name.clone(),
        key: difference.key.clone(),
        security_group_rule_id: difference
            .rule
            .as_ref()
            .and_then(|rule| rule.rule_id.clone()),
        rule,
        what: difference.what.clone(),
        to_do: difference.to_do.clone(),
        file: file(group),
        line: line as u64,
        connections: difference.connections,
        evidence: difference.examples.clone(),
        ended_by_plan: difference.ended_by_plan,
    }
}

fn count(rows: &[&DifferenceRow]) -> DriftCounts {
    let of = |level: DriftLevel| rows.iter().filter(|row| row.level == level).count() as u64;
    DriftCounts {
        errors: of(DriftLevel::Error),
        warnings: of(DriftLevel::Warning),
        notes: of(DriftLevel::Note),
    }
}
