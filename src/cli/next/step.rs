//! A next step, and the command lines that several steps share.

use std::path::{Path, PathBuf};

use crate::cli::command_line::CommandLine;
use crate::emit::quoted;

/// The format in which a policy's rules are proposed.
const RULES: &str = "terraform-module";

/// What to do, and the command that does it if closegate has one.
pub(super) struct NextStep {
    pub(super) what: String,
    pub(super) command: Option<CommandLine>,
}

pub(super) fn step(what: impl Into<String>, command: CommandLine) -> NextStep {
    NextStep {
        what: what.into(),
        command: Some(command),
    }
}

pub(super) fn advice(what: impl Into<String>) -> NextStep {
    NextStep {
        what: what.into(),
        command: None,
    }
}

/// A path within a sentence.
pub(super) fn shown(path: &Path) -> String {
    quoted(&path.display().to_string())
}

pub(super) fn update(run: &Path, policy: &Path) -> CommandLine {
    CommandLine::new(&["policy", "update"])
        .path(run)
        .option("--policy", policy)
}

pub(super) fn status(policy: &Path, run: &Path) -> CommandLine {
    CommandLine::new(&["policy", "status"])
        .option("--policy", policy)
        .option("--run", run)
}

pub(super) fn accept(key: &str, policy: &Path) -> CommandLine {
    CommandLine::new(&["policy", "decide", "accept"])
        .word(key)
        .option("--policy", policy)
}

pub(super) fn explain(run: &Path, id: &str) -> CommandLine {
    CommandLine::new(&["explain"]).path(run).word(id)
}

pub(super) fn rules(policy: &Path, inventory: &Path) -> CommandLine {
    CommandLine::new(&["rules"])
        .option("--policy", policy)
        .option("--inventory", inventory)
        .word("--format")
        .word(RULES)
        .option("--out", Path::new("rules"))
}

pub(super) fn check(policy: &Path, inventory: Option<&Path>, run: Option<&Path>) -> CommandLine {
    let mut line = CommandLine::new(&["policy", "check"]).option("--policy", policy);
    for (name, path) in [("--inventory", inventory), ("--run", run)] {
        if let Some(path) = path {
            line = line.option(name, path);
        }
    }
    line
}

pub(super) fn drift(policy: &Path, inventory: &Path) -> CommandLine {
    CommandLine::new(&["drift"])
        .option("--policy", policy)
        .option("--inventory", inventory)
}

/// An audit of a store.
pub(super) fn audit_store(store: &Path, inventory: &Path) -> CommandLine {
    CommandLine::new(&["audit"])
        .option("--store", store)
        .option("--inventory", inventory)
        .option("--out", Path::new("run"))
}

/// Where a snapshot lies if the user said nothing of one.
pub(super) fn or_default(inventory: Option<&PathBuf>) -> &Path {
    inventory.map_or(Path::new("inventory"), PathBuf::as_path)
}
