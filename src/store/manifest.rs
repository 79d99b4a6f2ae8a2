//! What a store holds, and what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::documents::{self, DocumentError};
pub(super) use crate::documents::{DayEntry, FileEntry, SourceEntry, StoreManifest};
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
    /// It names a file twice, or one that lies elsewhere.
    #[error("it names `{0}`, which can't be a file of this store")]
    Name(String),
}

impl FileEntry {
    /// The entry of a new file: `what` is the kind of its table.
    pub(super) fn of(day: u64, what: &str, content: &[u8]) -> Self {
        let digest = hex(&Sha256::digest(content));
        let name = format!("{}/{what}-{}.parquet", folder(day), &digest[..16]);
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

impl DayEntry {
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
        self.days.values().flatten().map(|entry| entry.count).sum()
    }

    /// Every file that belongs to the store.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.days.values().flatten().flat_map(DayEntry::files)
    }

    /// Reads and checks the text of a manifest.
    pub(super) fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = documents::read(json)?;
        if manifest.digest != manifest.own_digest() {
            return Err(ManifestError::Digest);
        }
        let mut names = BTreeSet::new();
        for (&day, entries) in &manifest.days {
            let folder = folder(day) + "/";
            for file in entries.iter().flat_map(DayEntry::files) {
                if !is_own_name(&file.name)
                    || !file.name.starts_with(&folder)
                    || !names.insert(&file.name)
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
        self.sources.sort_by(|a, b| a.name.cmp(&b.name));
        for entries in self.days.values_mut() {
            entries.sort();
        }
        self.digest = self.own_digest();
        self.as_json()
    }

    fn own_digest(&self) -> String {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        hex(&Sha256::digest(bare.as_json()))
    }

    fn as_json(&self) -> String {
        json::pretty(self)
    }
}

/// Whether a name is one that closegate gives: `day=…/….parquet`, and nothing that leads out of the store.
fn is_own_name(name: &str) -> bool {
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts = name
        .strip_prefix("day=")
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

/// Where a day's files lie: `day=2026-11-01`.
pub(super) fn folder(day: u64) -> String {
    let since = i64::try_from(day).unwrap_or(i64::MAX);
    let date = jiff::Span::new()
        .try_days(since)
        .and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
    match date {
        Ok(date) => format!("day={date}"),
        // A row with a wild time.
        Err(_) => format!("day={day}"),
    }
}
