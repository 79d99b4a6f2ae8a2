//! `manifest.json` of a connection store: what it holds, and what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DAILY_VERSION, DocumentError, STORE_VERSION, TOOL, first};

/// A store's `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreManifest {
    pub(crate) schema_version: u32,
    pub(crate) tool: StoreTool,
    /// SHA-256 of this document with an empty digest, in hexadecimal.
    pub(crate) digest: String,
    /// By name.
    pub(crate) sources: Vec<SourceEntry>,
    /// In the order of their days. Several may hold rows of one day.
    pub(crate) tables: Vec<TableEntry>,
    /// Files that may lie in the store and are no part of it: closegate was about to write or to remove them.
    pub(crate) pending: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreTool {
    pub(crate) name: String,
}

impl Default for StoreManifest {
    fn default() -> Self {
        Self {
            schema_version: STORE_VERSION,
            tool: StoreTool {
                name: TOOL.to_owned(),
            },
            digest: String::new(),
            sources: Vec::new(),
            tables: Vec::new(),
            pending: BTreeSet::new(),
        }
    }
}

impl StoreManifest {
    /// Reads the text of a manifest, of either version.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DocumentError> {
        match first(json, "schema_version")? {
            None => Err(DocumentError::NoVersion),
            Some(version) if version == STORE_VERSION => Ok(serde_json::from_slice(json)?),
            Some(version) if version == DAILY_VERSION => {
                let daily: DailyManifest = serde_json::from_slice(json)?;
                Ok(daily.into())
            }
            Some(version) => Err(DocumentError::StoreVersion(version)),
        }
    }
}

/// A `manifest.json` of [`DAILY_VERSION`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DailyManifest {
    schema_version: u32,
    tool: StoreTool,
    digest: String,
    sources: Vec<SourceEntry>,
    /// By day, counted from 1970.
    days: BTreeMap<u64, Vec<DayEntry>>,
    pending: BTreeSet<String>,
}

/// The files of a table of one day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DayEntry {
    flows: FileEntry,
    interfaces: FileEntry,
    services: FileEntry,
    contacts: FileEntry,
    count: u64,
    rows: u64,
}

impl From<DailyManifest> for StoreManifest {
    /// Keeps the version: the tables' days lack records without traffic, which that version does not count.
    fn from(daily: DailyManifest) -> Self {
        let entries = daily.days.into_iter();
        let entries =
            entries.flat_map(|(day, entries)| entries.into_iter().map(move |entry| (day, entry)));
        let tables = entries.map(|(day, entry)| TableEntry {
            days: BTreeMap::from([(day, entry.rows)]),
            flows: entry.flows,
            interfaces: entry.interfaces,
            services: entry.services,
            contacts: entry.contacts,
            count: entry.count,
            rows: entry.rows,
        });
        Self {
            tables: tables.collect(),
            schema_version: daily.schema_version,
            tool: daily.tool,
            digest: daily.digest,
            sources: daily.sources,
            pending: daily.pending,
        }
    }
}

/// A source that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceEntry {
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
    /// SHA-256 of the content, or the `ETag` of an object.
    pub(crate) content: String,
    pub(crate) format: String,
    pub(crate) records: u64,
    pub(crate) malformed: u64,
    pub(crate) bytes_read: u64,
    pub(crate) window: Option<(u64, u64)>,
    pub(crate) samples: Vec<(String, u64, String)>,
}

/// The files of one table: flows of a day, or of several days that are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableEntry {
    /// By day, counted from 1970: its records in this table, with traffic and without.
    pub(crate) days: BTreeMap<u64, u64>,
    pub(crate) flows: FileEntry,
    pub(crate) interfaces: FileEntry,
    pub(crate) services: FileEntry,
    pub(crate) contacts: FileEntry,
    /// How many flows.
    pub(crate) count: u64,
    /// How many rows the flows add up to.
    pub(crate) rows: u64,
}

/// A file of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEntry {
    /// The path below the store's directory. It holds the beginning of the digest, so that no file is ever overwritten by another.
    pub(crate) name: String,
    /// SHA-256 of the content, in hexadecimal.
    pub(crate) digest: String,
}
