//! What differs between systems: files here, and the names of files in what closegate writes.
//!
//! Each function in `unix.rs` has its counterpart in `windows.rs`. Only three other places ask for a target: the delimiter scan
//! (`src/ingest/simd/delimiters.rs`) for its processor, `src/main.rs` for its allocator, and tests that make links or need a full
//! disk. A test lists them.

mod paths;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use paths::{alike, is_device, is_of_the_finder, is_reserved, portable};
#[cfg(unix)]
pub(crate) use unix::{
    claim, claim_directory, for_a_new_file, is_replaceable, on_one_file_system, sync_names,
};
#[cfg(windows)]
pub(crate) use windows::{
    claim, claim_directory, for_a_new_file, is_replaceable, on_one_file_system, sync_names,
};

#[cfg(test)]
mod tests {
    use std::fs::{self, TryLockError};
    use std::io::ErrorKind;

    use super::{claim, claim_directory, sync_names};

    /// A second run can't claim what one has; everybody can read it, and put another file in its place.
    #[test]
    fn one_run_claims_a_file_and_others_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        let missing = claim(&file);
        assert!(
            matches!(&missing, Err(TryLockError::Error(error)) if error.kind() == ErrorKind::NotFound),
            "{missing:?}"
        );
        fs::write(&file, "schema = 1\n").unwrap();
        let first = claim(&file).unwrap();
        let second = claim(&file);
        assert!(
            matches!(second, Err(TryLockError::WouldBlock)),
            "{second:?}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "schema = 1\n");
        fs::write(dir.path().join("new"), "schema = 2\n").unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "schema = 2\n");
        drop(first);
        claim(&file).unwrap();
    }

    /// A directory that is claimed takes new files, and is claimed once where the system can do that at all.
    #[test]
    fn a_claimed_directory_takes_files() {
        let dir = tempfile::tempdir().unwrap();
        let first = claim_directory(dir.path()).unwrap();
        let second = claim_directory(dir.path());
        match first {
            Some(_) => assert!(
                matches!(second, Err(TryLockError::WouldBlock)),
                "{second:?}"
            ),
            None => assert!(matches!(second, Ok(None)), "{second:?}"),
        }
        fs::write(dir.path().join("new"), "").unwrap();
        sync_names(dir.path()).unwrap();
    }
}
