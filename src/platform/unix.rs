//! Linux and macOS.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// What a new file gets, before the umask.
pub(crate) fn for_a_new_file(builder: &mut tempfile::Builder<'_, '_>) {
    builder.permissions(Permissions::from_mode(0o666));
}

/// Whether a file under another name can take the place of this one without a visible difference:
/// it has one name, and the same owner and group.
pub(crate) fn is_replaceable(old: &Metadata, new: &Metadata) -> bool {
    old.nlink() == 1 && old.uid() == new.uid() && old.gid() == new.gid()
}

/// Whether two directories lie on one file system.
pub(crate) fn on_one_file_system(a: &Metadata, b: &Metadata) -> bool {
    a.dev() == b.dev()
}

/// Waits until the names in a directory are on disk.
pub(crate) fn sync_names(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Opens a file that is there, and keeps other runs from claiming it as long as it is open. Programs that only read it, or
/// put another in its place, go on.
pub(crate) fn claim(file: &Path) -> Result<File, TryLockError> {
    let open = OpenOptions::new().read(true).write(true).open(file);
    let open = open.map_err(TryLockError::Error)?;
    open.try_lock()?;
    Ok(open)
}

/// The same of a directory; `None` where its file system can't do that.
pub(crate) fn claim_directory(dir: &Path) -> Result<Option<File>, TryLockError> {
    let Ok(open) = File::open(dir) else {
        return Ok(None);
    };
    match open.try_lock() {
        Ok(()) => Ok(Some(open)),
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}
