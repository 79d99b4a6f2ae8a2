//! A directory in which other programs keep files as well, such as a working directory of Terraform.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::place::{ASIDE, followed};
use crate::cli::exit::Failure;
use crate::cli::interrupt;
use crate::cli::trouble::Trouble;
use crate::emit::{self, RuleFileOrigin};
use crate::platform;
use crate::policy::is_account_directory;

/// How much of a file tells who wrote it.
const BEGINNING: u64 = 4096;

/// Puts a policy's rule files, by name, into a directory, and removes those of an earlier run that are none any more. Files that closegate
/// did not write stay, and one that has the name of a new file is an error, before anything is written.
pub(in crate::cli) fn write_rule_files(
    named: &Path,
    files: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    Prepared::new(named, files)?.put()
}

/// The same with a directory for each account. Files for all accounts together that an earlier run wrote are an error: a Terraform that
/// runs there would take their going for rules that go.
pub(in crate::cli) fn write_account_rule_files(
    named: &Path,
    accounts: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<(), Failure> {
    let cannot = |error: anyhow::Error| refused(error.context(cannot_write(named)));
    let place = followed(named)
        .map_err(anyhow::Error::new)
        .map_err(cannot)?;
    for files in accounts.values() {
        let mut names: Vec<PathBuf> = stale(&place, files)
            .map_err(anyhow::Error::new)
            .map_err(cannot)?;
        let same = files.keys().map(|name| place.join(name));
        names.extend(same.filter(|path| {
            path.is_file() && origin(path).is_ok_and(|who| who == RuleFileOrigin::Policy)
        }));
        if let Some(found) = names.first() {
            return Err(refused(anyhow!(
                "`{}` is for all accounts together, and the policy has a directory for each by now; name a new directory, or move the file away",
                found.display()
            )));
        }
    }
    let mut prepared = Vec::new();
    for (account, files) in accounts {
        prepared.push(Prepared::new(&named.join(account), files)?);
    }
    prepared.into_iter().try_for_each(Prepared::put)
}

/// Directories of other accounts in which an earlier run wrote a policy's rules, by name, in order.
pub(in crate::cli) fn other_accounts(
    named: &Path,
    accounts: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<String> {
    let entries = fs::read_dir(named).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let wrote = |name: &String| {
        let files = fs::read_dir(named.join(name))
            .into_iter()
            .flatten()
            .flatten();
        let mut files = files
            .map(|entry| entry.path())
            .filter(|path| path.is_file());
        files.any(|path| origin(&path).is_ok_and(|who| who == RuleFileOrigin::Policy))
    };
    let mut others: Vec<String> = names
        .filter(|name| is_account_directory(name) && !accounts.contains_key(name))
        .filter(wrote)
        .collect();
    others.sort();
    others
}

/// Files that can be put into their directory.
struct Prepared<'a> {
    /// As it was named.
    named: PathBuf,
    /// Where its links lead.
    place: PathBuf,
    files: &'a BTreeMap<String, String>,
    /// What goes.
    stale: Vec<PathBuf>,
}

impl<'a> Prepared<'a> {
    fn new(named: &Path, files: &'a BTreeMap<String, String>) -> Result<Self, Failure> {
        let place = followed(named)
            .with_context(|| cannot_write(named))
            .map_err(refused)?;
        if place.exists() && !place.is_dir() {
            return Err(refused(anyhow!(
                "`{}` is not a directory; name one for the files of the policy's rules",
                named.display()
            )));
        }
        if let Some((first, second)) = platform::alike(files.keys()) {
            return Err(refused(anyhow!(
                "`{first}` and `{second}` would be one file on macOS and Windows, where names don't differ by capital letters; write one file for all groups"
            )));
        }
        let stale = stale(&place, files)
            .with_context(|| cannot_write(named))
            .map_err(refused)?;
        if let Some(name) =
            foreign(&place, files).map_err(|error| refused(error.context(cannot_write(named))))?
        {
            return Err(refused(anyhow!(
                "`{}` holds `{name}`, which closegate did not write; move it away, or name another directory",
                named.display()
            )));
        }
        Ok(Self {
            named: named.to_path_buf(),
            place,
            files,
            stale,
        })
    }

    fn put(self) -> Result<(), Failure> {
        put(&self.place, self.files, &self.stale).map_err(|error| {
            Failure::output(anyhow::Error::new(error).context(cannot_write(&self.named)))
        })
    }
}

fn refused(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::OutputRefused)
}

fn cannot_write(named: &Path) -> String {
    format!(
        "directory `{}` can't be written; name one that can be",
        named.display()
    )
}

/// The first new file whose name somebody else's file has.
fn foreign<'a>(
    place: &Path,
    files: &'a BTreeMap<String, String>,
) -> anyhow::Result<Option<&'a str>> {
    for name in files.keys() {
        let path = place.join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            // A link is never ours, whatever its name: what it leads to lies elsewhere.
            Ok(there) if !there.is_file() => return Ok(Some(name)),
            Ok(_) if origin(&path)? == RuleFileOrigin::Foreign => return Ok(Some(name)),
            Ok(_) => {}
        }
    }
    Ok(None)
}

/// Files that closegate wrote from a policy in the same form, and that are not among the new ones.
fn stale(place: &Path, files: &BTreeMap<String, String>) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut stale = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_candidate = !files.contains_key(name)
            && files.keys().any(|new| emit::is_same_form(name, new))
            && entry.file_type()?.is_file();
        if is_candidate && origin(&entry.path())? == RuleFileOrigin::Policy {
            stale.push(entry.path());
        }
    }
    stale.sort();
    Ok(stale)
}

/// Who wrote a file.
fn origin(path: &Path) -> io::Result<RuleFileOrigin> {
    let mut beginning = Vec::new();
    File::open(path)?
        .take(BEGINNING)
        .read_to_end(&mut beginning)?;
    Ok(emit::rule_file_origin(&String::from_utf8_lossy(&beginning)))
}

/// Writes all files aside, and then moves them to their places. What an interruption leaves aside is removed.
fn put(place: &Path, files: &BTreeMap<String, String>, stale: &[PathBuf]) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(place)?;
    interrupt::guard(aside.path(), &[]);
    let written = write(aside.path(), place, files);
    if let Err(error) = written {
        interrupt::release();
        return Err(error);
    }
    interrupt::finish(|| -> io::Result<()> {
        for name in files.keys() {
            fs::rename(aside.path().join(name), place.join(name))?;
        }
        stale.iter().try_for_each(fs::remove_file)
    })
}

fn write(aside: &Path, place: &Path, files: &BTreeMap<String, String>) -> io::Result<()> {
    for (name, text) in files {
        let path = aside.join(name);
        fs::write(&path, text)?;
        if let Ok(there) = fs::metadata(place.join(name)) {
            fs::set_permissions(&path, there.permissions())?;
        }
    }
    Ok(())
}
