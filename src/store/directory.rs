//! A store's directory: what may be in it, and how files come and go.
//!
//! closegate removes only files that the store's own manifest names. It writes the names of new files into the manifest
//! before it writes the files, so that a run that is killed leaves nothing behind that the next one can't remove.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::day;
use super::error::{Fault, StoreError};
use super::layout::{self, GrowingDay, TableMerge};
use super::manifest::{FileEntry, StoreManifest, TableEntry};
use super::workers;
use crate::flow::FlowTable;
use crate::net::{plural, thousands};
use crate::platform;

const MANIFEST: &str = "manifest.json";
const NEW_MANIFEST: &str = "manifest.json.new";
const LOCK: &str = "lock";

/// How every manifest begins.
const MANIFEST_BEGINS: &[u8] = b"{\n  \"schema_version\": ";

/// A store's directory, and its manifest.
pub(super) struct Store {
    dir: PathBuf,
    pub(super) manifest: StoreManifest,
    /// Held as long as the store may be written.
    lock: Option<File>,
}

/// A table as its files, and what they will be called.
pub(super) struct Encoded {
    entry: TableEntry,
    content: [Vec<u8>; 4],
}

impl Encoded {
    /// The tables of some days, as the files of one.
    pub(super) fn new(tables: BTreeMap<u64, FlowTable>) -> Result<Self, StoreError> {
        let days = by_day(&tables);
        let count = flows(&tables);
        let rows = rows(&tables);
        let files = day::encode(tables).map_err(|error| StoreError::Encode(error.to_string()))?;
        let [flows, interfaces, services, contacts] = files
            .each_ref()
            .map(|(what, content)| FileEntry::of(&days, what, content));
        Ok(Self {
            entry: TableEntry {
                days,
                flows,
                interfaces,
                services,
                contacts,
                count,
                rows,
            },
            content: files.map(|(_, content)| content),
        })
    }
}

/// Files that are not on the disk yet, by name.
type NewFiles = BTreeMap<String, Vec<u8>>;

/// What the manifest says of new tables, and their files.
fn apart(new: Vec<Encoded>) -> (Vec<TableEntry>, NewFiles) {
    let mut files = NewFiles::new();
    let mut entries = Vec::with_capacity(new.len());
    for Encoded { entry, content } in new {
        let names = entry.files().map(|file| file.name.clone());
        files.extend(names.into_iter().zip(content));
        entries.push(entry);
    }
    (entries, files)
}

/// How many flows there are.
fn flows(tables: &BTreeMap<u64, FlowTable>) -> u64 {
    tables.values().map(|table| table.flows.len() as u64).sum()
}

/// The rows that all flows add up to.
fn rows(tables: &BTreeMap<u64, FlowTable>) -> u64 {
    let flows = tables.values().flat_map(|table| &table.flows);
    let records = flows.map(|flow| flow.counters.records);
    records.fold(0, u64::saturating_add)
}

/// The records that each day has.
fn by_day(tables: &BTreeMap<u64, FlowTable>) -> BTreeMap<u64, u64> {
    let counts = tables.iter().map(|(&day, table)| (day, records(table)));
    counts.collect()
}

/// The records that a table was made from, with traffic and without.
pub(super) fn records(table: &FlowTable) -> u64 {
    let counts = table.coverage.iter();
    let counts = counts.flat_map(|c| [c.rows, c.no_data, c.skip_data]);
    counts.fold(0, u64::saturating_add)
}

