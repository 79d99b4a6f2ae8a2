//! The connection store: folded flow records, kept between runs.
//!
//! A directory of Parquet files by day and a `manifest.json` that names them, with the digest of each. The
//! manifest is the store: closegate replaces it in one step after everything that it names is on the disk, so a run that is
//! killed at any byte leaves the store as it was before or after a batch. What is in the store depends only on the records that
//! were read, not on how many runs or machines read them: the same bytes, but for a large day that still grows (`layout`). Rows
//! are kept as the fold has them, before anything is decided, so an audit of the store is an audit of the logs.
//!
//! closegate refuses a store with a file that is not as closegate wrote it: damage never becomes another number.

mod day;
mod directory;
mod error;
mod fold;
mod joined;
mod layout;
mod manifest;
mod window;
mod workers;

pub use error::{Fault, StoreError};
pub use window::WholeDays;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::flow::{Cuts, DAY, FlowTable, FlowTableBuilder};
use crate::ingest::{Intake, Settings, Source};
use crate::net::{plural, thousands};
use directory::{Encoded, Store};
use fold::by_day;
use layout::GrowingDay;
use manifest::{SourceEntry, StoreManifest, TableEntry, hex};

/// Flows that are held before they are written, unless `--hold` says otherwise.
pub const HELD: usize = 1 << 20;

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestSummary {
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
) -> Result<IngestSummary, StoreError> {
    if let Some(stream) = sources.iter().find(|source| source.is_stream()) {
        return Err(StoreError::NotAFile(stream.name.clone()));
    }
    let mut store = Store::lock(dir)?;
    let mut new: Vec<Source> = Vec::new();
    let mut outcome = IngestSummary::default();
    let find = store.manifest.finder();
    for source in sources {
        match find(&source.name) {
            Some(known) if known.is(source) => {
                outcome.known += 1;
                progress(source.size);
            }
            Some(_) => return Err(StoreError::Changed(source.name.clone())),
            None => new.push(source.clone()),
        }
    }
    drop(find);
    refuse_late(&store.manifest, &new)?;
    outcome.read = new.len();
    // By time, so that what several flow logs delivered at one time is read in one batch.
    new.sort_by(|a, b| (a.slot(), &a.name).cmp(&(b.slot(), &b.name)));
    let mut rest = new.as_slice();
    while !rest.is_empty() {
        let (folded, intake, taken) = by_day(rest, settings, held, &progress);
        let batch;
        (batch, rest) = rest.split_at(taken);
        for source in batch {
            if let Some(reason) = source.failure() {
                let name = source.name.clone();
                return Err(StoreError::Unfetched { name, reason });
            }
        }
        let encode = || folded.encode();
        let hash = || {
            let hashes = batch.par_iter().map(hash);
            hashes.collect::<Result<Vec<String>, _>>()
        };
        // An encoder leaves processors idle.
        let (tables, hashes) = rayon::join(encode, hash);
        let accounts = batch.iter().zip(&intake.sources).zip(hashes?);
        let entries: Vec<SourceEntry> = accounts
            .map(|((source, account), hash)| SourceEntry::new(source, account, hash))
            .collect();
        let change = |manifest: &mut StoreManifest| manifest.sources.extend(entries);
        if rest.is_empty() {
            // Where batches end depends on the threads, and the bytes must not.
            let growing = if batch.len() == new.len() {
                GrowingDay::InParts
            } else {
                GrowingDay::Whole
            };
            store.settle(tables?, growing, change)?;
        } else {
            store.add(tables?, change)?;
        }
        outcome.intake.add(intake);
    }
    store.compact(GrowingDay::InParts)?;
    outcome.days = store.manifest.days().len();
    outcome.flows = store.manifest.flows();
    Ok(outcome)
}

/// With several flow logs in one store, the rows of a time are compared with each other
/// when they are read, and never again; so a time is not opened twice.
fn refuse_late(manifest: &StoreManifest, new: &[Source]) -> Result<(), StoreError> {
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
pub fn merge(dir: &Path, others: &[PathBuf]) -> Result<IngestSummary, StoreError> {
    let others: Vec<(&PathBuf, Store)> = others
        .iter()
        .map(|other| Ok((other, Store::open(other)?)))
        .collect::<Result<_, StoreError>>()?;
    let mut store = Store::lock(dir)?;
    let mut outcome = IngestSummary::default();
    for (other, from) in others {
        let (find, theirs) = (store.manifest.finder(), &from.manifest);
        let shared: Vec<&SourceEntry> = theirs
            .sources
            .iter()
            .filter(|source| find(&source.name).is_some())
            .collect();
        let differs =
            |source: &&&SourceEntry| find(&source.name).is_none_or(|known| !known.agrees(source));
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
        drop(find);
        let tables = theirs.tables.iter();
        let tables = tables.map(|entry| Encoded::new(from.read(entry)?));
        let tables = tables.collect::<Result<Vec<_>, StoreError>>()?;
        outcome.read += theirs.sources.len();
        let sources = from.manifest.sources;
        store.add(tables, |manifest| manifest.sources.extend(sources))?;
    }
    store.compact(GrowingDay::Whole)?;
    outcome.days = store.manifest.days().len();
    outcome.flows = store.manifest.flows();
    Ok(outcome)
}

/// What a look at every file of a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Days in the store.
    pub days: usize,
    /// Flows in the store.
    pub flows: u64,
    /// Files that the manifest names.
    pub files: usize,
    /// Files of these that are not as closegate wrote them, by path below the store.
    pub faults: Vec<(String, Fault)>,
    /// Files in the directory that the manifest does not name, by path below it.
    pub unlisted: Vec<String>,
}

