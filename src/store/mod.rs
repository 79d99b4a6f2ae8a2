//! The connection store: folded flow records, kept between runs.
//!
//! A directory of Parquet files by day and a `manifest.json` that names them. The
//! manifest is the store: files that it does not name do not exist, and it is replaced in
//! one step after everything it names is on the disk, so a run that is killed at any
//! byte leaves the store as it was before or after a batch. What is in the store
//! depends only on the records that were read, not on how many runs or machines read
//! them: the same bytes. Rows are kept as the fold has them, before anything is decided,
//! so an audit of the store is an audit of the logs.

mod day;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::flow::{DAY, FlowTable, FlowTableBuilder, Folder};
use crate::ingest::{self, Intake, Interval, Row, Settings, Sink, Source};
use crate::net::{HashMap, json};
use manifest::{DayEntry, Manifest, SourceEntry};

/// Flows that are held before they are written, unless somebody says otherwise.
pub const HELD: usize = 1 << 20;

const MANIFEST: &str = "manifest.json";
const LOCK: &str = "lock";

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("store `{}`: {source}; name a directory that can be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a store, or a damaged one.
    #[error("store `{}` can't be read: {what}; make it again from the logs", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No manifest.
    #[error("`{}` is not a store; make one with `closegate ingest --store`", .0.display())]
    None(PathBuf),
    /// Somebody else writes to it.
    #[error("store `{}` is being written by another run; wait for it to end", .0.display())]
    Busy(PathBuf),
    /// A source whose content cannot be told apart later.
    #[error("flow source `{0}` has no name to remember it by; save it to a file first")]
    Nameless(String),
    /// A source that could not be fetched.
    #[error("flow source `{name}`: {reason}; run it again, what was read before is in the store")]
    Unfetched {
        /// The source.
        name: String,
        /// Why.
        reason: String,
    },
    /// A source that is not what it was.
    #[error(
        "flow source `{0}` was read before and has another size now; flow log files never change, so give it another name"
    )]
    Changed(String),
    /// Rows that several flow logs may have delivered.
    #[error(
        "flow source `{name}` comes too late: the store holds that time of other flow logs already, and rows that several of them delivered can't be told any more; make the store again from all files"
    )]
    Late {
        /// The source.
        name: String,
    },
    /// Two stores that overlap.
    #[error(
        "stores `{}` and `{}` both hold `{name}`, of different content; merge stores of different files", a.display(), b.display()
    )]
    Conflict {
        /// One store.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// A source of both.
        name: String,
    },
}

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Sources that were new.
    pub read: usize,
    /// Sources that the store had already.
    pub known: usize,
    /// The account of the new ones.
    pub intake: Intake,
    /// Days in the store.
    pub days: usize,
    /// Flows in the store.
    pub flows: u64,
}

