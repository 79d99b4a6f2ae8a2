//! A policy's directory.
//!
//! It lies in a team's Git working tree, beside files of other programs. closegate reads and writes `policy.toml` and a file per security
//! group, and leaves alone everything else. The groups' files lie side by side, or in a directory for each account, which is a policy of
//! its own.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::exit::Failure;
use super::trouble::Trouble;
use super::{interrupt, progress};
use crate::net::{is_account_id, visible};
use crate::platform;
use crate::policy::{
    GroupPolicy, NO_ACCOUNT, POLICY_MARKER, PolicyError, PolicySet, account_directory,
    is_account_directory, is_group_id, new_marker, parse_group, parse_marker, write_group,
};

/// Names that a directory may hold and still become a policy: those of Git and of its hosts.
const HARMLESS: &[&str] = &["CODEOWNERS", "README", "LICENSE", "CONTRIBUTING"];

/// The most bytes that a file may have; some hundred times those of a group with as many entries as AWS takes rules.
const FILE_AT_MOST: u64 = 64 << 20;

/// A policy as its directory has it.
#[derive(Debug)]
pub(super) struct PolicyDir {
    dir: PathBuf,
    /// Each group's file, by group.
    files: BTreeMap<String, PolicyFile>,
    /// Where a marker is: below the policy's directory, whose own name here is empty.
    markers: BTreeSet<String>,
    /// Whether each account has a directory.
    by_account: bool,
    /// The account whose part of a policy this is.
    part_of: Option<String>,
    /// What is wrong with its files.
    pub(super) errors: Vec<PolicyError>,
    /// Held while closegate may write.
    _locks: Vec<File>,
}

/// A group's file.
#[derive(Debug)]
struct PolicyFile {
    /// Below the policy's directory.
    path: String,
    /// As it is.
    text: String,
    /// What was read from it.
    group: GroupPolicy,
}

