//! A directory in which other programs keep files as well, such as a working directory of Terraform.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::place::{ASIDE, followed};
use crate::cli::exit::Failure;
use crate::cli::interrupt;
use crate::emit::{self, RuleFileOrigin};
use crate::platform;

/// How much of a file tells who wrote it.
const BEGINNING: u64 = 4096;

/// Puts a policy's rule files, by name, into a directory, and removes those of an earlier run that are none any more. Files that closegate
/// did not write stay, and one that has the name of a new file is an error, before anything is written.
pub(in crate::cli) fn write_rule_files(
    named: &Path,
    files: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let place = followed(named)
        .with_context(|| cannot_write(named))
        .map_err(Failure::usage)?;
    if place.exists() && !place.is_dir() {
        return Err(Failure::usage(anyhow!(
            "`{}` is not a directory; name one for the files of the policy's rules",
            named.display()
        )));
    }
    if let Some((first, second)) = platform::alike(files.keys()) {
        return Err(Failure::usage(anyhow!(
            "`{first}` and `{second}` would be one file on macOS and Windows, where names don't differ by capital letters; write one file for all groups"
        )));
    }
    let stale = stale(&place, files)
        .with_context(|| cannot_write(named))
        .map_err(Failure::usage)?;
    if let Some(name) = foreign(&place, files)
        .map_err(|error| Failure::usage(error.context(cannot_write(named))))?
    {
        return Err(Failure::usage(anyhow!(
            "`{}` holds `{name}`, which closegate did not write; move it away, or name another directory",
            named.display()
        )));
    }
    put(&place, files, &stale)
        .map_err(|error| Failure::Output(anyhow::Error::new(error).context(cannot_write(named))))
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
