//! `closegate.toml`: what a team decides once.
//!
//! Everything has a default. A key that is not known is an error, with its line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::findings::{Approval, KINDS, Kind, Policy, Severity, Tuning};
use crate::net::{AddressSet, Protocol};
use crate::suggest::{Generalise, Level, Limits};

/// Where it is looked for when nobody says.
pub const FILE: &str = "closegate.toml";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not TOML, has a key that nobody knows, or a value of the wrong kind.
    #[error("configuration `{}`: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what, with the line.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("configuration `{}`: {what}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, the value and what is expected.
        what: String,
    },
}

/// Everything that can be decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How far rules go beyond what was seen.
    pub generalise: Generalise,
    /// What is reported, how bad it is, and what is meant.
    pub policy: Policy,
    /// Files beside the configuration.
    pub tables: Tables,
}

/// Files that a configuration names; a path is seen from the configuration's own directory.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// What `closegate tables update` made.
    pub dir: Option<PathBuf>,
    /// Databases in `MaxMind`'s format.
    pub maxmind: Vec<PathBuf>,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    generalise: GeneraliseTable,
    #[serde(default)]
    findings: BTreeMap<String, TuningTable>,
    #[serde(default)]
    approve: Vec<ApprovalTable>,
    #[serde(default)]
    tables: TablesTable,
}

/// `[findings.KIND]`: keys with where they stand, for which there are depends on the kind.
type TuningTable = BTreeMap<Spanned<String>, toml::Value>;

/// `[tables]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TablesTable {
    dir: Option<PathBuf>,
    #[serde(default)]
    maxmind: Vec<PathBuf>,
}

/// `[[approve]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ApprovalTable {
    group: Option<String>,
    #[serde(default)]
    destination: Vec<String>,
    protocol: Option<String>,
    port: Option<u16>,
    reason: String,
    owner: String,
    expires: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GeneraliseTable {
    level: Option<Level>,
    #[serde(default)]
    balanced: LimitsTable,
    #[serde(default)]
    compact: LimitsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsTable {
    exact_up_to: Option<usize>,
    coverage: Option<u64>,
    widest: Option<u8>,
    range_from: Option<usize>,
    unpinned_ports: Option<Ports>,
}

/// Ports by number, or the word `any`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a list of ports such as [80, 443], or \"any\"")]
enum Ports {
    Listed(Vec<u16>),
    Any(AnyPort),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnyPort {
    Any,
}

impl Config {
    /// Reads a file's text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|source| ConfigError::Syntax {
            path: path.to_path_buf(),
            source: Box::new(source),
        })?;
        let wrong = |what| ConfigError::Value {
            path: path.to_path_buf(),
            what,
        };
        let policy = policy(file.findings, file.approve, text).map_err(wrong)?;
        let beside = |file: PathBuf| path.parent().unwrap_or(Path::new("")).join(file);
        let tables = Tables {
            dir: file.tables.dir.map(beside),
            maxmind: file.tables.maxmind.into_iter().map(beside).collect(),
        };
        let generalise = file.generalise;
        let defaults = Generalise::default();
        let limits = |name: &str, table, default| {
            with(table, default).map_err(|what| ConfigError::Value {
                path: path.to_path_buf(),
                what: format!("generalise.{name}.{what}"),
            })
        };
        Ok(Self {
            generalise: Generalise {
                level: generalise.level.unwrap_or_default(),
                balanced: limits("balanced", generalise.balanced, defaults.balanced)?,
                compact: limits("compact", generalise.compact, defaults.compact)?,
            },
            policy,
            tables,
        })
    }
}

fn policy(
    findings: BTreeMap<String, TuningTable>,
    approvals: Vec<ApprovalTable>,
    text: &str,
) -> Result<Policy, String> {
    let mut policy = Policy::default();
    for (name, table) in findings {
        let kind = KINDS.iter().find(|kind| kind.id == name).ok_or_else(|| {
            format!("findings.{name} is not a kind of finding; docs/findings.md lists them")
        })?;
        let tuning = tuning(kind, table, text)?;
        policy.tuning.insert(kind.id, tuning);
    }
    for (position, table) in approvals.into_iter().enumerate() {
        policy.approvals.push(
            approval(table).map_err(|what| format!("approve, number {}: {what}", position + 1))?,
        );
    }
    Ok(policy)
}