impl PolicyDir {
    /// Reads a policy, and keeps what is wrong with its files. Changes nothing: what an interrupted run left is read as the next command
    /// that writes will leave it.
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        let policy = read_marked(dir)?;
        policy.say_what_is_not_seen();
        Ok(policy)
    }

    /// Reads a policy to change it. Every file has to be right, and no key may be there twice.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let mut locks = Vec::new();
        locks.extend(lock(dir)?);
        let accounts = steps::accounts_in(dir).map_err(|error| cannot_read(dir, error.into()))?;
        for account in &accounts {
            locks.extend(lock(&dir.join(account))?);
        }
        for account in &accounts {
            let place = dir.join(account);
            recover(&place).map_err(|error| cannot_write(&place, error))?;
        }
        recover(dir).map_err(|error| cannot_write(dir, error))?;
        let policy = read(dir, locks).map_err(|error| cannot_read(dir, error))?;
        policy.sound()?;
        policy.say_what_is_not_seen();
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
            ))
            .about(Trouble::Policy));
        }
        Ok(set)
    }

    /// The same for a policy that is there.
    pub(super) fn open_existing(dir: &Path) -> Result<Self, Failure> {
        read_marked(dir)?;
        Self::open(dir)
    }

    /// The same for a policy that may have to be made. Refuses a directory that holds something else.
    pub(super) fn open_or_new(dir: &Path) -> Result<Self, Failure> {
        // Nothing is changed, not even what looks interrupted, in a directory of somebody else.
        let accounts = steps::accounts_in(dir).map_err(|error| cannot_read(dir, error.into()))?;
        if fs::symlink_metadata(dir.join(POLICY_MARKER)).is_err()
            && accounts.is_empty()
            && let Some(name) = foreign(dir).map_err(|error| cannot_read(dir, error))?
        {
            return Err(Failure::usage(anyhow!(
                "`{}` holds `{}` and is not a policy; name a new directory, or write `schema = 1` into {POLICY_MARKER} there to make it one",
                dir.display(),
                visible(&name, 200)
            ))
            .about(Trouble::OutputRefused));
        }
        // There has to be something to lock.
        fs::create_dir_all(dir).map_err(|error| cannot_write(dir, error.into()))?;
        Self::open(dir)
    }

    /// What the files say.
    pub(super) fn set(&self) -> PolicySet {
        let files = self.files.iter();
        PolicySet {
            groups: files
                .map(|(id, file)| (id.clone(), file.group.clone()))
                .collect(),
        }
    }

    /// A group's file.
    pub(super) fn path(&self, group: &str) -> PathBuf {
        match self.files.get(group) {
            Some(file) => self.dir.join(&file.path),
            None => self.dir.join(format!("{group}.toml")),
        }
    }

    /// Whether each account has a directory.
    pub(super) const fn is_by_account(&self) -> bool {
        self.by_account
    }

    /// The account whose part of a policy this is: its directory is named after the account, and nothing in it is of another.
    pub(super) fn part_of(&self) -> Option<&str> {
        self.part_of.as_deref()
    }

    /// Gives each account a directory; the files move when the policy is written.
    pub(super) fn divide(&mut self) -> Result<(), Failure> {
        if let Some(account) = &self.part_of {
            return Err(Failure::usage(anyhow!(
                "`{}` is the policy of account {account} alone; --by-account goes with the directory above it",
                self.dir.display()
            )));
        }
        self.by_account = true;
        Ok(())
    }

    /// A part of a policy says less than the whole, and a reader has to know.
    fn say_what_is_not_seen(&self) {
        if let Some(account) = &self.part_of {
            progress::say(&format!(
                "policy `{}`: of account {account} alone; not seen: entries of other accounts, and the ingress rules that they want here",
                self.dir.display()
            ));
        }
    }

    /// Where a group's file belongs, below the policy's directory.
    fn place(&self, group: &GroupPolicy) -> String {
        let id = &group.group;
        if !self.by_account {
            return format!("{id}.toml");
        }
        let account = account_directory(&group.account);
        let there = self.files.get(id);
        match there.and_then(|file| file.path.split_once('/')) {
            // An account that is known once stays so.
            Some((there, _)) if account == NO_ACCOUNT => format!("{there}/{id}.toml"),
            _ => format!("{account}/{id}.toml"),
        }
    }

    /// Writes what changed: all of it, or nothing. Says how many files did.
    pub(super) fn write(self, after: &PolicySet) -> Result<usize, Failure> {
        if let Some((first, second)) = platform::alike(after.groups.keys()) {
            return Err(Failure::usage(anyhow!(
                "policy `{}`: groups {first} and {second} would have one file on macOS and Windows, where names don't differ by capital letters; leave one out",
                self.dir.display()
            ))
            .about(Trouble::Policy));
        }
        let mut changes = steps::Changes::new();
        if !self.markers.contains("") {
            changes.insert(POLICY_MARKER.to_owned(), Some(new_marker()));
        }
        for (id, group) in &after.groups {
            let before = self.files.get(id);
            let path = self.place(group);
            let named = self.dir.join(&path);
            let old = before.map(|file| (file.text.as_str(), &file.group));
            let text = write_group(old, group).map_err(|what| {
                Failure::usage(anyhow!("policy `{}`: {what}", named.display()))
                    .about(Trouble::Policy)
            })?;
            // What closegate can't read again must not be written.
            parse_group(&text, &named).map_err(Failure::output)?;
            if let Some((account, _)) = path.split_once('/')
                && !self.markers.contains(account)
            {
                let marker = format!("{account}/{POLICY_MARKER}");
                changes.insert(marker, Some(new_marker()));
            }
            match before {
                Some(old) if old.path == path && old.text == text => {}
                Some(old) if old.path != path => {
                    changes.insert(old.path.clone(), None);
                    changes.insert(path, Some(text));
                }
                _ => {
                    changes.insert(path, Some(text));
                }
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        self.refuse_occupied(&changes)?;
        let put = || -> io::Result<()> {
            fs::create_dir_all(&self.dir)?;
            let steps = steps::replace(&self.dir, &changes);
            steps.iter().try_for_each(steps::Step::perform)
        };
        interrupt::finish(put).map_err(|error| cannot_write(&self.dir, error.into()))?;
        Ok(changes.values().flatten().count())
    }

    /// Fails if something else has the name of an account's directory, before anything is written.
    fn refuse_occupied(&self, changes: &steps::Changes) -> Result<(), Failure> {
        let accounts = changes.keys().filter_map(|path| path.split_once('/'));
        let accounts: BTreeSet<&str> = accounts.map(|(account, _)| account).collect();
        for account in accounts {
            let place = self.dir.join(account);
            let there = fs::symlink_metadata(&place);
            if there.is_ok_and(|there| !there.is_dir()) {
                return Err(Failure::usage(anyhow!(
                    "`{}` is not a directory, and the files of {account} go into a directory of that name; move it away",
                    place.display()
                )));
            }
        }
        Ok(())
    }
}

/// Reads a policy that is there.
fn read_marked(dir: &Path) -> Result<PolicyDir, Failure> {
    let policy = read(dir, Vec::new()).map_err(|error| cannot_read(dir, error))?;
    if !policy.markers.is_empty() {
        return Ok(policy);
    }
    Err(Failure::usage(anyhow!(
        "`{}` is not a policy, for it has no {POLICY_MARKER}; name the directory that `closegate policy update` made",
        dir.display()
    ))
    .about(Trouble::Policy))
}

fn cannot_read(dir: &Path, error: anyhow::Error) -> Failure {
    Failure::usage(error.context(format!("policy `{}` can't be read", dir.display())))
        .about(Trouble::Policy)
}

fn cannot_write(dir: &Path, error: anyhow::Error) -> Failure {
    Failure::output(error.context(format!("policy `{}` can't be written", dir.display())))
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
        ))
        .about(Trouble::InUse),
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

