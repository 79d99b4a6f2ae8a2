//! What was typed → what it means.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};

use super::args::{InputArgs, RemoteArgs};
use super::exit::Failure;
use crate::config::{self, Config};
use crate::findings::{Blocklist, Owners, Resolvers};
use crate::ingest::{self, Format, Source};
use crate::inventory::Inventory;

/// Something to read, checked.
pub(super) struct Input {
    pub(super) evidence: Evidence,
    pub(super) inventory: Inventory,
    pub(super) reading: ingest::Settings,
}

/// Where the rows come from.
pub(super) enum Evidence {
    Logs(Vec<Source>),
    Store(PathBuf),
    /// What an engine in AWS groups.
    #[cfg(feature = "aws")]
    Asked(super::remote::Question),
}

impl Input {
    /// Checks everything that can be checked before the long work starts.
    pub(super) fn resolve(args: InputArgs, tables: Option<&Path>) -> Result<Self, Failure> {
        let InputArgs {
            flows,
            store,
            inventory,
            log_format,
            since,
            until,
            threads,
            remote,
        } = args;
        let (since, until) = window(since, until)?;
        let format = format(log_format)?;
        let ranges = tables.map(|dir| dir.join(AWS_RANGES));
        let inventory = Inventory::load_with(&inventory, ranges.as_deref().filter(|f| f.is_file()))
            .map_err(Failure::usage)?;
        if let Some(threads) = threads {
            use_threads(threads)?;
        }
        let reading = ingest::Settings {
            format,
            known_formats: known_formats(&inventory),
            since,
            until,
        };
        let evidence = match store {
            Some(store) => Evidence::Store(store),
            None => evidence(&flows, &remote, &reading)?,
        };
        Ok(Self {
            evidence,
            inventory,
            reading,
        })
    }
}

/// What is to be read: sources, or one question to an engine in AWS.
fn evidence(
    flows: &[String],
    remote: &RemoteArgs,
    reading: &ingest::Settings,
) -> Result<Evidence, Failure> {
    #[cfg(feature = "aws")]
    if let Some(question) = super::remote::question(flows, remote, reading)? {
        return Ok(Evidence::Asked(question));
    }
    sources(flows, remote, (reading.since, reading.until), false).map(Evidence::Logs)
}

/// `--since` and `--until`, in Unix seconds.
pub(super) fn window(
    since: Option<String>,
    until: Option<String>,
) -> Result<(Option<u64>, Option<u64>), Failure> {
    let now = now();
    let bound = |name: &str, text: Option<String>| {
        text.map(|text| time(&text, now).with_context(|| format!("--{name} `{text}`")))
            .transpose()
            .map_err(Failure::usage)
    };
    let (since, until) = (bound("since", since)?, bound("until", until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Failure::usage(anyhow!(
            "--since lies at or after --until; swap them"
        )));
    }
    Ok((since, until))
}

/// The sources behind every argument; `settled` leaves out what may still grow.
pub(super) fn sources(
    flows: &[String],
    remote: &RemoteArgs,
    window: (Option<u64>, Option<u64>),
    settled: bool,
) -> Result<Vec<Source>, Failure> {
    #[cfg(feature = "aws")]
    return super::remote::sources(flows, remote, window, settled);
    #[cfg(not(feature = "aws"))]
    {
        let _ = (remote, window, settled);
        ingest::find(flows).map_err(Failure::usage)
    }
}

/// Now, in Unix seconds.
#[cfg(feature = "aws")]
pub(super) fn seconds_now() -> u64 {
    u64::try_from(now().as_second()).unwrap_or_default()
}

/// The configuration that was named, else the one in this directory, else none.
pub(super) fn config(named: Option<PathBuf>) -> Result<Config, Failure> {
    let here = || {
        let path = PathBuf::from(config::FILE);
        path.is_file().then_some(path)
    };
    match named.or_else(here) {
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| {
                    format!(
                        "configuration `{}` can't be read; name one that exists",
                        path.display()
                    )
                })
                .map_err(Failure::usage)?;
            Config::parse(&text, &path).map_err(Failure::usage)
        }
        None => Ok(Config::default()),
    }
}

/// `--blocklist NAME=FILE`, each.
pub(super) fn blocklists(arguments: &[String]) -> Result<Vec<Blocklist>, Failure> {
    let read = |argument: &String| {
        let (name, file) = argument
            .split_once('=')
            .with_context(|| format!("--blocklist `{argument}` is not NAME=FILE"))?;
        let text = std::fs::read(file).with_context(|| {
            format!("blocklist `{file}` can't be read; name a file that exists")
        })?;
        let list = Blocklist::parse(name, &String::from_utf8_lossy(&text));
        if list.entries == 0 {
            return Err(anyhow!(
                "blocklist `{file}` holds no address; give lines, CSV, STIX 2.1 or MISP"
            ));
        }
        Ok(list)
    };
    arguments
        .iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(Failure::usage)
}

/// What tables of a directory are called.
pub(super) const AWS_RANGES: &str = "ip-ranges.json";
pub(super) const RESOLVERS: &str = "public-resolvers.txt";

/// The public resolvers of a directory, if it has them.
pub(super) fn resolvers(tables: &Path) -> Result<Option<Resolvers>, Failure> {
    let file = tables.join(RESOLVERS);
    if !file.is_file() {
        return Ok(None);
    }
    let table = std::fs::read_to_string(&file)
        .map_err(anyhow::Error::new)
        .and_then(|text| Resolvers::parse(&text).map_err(|what| anyhow!(what)));
    table
        .map(Some)
        .with_context(|| format!("table `{}`", file.display()))
        .map_err(Failure::usage)
}

/// Databases of owners.
pub(super) fn owners(files: &[PathBuf]) -> Result<Owners, Failure> {
    let mut owners = Owners::default();
    for file in files {
        std::fs::read(file)
            .map_err(anyhow::Error::new)
            .and_then(|bytes| owners.add(bytes).map_err(|what| anyhow!(what)))
            .with_context(|| {
                format!(
                    "--maxmind `{}` can't be used; name a database such as GeoLite2-ASN.mmdb",
                    file.display()
                )
            })
            .map_err(Failure::usage)?;
    }
    Ok(owners)
}

/// The formats of the inventory's flow logs that this program can use.
pub(super) fn known_formats(inventory: &Inventory) -> Vec<(String, Format)> {
    inventory
        .log_formats()
        .iter()
        .filter_map(|(id, text)| Some((id.clone(), Format::parse(text).ok()?)))
        .collect()
}

/// `--log-format`, compiled.
pub(super) fn format(text: Option<String>) -> Result<Option<Format>, Failure> {
    text.map(|text| Format::parse(&text).context("--log-format"))
        .transpose()
        .map_err(Failure::usage)
}

pub(super) fn use_threads(threads: usize) -> Result<(), Failure> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| format!("{threads} threads can't be started; give a smaller --threads"))
        .map_err(Failure::usage)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339, or an age: `90m`, `36h`, `14d`, `2w`. In Unix seconds.
fn time(text: &str, now: Timestamp) -> anyhow::Result<u64> {
    let stamp = match age(text) {
        Some(age) => now.checked_sub(age).context("lies before all time")?,
        None => text
            .parse::<Timestamp>()
            .context("is neither a time such as 2026-11-01T00:00:00Z nor an age such as 14d")?,
    };
    u64::try_from(stamp.as_second()).context("lies before 1970")
}

fn age(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].parse().ok()?;
    Some(SignedDuration::from_secs(count.checked_mul(unit)?))
}
