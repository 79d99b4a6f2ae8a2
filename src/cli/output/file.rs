//! One file, device or pipe.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::place::{ASIDE, followed, parent};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::interrupt;
use crate::cli::trouble::Trouble;
use crate::platform;

/// A place for one result. It is opened before the work starts, so that a bad path fails at once.
#[derive(Debug)]
pub(in crate::cli) struct OutFile {
    named: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    Stdout,
    /// The file appears whole or not at all: closegate writes it aside and renames it.
    Whole {
        aside: NamedTempFile,
        place: PathBuf,
    },
    /// A device or a pipe, or a file that no other file can stand in for.
    InPlace(File),
}

impl OutFile {
    /// Opens a place; `None`, `-` and `/dev/stdout` mean standard output. Nothing that is there is changed yet.
    pub(in crate::cli) fn prepare(named: Option<&Path>) -> Result<Self, Failure> {
        let named = named.unwrap_or(Path::new("-"));
        let to = if named == Path::new("-") || named == Path::new("/dev/stdout") {
            Ok(To::Stdout)
        } else {
            open(named)
        };
        let to = to.with_context(|| cannot_write(named));
        Ok(Self {
            named: named.to_path_buf(),
            to: to.map_err(refused)?,
        })
    }

    /// Writes the whole result.
    pub(in crate::cli) fn write(self, content: impl AsRef<[u8]>) -> Result<Exit, Failure> {
        let content = content.as_ref();
        let written = match self.to {
            To::Stdout => return print(content).map(|()| Exit::Done),
            To::Whole { aside, place } => put(aside, &place, content),
            To::InPlace(file) => overwrite(file, content),
        };
        written
            .with_context(|| cannot_write(&self.named))
            .map_err(Failure::output)?;
        Ok(Exit::Done)
    }
}

fn refused(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::OutputRefused)
}

fn cannot_write(named: &Path) -> String {
    format!(
        "`{}` can't be written; name a file that can be",
        named.display()
    )
}

fn open(named: &Path) -> io::Result<To> {
    let in_place = |path: &Path| OpenOptions::new().write(true).open(path).map(To::InPlace);
    match fs::metadata(named) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // What lies below these is open elsewhere already, or is no file.
        Ok(there)
            if !there.is_file() || named.starts_with("/dev") || named.starts_with("/proc") =>
        {
            in_place(named)
        }
        Ok(there) => {
            let place = fs::canonicalize(named)?;
            // A file may be writable in a directory that is not.
            let Ok(aside) = aside(&place) else {
                return in_place(&place);
            };
            if there.permissions().readonly() {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            if !platform::is_replaceable(&there, &aside.as_file().metadata()?) {
                return in_place(&place);
            }
            aside.as_file().set_permissions(there.permissions())?;
            Ok(To::Whole { aside, place })
        }
        Err(_) if platform::is_device(named) => in_place(named),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let place = followed(named)?;
            let aside = aside(&place)?;
            Ok(To::Whole { aside, place })
        }
        Err(error) => Err(error),
    }
}

/// A new file beside a place. An interruption removes it.
fn aside(place: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(ASIDE);
    platform::for_a_new_file(&mut builder);
    let aside = builder.tempfile_in(parent(place))?;
    interrupt::guard(aside.path(), &[]);
    Ok(aside)
}

fn put(mut aside: NamedTempFile, place: &Path, content: &[u8]) -> io::Result<()> {
    aside.write_all(content)?;
    aside.flush()?;
    interrupt::finish(|| aside.persist(place))?;
    Ok(())
}

fn overwrite(mut file: File, content: &[u8]) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(content)?;
    file.flush()
}
