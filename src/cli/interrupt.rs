//! Ctrl-C, and a request to terminate, leave nothing half-written and no progress bar.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::progress;

/// The file or directory that closegate is writing and that is not in its place yet.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The exit code of an interrupted run.
const INTERRUPTED: i32 = 130;

/// Installs the handler. Where that is not possible the system's own stays, and closegate
/// leaves the unfinished file behind.
pub(super) fn install() {
    let _ = ctrlc::set_handler(|| {
        // Waits for the end of `finish`.
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = unfinished.take() {
            // The program ends either way.
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        progress::clear();
        progress::say("interrupted");
        #[expect(clippy::exit, reason = "the handler runs on a thread of its own")]
        std::process::exit(INTERRUPTED);
    });
}

/// From now on, what an interruption removes.
pub(super) fn guard(unfinished: Option<&Path>) {
    let mut guarded = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    *guarded = unfinished.map(Path::to_path_buf);
}

/// Puts a result in its place. An interruption waits until that is done, and removes nothing afterwards.
pub(super) fn finish<T>(put: impl FnOnce() -> T) -> T {
    let mut guarded = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    *guarded = None;
    put()
}
