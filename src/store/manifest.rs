//! What a store holds, and what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use memchr::memmem;
use sha2::{Digest, Sha256};

use crate::documents::{DocumentError, STORE_VERSION};
pub(super) use crate::documents::{FileEntry, SourceEntry, StoreManifest, TableEntry};
use crate::ingest::{MalformedSample, Source, SourceIntake, flow_log_id, object_name, slot};
use crate::net::json;

/// Why a text is not a manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    /// No document that closegate knows.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Its own digest says so.
    #[error("its content is not what closegate wrote")]
    Digest,
    /// It names a file with two contents, or one that lies elsewhere.
    #[error("it names `{0}`, which can't be a file of this store")]
    Name(String),
}

impl FileEntry {
    /// The entry of a new file of a table of some days: `what` is its kind.
    pub(super) fn of(days: &BTreeMap<u64, u64>, what: &str, content: &[u8]) -> Self {
        let digest = hex(&Sha256::digest(content));
        let name = format!("{}/{what}-{}.parquet", folder(days), &digest[..16]);
        Self { name, digest }
    }

    /// Whether this is the content that closegate wrote.
    pub(super) fn is(&self, content: &[u8]) -> bool {
        hex(&Sha256::digest(content)) == self.digest
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

impl TableEntry {
    /// All of them, in the order of [`super::day::encode`].
    pub(super) const fn files(&self) -> [&FileEntry; 4] {
        let Self {
            flows,
            interfaces,
            services,
            contacts,
            ..
        } = self;
        [flows, interfaces, services, contacts]
    }
}

impl StoreManifest {
    /// A source by name.
    pub(super) fn source(&self, name: &str) -> Option<&SourceEntry> {
        let known = self
            .sources
            .binary_search_by(|source| source.name.as_str().cmp(name));
        known.ok().map(|position| &self.sources[position])
    }

    /// Finds sources by name, and copies of a flow log object by the object's.
    pub(super) fn finder<'a>(&'a self) -> impl Fn(&str) -> Option<&'a SourceEntry> {
        let objects: BTreeMap<&str, &SourceEntry> = self
            .sources
            .iter()
            .filter_map(|source| Some((object_name(&source.name)?, source)))
            .collect();
        move |name| {
            let copy = || objects.get(object_name(name)?).copied();
            self.source(name).or_else(copy)
        }
    }

    pub(super) fn flows(&self) -> u64 {
        self.tables.iter().map(|table| table.count).sum()
    }

    /// Every day that the store has a record of.
    pub(super) fn days(&self) -> BTreeSet<u64> {
        let days = self.tables.iter().flat_map(|table| table.days.keys());
        days.copied().collect()
    }

    /// Days that lie in several tables.
    pub(super) fn days_in_parts(&self) -> BTreeSet<u64> {
        let mut known = BTreeSet::new();
        let days = self.tables.iter().flat_map(|table| table.days.keys());
        days.copied().filter(|&day| !known.insert(day)).collect()
    }

    /// Every file that belongs to the store, once: files of the same content and day, such as empty ones, are one file.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let files = self.tables.iter().flat_map(TableEntry::files);
        let files: BTreeMap<&str, &FileEntry> =
            files.map(|file| (file.name.as_str(), file)).collect();
        files.into_values()
    }

    /// Whether the tables say how many records a day has: manifests of an earlier version know only those with traffic.
    pub(super) const fn is_counted(&self) -> bool {
        self.schema_version == STORE_VERSION
    }

    /// Takes over what [`Self::is_counted`] asks for, by table.
    pub(super) fn count(&mut self, tables: Vec<BTreeMap<u64, u64>>) {
        for (table, days) in self.tables.iter_mut().zip(tables) {
            table.days = days;
        }
        self.schema_version = STORE_VERSION;
    }

    /// Reads and checks the text of a manifest.
    pub(super) fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Self::read(json)?;
        let own = digest_field(&manifest.digest);
        let digest = memmem::find(json, own.as_bytes()).map(|at| {
            let mut hasher = Sha256::new();
            hasher.update(&json[..at]);
            hasher.update(digest_field(""));
            hasher.update(&json[at + own.len()..]);
            hex(&hasher.finalize())
        });
        if digest.as_ref() != Some(&manifest.digest) {
            return Err(ManifestError::Digest);
        }
        let mut digests: BTreeMap<&str, &str> = BTreeMap::new();
        for table in &manifest.tables {
            let folder = folder(&table.days) + "/";
            for file in table.files() {
                let known = digests.entry(&file.name).or_insert(&file.digest);
                if *known != file.digest
                    || !is_own_name(&file.name)
                    || !file.name.starts_with(&folder)
                    || table.days.is_empty()
                {
                    return Err(ManifestError::Name(file.name.clone()));
                }
            }
        }
        match manifest.pending.iter().find(|name| !is_own_name(name)) {
            Some(name) => Err(ManifestError::Name(name.clone())),
            None => Ok(manifest),
        }
    }

    /// The text of the manifest, in order and with its digest.
    pub(super) fn text(&mut self) -> String {
        debug_assert!(self.is_counted(), "closegate writes one version only");
        self.sources.sort_by(|a, b| a.name.cmp(&b.name));
        self.tables.sort();
        self.digest.clear();
        let text = json::pretty(&*self);
        self.digest = hex(&Sha256::digest(&text));
        text.replacen(&digest_field(""), &digest_field(&self.digest), 1)
    }
}