impl Store {
    /// Opens a store to read it.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let json = manifest_text(dir)?.ok_or_else(|| StoreError::None(dir.to_path_buf()))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            manifest: parse(dir, &json)?,
            lock: None,
        })
    }

    /// Opens a store to write it, and makes it where there is none. Refuses a directory that is neither a store nor empty before it
    /// changes anything, and a store that is not whole.
    pub(super) fn lock(dir: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io {
            path: dir.to_path_buf(),
            source,
        };
        let before = manifest_text(dir)?;
        let mut manifest = before.as_deref().map(|text| parse(dir, text)).transpose()?;
        if manifest.is_none()
            && let Some(foreign) = foreign_to_a_new_store(dir).map_err(failed)?
        {
            return Err(StoreError::Foreign {
                dir: dir.to_path_buf(),
                name: foreign,
            });
        }
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Busy(dir.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Another run may have written it since. To parse it twice would take longer than anything else in a large store.
        let now = manifest_text(dir)?;
        if now != before {
            manifest = now.as_deref().map(|text| parse(dir, text)).transpose()?;
        }
        let is_new = manifest.is_none();
        let mut store = Self {
            dir: dir.to_path_buf(),
            manifest: manifest.unwrap_or_default(),
            lock: Some(lock),
        };
        if is_new {
            store.commit()?;
        }
        store.count_records()?;
        store.remove_pending()?;
        match store.faults()?.into_iter().next() {
            Some((file, fault)) => Err(store.at_fault(&file, fault)),
            None => Ok(store),
        }
    }

    /// Every file that the manifest names and that is not as closegate wrote it.
    pub(super) fn faults(&self) -> Result<Vec<(String, Fault)>, StoreError> {
        let files: Vec<&FileEntry> = self.manifest.files().collect();
        let fault = |file: &&FileEntry| match self.content(file) {
            Ok(_) => None,
            Err(StoreError::Fault { fault, .. }) => Some(Ok((file.name.clone(), fault))),
            Err(error) => Some(Err(error)),
        };
        files.par_iter().filter_map(fault).collect()
    }

    /// Files below the directory that the manifest does not name, by path below it.
    pub(super) fn unlisted(&self) -> Vec<String> {
        let listed: BTreeSet<PathBuf> = self
            .manifest
            .files()
            .map(|file| &file.name)
            .chain(&self.manifest.pending)
            .map(PathBuf::from)
            .chain([MANIFEST, NEW_MANIFEST, LOCK].map(PathBuf::from))
            .collect();
        let entries = walkdir::WalkDir::new(&self.dir).sort_by_file_name();
        let files = entries
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| !entry.file_type().is_dir());
        let below = files.filter_map(|entry| {
            let path = entry.path().strip_prefix(&self.dir).ok()?.to_path_buf();
            (!listed.contains(&path)).then(|| platform::portable(&path))
        });
        below.collect()
    }

    /// The tables of a table's days.
    pub(super) fn read(&self, entry: &TableEntry) -> Result<BTreeMap<u64, FlowTable>, StoreError> {
        self.read_with(&NewFiles::new(), entry)
    }

    /// The same of a table whose files may be new.
    fn read_with(
        &self,
        new: &NewFiles,
        entry: &TableEntry,
    ) -> Result<BTreeMap<u64, FlowTable>, StoreError> {
        let files = entry.files().map(|file| match new.get(&file.name) {
            Some(content) => Ok(content.clone()),
            None => self.content(file),
        });
        let files = files.into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = entry.days.keys().next().copied().unwrap_or_default();
        // The digests are right here. A hand-made manifest can still name what Polars panics at.
        let tables = catch_unwind(AssertUnwindSafe(|| day::decode(files, first)))
            .unwrap_or_else(|_| Err("it is not Parquet that closegate wrote".to_owned()))
            .map_err(|what| self.damaged(&entry.flows.name, what))?;
        let (count, rows) = (flows(&tables), rows(&tables));
        if (count, rows) != (entry.count, entry.rows) {
            let what = format!(
                "it holds {} of {}, and the manifest says {} of {}",
                plural(count, "flow"),
                plural(rows, "row"),
                thousands(entry.count),
                thousands(entry.rows)
            );
            return Err(self.damaged(&entry.flows.name, what));
        }
        let same = if self.manifest.is_counted() {
            by_day(&tables) == entry.days
        } else {
            tables.keys().eq(entry.days.keys())
        };
        if !same {
            let what = "its days are not those that the manifest says".to_owned();
            return Err(self.damaged(&entry.interfaces.name, what));
        }
        Ok(tables)
    }

    /// Counts the records of every day, if the manifest is of a version that does not say.
    pub(super) fn count_records(&mut self) -> Result<(), StoreError> {
        if self.manifest.is_counted() {
            return Ok(());
        }
        let tables = &self.manifest.tables;
        let counts = workers::each(tables, |entry| Ok(by_day(&self.read(entry)?)))?;
        self.manifest.count(counts);
        Ok(())
    }

    /// Adds tables, and what else changes with them, in one step.
    pub(super) fn add(
        &mut self,
        new: Vec<Encoded>,
        change: impl FnOnce(&mut StoreManifest),
    ) -> Result<(), StoreError> {
        let (entries, files) = apart(new);
        self.write(&files)?;
        self.manifest.tables.extend(entries);
        change(&mut self.manifest);
        self.manifest.pending.clear();
        self.commit()
    }

    /// The same, and brings all tables into the layout that their days' records ask for. A new table that becomes part of another
    /// is never written.
    pub(super) fn settle(
        &mut self,
        new: Vec<Encoded>,
        growing: GrowingDay,
        change: impl FnOnce(&mut StoreManifest),
    ) -> Result<(), StoreError> {
        let (entries, mut files) = apart(new);
        let mut tables = self.manifest.tables.clone();
        tables.extend(entries);
        tables.sort();
        let merges = layout::merges(&tables, growing);
        let merged = workers::each(&merges, |merge| self.merged(&tables, &files, merge))?;
        let (entries, merged) = apart(merged);
        files.extend(merged);
        let gone: BTreeSet<usize> = merges.into_iter().flat_map(|merge| merge.from).collect();
        let tables = tables.into_iter().enumerate();
        let kept = tables.filter(|(position, _)| !gone.contains(position));
        let mut tables: Vec<TableEntry> = kept.map(|(_, table)| table).collect();
        tables.extend(entries);
        let named = tables.iter().flat_map(TableEntry::files);
        let named: BTreeSet<&String> = named.map(|file| &file.name).collect();
        files.retain(|name, _| named.contains(name));
        let old = self.manifest.files().map(|file| &file.name);
        let old = old.filter(|name| !named.contains(name)).cloned().collect();
        self.write(&files)?;
        self.manifest.tables = tables;
        change(&mut self.manifest);
        self.manifest.pending = old;
        self.commit()?;
        self.remove_pending()
    }

    /// Brings the tables into the layout that their days' records ask for.
    pub(super) fn compact(&mut self, growing: GrowingDay) -> Result<(), StoreError> {
        if layout::merges(&self.manifest.tables, growing).is_empty() {
            return Ok(());
        }
        self.settle(Vec::new(), growing, |_| ())
    }

    /// One table of what several hold of some days.
    fn merged(
        &self,
        tables: &[TableEntry],
        new: &NewFiles,
        merge: &TableMerge,
    ) -> Result<Encoded, StoreError> {
        let mut parts: BTreeMap<u64, Vec<FlowTable>> = BTreeMap::new();
        for &position in &merge.from {
            for (day, table) in self.read_with(new, &tables[position])? {
                if merge.days.contains(&day) {
                    parts.entry(day).or_default().push(table);
                }
            }
        }
        let days = parts.into_iter();
        let days = days.map(|(day, parts)| (day, FlowTable::merged(parts)));
        Encoded::new(days.collect())
    }

    /// Writes files that the store does not have yet. Their names are in the manifest first.
    fn write(&mut self, files: &NewFiles) -> Result<(), StoreError> {
        let known: BTreeSet<&String> = self.manifest.files().map(|file| &file.name).collect();
        let new = files.iter().filter(|(name, _)| !known.contains(name));
        let new: Vec<(&String, &Vec<u8>)> = new.collect();
        self.manifest.pending = new.iter().map(|&(name, _)| name.clone()).collect();
        self.commit()?;
        new.into_par_iter().try_for_each(|(name, content)| {
            let path = self.dir.join(name);
            let write = || {
                fs::create_dir_all(path.parent().expect("it lies below the store"))?;
                let mut to = File::create(&path)?;
                to.write_all(content)?;
                to.sync_all()
            };
            self.io(name, write())
        })
    }

    /// Removes what the manifest says is no part of the store, and the directories that are empty then.
    fn remove_pending(&mut self) -> Result<(), StoreError> {
        if self.manifest.pending.is_empty() {
            return Ok(());
        }
        for name in &self.manifest.pending {
            let path = self.dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return self.io(name, Err(error));
                }
                _ => {}
            }
            // Not empty: other files of that day are there.
            let _ = path.parent().map(fs::remove_dir);
        }
        self.manifest.pending.clear();
        self.commit()
    }

    /// Puts the manifest in place, in one step.
    fn commit(&mut self) -> Result<(), StoreError> {
        debug_assert!(self.lock.is_some(), "only a locked store is written");
        let text = self.manifest.text();
        let aside = self.dir.join(NEW_MANIFEST);
        if !may_be_overwritten(&aside) {
            return Err(StoreError::Foreign {
                dir: self.dir.clone(),
                name: NEW_MANIFEST.to_owned(),
            });
        }
        let write = || {
            let mut file = File::create(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            drop(file);
            fs::rename(&aside, self.dir.join(MANIFEST))?;
            platform::sync_names(&self.dir)
        };
        self.io(NEW_MANIFEST, write())
    }

    /// The content of a file, if it is what closegate wrote.
    fn content(&self, file: &FileEntry) -> Result<Vec<u8>, StoreError> {
        match fs::read(self.dir.join(&file.name)) {
            Ok(content) if file.is(&content) => Ok(content),
            Ok(_) => Err(self.at_fault(&file.name, Fault::Damaged)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(self.at_fault(&file.name, Fault::Missing))
            }
            Err(error) => self.io(&file.name, Err(error)),
        }
    }

    fn at_fault(&self, name: &str, fault: Fault) -> StoreError {
        StoreError::Fault {
            path: self.dir.join(name),
            fault,
            dir: self.dir.clone(),
        }
    }

    pub(super) fn damaged(&self, name: &str, what: String) -> StoreError {
        StoreError::Damaged {
            path: self.dir.join(name),
            what,
            dir: self.dir.clone(),
        }
    }

    fn io<T>(&self, name: &str, result: io::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| StoreError::Io {
            path: self.dir.join(name),
            source,
        })
    }
}

