//! A table of the change, for a spreadsheet.

use super::error::RuleFormatError;
use crate::documents::{ChangeDocument, PermissionRow};
use crate::net::visible;

pub(super) const COLUMNS: &[&str] = &[
    "action",
    "group_id",
    "group_name",
    "direction",
    "protocol",
    "from_port",
    "to_port",
    "target",
    "target_name",
    "security_group_rule_id",
    "confidence",
    "connections",
    "description",
    "why",
    "id",
];

/// Every rule to add, keep and revoke.
pub(super) fn csv(change: &ChangeDocument) -> Result<String, RuleFormatError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for rule in &change.rules {
        let action = rule.status.as_str();
        let tail = [
            rule.confidence.as_str(),
            rule.evidence.len().to_string().as_str(),
            &rule.wording,
            &rule.why,
            &rule.id,
        ]
        .map(inert);
        let id = rule.security_group_rule_id.as_deref();
        let head = head(
            change,
            action,
            (&rule.group_id, &rule.group_name),
            &rule.permission,
            id,
        );
        table.write_record(head.into_iter().chain(tail))?;
    }
    for (action, rows) in [
        ("revoke", &change.revocations),
        ("tighten", &change.tightenings),
    ] {
        for gone in rows {
            let id = gone.security_group_rule_id.as_deref();
            let tail = ["", "", &gone.description, &gone.reason, ""].map(inert);
            let head = head(
                change,
                action,
                (&gone.group_id, &gone.group_name),
                &gone.permission,
                id,
            );
            table.write_record(head.into_iter().chain(tail))?;
        }
    }
    let bytes = table
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}

fn head(
    change: &ChangeDocument,
    action: &str,
    (id, name): (&str, &str),
    permission: &PermissionRow,
    rule_id: Option<&str>,
) -> [String; 10] {
    let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
    let (from, to) = (port(permission.from_port), port(permission.to_port));
    let target = permission.target.text();
    let known = if target.starts_with("pl-") {
        change.list_name(target)
    } else {
        change.group_name(target)
    };
    [
        action,
        id,
        name,
        permission.direction.as_str(),
        &permission.protocol,
        &from,
        &to,
        target,
        if known == target { "" } else { known },
        rule_id.unwrap_or_default(),
    ]
    .map(inert)
}

/// What begins a formula in a spreadsheet, as itself and in full width.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A cell that no spreadsheet takes for a formula, with nothing in it that a terminal would obey or hide: an apostrophe
/// stands before what would begin a formula, unless it is a number. A spreadsheet skips spaces before a formula, and
/// where lists are separated by semicolons it takes what follows one for a cell.
pub(in crate::emit) fn inert(text: &str) -> String {
    let text = visible(text, usize::MAX);
    if text.parse::<i64>().is_ok() {
        return text;
    }
    let part = |part: &str| {
        let formula = part.trim_start().starts_with(FORMULA);
        format!("{}{part}", if formula { "'" } else { "" })
    };
    text.split(';').map(part).collect::<Vec<_>>().join(";")
}
