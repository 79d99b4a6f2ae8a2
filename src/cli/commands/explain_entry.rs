//! `closegate explain` of an entry of a policy: its decision, and what of a run it covers.

use std::path::Path;

use crate::cli::exit::Failure;
use crate::cli::past_run::{connection_in_words, rule_in_words};
use crate::cli::policy_dir::PolicyDir;
use crate::documents::{AuditDocument, RuleRow};
use crate::inventory::Rule;
use crate::net::{ConnectionId, plural, visible};
use crate::policy::{GroupPolicy, PolicyEntry, PolicyTarget};
use crate::replay;

/// Appends one line, whatever the names in it hold.
macro_rules! say {
    ($out:expr, $($format:tt)*) => {
        $out.push_str(&(visible(&format!($($format)*), 400) + "\n"))
    };
}

/// The entry of a key, with what of the run it covers; nothing if the policy has no such key.
pub(super) fn entry(
    audit: &AuditDocument<'_>,
    dir: &Path,
    key: &str,
) -> Result<Option<String>, Failure> {
    let read = PolicyDir::read(dir)?;
    let policy = read.readable()?;
    let found = policy.entries().find(|(_, entry)| entry.key == key);
    Ok(found.map(|(group, entry)| {
        let mut out = String::new();
        decision(&mut out, group, entry, &read.path(&group.group));
        covered(&mut out, audit, group, entry);
        out
    }))
}

fn decision(out: &mut String, group: &GroupPolicy, entry: &PolicyEntry, file: &Path) {
    let target = match &entry.target {
        PolicyTarget::Group(id) | PolicyTarget::PrefixList(id) => id.clone(),
        PolicyTarget::Service(name) => name.clone(),
        PolicyTarget::Prefixes(nets) => {
            let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
            nets.join(" ")
        }
    };
    let name = entry.target_name.as_ref().map(|name| format!(" ({name})"));
    say!(
        out,
        "{}: {} ({}) {} {} {target}{}",
        entry.key,
        group.name,
        group.group,
        entry.direction.as_str(),
        entry.direction.preposition(),
        name.unwrap_or_default()
    );
    let rules = entry.rules();
    let mut services: Vec<String> = rules.iter().map(Rule::services).collect();
    services.dedup();
    if !services.is_empty() {
        say!(out, "  services    {}", services.join(" "));
    }
    say!(out, "  state       {}", entry.state.as_str());
    let texts = [
        ("owner", entry.owner.as_ref().or(group.owner.as_ref())),
        ("reason", entry.reason.as_ref()),
        ("ticket", entry.ticket.as_ref()),
        ("extends", entry.extends.as_ref()),
        ("changed", entry.changed.as_ref()),
    ];
    for (label, text) in texts {
        if let Some(text) = text {
            say!(out, "  {label:<12}{text}");
        }
    }
    if let Some(last) = entry.expires {
        say!(out, "  expires     {last}");
    }
    match (entry.first_seen, entry.last_seen()) {
        (Some(first), Some(last)) => {
            let days = plural(entry.days.len() as u64, "day");
            say!(out, "  seen        {first} to {last}, on {days}");
        }
        (_, Some(last)) => say!(out, "  seen        last on {last}"),
        (_, None) => say!(out, "  seen        never"),
    }
    say!(out, "  file        {}:{}", file.display(), entry.line);
}

/// The run's rules that the entry covers, and the connections behind them.
fn covered(out: &mut String, audit: &AuditDocument<'_>, group: &GroupPolicy, entry: &PolicyEntry) {
    let own = entry.rules();
    let half = entry.other_half(&group.group);
    let other = match &entry.target {
        PolicyTarget::Group(id) => id.as_str(),
        _ => "",
    };
    let covers = |row: &&RuleRow| {
        let rules = match row.group_id.as_str() {
            id if id == group.group && row.permission.direction == entry.direction => &own,
            id if id == other && row.permission.direction != entry.direction => &half,
            _ => return false,
        };
        let rule = replay::rule_of(&row.permission);
        rule.is_some_and(|rule| rules.iter().any(|own| own.covers(&rule)))
    };
    let rules: Vec<&RuleRow> = audit.rules.iter().filter(covers).collect();
    if rules.is_empty() {
        say!(out, "  covers      no rule of this run");
        return;
    }
    say!(out, "  covers");
    for rule in &rules {
        say!(
            out,
            "    {}: {} ({})",
            rule.id,
            rule_in_words(rule),
            rule.status.as_str()
        );
    }
    let mut ids: Vec<ConnectionId> = rules
        .iter()
        .flat_map(|rule| rule.evidence.iter().copied())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    say!(out, "  connections");
    for connection in &audit.connections {
        if ids.binary_search(&connection.id).is_ok() {
            say!(out, "    {}", connection_in_words(connection));
        }
    }
}
