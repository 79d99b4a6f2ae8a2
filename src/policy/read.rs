//! A policy's files, read with the place of whatever is wrong.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use toml::de::DeValue;

use super::entry::{EntryEvidence, EntryState, PolicyEntry, PolicyTarget, outermost};
use super::group::{GroupPolicy, PolicyMode, is_group_id, is_list_id};
use crate::documents::{Direction, Rating};
use crate::inventory::{RulePorts, RuleProtocol};
use crate::net::{PortRange, Protocol, visible};
use crate::toml_file::{self, Flaw, Section};

/// The version of the files that closegate writes, and the only one that it reads.
pub const POLICY_SCHEMA: u32 = 1;

/// The file that says that a directory is a policy.
pub const POLICY_MARKER: &str = "policy.toml";

/// The longest run of days that a file may name at once.
const DAYS_AT_MOST: usize = 366;

/// The longest key.
const KEY_AT_MOST: usize = 100;

/// Why a file of a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy `{}`, line {line}, column {column}: {what}", path.display())]
pub struct PolicyError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The key, what was found, and what is allowed.
    pub what: String,
}

impl PolicyError {
    fn new(path: &Path, flaw: Flaw) -> Self {
        let Flaw { line, column, what } = flaw;
        Self {
            path: path.to_path_buf(),
            line,
            column,
            what,
        }
    }
}

/// Reads `policy.toml`; `path` is for messages.
pub fn parse_marker(text: &str, path: &Path) -> Result<(), PolicyError> {
    let read = || {
        let mut file = Section::parse(text)?;
        schema(&mut file)?;
        file.only(&["schema"])
    };
    read().map_err(|flaw| PolicyError::new(path, flaw))
}

/// Reads a group's file; `path` is for messages, and its name has to be the group's id.
pub fn parse_group(text: &str, path: &Path) -> Result<GroupPolicy, PolicyError> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    read(text, stem.unwrap_or_default()).map_err(|flaw| PolicyError::new(path, flaw))
}

/// Refuses every version but ours, before any key of another version can be wrong.
fn schema(file: &mut Section<'_>) -> Result<(), Flaw> {
    let found = file.value("schema", "the whole number 1", toml_file::number::<u32>)?;
    match found {
        Some((POLICY_SCHEMA, _)) => Ok(()),
        Some((other, span)) => Err(file.wrong_at(
            "schema",
            &span,
            &format!("is {other}, and this closegate reads {POLICY_SCHEMA}; use the closegate that wrote the file"),
        )),
        None => Err(at_the_top(
            "schema is missing; write `schema = 1` on top",
        )),
    }
}

fn at_the_top(what: &str) -> Flaw {
    Flaw {
        line: 1,
        column: 1,
        what: what.to_owned(),
    }
}

fn read(text: &str, stem: &str) -> Result<GroupPolicy, Flaw> {
    let mut file = Section::parse(text)?;
    schema(&mut file)?;
    file.only(&[
        "schema", "group", "name", "vpc", "account", "owner", "mode", "as_of", "allow", "admit",
    ])?;
    let id = |value: &DeValue<'_>| toml_file::text(value).filter(|id| is_group_id(id));
    let Some((group, span)) = file.value("group", "a group's id, sg-…", id)? else {
        return Err(at_the_top("group is missing; write the group's id, sg-…"));
    };
    if group != stem {
        let what = format!(
            "is {group}, and the file's name is {}.toml; a group's file is named after its id",
            visible(stem, 100)
        );
        return Err(file.wrong_at("group", &span, &what));
    }
    let mode = |value: &DeValue<'_>| match value.as_str()? {
        "learn" => Some(PolicyMode::Learn),
        "locked" => Some(PolicyMode::Locked),
        _ => None,
    };
    let mut policy = GroupPolicy {
        name: file
            .plain("name", "the group's name", toml_file::text)?
            .unwrap_or_default(),
        vpc: file
            .plain("vpc", "the id of the group's VPC", toml_file::text)?
            .unwrap_or_default(),
        account: file
            .plain(
                "account",
                "the account that owns the group, as a text",
                toml_file::text,
            )?
            .unwrap_or_default(),
        owner: file.plain("owner", "who answers for the group", toml_file::text)?,
        mode: file
            .plain("mode", "learn or locked", mode)?
            .unwrap_or_default(),
        as_of: file.plain("as_of", "a time such as 2026-11-08T00:00:00Z", time)?,
        ..GroupPolicy::new(&group)
    };
    for section in file.sections("allow")? {
        policy.entries.push(entry(section, Direction::Egress)?);
    }
    for section in file.sections("admit")? {
        policy.entries.push(entry(section, Direction::Ingress)?);
    }
    Ok(policy)
}

