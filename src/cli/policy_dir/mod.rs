//! A policy's directory.
//!
//! It lies in a team's Git working tree, beside files of other programs. closegate reads and writes `policy.toml` and a file per security
//! group, and leaves alone everything else.

mod steps;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::exit::Failure;
use super::interrupt;
use crate::net::visible;
use crate::platform;
use crate::policy::{
    GroupPolicy, POLICY_MARKER, PolicyError, PolicySet, is_group_id, new_marker, parse_group,
    parse_marker, write_group,
};

/// Names that a directory may hold and still become a policy: those of Git and of its hosts.
const HARMLESS: &[&str] = &["CODEOWNERS", "README", "LICENSE", "CONTRIBUTING"];

/// The most bytes that a file may have; some hundred times those of a group with as many entries as AWS takes rules.
const FILE_AT_MOST: u64 = 64 << 20;

/// A policy as its directory has it.
#[derive(Debug)]
pub(super) struct PolicyDir {
    dir: PathBuf,
    /// Each group's file as it is, and what was read from it, by group.
    files: BTreeMap<String, (String, GroupPolicy)>,
    /// Whether `policy.toml` is there.
    is_marked: bool,
    /// What is wrong with its files.
    pub(super) errors: Vec<PolicyError>,
    /// Held while closegate may write.
    _lock: Option<File>,
}

