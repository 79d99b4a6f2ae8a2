//! A run's directory: written aside and put in place in one step.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use super::exit::Failure;
use super::interrupt;
use crate::audit::Audit;
use crate::emit;

/// A run's directory that is being made beside its place.
#[derive(Debug)]
pub(super) struct RunDir {
    place: PathBuf,
    scratch: TempDir,
}

impl RunDir {
    /// Makes room before the work starts, so that a bad path fails at once. A
    /// directory that is neither empty nor an earlier run is left alone.
    pub(super) fn prepare(place: &Path) -> Result<Self, Failure> {
        if place.exists() && !may_be_replaced(place).map_err(Failure::usage)? {
            return Err(Failure::usage(anyhow::anyhow!(
                "output directory `{}` holds something other than an earlier run; name a new directory",
                place.display()
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
    pub(super) fn write(self, audit: &Audit) -> Result<(), Failure> {
        self.try_write(audit)
            .with_context(|| format!("run directory `{}` can't be written", self.place.display()))
            .map_err(Failure::Output)
    }

    fn try_write(&self, audit: &Audit) -> anyhow::Result<()> {
        let new = self.scratch.path().join("run");
        emit::write(audit, |path| {
            let path = new.join(path);
            fs::create_dir_all(path.parent().expect("joined below a directory"))?;
            File::create(path)
        })?;
        if self.place.exists() {
            fs::rename(&self.place, self.scratch.path().join("before"))?;
        }
        fs::rename(&new, &self.place)?;
        Ok(())
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        interrupt::guard(None);
    }
}

/// Whether a directory is empty or an earlier run.
fn may_be_replaced(place: &Path) -> anyhow::Result<bool> {
    let mut entries = fs::read_dir(place).with_context(|| {
        format!(
            "output `{}` is not a directory; name a directory",
            place.display()
        )
    })?;
    Ok(place.join("audit.json").is_file() || entries.next().is_none())
}
