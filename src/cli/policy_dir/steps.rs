//! How a policy's files are replaced: all of them, or none.
//!
//! New files are written into a directory of their own, which then gets the name that says that it is whole: that rename is the one
//! moment between old and new. The files are then moved to their places one by one. Whoever finds the whole directory moves what is left
//! in it; whoever finds the unfinished one removes it. The policy's directory itself stays, with everything else that is in it.
//!
//! A policy may have a directory for each account. There, `ACCOUNT+NAME` waits for `ACCOUNT/NAME`, and an empty file `NAME.gone` says that
//! the file of that name goes: so files also move from one place to another all together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::platform;
use crate::policy::{POLICY_MARKER, is_account_directory, is_group_id};

/// New files that may not be whole.
pub(super) const UNFINISHED: &str = ".closegate-update.new";

/// New files that are whole.
pub(super) const WHOLE: &str = ".closegate-update";

/// What stands for the `/` behind an account in the names of waiting files. No name of a policy's file has it.
const BELOW: char = '+';

/// What ends the name of a waiting file that says that another one goes.
const GONE: &str = ".gone";

/// What becomes of files, by path below the policy's directory: the new text, or nothing for one that goes.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// Whether a file's name is one that closegate gives in a policy.
fn is_policy_file(name: &str) -> bool {
    name == POLICY_MARKER || name.strip_suffix(".toml").is_some_and(is_group_id)
}

/// Whether a file's name is one that closegate gives to a waiting file.
fn is_waiting_file(name: &str) -> bool {
    let name = name.strip_suffix(GONE).unwrap_or(name);
    match name.split_once(BELOW) {
        Some((account, file)) => is_account_directory(account) && is_policy_file(file),
        None => is_policy_file(name),
    }
}

/// The name of a waiting file.
fn waiting(path: &str, goes: bool) -> String {
    let name = path.replace('/', &BELOW.to_string());
    if goes { name + GONE } else { name }
}

/// The path below the policy's directory for which a file waits, and whether the file there goes.
fn place_of(waiting: &str) -> (String, bool) {
    let name = waiting.strip_suffix(GONE);
    let path = name.unwrap_or(waiting).replacen(BELOW, "/", 1);
    (path, name.is_some())
}

/// One change of the file system.
#[derive(Debug)]
pub(super) enum Step {
    /// Makes a directory.
    Make(PathBuf),
    /// Makes a directory that may be there already.
    Hold(PathBuf),
    /// Writes a new file with the permissions of another, if that is there, and waits until it is on disk.
    Write {
        to: PathBuf,
        content: String,
        like: PathBuf,
    },
    /// Waits until the names in a directory are on disk.
    Sync(PathBuf),
    /// Gives a file or directory another name.
    Rename(PathBuf, PathBuf),
    /// Removes a file.
    Remove(PathBuf),
    /// Removes a file that may be gone already.
    Forget(PathBuf),
    /// Removes an empty directory.
    RemoveDir(PathBuf),
}

impl Step {
    pub(super) fn perform(&self) -> io::Result<()> {
        match self {
            Self::Make(dir) => fs::create_dir(dir),
            Self::Hold(dir) => fs::create_dir_all(dir),
            Self::Write { to, content, like } => {
                let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
                file.write_all(content.as_bytes())?;
                if let Ok(there) = fs::metadata(like) {
                    file.set_permissions(there.permissions())?;
                }
                file.sync_all()
            }
            Self::Sync(dir) => {
                // Not every file system can do that; there the order of renames is its own.
                let _ = platform::sync_names(dir);
                Ok(())
            }
            Self::Rename(from, to) => fs::rename(from, to),
            Self::Remove(file) => fs::remove_file(file),
            Self::Forget(file) => match fs::remove_file(file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                gone => gone,
            },
            Self::RemoveDir(dir) => fs::remove_dir(dir),
        }
    }
}

/// The steps that change files in a policy's directory.
pub(super) fn replace(dir: &Path, changes: &Changes) -> Vec<Step> {
    let (unfinished, whole) = (dir.join(UNFINISHED), dir.join(WHOLE));
    let names: Vec<String> = changes
        .iter()
        .map(|(path, change)| waiting(path, change.is_none()))
        .collect();
    let mut steps = vec![Step::Make(unfinished.clone())];
    let written = changes.iter().zip(&names);
    steps.extend(written.map(|((path, change), name)| Step::Write {
        to: unfinished.join(name),
        content: change.clone().unwrap_or_default(),
        like: dir.join(path),
    }));
    steps.push(Step::Sync(unfinished.clone()));
    steps.push(Step::Rename(unfinished, whole));
    steps.push(Step::Sync(dir.to_path_buf()));
    steps.extend(put(dir, &names));
    steps
}