/// Reads what the store does not have yet. `held` is how many flows may be in memory before they
/// are written, about: what a killed run had not written, the next one reads again.
/// `progress` is told of every byte of the sources.
pub fn ingest(
    dir: &Path,
    sources: &[Source],
    settings: &Settings,
    held: usize,
    progress: impl Fn(u64) + Sync,
) -> Result<Outcome, StoreError> {
    let store = Store::lock(dir)?;
    let mut manifest = store.manifest()?.unwrap_or_default();
    let mut new: Vec<Source> = Vec::new();
    let mut outcome = Outcome::default();
    for source in sources {
        if source.name == "-" {
            return Err(StoreError::Nameless(source.name.clone()));
        }
        match manifest.source(&source.name) {
            Some(known) if known.is(source) => {
                outcome.known += 1;
                progress(source.size);
            }
            Some(_) => return Err(StoreError::Changed(source.name.clone())),
            None => new.push(source.clone()),
        }
    }
    refuse_late(&manifest, &new)?;
    outcome.read = new.len();
    // By time, so that what several flow logs delivered at one time is read in one batch.
    new.sort_by(|a, b| (a.slot(), &a.name).cmp(&(b.slot(), &b.name)));
    let mut rest = new.as_slice();
    while !rest.is_empty() {
        let (days, intake, taken) = by_day(rest, settings, held, &progress);
        let batch;
        (batch, rest) = rest.split_at(taken);
        for source in batch {
            if let Some(reason) = source.failure() {
                let name = source.name.clone();
                return Err(StoreError::Unfetched { name, reason });
            }
        }
        let write = || {
            let parts = days.into_iter().map(|(day, builder)| {
                let parts = store.write(day, &builder.finish_as_folded())?;
                Ok((day, parts))
            });
            parts.collect::<Result<Vec<_>, StoreError>>()
        };
        let hash = || {
            let hashes = batch.par_iter().map(|source| store.hash(source));
            hashes.collect::<Result<Vec<String>, _>>()
        };
        // A disk and an encoder leave processors idle.
        let (written, hashes) = rayon::join(write, hash);
        for (day, parts) in written? {
            manifest.days.entry(day).or_default().push(parts);
        }
        let hashes = hashes?;
        for ((source, account), hash) in batch.iter().zip(&intake.sources).zip(hashes) {
            let entry = SourceEntry::new(source, account, hash);
            manifest.sources.push(entry);
        }
        outcome.intake.add(intake);
        store.commit(&mut manifest)?;
    }
    store.compact(&mut manifest)?;
    outcome.days = manifest.days.len();
    outcome.flows = manifest.flows();
    Ok(outcome)
}

/// With several flow logs in one store, the rows of a time are compared with each other
/// when they are read, and never again; so a time is not opened twice.
fn refuse_late(manifest: &Manifest, new: &[Source]) -> Result<(), StoreError> {
    let mut logs: BTreeSet<Option<&str>> = new.iter().map(Source::flow_log_id).collect();
    logs.extend(manifest.sources.iter().map(SourceEntry::flow_log_id));
    if logs.len() < 2 {
        return Ok(());
    }
    let newest = manifest.sources.iter().map(SourceEntry::slot).max();
    let late = new
        .iter()
        .find(|source| newest.is_some_and(|newest| source.slot() <= newest));
    match late {
        Some(source) => Err(StoreError::Late {
            name: source.name.clone(),
        }),
        None => Ok(()),
    }
}

/// Adds what other stores hold. All have to be of different files, or of the same.
pub fn merge(dir: &Path, others: &[PathBuf]) -> Result<Outcome, StoreError> {
    let store = Store::lock(dir)?;
    let mut manifest = store.manifest()?.unwrap_or_default();
    let mut outcome = Outcome::default();
    for other in others {
        let from = Store {
            dir: other.clone(),
            lock: None,
        };
        let theirs = from
            .manifest()?
            .ok_or_else(|| StoreError::None(other.clone()))?;
        let shared: Vec<&SourceEntry> = theirs
            .sources
            .iter()
            .filter(|source| manifest.source(&source.name).is_some())
            .collect();
        let differs = |source: &&&SourceEntry| manifest.source(&source.name) != Some(**source);
        let conflict = shared.iter().find(differs).or_else(|| {
            let partly = !shared.is_empty() && shared.len() < theirs.sources.len();
            shared.first().filter(|_| partly)
        });
        if let Some(source) = conflict {
            return Err(StoreError::Conflict {
                a: dir.to_path_buf(),
                b: other.clone(),
                name: source.name.clone(),
            });
        }
        if !shared.is_empty() {
            outcome.known += shared.len();
            continue;
        }
        for (&day, entries) in &theirs.days {
            for entry in entries {
                let table = from.read(entry)?;
                let parts = store.write(day, &table)?;
                manifest.days.entry(day).or_default().push(parts);
            }
        }
        outcome.read += theirs.sources.len();
        manifest.sources.extend(theirs.sources);
        store.commit(&mut manifest)?;
    }
    store.compact(&mut manifest)?;
    outcome.days = manifest.days.len();
    outcome.flows = manifest.flows();
    Ok(outcome)
}

