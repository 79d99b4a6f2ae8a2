//! A directory that closegate makes: a run, or a snapshot.
//!
//! closegate writes the files aside and puts them in place in one step. It replaces a directory only if closegate made
//! every file in it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::place::{ASIDE, followed, parent};
use crate::audit::Audit;
use crate::cli::exit::Failure;
use crate::cli::interrupt;
use crate::cli::trouble::Trouble;
use crate::{documents, emit, platform};

/// What a directory holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Made {
    /// The files of a run.
    Run,
    /// A snapshot of an account.
    #[cfg(feature = "aws")]
    Snapshot,
}

impl Made {
    const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            #[cfg(feature = "aws")]
            Self::Snapshot => "snapshot",
        }
    }

    /// The file that says that closegate made the directory.
    const fn marker(self) -> &'static str {
        match self {
            Self::Run => "audit.json",
            #[cfg(feature = "aws")]
            Self::Snapshot => "manifest.json",
        }
    }

    /// The files that closegate wrote into a directory, by path below it; none if closegate did not make the directory.
    fn own_files(self, place: &Path) -> BTreeSet<PathBuf> {
        let marker = File::open(place.join(self.marker()));
        if !marker.is_ok_and(documents::is_ours) {
            return BTreeSet::new();
        }
        match self {
            Self::Run => {
                let always = emit::PATHS.iter().map(PathBuf::from);
                always.chain(for_other_accounts(place)).collect()
            }
            #[cfg(feature = "aws")]
            Self::Snapshot => files_of_a_snapshot(place),
        }
    }
}

/// The files of a run for other accounts, of which each run has its own.
fn for_other_accounts(place: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(place.join("rules")).into_iter().flatten();
    entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let path = format!("rules/{}", name.to_str()?);
        emit::is_for_account(&path).then(|| PathBuf::from(path))
    })
}

/// The files that a snapshot's manifest names, and the manifest.
#[cfg(feature = "aws")]
fn files_of_a_snapshot(place: &Path) -> BTreeSet<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        files: Vec<PathBuf>,
    }
    let manifest = place.join(Made::Snapshot.marker());
    let named = fs::read(manifest)
        .ok()
        .and_then(|json| documents::read::<Manifest>(&json).ok());
    let files = named.map(|named| named.files).unwrap_or_default();
    let marker = PathBuf::from(Made::Snapshot.marker());
    files.into_iter().chain([marker]).collect()
}

/// A directory that is being made beside its place.
#[derive(Debug)]
pub(in crate::cli) struct OutDir {
    /// As it was named.
    named: PathBuf,
    /// Where its links lead.
    place: PathBuf,
    scratch: TempDir,
    made: Made,
    /// Goes after the scratch directory, which may lie in one of them.
    _parents: Parents,
}

/// The directories that closegate made to hold a place, the deepest first. Those that are empty go when this is dropped.
#[derive(Debug)]
struct Parents(Vec<PathBuf>);

impl Drop for Parents {
    fn drop(&mut self) {
        interrupt::remove_empty(&self.0);
    }
}

impl OutDir {
    /// Makes room before the work starts, so that a bad path fails at once. Refuses a directory that holds a file
    /// that closegate did not write.
    pub(in crate::cli) fn prepare(named: &Path, made: Made) -> Result<Self, Failure> {
        let cannot = || {
            format!(
                "output directory `{}` can't be made; name one that can be written",
                named.display()
            )
        };
        let place = followed(named).with_context(cannot).map_err(refused)?;
        let place = fs::canonicalize(&place).unwrap_or(place);
        if place.exists() {
            refuse_foreign(named, &place, made, None)?;
        }
        let parents = Parents(missing(parent(&place)));
        scratch(&place)
            .map(|scratch| {
                interrupt::guard(scratch.path(), &parents.0);
                Self {
                    named: named.to_path_buf(),
                    place,
                    scratch,
                    made,
                    _parents: parents,
                }
            })
            .with_context(cannot)
            .map_err(refused)
    }

    /// Writes a run's files and puts the directory in its place.
    pub(in crate::cli) fn write_run(self, audit: &Audit) -> Result<(), Failure> {
        self.put(|new| Ok(emit::write(audit, |path| create(new, path))?))
    }

    /// Writes files, by path and content, and puts the directory in its place.
    #[cfg(feature = "aws")]
    pub(in crate::cli) fn write(
        self,
        files: impl FnOnce(&mut dyn FnMut(&str, &[u8]) -> anyhow::Result<()>) -> anyhow::Result<()>,
    ) -> Result<(), Failure> {
        use std::io::Write as _;
        self.put(|new| files(&mut |path, content| Ok(create(new, path)?.write_all(content)?)))
    }

