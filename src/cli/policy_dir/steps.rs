//! How a policy's files are replaced: all of them, or none.
//!
//! New files are written into a directory of their own, which then gets the name that says that it is whole: that rename is the one
//! moment between old and new. The files are then moved to their places one by one. Whoever finds the whole directory moves what is left
//! in it; whoever finds the unfinished one removes it. The policy's directory itself stays, with everything else that is in it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::platform;
use crate::policy::{POLICY_MARKER, is_group_id};

/// New files that may not be whole.
pub(super) const UNFINISHED: &str = ".closegate-update.new";

/// New files that are whole.
pub(super) const WHOLE: &str = ".closegate-update";

/// Whether a file's name is one that closegate gives in a policy.
fn is_policy_file(name: &str) -> bool {
    name == POLICY_MARKER || name.strip_suffix(".toml").is_some_and(is_group_id)
}

/// One change of the file system.
#[derive(Debug)]
pub(super) enum Step {
    /// Makes a directory.
    Make(PathBuf),
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
    /// Removes an empty directory.
    RemoveDir(PathBuf),
}

impl Step {
    pub(super) fn perform(&self) -> io::Result<()> {
        match self {
            Self::Make(dir) => fs::create_dir(dir),
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
            Self::RemoveDir(dir) => fs::remove_dir(dir),
        }
    }
}

/// The steps that put new files, by name, into a directory.
pub(super) fn replace(dir: &Path, files: &BTreeMap<String, String>) -> Vec<Step> {
    let (unfinished, whole) = (dir.join(UNFINISHED), dir.join(WHOLE));
    let mut steps = vec![Step::Make(unfinished.clone())];
    steps.extend(files.iter().map(|(name, content)| Step::Write {
        to: unfinished.join(name),
        content: content.clone(),
        like: dir.join(name),
    }));
    steps.push(Step::Sync(unfinished.clone()));
    steps.push(Step::Rename(unfinished, whole));
    steps.push(Step::Sync(dir.to_path_buf()));
    steps.extend(put(dir, files.keys()));
    steps
}

/// The steps that move whole files to their places.
fn put<'a>(dir: &Path, names: impl Iterator<Item = &'a String>) -> Vec<Step> {
    let whole = dir.join(WHOLE);
    let moves = names.map(|name| Step::Rename(whole.join(name), dir.join(name)));
    let mut steps: Vec<Step> = moves.collect();
    steps.push(Step::Sync(dir.to_path_buf()));
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
        steps.extend(put(dir, names.iter()));
    }
    Ok(steps)
}

/// The policy files that an interrupted run left in a directory of its own, in order; nothing if it left none. Behind a link would lie
/// files of somebody else.
pub(super) fn left_in(dir: &Path) -> io::Result<Option<Vec<String>>> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => names_in(dir),
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
pub(super) fn names_in(dir: &Path) -> io::Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(
            name.to_str()
                .filter(|name| is_policy_file(name))
                .map(str::to_owned),
        );
    }
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::{Step, recover, replace};

    fn files(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = of
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    /// Every file that a user sees.
    fn seen(dir: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
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

    /// Killed at any step and any byte of it, and again at any step of putting that right, the directory is the old one or the new one.
    #[test]
    fn old_or_new_whenever_it_is_killed() {
        let old = files(&[
            ("CODEOWNERS", "* @us\n"),
            ("policy.toml", "schema = 1\n"),
            ("sg-1.toml", "old 1"),
            ("sg-2.toml", "old 2"),
        ]);
        let changes = files(&[("sg-1.toml", "new"), ("sg-3.toml", "3")]);
        let mut new = old.clone();
        new.extend(changes.clone());
        let count = replace(Path::new("x"), &changes).len();
        let mut outcomes = [0, 0];
        for at in 0..=count {
            for bytes in 0..=4 {
                for again in 0..8 {
                    let dir = tempfile::tempdir().unwrap();
                    fill(dir.path(), &old);
                    let steps = replace(dir.path(), &changes);
                    let long = match steps.get(at) {
                        Some(Step::Write { content, .. }) => content.len() + 1,
                        _ => 0,
                    };
                    killed(&steps, at, bytes.min(long));
                    let recovery = recover(dir.path()).unwrap();
                    killed(&recovery, again.min(recovery.len()), 0);
                    for step in recover(dir.path()).unwrap() {
                        step.perform().unwrap();
                    }
                    let found = seen(dir.path());
                    assert!(found == old || found == new, "{at} {bytes}: {found:?}");
                    outcomes[usize::from(found == new)] += 1;
                }
            }
        }
        assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}");
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
        let changes = files(&[("sg-1.toml", "new")]);
        killed(&replace(dir.path(), &changes), 2, 0);
        let foreign = dir.path().join(super::UNFINISHED).join("notes.txt");
        fs::write(&foreign, "mine").unwrap();
        let steps = recover(dir.path()).unwrap();
        assert!(steps.iter().any(|step| step.perform().is_err()));
        assert_eq!(fs::read_to_string(foreign).unwrap(), "mine");
    }
}
