//! Differences from the policy, for a terminal, a pull request and a log of CI.

use std::fmt::Write as _;

use crate::documents::{DifferenceRow, DriftCounts, DriftDocument, DriftSubject};
use crate::net::{day, plural, visible};

/// The differences by group, and how many there are.
pub fn drift_text(document: &DriftDocument) -> String {
    let mut text = String::new();
    if document.with_plan {
        let (plan, today): (Vec<&DifferenceRow>, Vec<&DifferenceRow>) = document
            .differences
            .iter()
            .partition(|row| row.is_of_plan());
        line(&mut text, "The plan");
        if plan.is_empty() {
            line(&mut text, "  breaks nothing and opens nothing");
        }
        rows(&mut text, &plan);
        if !today.is_empty() {
            line(&mut text, "");
            line(
                &mut text,
                "Today, whatever the plan does (not in the exit code)",
            );
            rows(&mut text, &today);
        }
        line(&mut text, "");
        counted(&mut text, "plan", document.counts);
        counted(&mut text, "today", document.today_counts);
    } else {
        let all: Vec<&DifferenceRow> = document.differences.iter().collect();
        rows(&mut text, &all);
        if !all.is_empty() {
            line(&mut text, "");
        }
        counted(&mut text, "drift", document.counts);
    }
    if let Some(window) = document.window {
        let (from, to) = (day(window.start), day(window.end));
        line(&mut text, &format!("traffic       {from} to {to}"));
    }
    if document.not_judged > 0 {
        let unknown = plural(document.not_judged, "accepted connection");
        line(
            &mut text,
            &format!("not judged    {unknown}: the inventory does not tell enough of them"),
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

fn counted(text: &mut String, label: &str, counts: DriftCounts) {
    let DriftCounts {
        errors,
        warnings,
        notes,
    } = counts;
    let said = if counts == DriftCounts::default() {
        "no difference".to_owned()
    } else {
        format!(
            "{}, {}, {}",
            plural(errors, "error"),
            plural(warnings, "warning"),
            plural(notes, "note")
        )
    };
    line(text, &format!("{label:<14}{said}"));
}

/// Differences under the names of their groups.
fn rows(text: &mut String, rows: &[&DifferenceRow]) {
    let mut before: Option<&DifferenceRow> = None;
    for &row in rows {
        if before.is_none_or(|before| before.group_id != row.group_id) {
            let heading = match row.group_id.as_deref() {
                Some(id) => {
                    let id = visible(id, 80);
                    let name = visible(&row.group_name, 60);
                    if name.is_empty() || name == id {
                        id
                    } else {
                        format!("{name} ({id})")
                    }
                }
                None => "No group".to_owned(),
            };
            line(text, &heading);
        }
        before = Some(row);
        difference(text, row);
    }
}

fn difference(text: &mut String, row: &DifferenceRow) {
    let (level, kind) = (row.level.as_str(), row.kind.as_str());
    line(
        text,
        &format!("  {level}: {kind}: {}", visible(&row.what, 1000)),
    );
    line(text, &format!("    do: {}", visible(&row.to_do, 1000)));
    if row.ended_by_plan {
        line(text, "    The plan ends this.");
    }
    let key = row.key.as_ref().map(|key| format!(" {key}"));
    let place = format!(
        "    at: {}:{}{}",
        visible(&row.file, 300),
        row.line,
        key.unwrap_or_default()
    );
    line(text, &place);
    if let Some(id) = &row.security_group_rule_id {
        line(text, &format!("    rule: {}", visible(id, 80)));
    }
    if !row.evidence.is_empty() {
        let ids: Vec<String> = row.evidence.iter().map(ToString::to_string).collect();
        line(text, &format!("    such as: {}", ids.join(", ")));
    }
}

impl DifferenceRow {
    /// Whether a plan makes the difference.
    pub(super) fn is_of_plan(&self) -> bool {
        self.subject == DriftSubject::Plan
    }
}