/// Keys that entries of both directions have.
const COMMON: &[&str] = &[
    "key",
    "protocol",
    "ports",
    "icmp_type",
    "icmp_code",
    "state",
    "owner",
    "reason",
    "ticket",
    "expires",
    "first_seen",
    "last_seen",
    "days_seen",
    "days",
    "connections",
    "confidence",
    "evidence",
    "extends",
    "changed",
];

const OF_ALLOW: &[&str] = &[
    "to_group",
    "to_prefixes",
    "to_prefix_list",
    "to_service",
    "to_name",
    "mutual",
];

const OF_ADMIT: &[&str] = &[
    "from_group",
    "from_prefixes",
    "from_prefix_list",
    "from_name",
];

/// `[[allow]]` or `[[admit]]`
fn entry(mut section: Section<'_>, direction: Direction) -> Result<PolicyEntry, Flaw> {
    let own = match direction {
        Direction::Egress => OF_ALLOW,
        Direction::Ingress => OF_ADMIT,
    };
    let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    section.only(&known)?;
    let line = section.line();
    let key = section.plain(
        "key",
        "a name of lower-case letters, digits and _ that begins with a letter",
        |value| toml_file::text(value).filter(|key| is_key(key)),
    )?;
    let Some(key) = key else {
        return Err(section.wrong("key is missing; give the entry a name that no other has"));
    };
    let target = target(&mut section, direction)?;
    let mutual = section.value("mutual", "true or false", toml_file::flag)?;
    let is_group = matches!(target, PolicyTarget::Group(_));
    if let Some((true, span)) = &mutual
        && !is_group
    {
        return Err(section.wrong_at(
            "mutual",
            span,
            "is true; only an entry with to_group has another half",
        ));
    }
    let is_egress = direction == Direction::Egress;
    let mutual = mutual.map_or(is_group && is_egress, |(mutual, _)| mutual);
    let (protocol, ports) = services(&mut section)?;
    let given = "a text";
    let state = |value: &DeValue<'_>| EntryState::parse(value.as_str()?);
    let first_seen = section.plain("first_seen", A_DATE, toml_file::date)?;
    let days = days(&mut section)?;
    let confidence = |value: &DeValue<'_>| {
        let mut all = Rating::ALL.iter().copied();
        all.find(|rating| value.as_str() == Some(rating.as_str()))
    };
    Ok(PolicyEntry {
        key,
        direction,
        target,
        target_name: section.plain(
            if is_egress { "to_name" } else { "from_name" },
            given,
            toml_file::text,
        )?,
        mutual,
        protocol,
        ports,
        state: section
            .plain("state", "proposed, accepted, declined or deferred", state)?
            .unwrap_or(EntryState::Proposed),
        owner: section.plain("owner", "who answers for the entry", toml_file::text)?,
        reason: section.plain("reason", given, toml_file::text)?,
        ticket: section.plain("ticket", given, toml_file::text)?,
        expires: section.plain("expires", A_DATE, toml_file::date)?,
        first_seen,
        days,
        connections: section
            .plain("connections", "a whole number from 0 on", toml_file::number)?
            .unwrap_or_default(),
        confidence: section.plain("confidence", "high, medium or low", confidence)?,
        evidence: evidence(&mut section)?,
        extends: section.plain("extends", "the key of another entry", toml_file::text)?,
        changed: section.plain("changed", given, toml_file::text)?,
        line,
    })
}

const A_DATE: &str = "a date such as 2027-01-31";

