//! How far the reading has come, on standard error and only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the bytes of all sources; a spinner where their size is unknown.
pub(super) fn reading(total: u64) -> ProgressBar {
    let (length, template) = if total == 0 {
        (None, "{spinner} reading {bytes} ({bytes_per_sec})")
    } else {
        (
            Some(total),
            "reading {wide_bar} {bytes}/{total_bytes} ({bytes_per_sec}, {eta})",
        )
    };
    bar(length, template)
}

/// A spinner over what AWS describes.
#[cfg(feature = "aws")]
pub(super) fn collecting() -> ProgressBar {
    bar(None, "{spinner} {pos} things ({per_sec}), {msg}")
}

/// A spinner over what an engine has scanned.
#[cfg(feature = "aws")]
pub(super) fn asking() -> ProgressBar {
    bar(None, "{spinner} {msg} ({elapsed})")
}

/// The bar that is shown, if there is one.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Removes the bar from the terminal.
pub(super) fn clear() {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = shown {
        bar.finish_and_clear();
    }
}

/// A line on standard error, above the bar if there is one.
pub(super) fn print(text: &str) {
    let write = || {
        // Nothing is left to do if standard error is gone.
        let _ = writeln!(anstream::stderr(), "{text}");
    };
    let shown = SHOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match shown {
        Some(bar) if !bar.is_finished() => bar.suspend(write),
        _ => write(),
    }
}

/// A notice: what a user may want to know, and no result.
pub(super) fn say(text: &str) {
    print(text);
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}