/// The steps that move whole files to their places, and then remove those that go.
fn put(dir: &Path, names: &[String]) -> Vec<Step> {
    let whole = dir.join(WHOLE);
    let mut steps = Vec::new();
    let mut places = BTreeSet::from([dir.to_path_buf()]);
    let mut going = Vec::new();
    for name in names {
        let (path, goes) = place_of(name);
        if goes {
            going.push(Step::Forget(dir.join(path)));
            going.push(Step::Remove(whole.join(name)));
            continue;
        }
        if let Some((account, _)) = path.split_once('/') {
            let place = dir.join(account);
            if places.insert(place.clone()) {
                steps.push(Step::Hold(place));
            }
        }
        steps.push(Step::Rename(whole.join(name), dir.join(path)));
    }
    // What moves is in its new place, on disk, before it leaves the old one.
    steps.extend(places.into_iter().map(Step::Sync));
    if !going.is_empty() {
        steps.extend(going);
        steps.push(Step::Sync(dir.to_path_buf()));
    }
    steps.push(Step::RemoveDir(whole));
    steps
}

/// The steps that finish or undo what an interrupted run left; none if it left nothing.
pub(super) fn recover(dir: &Path) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    if let Some(names) = left_in(&dir.join(UNFINISHED))? {
        let unfinished = dir.join(UNFINISHED);
        steps.extend(names.iter().map(|name| Step::Remove(unfinished.join(name))));
        steps.push(Step::RemoveDir(unfinished));
    }
    if let Some(names) = left_in(&dir.join(WHOLE))? {
        steps.extend(put(dir, &names));
    }
    Ok(steps)
}

/// The files of a policy: by path below its directory, and where each is to be read. What an interrupted run left whole is read instead of
/// the old files.
pub(super) fn files_of(dir: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for account in accounts_in(dir)? {
        let place = dir.join(&account);
        let mut own = BTreeMap::new();
        add(&place, &mut own)?;
        let own = own.into_iter();
        files.extend(own.map(|(name, path)| (format!("{account}/{name}"), path)));
    }
    add(dir, &mut files)?;
    Ok(files)
}

/// Adds the files of one directory, and what waits there.
fn add(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for name in names_in(dir)?.unwrap_or_default() {
        let path = dir.join(&name);
        files.insert(name, path);
    }
    let whole = dir.join(WHOLE);
    for name in left_in(&whole)?.unwrap_or_default() {
        let (path, goes) = place_of(&name);
        if goes {
            files.remove(&path);
        } else {
            files.insert(path, whole.join(name));
        }
    }
    Ok(())
}

/// The directories of accounts that hold files of a policy, in order.
pub(super) fn accounts_in(dir: &Path) -> io::Result<Vec<String>> {
    let mut accounts = Vec::new();
    for name in names_where(dir, is_account_directory)?.unwrap_or_default() {
        let place = dir.join(&name);
        if !place.is_dir() {
            continue;
        }
        let holds =
            names_in(&place)?.is_some_and(|names| !names.is_empty()) || place.join(WHOLE).is_dir();
        if !holds {
            continue;
        }
        if fs::symlink_metadata(&place)?.is_symlink() {
            let place = place.display();
            return Err(io::Error::other(format!(
                "`{place}` is a link, and a policy has none"
            )));
        }
        accounts.push(name);
    }
    Ok(accounts)
}