/// Whether a text can be an entry's key: a name that Terraform takes for a resource.
pub(super) fn is_key(text: &str) -> bool {
    text.len() <= KEY_AT_MOST
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The one target.
fn target(section: &mut Section<'_>, direction: Direction) -> Result<PolicyTarget, Flaw> {
    let side = direction.preposition();
    let id = |value: &DeValue<'_>| toml_file::text(value).filter(|id| is_group_id(id));
    let list = |value: &DeValue<'_>| toml_file::text(value).filter(|id| is_list_id(id));
    let service = |value: &DeValue<'_>| toml_file::text(value).filter(|name| !name.is_empty());
    let prefixes_key = format!("{side}_prefixes");
    let wanted = "a list of prefixes such as [\"192.0.2.0/24\", \"2001:db8::/48\"]";
    let mut targets = Vec::new();
    let group = section.plain(&format!("{side}_group"), "a group's id, sg-…", id)?;
    targets.extend(group.map(PolicyTarget::Group));
    let mut prefixes = Vec::new();
    for (text, span) in section.texts(&prefixes_key, wanted)? {
        prefixes.push(prefix(&text).map_err(|what| section.wrong_at(&prefixes_key, &span, &what))?);
    }
    if !prefixes.is_empty() {
        targets.push(PolicyTarget::Prefixes(outermost(prefixes)));
    }
    let list = section.plain(
        &format!("{side}_prefix_list"),
        "a prefix list's id, pl-…",
        list,
    )?;
    targets.extend(list.map(PolicyTarget::PrefixList));
    let service = section.plain("to_service", "an AWS service such as S3", service)?;
    targets.extend(service.map(PolicyTarget::Service));
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => Ok(target),
        (Some(_), false) => Err(section.wrong("several targets; write an entry for each of them")),
        (None, _) => Err(section.wrong(match direction {
            Direction::Egress => {
                "no target; write one of to_group, to_prefixes, to_prefix_list and to_service"
            }
            Direction::Ingress => {
                "no target; write one of from_group, from_prefixes and from_prefix_list"
            }
        })),
    }
}

/// A prefix as AWS stores it.
fn prefix(text: &str) -> Result<IpNet, String> {
    let shown = visible(text, 60);
    match text.parse::<IpNet>() {
        Ok(net) if net == net.trunc() => Ok(net),
        Ok(net) => Err(format!(
            "has `{shown}`, which goes on behind its length; write {}",
            net.trunc()
        )),
        Err(_) => Err(format!("has `{shown}`, which is no prefix")),
    }
}

/// The protocol with its ports or ICMP type.
fn services(section: &mut Section<'_>) -> Result<(RuleProtocol, Vec<RulePorts>), Flaw> {
    let protocol = section.plain(
        "protocol",
        "\"tcp\", \"udp\", \"icmp\", \"icmpv6\", a number as a text, or \"all\"",
        |value| match value.as_str()? {
            "all" | "-1" => Some(RuleProtocol::All),
            text => Protocol::parse(text).map(RuleProtocol::One),
        },
    )?;
    let Some(protocol) = protocol else {
        return Err(section.wrong("protocol is missing; write one such as \"tcp\", or \"all\""));
    };
    let ports = section.value(
        "ports",
        "a list of ports and ranges such as [443, \"1024-2048\"]",
        ports,
    )?;
    let byte = "a whole number from 0 to 255";
    let kind = section.plain("icmp_type", byte, toml_file::number::<u8>)?;
    let code = section.plain("icmp_code", byte, toml_file::number::<u8>)?;
    let has_ports = matches!(protocol, RuleProtocol::One(one) if one.has_ports());
    let is_icmp = matches!(protocol, RuleProtocol::One(one) if one.is_icmp());
    if !is_icmp && (kind.is_some() || code.is_some()) {
        return Err(section.wrong("icmp_type and icmp_code go with icmp and icmpv6 only"));
    }
    if kind.is_none() && code.is_some() {
        return Err(section.wrong("icmp_code needs icmp_type"));
    }
    match ports {
        Some((ports, _)) if has_ports => {
            Ok((protocol, ports.into_iter().map(RulePorts::Ports).collect()))
        }
        Some((_, span)) => Err(section.wrong_at(
            "ports",
            &span,
            "has no meaning for this protocol; leave it out",
        )),
        None if has_ports => {
            Err(section.wrong("ports is missing; write some such as [443], or \"0-65535\" for all"))
        }
        None if is_icmp => Ok((protocol, vec![RulePorts::Icmp { kind, code }])),
        None => Ok((protocol, vec![RulePorts::Any])),
    }
}