    fn put(mut self, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> Result<(), Failure> {
        let new = self.scratch.path().join("new");
        fs::create_dir(&new)
            .map_err(anyhow::Error::new)
            .and_then(|()| write(&new))
            .map_err(|error| self.cannot_write(error))?;
        // A foreign file may have come since the run began.
        if self.place.exists() {
            refuse_foreign(
                &self.named,
                &self.place,
                self.made,
                Some(self.scratch.path()),
            )?;
        }
        interrupt::finish(|| self.replace(&new)).map_err(|error| self.cannot_write(error))
    }

    fn cannot_write(&self, error: anyhow::Error) -> Failure {
        Failure::output(error.context(format!(
            "{} directory `{}` can't be written",
            self.made.name(),
            self.named.display()
        )))
    }

    /// Puts the new directory in its place, and removes the files of the old one.
    fn replace(&mut self, new: &Path) -> anyhow::Result<()> {
        let place = self.place.as_path();
        if !place.exists() {
            return Ok(fs::rename(new, place)?);
        }
        if self.scratch.path().starts_with(place) {
            return self.replace_each(new);
        }
        fs::set_permissions(new, fs::metadata(place)?.permissions())?;
        let before = self.scratch.path().join("before");
        fs::rename(place, &before)?;
        if let Err(error) = fs::rename(new, place) {
            fs::rename(&before, place)?;
            return Err(error.into());
        }
        remove(&before, &self.made.own_files(&before))?;
        if before.exists() {
            self.scratch.disable_cleanup(true);
            return Err(anyhow!(
                "files came into it while it was replaced, and are in `{}` now",
                before.display()
            ));
        }
        Ok(())
    }

    /// The same where the directory itself can't be replaced: file by file. The file that says that closegate made the
    /// directory comes first, so that an interrupted run can be written again.
    fn replace_each(&self, new: &Path) -> anyhow::Result<()> {
        let mut old = self.made.own_files(&self.place);
        let mut files = below(new)?;
        files.sort_by_key(|path| (path != Path::new(self.made.marker()), path.clone()));
        for path in files {
            let to = self.place.join(&path);
            fs::create_dir_all(parent(&to))?;
            fs::rename(new.join(&path), to)?;
            old.remove(&path);
        }
        for path in old {
            let gone = fs::remove_file(self.place.join(path));
            if let Err(error) = gone
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

impl Drop for OutDir {
    fn drop(&mut self) {
        interrupt::release();
    }
}

/// A place that closegate must not or can't write.
fn refused(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::OutputRefused)
}

/// The directories that lead to a path and are not there yet, the deepest first.
fn missing(path: &Path) -> Vec<PathBuf> {
    path.ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .map(Path::to_path_buf)
        .collect()
}

/// A directory to write into, on the file system of the place. It lies beside the place, or inside it where the place itself can't
/// be moved: a mount point, the current directory, a directory in one that closegate may not write.
fn scratch(place: &Path) -> io::Result<TempDir> {
    let make = |below: &Path| tempfile::Builder::new().prefix(ASIDE).tempdir_in(below);
    if !place.exists() {
        fs::create_dir_all(parent(place))?;
        return make(parent(place));
    }
    let Some(beside) = place.parent() else {
        return make(place);
    };
    // Both in their canonical form, which on Windows begins otherwise than what people type.
    let here = std::env::current_dir().and_then(fs::canonicalize);
    let holds_this = here.is_ok_and(|here| here.starts_with(place));
    let can_move = platform::on_one_file_system(&fs::metadata(place)?, &fs::metadata(beside)?);
    if holds_this || !can_move {
        return make(place);
    }
    make(beside).or_else(|_| make(place))
}

/// Fails if a directory holds what closegate did not write, and names it. `scratch` is this run's own.
fn refuse_foreign(
    named: &Path,
    place: &Path,
    made: Made,
    scratch: Option<&Path>,
) -> Result<(), Failure> {
    let foreign = foreign(place, made, scratch)
        .with_context(|| {
            format!(
                "output directory `{}` can't be listed; name a directory",
                named.display()
            )
        })
        .map_err(refused)?;
    match foreign {
        None => Ok(()),
        Some(path) => Err(refused(anyhow!(
            "output directory `{}` holds `{}`, which is not part of a {} that closegate made; name a new directory, or move it away",
            named.display(),
            path.display(),
            made.name()
        ))),
    }
}

/// The first file of a directory that closegate did not write, else the first such directory, by path below it.
fn foreign(place: &Path, made: Made, scratch: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if !place.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
    }
    let own = made.own_files(place);
    let scratch = scratch.and_then(Path::file_name);
    let mut directory = None;
    let entries = WalkDir::new(place).min_depth(1).sort_by_file_name();
    let others = entries
        .into_iter()
        .filter_entry(|entry| entry.depth() > 1 || Some(entry.file_name()) != scratch);
    for entry in others {
        let entry = entry?;
        let path = entry.path().strip_prefix(place)?;
        if entry.file_type().is_dir() {
            if directory.is_none() && !own.iter().any(|file| file.starts_with(path)) {
                directory = Some(path.to_path_buf());
            }
        // A link is never ours, whatever its name: what it leads to lies elsewhere.
        } else if !entry.file_type().is_file()
            || !own.contains(path) && !platform::is_of_the_finder(path)
        {
            return Ok(Some(path.to_path_buf()));
        }
    }
    Ok(directory)
}

/// The files below a directory, by path below it.
fn below(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(dir) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.path().strip_prefix(dir)?.to_path_buf());
        }
    }
    Ok(files)
}

/// Removes these files, and the directories that are empty then. What else is there stays, but for what the Finder makes again.
fn remove(dir: &Path, files: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let goes = |path: &&PathBuf| files.contains(*path) || platform::is_of_the_finder(path);
    for path in below(dir)?.iter().filter(goes) {
        fs::remove_file(dir.join(path))?;
    }
    for entry in WalkDir::new(dir).contents_first(true) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            // Not empty: something is there that came while the directory was replaced.
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// A file below a directory, and what leads to it.
fn create(below: &Path, path: &str) -> io::Result<File> {
    let path = below.join(path);
    fs::create_dir_all(parent(&path))?;
    File::create(path)
}
