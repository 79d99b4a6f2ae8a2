//! The names of entries: made once, and never changed.

use std::collections::BTreeSet;

use super::entry::{PolicyEntry, PolicyTarget};
use super::group::GroupPolicy;
use crate::inventory::{RulePorts, RuleProtocol};
use crate::net::{is_internal, stable_id};

/// The longest part that a name gives to a key.
const NAME_AT_MOST: usize = 24;

/// Digits of the digest at the end of a key.
const DIGITS: usize = 6;

/// A key for a new entry of a group that is not among `taken`: readable, and with a digest of what the entry is about, so that the same
/// entry gets the same key wherever it is first seen.
pub(super) fn new_key(
    group: &GroupPolicy,
    entry: &PolicyEntry,
    taken: &BTreeSet<String>,
) -> String {
    let (kind, id) = match &entry.target {
        PolicyTarget::Group(id) => ("group", id.as_str()),
        // Its prefixes may grow while nobody has decided.
        PolicyTarget::Prefixes(nets) if nets.iter().all(is_internal) => ("internal", ""),
        PolicyTarget::Prefixes(_) => ("internet", ""),
        PolicyTarget::PrefixList(id) => ("prefix-list", id.as_str()),
        PolicyTarget::Service(name) => ("service", name.as_str()),
    };
    let other = match (&entry.target, entry.target_name.as_deref()) {
        (PolicyTarget::Prefixes(_), _) => kind,
        (_, Some(name)) if !name.is_empty() => name,
        _ => id,
    };
    let service = service(entry);
    let readable = format!(
        "{}_{}_{}_{service}",
        word(&group.name),
        entry.direction.preposition(),
        word(other)
    );
    let mut number = 1_u32;
    loop {
        let digits = number.to_string();
        let direction = entry.direction.as_str();
        let parts: [&str; 6] = [direction, &group.group, kind, id, &service, &digits];
        let id = stable_id("k", &parts);
        let key = format!("{readable}_{}", &id[2..2 + DIGITS]);
        if !taken.contains(&key) {
            return key;
        }
        number += 1;
    }
}

/// `443`, `1024_2048`, `udp_53`, `icmp_8`, `all`.
fn service(entry: &PolicyEntry) -> String {
    let protocol = match entry.protocol {
        RuleProtocol::All => "all".to_owned(),
        RuleProtocol::One(one) => one.to_string(),
    };
    let mut words = vec![protocol];
    for ports in &entry.ports {
        match ports {
            RulePorts::Ports(range) if range.from() == range.to() => {
                words.push(range.from().to_string());
            }
            RulePorts::Ports(range) => {
                words.push(range.from().to_string());
                words.push(range.to().to_string());
            }
            RulePorts::Icmp { kind, code } => {
                words.extend([kind, code].into_iter().flatten().map(u8::to_string));
            }
            RulePorts::Any => {}
        }
    }
    if words.len() > 1 && words[0] == "tcp" {
        words.remove(0);
    }
    words.join("_")
}

/// A name as part of a key: lower-case letters, digits and `_`, beginning with a letter.
fn word(name: &str) -> String {
    let mut word = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
        if word.len() >= NAME_AT_MOST {
            break;
        }
    }
    let word = word.trim_end_matches('_');
    if word.starts_with(|c: char| c.is_ascii_lowercase()) {
        word.to_owned()
    } else {
        format!("g{word}")
    }
}