/// Ports and ranges as they are listed, at least one, each once. The first keeps the key as its name in Terraform, so their order is
/// part of the policy.
fn ports(value: &DeValue<'_>) -> Option<Vec<PortRange>> {
    let listed: Vec<PortRange> = match value.as_array() {
        Some(list) => list
            .iter()
            .map(|value| port_range(value.get_ref()))
            .collect::<Option<_>>()?,
        None => vec![port_range(value)?],
    };
    let mut ports = Vec::new();
    for range in listed {
        if !ports.contains(&range) {
            ports.push(range);
        }
    }
    (!ports.is_empty()).then_some(ports)
}

fn port_range(value: &DeValue<'_>) -> Option<PortRange> {
    match value.as_str() {
        None => toml_file::number(value).map(PortRange::single),
        Some(text) => match text.split_once('-') {
            Some((from, to)) => PortRange::new(from.parse().ok()?, to.parse().ok()?),
            None => text.parse().ok().map(PortRange::single),
        },
    }
}

/// The days on which it was seen. `days` has them all; where a person left it out, the first and the last day stand for them.
fn days(section: &mut Section<'_>) -> Result<BTreeSet<Date>, Flaw> {
    let last = section.plain("last_seen", A_DATE, toml_file::date)?;
    // It follows from `days`, and is there for people.
    section.plain(
        "days_seen",
        "a whole number from 0 on",
        toml_file::number::<u64>,
    )?;
    let mut days = BTreeSet::new();
    let wanted =
        "a list of days and runs of days such as [\"2026-11-01/2026-11-07\", \"2026-11-09\"]";
    for (text, span) in section.texts("days", wanted)? {
        let Some(found) = run_of_days(&text) else {
            let what = format!(
                "has `{}`; give days such as \"2026-11-09\", and runs of at most {DAYS_AT_MOST} days",
                visible(&text, 60)
            );
            return Err(section.wrong_at("days", &span, &what));
        };
        days.extend(found);
    }
    if days.is_empty() {
        days.extend(last);
    }
    Ok(days)
}

/// `2026-11-01/2026-11-07`, or one day.
fn run_of_days(text: &str) -> Option<Vec<Date>> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let (first, last): (Date, Date) = (first.parse().ok()?, last.parse().ok()?);
    let mut days = vec![first];
    while days.last().is_some_and(|&day| day < last) {
        days.push(days.last()?.tomorrow().ok()?);
        if days.len() > DAYS_AT_MOST {
            return None;
        }
    }
    (days.last() == Some(&last)).then_some(days)
}

/// `evidence = { … }`
fn evidence(section: &mut Section<'_>) -> Result<Option<EntryEvidence>, Flaw> {
    if !section.keys().any(|(key, _)| key == "evidence") {
        return Ok(None);
    }
    let mut own = section.section("evidence")?;
    own.only(&["run", "until", "rules", "connections", "quarantined"])?;
    let texts =
        |found: Vec<(String, Range<usize>)>| found.into_iter().map(|(text, _)| text).collect();
    let until = own.plain("until", "a time such as 2026-11-08T00:00:00Z", time)?;
    let run = own.plain("run", "the name of a run", toml_file::text)?;
    let (Some(until), Some(run)) = (until, run) else {
        return Err(own.wrong("run or until is missing; give both"));
    };
    Ok(Some(EntryEvidence {
        until,
        run,
        rules: texts(own.texts("rules", "a list of ids of rules")?),
        connections: texts(own.texts("connections", "a list of ids of connections")?),
        quarantined: texts(own.texts("quarantined", "a list of ids of connections")?),
    }))
}

/// A time with its distance from UTC, as a text or as TOML's own.
fn time(value: &DeValue<'_>) -> Option<Timestamp> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        _ => return None,
    };
    text.parse().ok()
}