impl PolicyDir {
    /// Reads a policy, and keeps what is wrong with its files. Changes nothing: what an interrupted run left is read as the next command
    /// that writes will leave it.
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        let policy = read(dir, None).map_err(|error| cannot_read(dir, error))?;
        if policy.is_marked {
            return Ok(policy);
        }
        Err(Failure::usage(anyhow!(
            "`{}` is not a policy, for it has no {POLICY_MARKER}; name the directory that `closegate policy update` made",
            dir.display()
        )))
    }

    /// Reads a policy to change it. Every file has to be right, and no key may be there twice.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let lock = lock(dir)?;
        recover(dir).map_err(|error| cannot_write(dir, error))?;
        let policy = read(dir, lock).map_err(|error| cannot_read(dir, error))?;
        policy.sound()?;
        Ok(policy)
    }

    /// The policy, if every file can be read.
    pub(super) fn readable(&self) -> Result<PolicySet, Failure> {
        match self.errors.first() {
            Some(error) => Err(Failure::usage(error.clone())),
            None => Ok(self.set()),
        }
    }

    /// The policy, if every file can be read and no key is there twice.
    pub(super) fn sound(&self) -> Result<PolicySet, Failure> {
        let set = self.readable()?;
        if let Some(((group, entry), (before, _))) = set.repeated().first() {
            return Err(Failure::usage(anyhow!(
                "policy `{}`, line {}: key {} is in {}.toml already; give the newer entry another",
                self.path(&group.group).display(),
                entry.line,
                entry.key,
                before.group
            )));
        }
        Ok(set)
    }

    /// The same for a policy that is there.
    pub(super) fn open_existing(dir: &Path) -> Result<Self, Failure> {
        Self::read(dir)?;
        Self::open(dir)
    }

    /// The same for a policy that may have to be made. Refuses a directory that holds something else.
    pub(super) fn open_or_new(dir: &Path) -> Result<Self, Failure> {
        // Nothing is changed, not even what looks interrupted, in a directory of somebody else.
        if fs::symlink_metadata(dir.join(POLICY_MARKER)).is_err()
            && let Some(name) = foreign(dir).map_err(|error| cannot_read(dir, error))?
        {
            return Err(Failure::usage(anyhow!(
                "`{}` holds `{}` and is not a policy; name a new directory, or write `schema = 1` into {POLICY_MARKER} there to make it one",
                dir.display(),
                visible(&name, 200)
            )));
        }
        // There has to be something to lock.
        fs::create_dir_all(dir).map_err(|error| cannot_write(dir, error.into()))?;
        Self::open(dir)
    }

    /// What the files say.
    pub(super) fn set(&self) -> PolicySet {
        let groups = self.files.iter();
        PolicySet {
            groups: groups
                .map(|(id, (_, group))| (id.clone(), group.clone()))
                .collect(),
        }
    }

    /// A group's file.
    pub(super) fn path(&self, group: &str) -> PathBuf {
        self.dir.join(format!("{group}.toml"))
    }

    /// Writes what changed: all of it, or nothing. Says how many files did.
    pub(super) fn write(self, after: &PolicySet) -> Result<usize, Failure> {
        if let Some((first, second)) = platform::alike(after.groups.keys()) {
            return Err(Failure::usage(anyhow!(
                "policy `{}`: groups {first} and {second} would have one file on macOS and Windows, where names don't differ by capital letters; leave one out",
                self.dir.display()
            )));
        }
        let mut changes = BTreeMap::new();
        if !self.is_marked {
            changes.insert(POLICY_MARKER.to_owned(), new_marker());
        }
        for (id, group) in &after.groups {
            let before = self.files.get(id);
            let before = before.map(|(text, group)| (text.as_str(), group));
            let text = write_group(before, group).map_err(|what| {
                Failure::usage(anyhow!("policy `{}`: {what}", self.path(id).display()))
            })?;
            // What closegate can't read again must not be written.
            parse_group(&text, &self.path(id)).map_err(|error| Failure::Output(error.into()))?;
            if before.is_none_or(|(old, _)| old != text) {
                changes.insert(format!("{id}.toml"), text);
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let put = || -> io::Result<()> {
            fs::create_dir_all(&self.dir)?;
            let steps = steps::replace(&self.dir, &changes);
            steps.iter().try_for_each(steps::Step::perform)
        };
        interrupt::finish(put).map_err(|error| cannot_write(&self.dir, error.into()))?;
        Ok(changes.len())
    }
}

fn cannot_read(dir: &Path, error: anyhow::Error) -> Failure {
    Failure::usage(error.context(format!("policy `{}` can't be read", dir.display())))
}

fn cannot_write(dir: &Path, error: anyhow::Error) -> Failure {
    Failure::Output(error.context(format!("policy `{}` can't be written", dir.display())))
}

/// Keeps other runs from writing: by the policy's marker, and by the directory where that is still to come.
fn lock(dir: &Path) -> Result<Option<File>, Failure> {
    let claimed = match platform::claim(&dir.join(POLICY_MARKER)) {
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => {
            platform::claim_directory(dir)
        }
        claimed => claimed.map(Some),
    };
    claimed.map_err(|error| match error {
        TryLockError::WouldBlock => Failure::usage(anyhow!(
            "another closegate is writing the policy `{}`; wait until it is done",
            dir.display()
        )),
        TryLockError::Error(error) => cannot_write(dir, error.into()),
    })
}

/// Finishes or undoes what an interrupted run left.
fn recover(dir: &Path) -> anyhow::Result<()> {
    let steps = steps::recover(dir)?;
    let perform = || steps.iter().try_for_each(steps::Step::perform);
    interrupt::finish(perform).with_context(|| {
        format!(
            "an interrupted run left {} or {} there, and it can't be finished",
            steps::UNFINISHED,
            steps::WHOLE
        )
    })
}

fn read(dir: &Path, lock: Option<File>) -> anyhow::Result<PolicyDir> {
    let whole = dir.join(steps::WHOLE);
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    // New files that are whole are read instead of the old ones.
    for (place, found) in [
        (dir, steps::names_in(dir)?),
        (whole.as_path(), steps::left_in(&whole)?),
    ] {
        let found = found.unwrap_or_default();
        names.extend(found.into_iter().map(|name| {
            let path = place.join(&name);
            (name, path)
        }));
    }
    let mut policy = PolicyDir {
        dir: dir.to_path_buf(),
        files: BTreeMap::new(),
        is_marked: false,
        errors: Vec::new(),
        _lock: lock,
    };
    for (name, path) in names {
        let metadata = fs::symlink_metadata(&path)?;
        if !metadata.is_file() {
            return Err(anyhow!(
                "`{}` is not a file of its own; a policy has no links",
                path.display()
            ));
        }
        if metadata.len() > FILE_AT_MOST {
            return Err(anyhow!(
                "`{}` has more than {} MiB, and no file of a policy has so much",
                path.display(),
                FILE_AT_MOST >> 20
            ));
        }
        let named = dir.join(&name);
        let bytes = fs::read(&path).with_context(|| format!("`{}`", path.display()))?;
        let text = String::from_utf8(bytes)
            .map_err(|_error| anyhow!("`{}` is not UTF-8", named.display()))?;
        let Some(group) = name.strip_suffix(".toml").filter(|id| is_group_id(id)) else {
            policy.is_marked = true;
            policy.errors.extend(parse_marker(&text, &named).err());
            continue;
        };
        match parse_group(&text, &named) {
            Ok(read) => {
                policy.files.insert(group.to_owned(), (text, read));
            }
            Err(error) => policy.errors.push(error),
        }
    }
    Ok(policy)
}

/// The first name in a directory that speaks against making it a policy.
fn foreign(dir: &Path) -> anyhow::Result<Option<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let is_foreign = |name: &&String| {
        let harmless = HARMLESS.iter().any(|known| name.starts_with(known));
        !harmless && !name.starts_with('.')
    };
    Ok(names.iter().find(is_foreign).cloned())
}
