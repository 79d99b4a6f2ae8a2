//! What to do after a command: the "Next:" lines at its end, on a terminal.
//!
//! A command says what it did, as a [`Next`]; what follows from it is decided in `steps.rs`, for all commands. A command without a next
//! step that is true says nothing.

mod did;
mod step;
mod steps;

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use super::args::InputArgs;
use super::command_line::CommandLine;
use super::progress;
use crate::net::visible;
use step::NextStep;
use steps::steps;

pub(super) use did::{Against, GroupCounts, Next, NextOfPolicy};

/// What the last command said. Commands of the demo run one after the other, and the last one counts.
static PROPOSED: Mutex<Option<Next>> = Mutex::new(None);

/// Says what a command did. Nothing is shown yet.
pub(super) fn propose(next: Next) {
    *PROPOSED.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
}

/// The audit of what a command read, without the place that it is written to.
pub(super) fn audit_of(input: &InputArgs) -> CommandLine {
    CommandLine::new(&["audit"]).input(input)
}

/// Shows what to do next, if a person is there to read it: both streams are a terminal, and neither `--quiet` nor CI is in the way.
pub(super) fn show() {
    let proposed = PROPOSED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let is_read = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    if let Some(next) = proposed
        && is_read
        && !in_ci
    {
        for line in in_words(&steps(&next)) {
            progress::say(&line);
        }
    }
}

/// The lines. A command stands alone on its line, to be copied.
fn in_words(steps: &[NextStep]) -> Vec<String> {
    let mut lines = Vec::new();
    for (position, NextStep { what, command }) in steps.iter().enumerate() {
        let label = if position == 0 { "Next:" } else { "Then:" };
        lines.push(format!("{label} {}", visible(what, 400)));
        let command = command.as_ref().filter(|command| command.is_exact());
        lines.extend(command.map(|command| format!("      {command}")));
    }
    lines
}
