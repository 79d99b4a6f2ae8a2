//! What was typed → what it means.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::answers::{Answers, is_answers};
use super::args::{InputArgs, RemoteArgs};
use super::clock::now;
use super::exit::Failure;
use super::trouble::Trouble;
use super::{progress, trail};
use crate::config::{self, Config, Tables};
use crate::findings::{Blocklist, Owners, Resolvers};
use crate::ingest::{self, LogFormat, LogFormatError, ObjectCopy, Source};
use crate::inventory::{self, Inventory};
use crate::net::{day, plural, visible};
use crate::store::WholeDays;

/// Something to read, checked.
pub(super) struct Input {
    pub(super) evidence: Evidence,
    pub(super) inventory: Inventory,
    pub(super) reading: ingest::Settings,
}

/// Where the rows come from.
pub(super) enum Evidence {
    Logs(Vec<Source>),
    /// The days of a store.
    Store(PathBuf, WholeDays),
    /// What an engine grouped.
    Answers(Answers),
    /// What an engine in AWS groups.
    #[cfg(feature = "aws")]
    Engine(super::remote::EngineQuery),
}

impl Input {
    /// Checks everything that can be checked before the long work starts.
    pub(super) fn resolve(args: InputArgs, ranges: Option<&Path>) -> Result<Self, Failure> {
        let InputArgs {
            flows,
            store,
            inventory,
            cloudtrail,
            log_format,
            since,
            until,
            // `use_threads` has seen to them before anything else.
            threads: _,
            remote,
        } = args;
        let (since, until) = window(since, until)?;
        let format = format(log_format)?;
        let inventory = progress::stage(
            || load(&inventory, ranges, &cloudtrail, &remote),
            |loaded| match loaded {
                Ok(loaded) => format!(
                    "inventory: {}, {}",
                    plural(loaded.groups().len() as u64, "security group"),
                    plural(loaded.interfaces().len() as u64, "interface")
                ),
                Err(_) => "the inventory can't be used".to_owned(),
            },
        )?;
        let reading = ingest::Settings {
            format,
            known_formats: known_formats(&inventory),
            transit_gateways: transit_gateways(&inventory),
            since,
            until,
        };
        let (evidence, inventory) = match store {
            Some(store) => {
                let days = WholeDays::around(since, until);
                let note = widened(days, (since, until));
                let inventory = match &note {
                    Some(note) => {
                        progress::say(note);
                        inventory.with_note(note)
                    }
                    None => inventory,
                };
                (Evidence::Store(store, days), inventory)
            }
            None => (evidence(&flows, &remote, &reading)?, inventory),
        };
        Ok(Self {
            evidence,
            inventory,
            reading,
        })
    }
}

/// The inventory, with what CloudTrail remembers.
fn load(
    dir: &Path,
    ranges: Option<&Path>,
    cloudtrail: &[String],
    remote: &RemoteArgs,
) -> Result<Inventory, Failure> {
    let trail = if cloudtrail.is_empty() {
        Vec::new()
    } else {
        trail::files(cloudtrail, remote)?
    };
    let mut failed = None;
    let files = trail.iter().map_while(|source| {
        let mut bytes = Vec::new();
        let read = source
            .raw()
            .and_then(|mut reader| reader.read_to_end(&mut bytes));
        match read {
            Ok(_) => Some((Path::new(&source.name), bytes)),
            Err(error) => {
                failed = Some((source, error));
                None
            }
        }
    });
    let loaded = Inventory::load_with(dir, ranges, files);
    if let Some((source, error)) = failed {
        if let Some(reason) = source.failure() {
            return Err(broke_off(&reason));
        }
        let error = anyhow::Error::new(error);
        return Err(Failure::usage(error.context(format!(
            "--cloudtrail `{}` can't be read",
            visible(&source.name, 300)
        )))
        .about(Trouble::SourceNotFound));
    }
    loaded.map_err(Failure::usage)
}

/// A source in AWS that could not be read to its end.
pub(super) fn broke_off(reason: &str) -> Failure {
    Failure::aws(format!("AWS: {reason}; run it again")).about(Trouble::AwsBrokeOff)
}

/// What is to be read: sources, what an engine answered, or one query to an engine in AWS.
fn evidence(
    flows: &[String],
    remote: &RemoteArgs,
    reading: &ingest::Settings,
) -> Result<Evidence, Failure> {
    if let Some(answers) = Answers::named(flows, (reading.since, reading.until))? {
        return Ok(Evidence::Answers(answers));
    }
    #[cfg(feature = "aws")]
    if let Some(query) = super::remote::engine_query(flows, remote, reading)? {
        return Ok(Evidence::Engine(query));
    }
    sources(flows, remote, (reading.since, reading.until), false).map(Evidence::Logs)
}