/// The manifest's own digest, as its text has it.
fn digest_field(digest: &str) -> String {
    format!("\"digest\": \"{digest}\"")
}

/// Whether a name is one that closegate gives: `day=…/….parquet` or `days=…/….parquet`, and nothing that leads out of the store.
fn is_own_name(name: &str) -> bool {
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts = name
        .strip_prefix("day=")
        .or_else(|| name.strip_prefix("days="))
        .and_then(|name| name.strip_suffix(".parquet"))
        .and_then(|name| name.split_once('/'));
    parts.is_some_and(|(day, file)| plain(day) && plain(file) && !file.is_empty())
}

impl SourceEntry {
    pub(super) fn new(source: &Source, account: &SourceIntake, content: String) -> Self {
        let samples = account.samples.iter();
        Self {
            name: source.name.clone(),
            size: source.size,
            content,
            format: account.format.clone(),
            records: account.records,
            malformed: account.malformed,
            bytes_read: account.bytes,
            window: account.window,
            samples: samples
                .map(|s| (s.source.clone(), s.line, s.reason.clone()))
                .collect(),
        }
    }

    /// Whether a source of this name, or a copy of this object, is what was read, as far as can be told without reading.
    pub(super) fn is(&self, source: &Source) -> bool {
        let same = |identity| identity == self.content;
        self.size == source.size && (self.name != source.name || source.identity().is_none_or(same))
    }

    /// Whether it says the same of the same source, or of a copy of the object.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        if self.name == other.name {
            self == other
        } else {
            self.size == other.size
        }
    }

    /// As the run that read it had it.
    pub(super) fn account(&self) -> SourceIntake {
        let samples = self.samples.iter().cloned();
        SourceIntake {
            name: self.name.clone(),
            format: self.format.clone(),
            records: self.records,
            malformed: self.malformed,
            bytes: self.bytes_read,
            window: self.window,
            samples: samples
                .map(|(source, line, reason)| MalformedSample {
                    source,
                    line,
                    reason,
                })
                .collect(),
        }
    }

    pub(super) fn flow_log_id(&self) -> Option<&str> {
        flow_log_id(&self.name)
    }

    pub(super) fn slot(&self) -> Option<&str> {
        slot(&self.name)
    }
}

/// Where the files of a table lie: `day=2026-11-01`, or `days=2026-11-01-to-2026-11-03`.
fn folder(days: &BTreeMap<u64, u64>) -> String {
    let first = days.keys().next().copied().unwrap_or_default();
    let last = days.keys().next_back().copied().unwrap_or_default();
    if first == last {
        format!("day={}", date(first))
    } else {
        format!("days={}-to-{}", date(first), date(last))
    }
}

/// A day, counted from 1970.
fn date(day: u64) -> String {
    let since = i64::try_from(day).unwrap_or(i64::MAX);
    let date = jiff::Span::new()
        .try_days(since)
        .and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
    // A row with a wild time is on no day of the calendar.
    date.map_or_else(|_| day.to_string(), |date| date.to_string())
}