/// What a table says of a kind. A key that the kind does not have is an error, with its line.
fn tuning(kind: &Kind, table: TuningTable, text: &str) -> Result<Tuning, String> {
    let mut tuning = Tuning::default();
    for (key, value) in table {
        let line = text[..key.span().start].matches('\n').count() + 1;
        let name = format!("findings.{}.{}", kind.id, key.get_ref());
        let wrong =
            |expected: &str| Err(format!("line {line}: {name} is `{value}`; give {expected}"));
        let threshold = kind
            .thresholds
            .iter()
            .find(|known| known.key == key.get_ref());
        match (key.get_ref().as_str(), &value, threshold) {
            ("severity", toml::Value::String(word), _) => {
                let mut all = Severity::ALL.into_iter();
                tuning.severity = all.find(|severity| severity.as_str() == word);
                if tuning.severity.is_none() {
                    return wrong("critical, high, medium, low or info");
                }
            }
            ("severity", ..) => return wrong("critical, high, medium, low or info"),
            ("quarantine", toml::Value::Boolean(yes), _) => tuning.quarantine = Some(*yes),
            ("report", toml::Value::Boolean(yes), _) => tuning.off = !yes,
            ("quarantine" | "report", ..) => return wrong("true or false"),
            (_, toml::Value::Integer(number), Some(threshold)) if *number > 0 => {
                let number = u64::try_from(*number).expect("it is positive");
                tuning.thresholds.insert(threshold.key, number);
            }
            (_, _, Some(_)) => return wrong("a whole number above 0"),
            (_, _, None) => {
                let own = kind.thresholds.iter().map(|known| known.key);
                let keys: Vec<&str> = ["severity", "quarantine", "report"]
                    .into_iter()
                    .chain(own)
                    .collect();
                return Err(format!(
                    "line {line}: {name} is not a key; there are {}",
                    keys.join(", ")
                ));
            }
        }
    }
    Ok(tuning)
}

fn approval(table: ApprovalTable) -> Result<Approval, String> {
    let ApprovalTable {
        group,
        destination,
        protocol,
        port,
        reason,
        owner,
        expires,
    } = table;
    if reason.trim().is_empty() || owner.trim().is_empty() {
        return Err("reason or owner is empty; somebody has to answer for it".to_owned());
    }
    if destination.is_empty() && group.is_none() {
        return Err("neither a destination nor a group; name what is meant".to_owned());
    }
    let prefix = |text: &String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or(address)
            .map_err(|_error| format!("destination `{text}` is neither an address nor a prefix"))
    };
    let mut prefixes: Vec<IpNet> = destination.iter().map(prefix).collect::<Result<_, _>>()?;
    if prefixes.is_empty() {
        prefixes = vec![
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ];
    }
    let protocol = protocol.map(|text| {
        Protocol::parse(&text).ok_or_else(|| {
            format!("protocol `{text}` is none; give tcp, udp, icmp, icmpv6 or a number")
        })
    });
    let expires = expires.map(|text| {
        let date: Date = text
            .parse()
            .map_err(|_error| format!("expires `{text}` is not a date such as 2027-01-31"))?;
        let end = date
            .tomorrow()
            .and_then(|day| day.in_tz("UTC"))
            .map_err(|error| format!("expires `{text}`: {error}"))?;
        u64::try_from(end.timestamp().as_second())
            .map_err(|_error| format!("expires `{text}` lies before 1970"))
    });
    Ok(Approval {
        group,
        destination: AddressSet::new(&prefixes),
        protocol: protocol.transpose()?,
        port,
        reason,
        owner,
        expires: expires.transpose()?,
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

# Newer tables than those compiled in (`closegate tables update`), and databases that say whose an address is. Paths are seen from here.
# [tables]
# dir = \"tables\"
# maxmind = [\"GeoLite2-ASN.mmdb\", \"GeoLite2-Country.mmdb\"]

# How bad each kind of finding is, whether connections it rests on are kept out of the rules, and whether it is reported.
";

/// The defaults, with what the table changes.
fn with(table: LimitsTable, mut limits: Limits) -> Result<Limits, String> {
    let LimitsTable {
        exact_up_to,
        coverage,
        widest,
        range_from,
        unpinned_ports,
    } = table;
    limits.exact_up_to = exact_up_to.unwrap_or(limits.exact_up_to);
    limits.coverage = coverage.unwrap_or(limits.coverage);
    limits.widest = widest.unwrap_or(limits.widest);
    limits.range_from = range_from.unwrap_or(limits.range_from);
    match unpinned_ports {
        Some(Ports::Listed(ports)) => limits.unpinned_ports = Some(ports),
        Some(Ports::Any(AnyPort::Any)) => limits.unpinned_ports = None,
        None => {}
    }
    if limits.coverage == 0 {
        return Err(
            "coverage is 0; give 1 for prefixes that were seen in full, or more".to_owned(),
        );
    }
    if !(8..=32).contains(&limits.widest) {
        return Err(format!(
            "widest is {}; give a prefix length from 8 to 32",
            limits.widest
        ));
    }
    if limits.range_from < 2 {
        return Err(format!(
            "range-from is {}; a range needs at least 2 used ports",
            limits.range_from
        ));
    }
    Ok(limits)
}