/// Looks at every file of a store.
pub fn verify(dir: &Path) -> Result<Verified, StoreError> {
    let store = Store::open(dir)?;
    Ok(Verified {
        days: store.manifest.days().len(),
        flows: store.manifest.flows(),
        files: store.manifest.files().count(),
        faults: store.faults()?,
        unlisted: store.unlisted(),
    })
}

/// Everything in the store, as if the logs had been read.
pub fn load(dir: &Path) -> Result<(FlowTable, Intake), StoreError> {
    load_days(dir, WholeDays::default(), None)
}

/// The same of some days, with flows of days from before and after certain times kept apart. Reads only the files that hold
/// one of these days. A record belongs to the day on which it starts.
pub fn load_days(
    dir: &Path,
    window: WholeDays,
    cuts: Option<Cuts>,
) -> Result<(FlowTable, Intake), StoreError> {
    let mut store = Store::open(dir)?;
    let is_whole = store.manifest.days().iter().all(|&day| window.has(day));
    if !is_whole {
        store.count_records()?;
    }
    let manifest = &store.manifest;
    // Cuts ask when a flow was first seen on a day: on all of it, however many tables it lies in.
    let in_parts = if cuts.is_some() {
        manifest.days_in_parts()
    } else {
        BTreeSet::new()
    };
    let parts: Mutex<BTreeMap<u64, Vec<FlowTable>>> = Mutex::default();
    let builder = FlowTableBuilder::new(cuts);
    let totals = Mutex::new(Totals::default());
    let is_inside = |entry: &&TableEntry| entry.days.keys().any(|&day| window.has(day));
    let entries: Vec<&TableEntry> = manifest.tables.iter().filter(is_inside).collect();
    workers::each(&entries, |entry| {
        let days = store.read(entry)?.into_iter();
        for (day, table) in days.filter(|(day, _)| window.has(*day)) {
            let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
            totals.add(day, &table);
            drop(totals);
            if in_parts.contains(&day) {
                let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                parts.entry(day).or_default().push(table);
            } else {
                builder.absorb(&table);
            }
        }
        Ok(())
    })?;
    let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    for parts in parts.into_values() {
        builder.absorb(&FlowTable::merged(parts));
    }
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sources = manifest.sources.iter().map(SourceEntry::account);
    let mut intake = Intake::of(sources.collect());
    (intake.rows, intake.no_data, intake.skip_data) =
        (totals.rows, totals.no_data, totals.skip_data);
    let read = [intake.rows, intake.no_data, intake.skip_data];
    let read = sum(read);
    let distinct = if is_whole {
        read
    } else {
        let days = manifest.tables.iter().flat_map(|entry| entry.days.values());
        sum(days.copied())
    };
    let records = sum(intake.sources.iter().map(|source| source.records));
    intake.duplicates = records.checked_sub(distinct).ok_or_else(|| {
        let what = format!(
            "its days hold {}, and its sources {}",
            plural(distinct, "record"),
            thousands(records)
        );
        store.damaged("manifest.json", what)
    })?;
    if !is_whole {
        intake.outside_window = distinct.saturating_sub(read);
        intake.outside = intake.window;
        let clip = |all: (u64, u64), own: (u64, u64)| (all.0.max(own.0), all.1.min(own.1));
        let both = intake.window.zip(totals.window);
        intake.window = both.map(|(all, own)| clip(all, own));
    }
    Ok((builder.finish(), intake))
}

/// A sum of what a damaged file may say.
fn sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// What the days of a window add up to.
#[derive(Default)]
struct Totals {
    rows: u64,
    no_data: u64,
    skip_data: u64,
    /// Start of the first and end of the last row; of days without rows, all of the day.
    window: Option<(u64, u64)>,
}

impl Totals {
    fn add(&mut self, day: u64, table: &FlowTable) {
        for coverage in &table.coverage {
            self.rows = self.rows.saturating_add(coverage.rows);
            self.no_data = self.no_data.saturating_add(coverage.no_data);
            self.skip_data = self.skip_data.saturating_add(coverage.skip_data);
        }
        let wider = |a: (u64, u64), b: (u64, u64)| (a.0.min(b.0), a.1.max(b.1));
        let flows = table.flows.iter().map(|flow| &flow.counters);
        let rows = flows.map(|counters| (counters.first, counters.last));
        let midnight = day.saturating_mul(DAY);
        let own = rows.reduce(wider);
        let own = own.unwrap_or((midnight, midnight.saturating_add(DAY - 1)));
        self.window = Some(self.window.map_or(own, |known| wider(known, own)));
    }
}

/// What tells the content of a source from any other: its `ETag`, or its SHA-256.
fn hash(source: &Source) -> Result<String, StoreError> {
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
    read().map_err(|error| StoreError::Source {
        name: source.name.clone(),
        source: error,
    })?;
    Ok(hex(&hasher.finalize()))
}
