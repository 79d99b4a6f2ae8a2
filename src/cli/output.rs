//! A directory that is written: made aside and put in place in one step.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use super::exit::{Exit, Failure, print};
use super::interrupt;
use crate::audit::Audit;
use crate::emit;

/// What a directory holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
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

    /// Whether a directory holds one.
    fn is_in(self, place: &Path) -> bool {
        match self {
            Self::Run => place.join("audit.json").is_file(),
            // A store has a file of that name too.
            #[cfg(feature = "aws")]
            Self::Snapshot => fs::read_to_string(place.join("manifest.json"))
                .is_ok_and(|text| text.contains("\"collected_at\"")),
        }
    }
}

/// A directory that is being made beside its place.
#[derive(Debug)]
pub(super) struct OutDir {
    place: PathBuf,
    scratch: TempDir,
    made: Made,
}

impl OutDir {
    /// Makes room before the work starts, so that a bad path fails at once. A
    /// directory that is neither empty nor made by such a run is left alone.
    pub(super) fn prepare(place: &Path, made: Made) -> Result<Self, Failure> {
        if place.exists() && !may_be_replaced(place, made).map_err(Failure::usage)? {
            return Err(Failure::usage(anyhow::anyhow!(
                "output directory `{}` holds something other than an earlier {}; name a new directory",
                place.display(),
                made.name()
            )));
        }
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent)
            .and_then(|()| {
                tempfile::Builder::new()
                    .prefix(".closegate-")
                    .tempdir_in(parent)
            })
            .map(|scratch| {
                interrupt::guard(Some(scratch.path()));
                Self {
                    place: place.to_path_buf(),
                    scratch,
                    made,
                }
            })
            .with_context(|| {
                format!(
                    "output directory `{}` can't be made; name one that can be written",
                    place.display()
                )
            })
            .map_err(Failure::usage)
    }

    /// Writes a run's files and puts the directory in its place.
    pub(super) fn write_run(self, audit: &Audit) -> Result<(), Failure> {
        self.put(|new| Ok(emit::write(audit, |path| create(new, path))?))
    }

    /// Writes files, by path and content, and puts the directory in its place.
    #[cfg(feature = "aws")]
    pub(super) fn write(
        self,
        files: impl FnOnce(&mut dyn FnMut(&str, &[u8]) -> anyhow::Result<()>) -> anyhow::Result<()>,
    ) -> Result<(), Failure> {
        self.put(|new| files(&mut |path, content| Ok(create(new, path)?.write_all(content)?)))
    }

    fn put(&self, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> Result<(), Failure> {
        let place = &self.place;
        let done = || -> anyhow::Result<()> {
            let new = self.scratch.path().join("new");
            write(&new)?;
            if place.exists() {
                fs::rename(place, self.scratch.path().join("before"))?;
            }
            Ok(fs::rename(&new, place)?)
        };
        done()
            .with_context(|| {
                format!(
                    "{} directory `{}` can't be written",
                    self.made.name(),
                    place.display()
                )
            })
            .map_err(Failure::Output)
    }
}

/// A file below a directory, and what leads to it.
fn create(below: &Path, path: &str) -> io::Result<File> {
    let path = below.join(path);
    fs::create_dir_all(path.parent().expect("joined below a directory"))?;
    File::create(path)
}

impl Drop for OutDir {
    fn drop(&mut self) {
        interrupt::guard(None);
    }
}

/// Writes a text to a file, whole or not at all, or to standard output.
pub(super) fn text(file: Option<&Path>, text: impl AsRef<[u8]>) -> Result<Exit, Failure> {
    let Some(file) = file else {
        return print(text).map(|()| Exit::Done);
    };
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let put = || -> io::Result<()> {
        let mut aside = tempfile::Builder::new()
            .prefix(".closegate-")
            .tempfile_in(parent.unwrap_or(Path::new(".")))?;
        aside.write_all(text.as_ref())?;
        aside.persist(file)?;
        Ok(())
    };
    put()
        .with_context(|| {
            format!(
                "`{}` can't be written; name a file that can be",
                file.display()
            )
        })
        .map_err(Failure::Output)?;
    Ok(Exit::Done)
}

/// Whether a directory is empty or was made by such a run.
fn may_be_replaced(place: &Path, made: Made) -> anyhow::Result<bool> {
    let mut entries = fs::read_dir(place).with_context(|| {
        format!(
            "output `{}` is not a directory; name a directory",
            place.display()
        )
    })?;
    Ok(made.is_in(place) || entries.next().is_none())
}