/// The text of a directory's manifest, if it has one.
fn manifest_text(dir: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let path = dir.join(MANIFEST);
    match fs::read(&path) {
        Ok(json) => Ok(Some(json)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}

/// The manifest of a directory from its text.
fn parse(dir: &Path, json: &[u8]) -> Result<StoreManifest, StoreError> {
    StoreManifest::parse(json).map_err(|error| StoreError::StoreManifest {
        dir: dir.to_path_buf(),
        what: error.to_string(),
    })
}

/// The first entry of a directory that a store that closegate is just making can't hold.
fn foreign_to_a_new_store(dir: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut foreign = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        let is_empty_file = entry.metadata()?.is_file() && entry.metadata()?.len() == 0;
        let is_own = (entry.file_name() == LOCK && is_empty_file)
            || (entry.file_name() == NEW_MANIFEST && may_be_overwritten(&entry.path()));
        if !is_own {
            foreign.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(foreign.pop_first())
}

/// Whether a new manifest may go there: nothing is there, or a manifest that a killed run did not finish.
fn may_be_overwritten(aside: &Path) -> bool {
    match aside.symlink_metadata() {
        Ok(there) if there.is_file() => fs::read(aside).is_ok_and(|text| {
            text.starts_with(MANIFEST_BEGINS) || MANIFEST_BEGINS.starts_with(&text)
        }),
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
