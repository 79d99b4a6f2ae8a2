//! What a store holds, and what it was made from.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ingest::{MalformedSample, Source, SourceIntake, flow_log_id, slot};

/// `manifest.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    schema_version: u32,
    /// By name.
    pub(super) sources: Vec<SourceEntry>,
    /// By day, counted from 1970. One table each, but for the time during an ingest.
    pub(super) days: BTreeMap<u64, Vec<DayEntry>>,
}

/// A source that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SourceEntry {
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 of the content, or the `ETag` of an object.
    content: String,
    format: String,
    records: u64,
    malformed: u64,
    bytes_read: u64,
    window: Option<(u64, u64)>,
    samples: Vec<(String, u64, String)>,
}

/// The files of one day's table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct DayEntry {
    pub(super) flows: String,
    pub(super) interfaces: String,
    pub(super) services: String,
    pub(super) contacts: String,
    /// How many flows.
    pub(super) count: u64,
}

impl DayEntry {
    /// All of them, in the order of [`super::day::encode`].
    pub(super) const fn files(&self) -> [&String; 4] {
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

impl Manifest {
    /// A source by name.
    pub(super) fn source(&self, name: &str) -> Option<&SourceEntry> {
        let known = self
            .sources
            .binary_search_by(|source| source.name.as_str().cmp(name));
        known.ok().map(|position| &self.sources[position])
    }

    pub(super) fn flows(&self) -> u64 {
        self.days.values().flatten().map(|entry| entry.count).sum()
    }

    /// Writes the version that this program writes.
    pub(super) const fn stamp(&mut self) {
        self.schema_version = 1;
    }
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

    /// Whether a source of this name is the one that was read, as far as can be told without reading.
    pub(super) fn is(&self, source: &Source) -> bool {
        self.size == source.size
            && source
                .identity()
                .is_none_or(|identity| identity == self.content)
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
