//! Snapshots of one account and region that lie side by side: each in a directory with a manifest that has its time,
//! and with the same files below it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::JsonFile;
use super::gaps::Gaps;
use super::json::{JsonPath, Wire};
use super::{InventoryError, Note, wire};

/// The manifests' version that this program knows.
const KNOWN: RangeInclusive<u64> = 1..=2;

#[derive(Debug, Default)]
pub(super) struct History {
    /// By directory.
    times: BTreeMap<PathBuf, u64>,
    /// By path below such a directory: the times of the snapshots that have the file, in order.
    files: BTreeMap<PathBuf, Vec<u64>>,
    /// Accounts of which the inventory does not tell what joins their networks.
    pub(super) unknown_joins: BTreeSet<String>,
}

/// What a file is to the others of its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// The newest, and when the snapshot before it was made.
    Current { absent_until: Option<u64> },
    /// A newer snapshot was made at this time.
    Past { gone_at: u64 },
}

/// What tells a snapshot's manifest from another file called `manifest.json`.
pub(super) fn is_manifest(page: &Value) -> bool {
    page.get("collected_at").is_some()
}

impl History {
    pub(super) fn of(paths: &[PathBuf], notes: &mut Vec<Note>) -> Result<Self, InventoryError> {
        let mut history = Self::default();
        let mut gaps = Gaps::default();
        for path in paths.iter().filter(|path| path.ends_with("manifest.json")) {
            let JsonFile::Pages(pages) = JsonFile::read(path)? else {
                continue;
            };
            let manifest = pages.into_iter().find(is_manifest);
            let (Some(dir), Some(page)) = (path.parent(), manifest) else {
                continue;
            };
            let wrong = |misfit| InventoryError::Value {
                path: path.clone(),
                misfit,
            };
            let at = JsonPath::Top("");
            let manifest = wire::Manifest::read(page, at).map_err(wrong)?;
            if let Some(version) = manifest
                .schema_version
                .filter(|version| !KNOWN.contains(version))
            {
                return Err(wrong(at.key("schema_version").wrong(format_args!(
                    "is {version}; this closegate knows {} to {}",
                    KNOWN.start(),
                    KNOWN.end()
                ))));
            }
            history
                .times
                .insert(dir.to_path_buf(), manifest.collected_at);
            gaps.add(manifest);
        }
        for path in paths {
            if let Some((time, file)) = history.find(path) {
                let times = history.files.entry(file.to_path_buf()).or_default();
                times.push(time);
                gaps.has(time, file);
            }
        }
        history.unknown_joins = gaps.unknown_joins();
        notes.extend(gaps.notes());
        for times in history.files.values_mut() {
            times.sort_unstable();
        }
        Ok(history)
    }

    /// The time of the snapshot that a file is of, and its path in there.
    fn find<'a>(&self, path: &'a Path) -> Option<(u64, &'a Path)> {
        let dir = path
            .ancestors()
            .skip(1)
            .find(|dir| self.times.contains_key(*dir))?;
        Some((self.times[dir], path.strip_prefix(dir).ok()?))
    }

    /// When the snapshot that a file is of was made.
    pub(super) fn time(&self, path: &Path) -> Option<u64> {
        self.find(path).map(|(time, _)| time)
    }

    pub(super) fn age(&self, path: &Path) -> Age {
        let Some((time, file)) = self.find(path) else {
            return Age::Current { absent_until: None };
        };
        let times = &self.files[file];
        match times.iter().find(|&&later| later > time) {
            Some(&gone_at) => Age::Past { gone_at },
            None => Age::Current {
                absent_until: times.iter().rev().find(|&&earlier| earlier < time).copied(),
            },
        }
    }
}
