//! What standard error shows besides errors: how far the reading has come, notices, and details on request.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::TerminalArgs;
use crate::ingest::Intake;
use crate::net::{plural, visible};

/// What the command line says of notices, details and bars.
static CHOSEN: OnceLock<TerminalArgs> = OnceLock::new();

/// Sets what is shown, once and before anything is.
pub(super) fn configure(chosen: TerminalArgs) {
    CHOSEN.get_or_init(|| chosen);
}

fn chosen(what: impl FnOnce(&TerminalArgs) -> bool) -> bool {
    CHOSEN.get().is_some_and(what)
}

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
    bar(None, "{spinner} {pos} items ({per_sec}), {msg}")
}

/// A spinner over what an engine has scanned.
#[cfg(feature = "aws")]
pub(super) fn querying() -> ProgressBar {
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
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bar) if !bar.is_finished() => bar.suspend(write),
        _ => write(),
    }
}

/// A notice: what a user may want to know, and no result. `--quiet` leaves it out.
pub(super) fn say(text: &str) {
    if !chosen(|chosen| chosen.quiet) {
        print(text);
    }
}

/// A detail, which only `--verbose` shows. Whoever writes the text has escaped what is foreign in it.
pub(super) fn detail(text: impl FnOnce() -> String) {
    if chosen(|chosen| chosen.verbose) {
        print(&text());
    }
}

/// Does a stage of the work. `--verbose` shows its time and what `describe` says of its result.
pub(super) fn stage<T>(work: impl FnOnce() -> T, describe: impl FnOnce(&T) -> String) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    detail(|| format!("{:>9}  {}", seconds(took), describe(&result)));
    result
}

/// A detail per source: its name, its format and what it held.
pub(super) fn sources(intake: &Intake) {
    for source in &intake.sources {
        detail(|| {
            format!(
                "{:>11}{}: {}, {}, {}",
                "",
                visible(&source.name, 300),
                visible(&source.format, 300),
                plural(source.records, "record"),
                plural(source.malformed, "malformed line")
            )
        });
    }
}

/// To the millisecond.
fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let hidden = chosen(|chosen| chosen.quiet || chosen.no_progress);
    let target = if !hidden && std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}
