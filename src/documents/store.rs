//! `manifest.json` of a connection store: what it holds, and what it was made from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, TOOL};

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
    /// By day, counted from 1970. One table each, but for the time during an ingest.
    pub(crate) days: BTreeMap<u64, Vec<DayEntry>>,
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
            schema_version: SCHEMA_VERSION,
            tool: StoreTool {
                name: TOOL.to_owned(),
            },
            digest: String::new(),
            sources: Vec::new(),
            days: BTreeMap::new(),
            pending: BTreeSet::new(),
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

/// The files of one day's table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayEntry {
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
