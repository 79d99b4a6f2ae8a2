//! Ctrl-C and SIGTERM leave nothing half-written and no progress bar.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::progress;

/// What closegate is writing and what is not in its place yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// The file or directory.
    path: Option<PathBuf>,
    /// Directories that closegate made for it, the deepest first.
    parents: Vec<PathBuf>,
}

static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished {
    path: None,
    parents: Vec::new(),
});

/// How often closegate tries to remove what is unfinished.
const ATTEMPTS: usize = 10;

/// The exit code of an interrupted run.
const INTERRUPTED: i32 = 130;

/// Installs the handler. Where that is not possible the system's own stays, and closegate
/// leaves the unfinished file behind.
pub(super) fn install() {
    let _ = ctrlc::set_handler(|| {
        // Waits for the end of `finish`.
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = unfinished.path.take() {
            remove(&path);
        }
        remove_empty(&unfinished.parents);
        progress::clear();
        progress::print("interrupted");
        #[expect(clippy::exit, reason = "the handler runs on a thread of its own")]
        std::process::exit(INTERRUPTED);
    });
}

/// Removes a file or directory, which another thread may still be writing.
fn remove(path: &Path) {
    for _ in 0..ATTEMPTS {
        let removed = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        // What can't be removed stays: the program ends either way.
        if removed.is_ok() || !path.exists() {
            break;
        }
    }
}

/// From now on, what an interruption removes: a file or directory, and of the directories that were made for it those
/// that are empty then, the deepest first.
pub(super) fn guard(path: &Path, parents: &[PathBuf]) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Unfinished {
        path: Some(path.to_path_buf()),
        parents: parents.to_vec(),
    };
}

/// From now on, an interruption removes nothing.
pub(super) fn release() {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Unfinished::default();
}

/// Puts a result in its place. An interruption waits until that is done, and removes nothing afterwards.
pub(super) fn finish<T>(put: impl FnOnce() -> T) -> T {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    *unfinished = Unfinished::default();
    put()
}

/// Removes the directories that are empty, in this order.
pub(super) fn remove_empty(directories: &[PathBuf]) {
    for directory in directories {
        // Not empty: a result is in it.
        let _ = fs::remove_dir(directory);
    }
}
