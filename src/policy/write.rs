//! A policy's files, written so that what people wrote in them stays: comments, order, and every value that did not change.

use std::fmt::Write as _;

use ipnet::IpNet;
use jiff::civil::Date;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, Value};

use super::entry::{EntryEvidence, PolicyEntry, PolicyTarget};
use super::group::GroupPolicy;
use super::read::POLICY_SCHEMA;
use crate::documents::Direction;
use crate::inventory::{RulePorts, RuleProtocol};
use crate::net::is_invisible;

/// From how many values on a list has a line for each.
const LINES_FROM: usize = 4;

/// A key, and its value as TOML; none where the key is not written.
type Field = (&'static str, Option<String>);

/// `policy.toml` of a new policy.
pub fn new_marker() -> String {
    format!(
        "# A policy of closegate: a file for each security group. docs/policy.md describes them.\nschema = {POLICY_SCHEMA}\n"
    )
}

/// A group's file. `before` is the file as it is, and what was read from it; none for a new file. The error says why the file can't be
/// edited.
pub fn write_group(
    before: Option<(&str, &GroupPolicy)>,
    after: &GroupPolicy,
) -> Result<String, String> {
    let new = format!("schema = {POLICY_SCHEMA}\n");
    let text = before.map_or(&*new, |(text, _)| text);
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut changed = before.is_none();
    let old = before.map(|(_, group)| group_fields(group));
    changed |= set(
        document.as_table_mut(),
        old.as_deref().unwrap_or_default(),
        &group_fields(after),
    );
    for direction in Direction::ALL {
        let own = |group: &GroupPolicy| -> Vec<PolicyEntry> {
            let entries = group.entries.iter();
            entries
                .filter(|entry| entry.direction == *direction)
                .cloned()
                .collect()
        };
        let old = before.map(|(_, group)| own(group)).unwrap_or_default();
        changed |= set_entries(&mut document, *direction, &old, &own(after))?;
    }
    Ok(if changed {
        with_line_ends_of(text, document.to_string())
    } else {
        text.to_owned()
    })
}

/// A text with the line ends of the one before, where that has no others than those of Windows.
fn with_line_ends_of(before: &str, after: String) -> String {
    let windows = before.matches("\r\n").count();
    if windows == 0 || windows != before.matches('\n').count() {
        return after;
    }
    after.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// Writes the entries of one direction. Says whether anything changed.
fn set_entries(
    document: &mut DocumentMut,
    direction: Direction,
    before: &[PolicyEntry],
    after: &[PolicyEntry],
) -> Result<bool, String> {
    let name = match direction {
        Direction::Egress => "allow",
        Direction::Ingress => "admit",
    };
    if after.is_empty() {
        return Ok(false);
    }
    if !document.as_table().contains_key(name) {
        // Egress goes first, whatever came first.
        let ingress = document.as_table_mut().remove("admit");
        let empty = Item::ArrayOfTables(ArrayOfTables::new());
        document.as_table_mut().insert(name, empty);
        if let Some(ingress) = ingress {
            document.as_table_mut().insert("admit", ingress);
        }
    }
    let found = document.as_table_mut().get_mut(name);
    let Some(tables) = found.and_then(Item::as_array_of_tables_mut) else {
        return Err(format!(
            "{name} is a list of tables in braces; write each as [[{name}]], so that closegate can edit it"
        ));
    };
    let mut changed = false;
    for (table, old) in tables.iter_mut().zip(before) {
        // Entries are never removed, so each is where it was.
        let Some(new) = after.iter().find(|entry| entry.key == old.key) else {
            continue;
        };
        changed |= set(table, &entry_fields(old), &entry_fields(new));
    }
    let is_new = |entry: &&PolicyEntry| !before.iter().any(|old| old.key == entry.key);
    let mut added: Vec<&PolicyEntry> = after.iter().filter(is_new).collect();
    if added.is_empty() {
        return Ok(changed);
    }
    added.sort_by(|a, b| a.key.cmp(&b.key));
    let table_of = |entry: &PolicyEntry| {
        let mut table = Table::new();
        set(&mut table, &[], &entry_fields(entry));
        table
    };
    // Each new one goes before the first with a greater key, so that entries which nobody moved are in the order of their keys.
    let mut all: Vec<Table> = Vec::with_capacity(after.len());
    let mut added = added.into_iter().peekable();
    for table in tables.iter() {
        let key = table.get("key").and_then(Item::as_str).unwrap_or_default();
        while let Some(entry) = added.next_if(|entry| entry.key.as_str() < key) {
            all.push(table_of(entry));
        }
        all.push(table.clone());
    }
    all.extend(added.map(table_of));
    *tables = all.into_iter().collect();
    Ok(true)
}

/// Sets the keys whose values differ. Says whether any does.
fn set(table: &mut Table, before: &[Field], after: &[Field]) -> bool {
    let mut changed = false;
    for (key, value) in after {
        let old = before.iter().find(|(old, _)| old == key);
        let old = old.and_then(|(_, value)| value.as_ref());
        if old == value.as_ref() {
            continue;
        }
        changed = true;
        match value {
            None => {
                table.remove(key);
            }
            Some(text) => set_value(table, key, text),
        }
    }
    changed
}

/// Sets a key, and keeps the comments around its value.
fn set_value(table: &mut Table, key: &str, text: &str) {
    let mut new: Value = text.parse().expect("closegate writes TOML");
    let Some(item) = table.get_mut(key) else {
        table.insert(key, Item::Value(new));
        return;
    };
    if let (Some(old), Some(wanted)) = (item.as_array_mut(), new.as_array())
        && old.to_string().contains('#')
    {
        edit_list(old, wanted);
        return;
    }
    if let Some(old) = item.as_value() {
        *new.decor_mut() = old.decor().clone();
    }
    *item = Item::Value(new);
}

/// Edits a list that has comments in it: what goes is taken out, what comes is put at the end, and the rest stays.
fn edit_list(old: &mut Array, wanted: &Array) {
    let wanted: Vec<String> = wanted.iter().map(plain).collect();
    let mut at = 0;
    while let Some(value) = old.get(at) {
        if wanted.contains(&plain(value)) {
            at += 1;
        } else {
            take_out(old, at);
        }
    }
    let last = old.len().checked_sub(1);
    if let Some(last) = last.and_then(|at| old.get_mut(at)) {
        let behind = last.decor().suffix().and_then(RawString::as_str);
        let behind = behind.unwrap_or_default().to_owned();
        if behind.contains('#') {
            // The comma goes before the comment.
            last.decor_mut().set_suffix("");
            old.set_trailing(behind);
        }
    }
    let there: Vec<String> = old.iter().map(plain).collect();
    for new in wanted.iter().filter(|new| !there.contains(new)) {
        let value: Value = new.parse().expect("closegate writes TOML");
        // A comment behind the last value lies between it and the bracket.
        let behind = old.trailing().as_str().unwrap_or_default().to_owned();
        let behind = behind.trim_end().to_owned();
        old.push_formatted(value.decorated(format!("{behind}\n    "), ""));
        old.set_trailing("\n");
    }
    old.set_trailing_comma(true);
}

/// Takes a value out of a list. A comment before it may be about the value before, so it stays.
fn take_out(list: &mut Array, at: usize) {
    let gone = list.remove(at);
    let (before, behind) = (gone.decor().prefix(), gone.decor().suffix());
    let texts = [before, behind].map(|raw| raw.and_then(RawString::as_str).unwrap_or_default());
    let comments = texts.concat();
    if !comments.contains('#') {
        return;
    }
    let join = |own: &str| {
        let ends_line = own.trim_start_matches([' ', '\t']);
        let end = if ends_line.starts_with(['\n', '\r', '#']) {
            ""
        } else {
            "\n"
        };
        format!("{}{end}{own}", comments.trim_end())
    };
    if let Some(next) = list.get_mut(at) {
        let own = next.decor().prefix().and_then(RawString::as_str);
        let joined = join(own.unwrap_or_default());
        next.decor_mut().set_prefix(joined);
    } else {
        let joined = join(list.trailing().as_str().unwrap_or_default());
        list.set_trailing(joined);
    }
}

/// A value of a list as closegate writes it, however a person did.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let net = text.value().parse::<IpNet>();
            net.map_or_else(|_| quoted(text.value()), |net| quoted(&net.to_string()))
        }
        Value::Integer(number) => number.value().to_string(),
        other => other.clone().decorated("", "").to_string(),
    }
}

