//! `closegate.toml`: what a team decides once.
//!
//! Everything has a default. A key that is not known and a value that is not allowed are errors with their place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::civil::Date;
use toml::de::DeValue;

use crate::findings::{Approval, Complete, KINDS, Kind, Policy, Severity, Tuning};
use crate::net::{AddressSet, Protocol, visible};
use crate::suggest::{Generalise, Level, Limits, Quotas};
use crate::toml_file::{self, Flaw, Section, nearest};

/// Where it is looked for if the command line names none.
pub const FILE: &str = "closegate.toml";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("configuration `{}`, line {line}, column {column}: {what}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The key, what was found, and what is allowed.
    pub what: String,
}

/// Everything that can be decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How far rules go beyond what was seen.
    pub generalise: Generalise,
    /// How many rules AWS takes.
    pub quotas: Quotas,
    /// What is reported, how bad it is, and what is meant.
    pub policy: Policy,
    /// Files beside the configuration.
    pub tables: Tables,
    /// The key of the tag that names a group's owner.
    pub owner_tag: Option<String>,
}

/// Files that a configuration names; a path is seen from the configuration's own directory.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// What `closegate tables update` made.
    pub dir: Option<PathBuf>,
    /// Databases in `MaxMind`'s format.
    pub maxmind: Vec<PathBuf>,
}

impl Config {
    /// Reads a file's text; `path` is for messages, and other paths in the file are seen from there.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read(text, path).map_err(|Flaw { line, column, what }| ConfigError {
            path: path.to_path_buf(),
            line,
            column,
            what,
        })
    }
}

fn read(text: &str, path: &Path) -> Result<Config, Flaw> {
    let mut file = Section::parse(text)?;
    file.only(&[
        "generalise",
        "quotas",
        "findings",
        "approve",
        "complete",
        "tables",
        "policy",
    ])?;
    let generalise = generalise(file.section("generalise")?)?;
    let quotas = quotas(file.section("quotas")?)?;
    let mut policy = Policy::default();
    let mut findings = file.section("findings")?;
    for kind in kinds(&findings)? {
        let tuning = tuning(kind, findings.section(kind.id)?)?;
        policy.tuning.insert(kind.id, tuning);
    }
    for section in file.sections("approve")? {
        policy.approvals.push(approval(section)?);
    }
    for section in file.sections("complete")? {
        policy.complete.push(complete(section)?);
    }
    let mut tables = file.section("tables")?;
    tables.only(&["dir", "maxmind"])?;
    let beside = |file: String| path.parent().unwrap_or(Path::new("")).join(file);
    let dir = tables.plain("dir", "the path of a directory", toml_file::text)?;
    let maxmind = tables.texts("maxmind", "a list of files such as [\"GeoLite2-ASN.mmdb\"]")?;
    let mut kept = file.section("policy")?;
    kept.only(&["owner-tag"])?;
    let owner_tag = kept.plain("owner-tag", "the key of a tag", toml_file::text)?;
    Ok(Config {
        generalise,
        quotas,
        policy,
        owner_tag,
        tables: Tables {
            dir: dir.map(beside),
            maxmind: maxmind.into_iter().map(|(file, _)| beside(file)).collect(),
        },
    })
}

/// The kinds that `[findings]` has tables for.
fn kinds(findings: &Section<'_>) -> Result<Vec<&'static Kind>, Flaw> {
    let kind = |(id, span): (&str, Range<usize>)| {
        KINDS
            .iter()
            .copied()
            .find(|kind| kind.id == id)
            .ok_or_else(|| {
                let known: Vec<&str> = KINDS.iter().map(|kind| kind.id).collect();
                let alike = nearest(id, &known)
                    .map(|near| format!("; did you mean {near}?"))
                    .unwrap_or_default();
                let what = format!("is not a kind of finding{alike}; docs/findings.md lists them");
                findings.wrong_at(id, &span, &what)
            })
    };
    findings.keys().map(kind).collect()
}

/// `[findings.KIND]`
fn tuning(kind: &Kind, mut section: Section<'_>) -> Result<Tuning, Flaw> {
    let own = kind.thresholds.iter().map(|known| known.key);
    let keys: Vec<&str> = ["severity", "quarantine", "report"]
        .into_iter()
        .chain(own)
        .collect();
    section.only(&keys)?;
    let severity = |value: &DeValue<'_>| {
        let mut all = Severity::ALL.iter().copied();
        all.find(|severity| value.as_str() == Some(severity.as_str()))
    };
    let mut tuning = Tuning {
        severity: section.plain("severity", "critical, high, medium, low or info", severity)?,
        quarantine: section.plain("quarantine", "true or false", toml_file::flag)?,
        off: section.plain("report", "true or false", toml_file::flag)? == Some(false),
        thresholds: BTreeMap::new(),
    };
    for threshold in kind.thresholds {
        let above_0 = |value: &DeValue<'_>| toml_file::number(value).filter(|&n: &u64| n > 0);
        if let Some(number) = section.plain(threshold.key, "a whole number above 0", above_0)? {
            tuning.thresholds.insert(threshold.key, number);
        }
    }
    Ok(tuning)
}