/// Everything in the store, as if the logs had been read.
pub fn load(dir: &Path) -> Result<(FlowTable, Intake), StoreError> {
    let store = Store {
        dir: dir.to_path_buf(),
        lock: None,
    };
    let manifest = store
        .manifest()?
        .ok_or_else(|| StoreError::None(dir.to_path_buf()))?;
    let builder = FlowTableBuilder::default();
    let totals = Mutex::new(Intake::default());
    let entries: Vec<&DayEntry> = manifest.days.values().flatten().collect();
    entries.par_iter().try_for_each(|entry| {
        let table = store.read(entry)?;
        {
            let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
            totals.rows += table.flows.iter().map(|f| f.counters.records).sum::<u64>();
            for coverage in &table.coverage {
                totals.no_data += coverage.no_data;
                totals.skip_data += coverage.skip_data;
            }
        }
        builder.absorb(&table);
        Ok(())
    })?;
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sources = manifest.sources.iter().map(SourceEntry::account);
    let mut intake = Intake::of(sources.collect());
    let records: u64 = intake.sources.iter().map(|source| source.records).sum();
    (intake.rows, intake.no_data, intake.skip_data) =
        (totals.rows, totals.no_data, totals.skip_data);
    intake.duplicates = records - intake.records_read();
    Ok((builder.finish(), intake))
}

/// A store's directory, locked if it is to be written.
struct Store {
    dir: PathBuf,
    lock: Option<File>,
}