/// The keys of a group.
fn group_fields(group: &GroupPolicy) -> Vec<Field> {
    let given = |text: &str| (!text.is_empty()).then(|| quoted(text));
    vec![
        ("group", given(&group.group)),
        ("name", given(&group.name)),
        ("vpc", given(&group.vpc)),
        ("account", given(&group.account)),
        ("owner", group.owner.as_deref().map(quoted)),
        ("mode", Some(quoted(group.mode.as_str()))),
        ("as_of", group.as_of.map(|time| time.to_string())),
    ]
}

/// The keys of an entry, in the order in which a new one has them.
fn entry_fields(entry: &PolicyEntry) -> Vec<Field> {
    let text = |text: Option<&String>| text.map(|text| quoted(text));
    let day = |day: Option<Date>| day.map(|day| day.to_string());
    let mut fields = vec![("key", Some(quoted(&entry.key)))];
    let egress = entry.direction == Direction::Egress;
    let side = |to, from| if egress { to } else { from };
    fields.push(match &entry.target {
        PolicyTarget::Group(id) => (side("to_group", "from_group"), Some(quoted(id))),
        PolicyTarget::Prefixes(nets) => (
            side("to_prefixes", "from_prefixes"),
            Some(list(
                nets.iter().map(|net: &IpNet| quoted(&net.to_string())),
            )),
        ),
        PolicyTarget::PrefixList(id) => {
            (side("to_prefix_list", "from_prefix_list"), Some(quoted(id)))
        }
        PolicyTarget::Service(name) => ("to_service", Some(quoted(name))),
    });
    fields.push((
        side("to_name", "from_name"),
        text(entry.target_name.as_ref()),
    ));
    let is_group = matches!(entry.target, PolicyTarget::Group(_));
    let alone = egress && is_group && !entry.mutual;
    fields.push(("mutual", alone.then(|| "false".to_owned())));
    fields.push((
        "protocol",
        Some(match entry.protocol {
            RuleProtocol::All => quoted("all"),
            RuleProtocol::One(one) => quoted(&one.to_string()),
        }),
    ));
    fields.extend(services(&entry.ports));
    fields.extend([
        ("state", Some(quoted(entry.state.as_str()))),
        ("owner", text(entry.owner.as_ref())),
        ("reason", text(entry.reason.as_ref())),
        ("ticket", text(entry.ticket.as_ref())),
        ("expires", day(entry.expires)),
        ("extends", text(entry.extends.as_ref())),
        ("changed", text(entry.changed.as_ref())),
        ("first_seen", day(entry.first_seen)),
        ("last_seen", day(entry.last_seen())),
        (
            "days_seen",
            (!entry.days.is_empty()).then(|| entry.days.len().to_string()),
        ),
        (
            "days",
            (!entry.days.is_empty()).then(|| list(runs(&entry.days))),
        ),
        (
            "connections",
            (entry.connections > 0).then(|| entry.connections.to_string()),
        ),
        (
            "confidence",
            entry.confidence.map(|rating| quoted(rating.as_str())),
        ),
        ("evidence", entry.evidence.as_ref().map(evidence)),
    ]);
    fields
}