/// The note about a window of a store that is longer than the one that was asked for.
fn widened(days: WholeDays, asked: (Option<u64>, Option<u64>)) -> Option<String> {
    let (since, until) = days.bounds();
    if (since, until) == asked {
        return None;
    }
    let bounds = [
        since.map(|since| format!("--since {}", day(since))),
        until.map(|until| format!("--until {}", day(until))),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    Some(format!(
        "a store keeps whole days (UTC) only: closegate widens the window to {}",
        bounds.join(" ")
    ))
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
    if let Some(flow) = flows.iter().find(|flow| is_answers(flow)) {
        return Err(Failure::usage(anyhow!(
            "flow source `{}` is of `audit` and `verify` only; what an engine grouped is no rows",
            visible(flow, 300)
        )));
    }
    #[cfg(feature = "aws")]
    let found = super::remote::sources(flows, remote, window, settled)?;
    #[cfg(not(feature = "aws"))]
    let found = {
        let _ = (remote, window, settled);
        ingest::find(flows).map_err(Failure::usage)?
    };
    let (sources, copies) = ingest::without_copies(found);
    if let Some(note) = copies_in_words(&copies) {
        progress::say(&note);
    }
    Ok(sources)
}

/// The note about flow log objects that lie in several places.
fn copies_in_words(copies: &[ObjectCopy]) -> Option<String> {
    // A copy that was cut off is the one to look at.
    let example = copies
        .iter()
        .find(|copy| !copy.same_size)
        .or_else(|| copies.first())?;
    let size = if example.same_size {
        ""
    } else {
        "; their sizes differ, so closegate reads the larger one"
    };
    let mut note = format!(
        "`{}` is the same flow log object as `{}`: closegate reads it once{size}",
        visible(&example.name, 300),
        visible(&example.of, 300),
    );
    if copies.len() > 1 {
        let more = plural(copies.len() as u64 - 1, "file");
        note = format!("{note} (and {more} more like it)");
    }
    Some(note)
}

/// What configuration and command line decide together, with every file that they name read and checked.
pub(super) struct Decided {
    pub(super) config: Config,
    /// An ip-ranges.json among the tables.
    pub(super) ranges: Option<PathBuf>,
}

/// Resolves the configuration that was named, else the one in this directory (and says so), else none; `tables` and `maxmind` are
/// the command line's. What this refuses, every command with a configuration refuses.
pub(super) fn decide(
    named: Option<PathBuf>,
    tables: Option<PathBuf>,
    maxmind: &[PathBuf],
) -> Result<Decided, Failure> {
    let unnamed = named.is_none();
    let found = named.or_else(|| {
        let path = PathBuf::from(config::FILE);
        path.is_file().then_some(path)
    });
    let notice = unnamed && found.is_some();
    let mut config = found
        .as_deref()
        .map_or_else(|| Ok(Config::default()), config)?;
    let Tables { dir, maxmind: own } = &config.tables;
    let mut owners = Owners::default();
    add_owners(&mut owners, own, "tables.maxmind")?;
    add_owners(&mut owners, maxmind, "--maxmind")?;
    // The configuration's directory is checked although the command line names another: it would fail the next run.
    let own = dir.as_deref().map(TableFiles::read).transpose()?;
    let tables = match tables {
        Some(dir) => Some(TableFiles::read(&dir)?),
        None => own,
    };
    config.policy.owners = owners;
    let tables = tables.unwrap_or_default();
    config.policy.resolvers = tables.resolvers;
    if notice {
        progress::say(&format!(
            "Using {}; --config FILE chooses another",
            config::FILE
        ));
    }
    Ok(Decided {
        config,
        ranges: tables.ranges.map(|(file, _)| file),
    })
}

/// A configuration file, checked.
fn config(path: &Path) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let advice = if error.kind() == std::io::ErrorKind::InvalidData {
            "is not UTF-8; save it as UTF-8"
        } else {
            "can't be read; name one that exists"
        };
        let context = format!("configuration `{}` {advice}", path.display());
        Failure::usage(anyhow::Error::new(error).context(context)).about(Trouble::Configuration)
    })?;
    Config::parse(&text, path).map_err(Failure::usage)
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
        .map_err(table_refused)
}

/// A table, a list or a database that can't be used.
pub(super) fn table_refused(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::Tables)
}

/// What tables of a directory are called.
pub(super) const AWS_RANGES: &str = "ip-ranges.json";
pub(super) const RESOLVERS: &str = "public-resolvers.txt";

