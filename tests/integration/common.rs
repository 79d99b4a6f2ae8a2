//! What the tests share.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use closegate::audit::{self, Audit};
use closegate::config::Config;
use closegate::ingest::{self, Settings};
use closegate::inventory::Inventory;
use closegate::suggest::{Generalise, Level};

/// The project's directory.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `tests/fixtures`.
pub(crate) fn fixtures() -> PathBuf {
    root().join("tests/fixtures")
}

/// `sample-data`.
pub(crate) fn sample() -> PathBuf {
    root().join("sample-data")
}

/// The program, in an environment that nothing of the caller's reaches.
pub(crate) fn closegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_closegate"));
    command.env_clear();
    command
}

/// Audits files through the library.
pub(crate) fn audit_paths(flows: &[PathBuf], inventory: &Path) -> Audit {
    audit_at(Level::default(), flows, inventory)
}

/// The same, with rules of a level.
pub(crate) fn audit_at(level: Level, flows: &[PathBuf], inventory: &Path) -> Audit {
    audit_with(&at(level), flows, inventory)
}

/// The same, with a configuration.
pub(crate) fn audit_with(config: &Config, flows: &[PathBuf], inventory: &Path) -> Audit {
    let flows: Vec<String> = flows
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let sources = ingest::find(&flows).unwrap();
    let inventory = Inventory::load(inventory).unwrap();
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    audit::audit(inventory, table, intake, config)
}

/// A configuration with nothing but a level.
pub(crate) fn at(level: Level) -> Config {
    Config {
        generalise: Generalise {
            level,
            ..Generalise::default()
        },
        ..Config::default()
    }
}

/// Audits a log that is given as text.
pub(crate) fn audit_text(log: &str, inventory: &Path) -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.log");
    std::fs::write(&path, log).unwrap();
    audit_paths(&[path], inventory)
}

/// What a command prints that has to succeed.
pub(crate) fn printed(command: &mut Command) -> String {
    let done = command.assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}
