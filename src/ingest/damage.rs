//! Damage: a container whose own checks fail, or whose decoder does.
//!
//! Bytes count only if the container that holds them verified them, so what damage leaves is a hole. A reader
//! says where it was with an error; what it reads after that lies behind the hole.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::net::thousands;

/// Bytes of a container that were not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) struct Damage {
    /// What kind of container it is.
    pub(super) container: &'static str,
    /// What is wrong with it.
    pub(super) reason: String,
    /// The first byte that was not used, counted from 0.
    pub(super) from: u64,
    /// The first byte that was used again; nothing if there is none.
    pub(super) to: Option<u64>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (container, reason) = (self.container, &self.reason);
        write!(f, "this {container} is damaged ({reason}): ")?;
        match (self.from, self.to) {
            (0, None) => write!(f, "nothing in it was used"),
            (from, None) => write!(
                f,
                "bytes {} to the end were not used, nor a line that begins before them",
                thousands(from + 1)
            ),
            (from, Some(to)) => write!(
                f,
                "bytes {} to {} were not used, nor lines that reach into them",
                thousands(from + 1),
                thousands(to)
            ),
        }
    }
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(ErrorKind::InvalidData, damage)
    }
}

/// What kept a container from being read, in words.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => error.to_string(),
    }
}

fn damage(error: &io::Error) -> Option<&Damage> {
    error.get_ref()?.downcast_ref()
}

/// Whether a reader that gave this error may be read on, behind the hole.
pub(super) fn goes_on(error: &io::Error) -> bool {
    damage(error).is_some_and(|damage| damage.to.is_some())
}

/// What a sample says of an error while reading.
pub(super) fn reported(error: &io::Error) -> String {
    match damage(error) {
        Some(damage) => damage.to_string(),
        None => format!("the rest can't be read: {error}"),
    }
}

/// Runs a decoder of another crate: over damaged input, some panic.
pub(super) fn guarded<T>(run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let failed = |_| Err(io::Error::other("its decoder panicked"));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(failed)
}

/// Ends where reading fails: what lies behind a hole has no place in an archive any more.
pub(super) struct UpToDamage<'f, R> {
    pub(super) reader: R,
    pub(super) has_failed: &'f Cell<bool>,
}

impl<R: Read> Read for UpToDamage<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_failed.get() {
            return Ok(0);
        }
        let result = self.reader.read(buffer);
        let has_failed = matches!(&result, Err(error) if error.kind() != ErrorKind::Interrupted);
        self.has_failed.set(has_failed);
        result
    }
}

/// A file of an archive that says how long it is: ending earlier is damage.
pub(super) struct SizedEntry<'f, R> {
    pub(super) reader: R,
    /// Bytes that were read, and that there should be.
    pub(super) at: u64,
    pub(super) length: u64,
    pub(super) has_failed: &'f Cell<bool>,
}

impl<R: Read> Read for SizedEntry<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reason = match guarded(|| self.reader.read(buffer)) {
            Ok(0) if self.at < self.length && !buffer.is_empty() => {
                if self.has_failed.replace(true) {
                    return Ok(0);
                }
                "it ends too early".to_owned()
            }
            Ok(count) => {
                self.at += count as u64;
                return Ok(count);
            }
            Err(error) => why(&error),
        };
        let damage = Damage {
            container: "file of a tar archive",
            reason,
            from: self.at,
            to: None,
        };
        Err(damage.into())
    }
}