/// The policy files that an interrupted run left in a directory of its own, in order; nothing if it left none. Behind a link would lie
/// files of somebody else.
pub(super) fn left_in(dir: &Path) -> io::Result<Option<Vec<String>>> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => names_where(dir, is_waiting_file),
        Ok(_) => Err(io::Error::other(format!(
            "`{}` is not a directory that closegate made; remove it",
            dir.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The policy files in a directory, in order; nothing if there is no such directory. What is not a file of a policy is not named, so that
/// it is neither moved nor removed.
fn names_in(dir: &Path) -> io::Result<Option<Vec<String>>> {
    names_where(dir, is_policy_file)
}

/// The names in a directory of which this holds, in order; nothing if there is no such directory.
fn names_where(dir: &Path, is: fn(&str) -> bool) -> io::Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| is(name)).map(str::to_owned));
    }
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::{Changes, Step, files_of, recover, replace};

    fn files(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = of
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    fn changes(of: &[(&str, Option<&str>)]) -> Changes {
        let owned = of
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.map(str::to_owned)));
        owned.collect()
    }

    /// Every file that a user sees, by path.
    fn seen(dir: &Path) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                let below = seen(&entry.path()).into_iter();
                files.extend(below.map(|(file, text)| (format!("{name}/{file}"), text)));
            } else {
                files.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
        files
    }

    fn fill(dir: &Path, with: &BTreeMap<String, String>) {
        for (name, text) in with {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    /// Performs steps up to one, and only so many bytes of that one.
    fn killed(steps: &[Step], at: usize, bytes: usize) {
        for step in &steps[..at] {
            step.perform().unwrap();
        }
        if let Some(Step::Write { to, content, .. }) = steps.get(at)
            && bytes > 0
        {
            fs::write(to, &content.as_bytes()[..bytes - 1]).unwrap();
        }
    }

    /// What closegate would read, by path.
    fn read(dir: &Path) -> BTreeMap<String, String> {
        let files = files_of(dir).unwrap().into_iter();
        files
            .map(|(path, place)| (path, fs::read_to_string(place).unwrap()))
            .collect()
    }

    /// Killed at any step and any byte of it, and again at any step of putting that right, the directory is the old one or the new one,
    /// and is read so before it is put right.
    fn old_or_new(old: &BTreeMap<String, String>, changes: &Changes) {
        let mut new = old.clone();
        for (path, change) in changes {
            match change {
                Some(text) => new.insert(path.clone(), text.clone()),
                None => new.remove(path),
            };
        }
        let count = replace(Path::new("x"), changes).len();
        let mut outcomes = [0, 0];
        for at in 0..=count {
            for bytes in 0..=4 {
                for again in 0..12 {
                    let dir = tempfile::tempdir().unwrap();
                    fill(dir.path(), old);
                    let steps = replace(dir.path(), changes);
                    let long = match steps.get(at) {
                        Some(Step::Write { content, .. }) => content.len() + 1,
                        _ => 0,
                    };
                    killed(&steps, at, bytes.min(long));
                    let before = read(dir.path());
                    let recovery = recover(dir.path()).unwrap();
                    killed(&recovery, again.min(recovery.len()), 0);
                    assert_eq!(read(dir.path()), before, "{at} {bytes} {again}");
                    for step in recover(dir.path()).unwrap() {
                        step.perform().unwrap();
                    }
                    let found = seen(dir.path());
                    assert!(found == *old || found == new, "{at} {bytes}: {found:?}");
                    let mut policy = found.clone();
                    policy.remove("CODEOWNERS");
                    assert_eq!(policy, before, "{at} {bytes} {again}");
                    outcomes[usize::from(found == new)] += 1;
                }
            }
        }
        assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}");
    }

    #[test]
    fn old_or_new_whenever_it_is_killed() {
        let old = files(&[
            ("CODEOWNERS", "* @us\n"),
            ("policy.toml", "schema = 1\n"),
            ("sg-1.toml", "old 1"),
            ("sg-2.toml", "old 2"),
        ]);
        let edited = [("sg-1.toml", Some("new")), ("sg-3.toml", Some("3"))];
        old_or_new(&old, &changes(&edited));
        // Every group's file moves into its account's directory.
        let moved = [
            ("111122223333/policy.toml", Some("schema = 1\n")),
            ("111122223333/sg-1.toml", Some("new")),
            ("444455556666/policy.toml", Some("schema = 1\n")),
            ("444455556666/sg-2.toml", Some("old 2")),
            ("sg-1.toml", None),
            ("sg-2.toml", None),
        ];
        old_or_new(&old, &changes(&moved));
    }

    /// A link in the place of closegate's own directories is never followed.
    #[cfg(unix)]
    #[test]
    fn files_behind_a_link_stay() {
        for name in [super::UNFINISHED, super::WHOLE] {
            let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fill(other.path(), &files(&[("sg-1.toml", "theirs")]));
            std::os::unix::fs::symlink(other.path(), dir.path().join(name)).unwrap();
            let error = recover(dir.path()).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert_eq!(seen(other.path()), files(&[("sg-1.toml", "theirs")]));
        }
    }

    /// What somebody else put there is neither moved nor removed, and the error says so.
    #[test]
    fn a_foreign_file_among_new_ones_stays() {
        let dir = tempfile::tempdir().unwrap();
        let changes = changes(&[("sg-1.toml", Some("new"))]);
        killed(&replace(dir.path(), &changes), 2, 0);
        let foreign = dir.path().join(super::UNFINISHED).join("notes.txt");
        fs::write(&foreign, "mine").unwrap();
        let steps = recover(dir.path()).unwrap();
        assert!(steps.iter().any(|step| step.perform().is_err()));
        assert_eq!(fs::read_to_string(foreign).unwrap(), "mine");
    }
}