fn read(dir: &Path, locks: Vec<File>) -> anyhow::Result<PolicyDir> {
    let name = account_of(dir);
    if let Some((_, above)) = &name
        && steps::left_in(&above.join(steps::WHOLE))?.is_some()
    {
        return Err(anyhow!(
            "an interrupted run left {} in `{}`; merge a run or decide with --policy `{1}`, which finishes it",
            steps::WHOLE,
            above.display()
        ));
    }
    let mut policy = PolicyDir {
        dir: dir.to_path_buf(),
        files: BTreeMap::new(),
        markers: BTreeSet::new(),
        by_account: false,
        part_of: None,
        errors: Vec::new(),
        _locks: locks,
    };
    let mut beside = None;
    let mut below = None;
    for (path, place) in steps::files_of(dir)? {
        let (account, name) = path.split_once('/').unwrap_or(("", path.as_str()));
        if !account.is_empty() {
            below.get_or_insert_with(|| account.to_owned());
        } else if name != POLICY_MARKER {
            beside.get_or_insert_with(|| name.to_owned());
        }
        let named = dir.join(&path);
        let text = text_of(&place, &named)?;
        let Some(group) = name.strip_suffix(".toml").filter(|id| is_group_id(id)) else {
            policy.markers.insert(account.to_owned());
            policy.errors.extend(parse_marker(&text, &named).err());
            continue;
        };
        let read = parse_group(&text, &named).and_then(|read| {
            let wrong = policy.misplaced(account, &read);
            wrong.map_or(Ok(read), |what| Err(at_account(&text, &named, what)))
        });
        match read {
            Ok(read) => {
                let file = PolicyFile {
                    path: path.clone(),
                    text,
                    group: read,
                };
                policy.files.insert(group.to_owned(), file);
            }
            Err(error) => policy.errors.push(error),
        }
    }
    policy.by_account = below.is_some();
    if let (Some(file), Some(account)) = (beside, below) {
        return Err(anyhow!(
            "`{file}` lies beside the directory `{account}`, and a policy has its groups' files in one directory or in one for each account; move the file into the directory of its account, or the directory away"
        ));
    }
    let own = name.map(|(account, _)| account).filter(|account| {
        let mut groups = policy.files.values().map(|file| &file.group.account);
        let has_own = groups.all(|owner| owner.is_empty() || owner == account);
        is_account_id(account) && !policy.by_account && has_own
    });
    policy.part_of = own;
    Ok(policy)
}

impl PolicyDir {
    /// Why a group's file can't lie in the directory of an account; the name of the policy's own is empty.
    fn misplaced(&self, account: &str, group: &GroupPolicy) -> Option<String> {
        if let Some(other) = self.files.get(&group.group) {
            let other = &other.path;
            return Some(format!(
                "the group has `{other}` already; remove one of the two files"
            ));
        }
        let owner = account_directory(&group.account);
        let is_right =
            account.is_empty() || account == NO_ACCOUNT || owner == NO_ACCOUNT || owner == account;
        (!is_right).then(|| {
            format!("account is {owner}, and the file lies in {account}; move it into the directory of its account")
        })
    }
}

/// What is wrong with a file's place, at the line of its account.
fn at_account(text: &str, path: &Path, what: String) -> PolicyError {
    let mut lines = text.lines();
    let line = lines.position(|line| line.trim_start().starts_with("account"));
    PolicyError {
        path: path.to_path_buf(),
        line: line.map_or(1, |line| line + 1),
        column: 1,
        what,
    }
}

/// The name of a directory that may be an account's, and the directory above it.
fn account_of(dir: &Path) -> Option<(String, PathBuf)> {
    let whole = dir.canonicalize().ok()?;
    let name = whole.file_name()?.to_str()?;
    is_account_directory(name).then(|| (name.to_owned(), whole.parent().unwrap_or(&whole).into()))
}

/// The text of a policy's file; `named` is for messages.
fn text_of(path: &Path, named: &Path) -> anyhow::Result<String> {
    let metadata = fs::symlink_metadata(path)?;
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
    let bytes = fs::read(path).with_context(|| format!("`{}`", path.display()))?;
    String::from_utf8(bytes).map_err(|_error| anyhow!("`{}` is not UTF-8", named.display()))
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
