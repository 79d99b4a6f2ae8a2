//! Ctrl-C leaves nothing half-written.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The directory that is being written and is not in its place yet.
static SCRATCH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The exit code of an interrupted run.
const INTERRUPTED: i32 = 130;

/// Installs the handler. Where that is not possible the system's own stays, and
/// only the cleaning up is lost.
pub(super) fn install() {
    let _ = ctrlc::set_handler(|| {
        let scratch = SCRATCH.lock().ok().and_then(|mut scratch| scratch.take());
        if let Some(scratch) = scratch {
            // The program ends either way.
            let _ = std::fs::remove_dir_all(scratch);
        }
        #[expect(clippy::exit, reason = "the handler runs on a thread of its own")]
        std::process::exit(INTERRUPTED);
    });
}

/// From now on, what an interruption has to remove.
pub(super) fn guard(scratch: Option<&Path>) {
    if let Ok(mut guarded) = SCRATCH.lock() {
        *guarded = scratch.map(Path::to_path_buf);
    }
}