impl Store {
    fn lock(dir: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io {
            path: dir.to_path_buf(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                dir: dir.to_path_buf(),
                lock: Some(lock),
            }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Busy(dir.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn io<T>(&self, name: &str, result: std::io::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| StoreError::Io {
            path: self.dir.join(name),
            source,
        })
    }

    fn manifest(&self) -> Result<Option<Manifest>, StoreError> {
        match fs::read(self.dir.join(MANIFEST)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| self.damaged(MANIFEST, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            error => self.io(MANIFEST, error.map(|_| None)),
        }
    }

    fn damaged(&self, name: &str, what: &impl ToString) -> StoreError {
        StoreError::Damaged {
            path: self.dir.join(name),
            what: what.to_string(),
        }
    }

    /// Writes a day's table and says what it is called: by its content, so that nothing
    /// is ever overwritten by something else.
    fn write(&self, day: u64, table: &FlowTable) -> Result<DayEntry, StoreError> {
        let folder = manifest::folder(day);
        self.io(&folder, fs::create_dir_all(self.dir.join(&folder)))?;
        let files = day::encode(table).map_err(|error| self.damaged(&folder, &error))?;
        let put = |(what, bytes): (&str, Vec<u8>)| {
            let digest = Sha256::digest(&bytes);
            let name = format!("{folder}/{what}-{}.parquet", hex(&digest[..8]));
            self.put(&name, &bytes).map(|()| name)
        };
        let [flows, interfaces, services, contacts] = files.map(put);
        Ok(DayEntry {
            flows: flows?,
            interfaces: interfaces?,
            services: services?,
            contacts: contacts?,
            count: table.flows.len() as u64,
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        if path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64) {
            return Ok(());
        }
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        self.io(name, write())
    }

    fn read(&self, entry: &DayEntry) -> Result<FlowTable, StoreError> {
        let files = entry.files().into_iter();
        let files = files.map(|name| self.io(name, fs::read(self.dir.join(name))));
        day::decode(files.collect::<Result<_, _>>()?)
            .map_err(|what| self.damaged(&entry.flows, &what))
    }

    /// Puts the manifest in place, after everything that it names; then what no manifest
    /// names any more goes.
    fn commit(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        manifest.stamp();
        manifest.sources.sort_by(|a, b| a.name.cmp(&b.name));
        for entries in manifest.days.values_mut() {
            entries.sort();
        }
        let bytes = json::pretty(manifest).into_bytes();
        let aside = format!("{MANIFEST}.new");
        let path = self.dir.join(&aside);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&path, self.dir.join(MANIFEST))?;
            File::open(&self.dir)?.sync_all()
        };
        self.io(&aside, write())
    }

    /// One table per day, and nothing else in the directory.
    fn compact(&self, manifest: &mut Manifest) -> Result<(), StoreError> {
        debug_assert!(self.lock.is_some(), "only a locked store is written");
        let days: Vec<(&u64, &mut Vec<DayEntry>)> = manifest.days.iter_mut().collect();
        days.into_par_iter().try_for_each(|(&day, entries)| {
            if entries.len() > 1 {
                let tables = entries.iter().map(|entry| self.read(entry));
                let merged = FlowTable::merged(tables.collect::<Result<_, _>>()?);
                *entries = vec![self.write(day, &merged)?];
            }
            Ok(())
        })?;
        self.commit(manifest)?;
        let named: BTreeSet<PathBuf> = manifest
            .days
            .values()
            .flatten()
            .flat_map(DayEntry::files)
            .map(|name| self.dir.join(name))
            .collect();
        for file in walkdir::WalkDir::new(&self.dir)
            .into_iter()
            .filter_map(Result::ok)
        {
            let stale = file.path().extension().is_some_and(|e| e == "parquet")
                && !named.contains(file.path());
            if stale {
                let name = file.path().display().to_string();
                self.io(&name, fs::remove_file(file.path()))?;
            }
        }
        Ok(())
    }

    /// The content of a source in a few characters.
    fn hash(&self, source: &Source) -> Result<String, StoreError> {
        if let Some(identity) = source.identity() {
            return Ok(identity.to_owned());
        }
        let mut hasher = Sha256::new();
        let mut read = || {
            let mut reader = source.raw()?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                match reader.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => hasher.update(&buffer[..count]),
                }
            }
        };
        self.io(&source.name, read())?;
        Ok(hex(&hasher.finalize()))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Folds sources, as many as memory allows, one fold per day, by the day in which a row starts.
fn by_day(
    sources: &[Source],
    settings: &Settings,
    held: usize,
    progress: &(impl Fn(u64) + Sync),
) -> (BTreeMap<u64, FlowTableBuilder>, Intake, usize) {
    let days = Days::default();
    let full = || days.rooms() >= held;
    let sink = || DaySink {
        days: &days,
        folders: HashMap::default(),
    };
    let (intake, taken) = ingest::read_until(sources, settings, sink, progress, full);
    let builders = days.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let builders = builders.into_iter().map(|(day, builder)| {
        let builder = Arc::into_inner(builder).expect("every worker is done");
        (day, builder)
    });
    (builders.collect(), intake, taken)
}

/// One fold per day.
#[derive(Default)]
struct Days(Mutex<BTreeMap<u64, Arc<FlowTableBuilder>>>);

impl Days {
    /// How many flows there is room for so far.
    fn rooms(&self) -> usize {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.values().map(|builder| builder.rooms()).sum()
    }
}

/// A worker's ways into them.
struct DaySink<'a> {
    days: &'a Days,
    folders: HashMap<u64, Folder>,
}

impl DaySink<'_> {
    fn of(&mut self, start: u64) -> &mut Folder {
        let day = start / DAY;
        self.folders.entry(day).or_insert_with(|| {
            let mut days = self.days.0.lock().unwrap_or_else(PoisonError::into_inner);
            days.entry(day).or_default().folder()
        })
    }
}

impl Sink for DaySink<'_> {
    fn row(&mut self, row: Row<'_>) {
        self.of(row.start).row(row);
    }

    fn again(&mut self, row: Row<'_>) {
        self.of(row.start).again(row);
    }

    fn no_data(&mut self, interval: Interval<'_>) {
        self.of(interval.start).no_data(interval);
    }

    fn skip_data(&mut self, interval: Interval<'_>) {
        self.of(interval.start).skip_data(interval);
    }

    fn finish(self) {
        for folder in self.folders.into_values() {
            folder.finish();
        }
    }
}
