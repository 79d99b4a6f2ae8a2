//! `--threads`, of every command that has it: the same bytes at any number, and none is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::cli::fails;
use crate::common::{closegate, sample};

/// A command with its sources and what else it needs.
fn command(words: &[&str], format: &str, threads: &str, dir: &Path) -> assert_cmd::assert::Assert {
    let mut command = closegate();
    command.current_dir(dir).args(words);
    command
        .arg("--flows")
        .arg(sample().join("flows").join(format));
    command.arg("--inventory").arg(sample().join("inventory"));
    command.args(["--threads", threads]).assert()
}

/// Every file below a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(dir).unwrap();
            files.insert(name.display().to_string(), fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn every_command_that_has_threads_writes_the_same_with_any_number() {
    const COMMANDS: &[(&[&str], Option<&str>)] = &[
        (&["audit", "--out", "run"], Some("run")),
        (&["verify", "--current", "--json"], None),
        (&["ingest", "--store", "store"], Some("store")),
    ];
    let formats = ["custom", "default"];
    let all = formats
        .iter()
        .flat_map(|format| COMMANDS.iter().map(move |command| (format, command)));
    for (format, (words, out)) in all {
        let mut written = Vec::new();
        for threads in ["1", "2", "8"] {
            let dir = tempfile::tempdir().unwrap();
            let done = command(words, format, threads, dir.path()).success();
            let printed = done.get_output().stdout.clone();
            let files = out.map(|out| files(&dir.path().join(out)));
            assert!(!printed.is_empty() && files.as_ref().is_none_or(|f| !f.is_empty()));
            written.push((printed, files));
        }
        assert!(
            written[0] == written[1] && written[0] == written[2],
            "{words:?}"
        );
        let dir = tempfile::tempdir().unwrap();
        fails(
            command(words, format, "0", dir.path()),
            2,
            &["--threads is 0", "1 or more"],
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{words:?}");
    }
}
