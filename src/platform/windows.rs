//! Windows.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

/// What others may do with a file while it is open (the parameter `dwShareMode` of `CreateFileW`): read it, and rename or remove it.
const SHARE_READ: u32 = 1;
const SHARE_DELETE: u32 = 4;

/// Somebody has a file open and does not share it so (`ERROR_SHARING_VIOLATION`).
const SHARING_VIOLATION: i32 = 32;

/// The system decides: a new file inherits its permissions from its directory.
pub(crate) fn for_a_new_file(_: &mut tempfile::Builder<'_, '_>) {}

/// The standard library names no owner here.
pub(crate) fn is_replaceable(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// The standard library names no device here. A rename that fails shows it.
pub(crate) fn on_one_file_system(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// A directory can't be opened as a file, and NTFS keeps names in its own journal.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
pub(crate) fn sync_names(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file that is there, and keeps other runs from claiming it as long as it is open. Programs that only read it, or
/// put another in its place, go on. A lock would keep readers out too, this process among them: here locks are not advisory.
pub(crate) fn claim(file: &Path) -> Result<File, TryLockError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.share_mode(SHARE_READ | SHARE_DELETE);
    options
        .open(file)
        .map_err(|error| match error.raw_os_error() {
            Some(SHARING_VIOLATION) => TryLockError::WouldBlock,
            _ => TryLockError::Error(error),
        })
}

/// A directory can't be opened as a file.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
pub(crate) fn claim_directory(_: &Path) -> Result<Option<File>, TryLockError> {
    Ok(None)
}