/// The tables of a directory, checked.
#[derive(Default)]
pub(super) struct TableFiles {
    /// AWS's published ranges, and the day they are of.
    pub(super) ranges: Option<(PathBuf, String)>,
    pub(super) resolvers: Option<Resolvers>,
}

impl TableFiles {
    /// Reads a directory that `closegate tables update` made: it has to be one, and to hold a table.
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        let unusable = |what: &str| {
            table_refused(anyhow!(
                "tables directory `{}` {what}; name one that `closegate tables update` made, or leave it out for the tables that are compiled in",
                dir.display()
            ))
        };
        if !dir.exists() {
            return Err(unusable("doesn't exist"));
        }
        if !dir.is_dir() {
            return Err(unusable("is not a directory"));
        }
        let ranges = dir.join(AWS_RANGES);
        let tables = Self {
            ranges: table(&ranges, inventory::published_on)?.map(|published| (ranges, published)),
            resolvers: table(&dir.join(RESOLVERS), parse_resolvers)?,
        };
        if tables.ranges.is_none() && tables.resolvers.is_none() {
            return Err(unusable(&format!(
                "holds neither {AWS_RANGES} nor {RESOLVERS}"
            )));
        }
        Ok(tables)
    }
}

/// A table of well-known public resolvers.
pub(super) fn parse_resolvers(bytes: &[u8]) -> Result<Resolvers, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Resolvers::parse(text)
}

/// A table, if there is a file of that name.
pub(super) fn table<T>(
    file: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    let bytes = match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(anyhow::Error::new),
    };
    bytes
        .and_then(|bytes| read(&bytes).map_err(|what| anyhow!(what)))
        .map(Some)
        .with_context(|| format!("table `{}` can't be used", file.display()))
        .map_err(table_refused)
}

/// Adds databases that an option or a key names.
fn add_owners(owners: &mut Owners, files: &[PathBuf], by: &str) -> Result<(), Failure> {
    for file in files {
        std::fs::read(file)
            .map_err(anyhow::Error::new)
            .and_then(|bytes| owners.add(bytes).map_err(|what| anyhow!(what)))
            .with_context(|| {
                format!(
                    "{by} `{}` can't be used; name a database such as GeoLite2-ASN.mmdb",
                    file.display()
                )
            })
            .map_err(table_refused)?;
    }
    Ok(())
}

/// The formats of the inventory's flow logs that this program can use.
pub(super) fn known_formats(inventory: &Inventory) -> Vec<(String, LogFormat)> {
    inventory
        .log_formats()
        .iter()
        .filter_map(|(id, text)| Some((id.clone(), LogFormat::parse(text).ok()?)))
        .collect()
}

/// The ids of the inventory's flow logs that are of Transit Gateways.
pub(super) fn transit_gateways(inventory: &Inventory) -> Vec<String> {
    let by_format = inventory
        .log_formats()
        .iter()
        .filter(|(_, text)| LogFormat::parse(text) == Err(LogFormatError::TransitGateway))
        .map(|(id, _)| id);
    let mut ids: Vec<String> = inventory
        .transit_gateway_logs()
        .iter()
        .chain(by_format)
        .cloned()
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// `--log-format`, compiled.
pub(super) fn format(text: Option<String>) -> Result<Option<LogFormat>, Failure> {
    text.map(|text| LogFormat::parse(&text).context("--log-format"))
        .transpose()
        .map_err(Failure::usage)
}

/// Starts the threads that `--threads` asks for. The pool can be set up once only, before anything uses it.
pub(super) fn use_threads(threads: usize) -> Result<(), Failure> {
    if threads == 0 {
        return Err(Failure::usage(anyhow!(
            "--threads is 0; give 1 or more, or leave it out for one per core"
        )));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| {
            let threads = plural(threads as u64, "thread");
            format!("{threads} can't be started; give a smaller --threads")
        })
        .map_err(Failure::usage)
}

/// RFC 3339, or an age: `90m`, `36h`, `14d`, `2w`. In Unix seconds.
fn time(text: &str, now: Timestamp) -> anyhow::Result<u64> {
    let stamp = match (age(text), date(text)) {
        (Some(age), _) => now.checked_sub(age).context("lies before all time")?,
        (None, Some(midnight)) => midnight,
        (None, None) => text.parse::<Timestamp>().context(
            "is neither a date such as 2026-11-01, nor a time such as 2026-11-01T00:00:00Z, nor an age such as 14d",
        )?,
    };
    u64::try_from(stamp.as_second()).context("lies before 1970")
}

/// A date's midnight in UTC.
fn date(text: &str) -> Option<Timestamp> {
    // A time without an offset would be read as a date as well.
    let date: Date = text
        .parse()
        .ok()
        .filter(|_| text.len() == "2026-11-01".len())?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp())
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