/// `ports`, `icmp_type` and `icmp_code`.
fn services(ports: &[RulePorts]) -> [Field; 3] {
    let ranges = ports.iter().filter_map(|ports| match ports {
        RulePorts::Ports(range) if range.from() == range.to() => Some(range.from().to_string()),
        RulePorts::Ports(range) => Some(quoted(&range.to_string())),
        RulePorts::Any | RulePorts::Icmp { .. } => None,
    });
    let ranges: Vec<String> = ranges.collect();
    let (kind, code) = match ports.first() {
        Some(RulePorts::Icmp { kind, code }) => (*kind, *code),
        _ => (None, None),
    };
    [
        ("ports", (!ranges.is_empty()).then(|| list(ranges))),
        ("icmp_type", kind.map(|kind| kind.to_string())),
        ("icmp_code", code.map(|code| code.to_string())),
    ]
}

fn evidence(evidence: &EntryEvidence) -> String {
    let texts = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        texts.join(", ")
    };
    let quarantined = if evidence.quarantined.is_empty() {
        String::new()
    } else {
        format!(", quarantined = [{}]", texts(&evidence.quarantined))
    };
    format!(
        "{{ run = {}, until = {}, rules = [{}], connections = [{}]{quarantined} }}",
        quoted(&evidence.run),
        evidence.until,
        texts(&evidence.rules),
        texts(&evidence.connections)
    )
}

/// Days as runs: `"2026-11-01/2026-11-07"`.
fn runs(days: &std::collections::BTreeSet<Date>) -> Vec<String> {
    let mut runs: Vec<(Date, Date)> = Vec::new();
    for &day in days {
        match runs.last_mut() {
            Some((_, last)) if last.tomorrow().is_ok_and(|next| next == day) => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let text = |(first, last): (Date, Date)| {
        if first == last {
            quoted(&first.to_string())
        } else {
            quoted(&format!("{first}/{last}"))
        }
    };
    runs.into_iter().map(text).collect()
}

/// A list of values that are TOML already: in one line, or a line for each where they are many.
fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    if values.len() < LINES_FROM {
        return format!("[{}]", values.join(", "));
    }
    format!("[\n    {},\n]", values.join(",\n    "))
}

/// A text in one line, in which nothing hides: what a terminal or a review would not show is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_invisible(c) => {
                let number = u32::from(c);
                let written = if number <= 0xffff {
                    write!(out, "\\u{number:04X}")
                } else {
                    write!(out, "\\U{number:08X}")
                };
                written.expect("writing to a string does not fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
