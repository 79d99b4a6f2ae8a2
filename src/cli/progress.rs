//! What the program shows beside its results, on standard error: progress, notices and details.

use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::DisplayArgs;

/// What the command line asks for; set once, before a command runs.
static DISPLAY: OnceLock<DisplayArgs> = OnceLock::new();

/// The bar that is on the terminal, for an interruption to remove.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Columns of a result that goes to no terminal.
const WIDTH: u16 = 80;

/// Narrower than this, tables have no room for their columns.
const NARROWEST: u16 = 40;

/// Takes over the command line's wishes.
pub(super) fn display_as(display: DisplayArgs) {
    anstream::ColorChoice::from(display.color).write_global();
    DISPLAY.get_or_init(|| display);
}

/// Columns of standard output.
pub(super) fn width() -> u16 {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDTH, |(width, _)| width.0.max(NARROWEST))
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
    bar(None, "{spinner} {pos} things ({per_sec}), {msg}")
}

/// A spinner over what an engine has scanned.
#[cfg(feature = "aws")]
pub(super) fn asking() -> ProgressBar {
    bar(None, "{spinner} {msg} ({elapsed})")
}

/// A line that belongs to the answer, such as why the exit code is 1.
pub(super) fn say(text: &str) {
    // Nothing is left to do if standard error is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A line that `--quiet` leaves out.
pub(super) fn notice(text: &str) {
    if !DISPLAY.get().is_some_and(|display| display.quiet) {
        say(text);
    }
}

/// A line that only `--verbose` prints.
pub(super) fn detail(text: impl FnOnce() -> String) {
    if DISPLAY.get().is_some_and(|display| display.verbose) {
        say(&text());
    }
}

/// Runs a step; `--verbose` prints how long it took.
pub(super) fn step<T>(name: &str, step: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = step();
    detail(|| format!("{name}: {:.2} s", start.elapsed().as_secs_f64()));
    done
}

/// Removes the bar from the terminal; nothing draws it again.
pub(super) fn clear() {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bar) = shown.take() {
        bar.finish_and_clear();
    }
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let wanted = DISPLAY
        .get()
        .is_none_or(|display| !display.quiet && !display.no_progress);
    let target = if wanted && std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}
