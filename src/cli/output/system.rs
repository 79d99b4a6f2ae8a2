//! What differs between systems: permissions, owners, devices.

#[cfg(unix)]
pub(super) use unix::*;

#[cfg(not(unix))]
pub(super) use other::*;

#[cfg(unix)]
mod unix {
    use std::fs::{Metadata, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    /// What a new file gets, before the umask.
    pub(in super::super) fn for_a_new_file(builder: &mut tempfile::Builder<'_, '_>) {
        builder.permissions(Permissions::from_mode(0o666));
    }

    /// Whether a file under another name can take the place of this one without a visible difference:
    /// it has one name, and the same owner and group.
    pub(in super::super) fn is_replaceable(old: &Metadata, new: &Metadata) -> bool {
        old.nlink() == 1 && old.uid() == new.uid() && old.gid() == new.gid()
    }

    /// Whether two directories lie on one file system.
    pub(in super::super) fn on_one_file_system(a: &Metadata, b: &Metadata) -> bool {
        a.dev() == b.dev()
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::Metadata;

    /// The system decides.
    pub(in super::super) fn for_a_new_file(_: &mut tempfile::Builder<'_, '_>) {}

    /// The standard library names no owner here.
    pub(in super::super) fn is_replaceable(_: &Metadata, _: &Metadata) -> bool {
        true
    }

    /// The standard library names no device here. A rename that fails shows it.
    pub(in super::super) fn on_one_file_system(_: &Metadata, _: &Metadata) -> bool {
        true
    }
}