/// `[[approve]]`
fn approval(mut section: Section<'_>) -> Result<Approval, Flaw> {
    section.only(&[
        "group",
        "destination",
        "protocol",
        "port",
        "reason",
        "owner",
        "expires",
    ])?;
    let group = section.plain("group", "a group's id or name", toml_file::text)?;
    let wanted = "a list of addresses and prefixes such as [\"198.51.100.25\", \"2001:db8::/48\"]";
    let destination = section.texts("destination", wanted)?;
    let protocol = |value: &DeValue<'_>| Protocol::parse(value.as_str()?);
    let protocol = section.plain(
        "protocol",
        "\"tcp\", \"udp\", \"icmp\", \"icmpv6\" or a number as a text",
        protocol,
    )?;
    let port = section.plain("port", "a port from 0 to 65535", toml_file::number)?;
    let reason = section.plain("reason", "why the connections are meant", toml_file::text)?;
    let owner = section.plain("owner", "who answers for the connections", toml_file::text)?;
    let expires = expires(&mut section)?;
    let Some((reason, owner)) = answered_for(reason, owner) else {
        return Err(section.wrong(
            "reason or owner is missing or empty; give both, so that the approval has someone who answers for it",
        ));
    };
    if destination.is_empty() && group.is_none() {
        return Err(section.wrong("neither a destination nor a group; name what is meant"));
    }
    let mut prefixes = Vec::new();
    for (text, span) in destination {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        prefixes.push(text.parse::<IpNet>().or(address).map_err(|_error| {
            let what = format!(
                "`{}` is neither an address nor a prefix",
                visible(&text, 60)
            );
            section.wrong_at("destination", &span, &what)
        })?);
    }
    if prefixes.is_empty() {
        prefixes = vec![
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ];
    }
    Ok(Approval {
        group,
        destination: AddressSet::new(&prefixes),
        protocol,
        port,
        reason,
        owner,
        expires,
    })
}

/// `[[complete]]`
fn complete(mut section: Section<'_>) -> Result<Complete, Flaw> {
    section.only(&["group", "reason", "owner", "expires"])?;
    let group = section.plain("group", "a group's id or name", toml_file::text)?;
    let reason = section.plain("reason", "how it is known", toml_file::text)?;
    let owner = section.plain("owner", "who answers for it", toml_file::text)?;
    let expires = expires(&mut section)?;
    let Some((group, (reason, owner))) = group.zip(answered_for(reason, owner)) else {
        return Err(section.wrong(
            "group, reason or owner is missing or empty; give all three, so that somebody answers for it",
        ));
    };
    Ok(Complete {
        group,
        reason,
        owner,
        expires,
    })
}

/// A reason and an owner that say something.
fn answered_for(reason: Option<String>, owner: Option<String>) -> Option<(String, String)> {
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    given(reason).zip(given(owner))
}

/// The end of the day of `expires`, Unix seconds.
fn expires(section: &mut Section<'_>) -> Result<Option<u64>, Flaw> {
    let expires = section.value("expires", "a date such as \"2027-01-31\"", toml_file::date)?;
    let end = |(date, span): (Date, Range<usize>)| {
        let end = date.tomorrow().and_then(|day| day.in_tz("UTC")).ok();
        end.and_then(|end| u64::try_from(end.timestamp().as_second()).ok())
            .ok_or_else(|| {
                let what = format!("is {date}; give a date from 1970 to 9999");
                section.wrong_at("expires", &span, &what)
            })
    };
    expires.map(end).transpose()
}

/// `[generalise]`
fn generalise(mut section: Section<'_>) -> Result<Generalise, Flaw> {
    section.only(&["level", "narrow", "balanced", "compact"])?;
    let defaults = Generalise::default();
    let level = |value: &DeValue<'_>| match value.as_str()? {
        "exact" => Some(Level::Exact),
        "balanced" => Some(Level::Balanced),
        "compact" => Some(Level::Compact),
        _ => None,
    };
    Ok(Generalise {
        level: section
            .plain("level", "exact, balanced or compact", level)?
            .unwrap_or_default(),
        narrow: section
            .plain("narrow", "true or false", toml_file::flag)?
            .unwrap_or_default(),
        balanced: limits(section.section("balanced")?, defaults.balanced)?,
        compact: limits(section.section("compact")?, defaults.compact)?,
    })
}

/// `[quotas]`
fn quotas(mut section: Section<'_>) -> Result<Quotas, Flaw> {
    section.only(&["rules-per-group", "groups-per-interface"])?;
    let defaults = Quotas::default();
    let rules = |value: &DeValue<'_>| {
        toml_file::number(value).filter(|n: &u64| (1..=Quotas::MOST).contains(n))
    };
    let groups = |value: &DeValue<'_>| toml_file::number(value).filter(|n| (1..=16).contains(n));
    let quotas = Quotas {
        rules_per_group: section
            .plain("rules-per-group", "a whole number from 1 to 1000", rules)?
            .unwrap_or(defaults.rules_per_group),
        groups_per_interface: section
            .plain(
                "groups-per-interface",
                "a whole number from 1 to 16",
                groups,
            )?
            .unwrap_or(defaults.groups_per_interface),
    };
    if quotas.rules_per_group * quotas.groups_per_interface > Quotas::MOST {
        return Err(section.wrong(
            "rules-per-group times groups-per-interface is more than 1000, which AWS never takes (amazon-vpc-limits.html)",
        ));
    }
    Ok(quotas)
}

/// The defaults, with what a table changes.
fn limits(mut section: Section<'_>, defaults: Limits) -> Result<Limits, Flaw> {
    section.only(&[
        "exact-up-to",
        "coverage",
        "widest",
        "range-from",
        "unpinned-ports",
    ])?;
    let coverage = |value: &DeValue<'_>| toml_file::number(value).filter(|&n: &u64| n > 0);
    let widest =
        |value: &DeValue<'_>| toml_file::number(value).filter(|n: &u8| (8..=32).contains(n));
    let range_from = |value: &DeValue<'_>| toml_file::number(value).filter(|&n: &usize| n >= 2);
    let ports = |value: &DeValue<'_>| match value.as_str() {
        Some("any") => Some(None),
        Some(_) => None,
        None => {
            let ports = value.as_array()?.iter();
            ports
                .map(|port| toml_file::number(port.get_ref()))
                .collect::<Option<_>>()
                .map(Some)
        }
    };
    Ok(Limits {
        exact_up_to: section
            .plain("exact-up-to", "a whole number from 0 on", toml_file::number)?
            .unwrap_or(defaults.exact_up_to),
        coverage: section
            .plain(
                "coverage",
                "1 for prefixes that were seen in full, or a larger whole number",
                coverage,
            )?
            .unwrap_or(defaults.coverage),
        widest: section
            .plain("widest", "a prefix length from 8 to 32", widest)?
            .unwrap_or(defaults.widest),
        range_from: section
            .plain(
                "range-from",
                "2 or more: a range needs at least 2 used ports",
                range_from,
            )?
            .unwrap_or(defaults.range_from),
        unpinned_ports: section
            .plain(
                "unpinned-ports",
                "a list of ports such as [80, 443], or \"any\"",
                ports,
            )?
            .unwrap_or(defaults.unpinned_ports),
    })
}

/// A file with every key, each at its default and commented out.
pub fn template() -> String {
    let kinds = KINDS.iter().map(|kind| {
        let mut thresholds = String::new();
        for known in kind.thresholds {
            let _ = writeln!(thresholds, "# {} = {} # {}", known.key, known.default, known.meaning);
        }
        format!(
            "\n# {}\n# [findings.{}]\n# severity = \"{}\"\n# quarantine = {}\n# report = true\n{thresholds}",
            kind.title,
            kind.id,
            kind.severity.as_str(),
            kind.quarantine
        )
    });
    std::iter::once(TEMPLATE.to_owned()).chain(kinds).collect()
}

const TEMPLATE: &str = "\
# What a team decides once about closegate. docs/usage.md explains each key; one that is not known is an error.

# How far rules go beyond what was seen; --generalise wins.
# [generalise]
# level = \"exact\"
# Rules for some ports to 0.0.0.0/0 or ::/0 are replaced too; as --narrow.
# narrow = false

# [generalise.balanced]
# exact-up-to = 12
# coverage = 4
# widest = 24
# range-from = 4
# unpinned-ports = [80, 443]

# [generalise.compact]
# exact-up-to = 4
# coverage = 16
# widest = 20
# range-from = 2
# unpinned-ports = \"any\"

# What AWS takes of this account, where it has raised its quotas; rules times groups is at most 1000. Where a group has more rules
# today than this, that many count.
# [quotas]
# rules-per-group = 60
# groups-per-interface = 5

# Connections that somebody answers for: they are no finding, and get their rules. Any of group, destination, protocol and
# port may be left out, but not both of the first; from the day after `expires` on, it no longer counts.
# [[approve]]
# group = \"mail-relay\"
# destination = [\"198.51.100.25\", \"2001:db8::/48\"]
# protocol = \"tcp\"
# port = 25
# reason = \"our provider's relay\"
# owner = \"platform@example.com\"
# expires = \"2027-01-31\"

# Groups of which no member is missing: every interface that carried the group in the logs is in the inventory, or does not matter.
# Without this, closegate does not call a group ready while interfaces that may have carried it are unknown.
# [[complete]]
# group = \"web\"
# reason = \"its autoscaling group was empty until 2026-11-01\"
# owner = \"platform@example.com\"
# expires = \"2027-01-31\"

# Newer tables than those compiled in (`closegate tables update`), and databases that say whose an address is. Paths are seen from here.
# [tables]
# dir = \"tables\"
# maxmind = [\"GeoLite2-ASN.mmdb\", \"GeoLite2-Country.mmdb\"]

# The tag of a security group that names its owner, for `closegate policy update`.
# [policy]
# owner-tag = \"Owner\"

# How bad each kind of finding is, whether connections it rests on are kept out of the rules, and whether it is reported.
";
