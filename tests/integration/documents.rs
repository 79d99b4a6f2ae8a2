//! Documents of a run, read back by every command that reads one.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::assert::Assert;
use serde_json::Value;

use crate::cli::fails;
use crate::common::{closegate, fixtures};

fn run_in(dir: &Path) -> PathBuf {
    let run = dir.join("run");
    closegate()
        .args(["audit", "--flows"])
        .arg(fixtures().join("irc/positive.log"))
        .arg("--inventory")
        .arg(fixtures().join("inventory"))
        .arg("--out")
        .arg(&run)
        .assert()
        .success();
    run
}

/// Every command that reads a document of a run: the document, and the arguments.
fn readers(dir: &Path, run: &Path) -> Vec<(&'static str, Vec<String>)> {
    let run_text = run.display().to_string();
    let rules = run.join("rules/rules.json").display().to_string();
    let inventory = fixtures().join("inventory").display().to_string();
    let log = fixtures().join("irc/positive.log").display().to_string();
    let out = dir.join("again").display().to_string();
    let readers: &[(&str, &[&str])] = &[
        (
            "rules/rules.json",
            &["rules", &run_text, "--emit", "terraform"],
        ),
        (
            "rules/rules.json",
            &[
                "verify",
                "--rules",
                &rules,
                "--flows",
                &log,
                "--inventory",
                &inventory,
            ],
        ),
        ("report.json", &["report", &run_text, "--format", "sarif"]),
        ("graph.json", &["graph", &run_text, "--format", "dot"]),
        (
            "audit.json",
            &[
                "graph",
                &run_text,
                "--format",
                "dot",
                "--level",
                "interface",
            ],
        ),
        ("audit.json", &["explain", &run_text, "r-0"]),
        ("audit.json", &["diff", &run_text, &run_text]),
        (
            "audit.json",
            &[
                "audit",
                "--baseline",
                &run_text,
                "--flows",
                &log,
                "--inventory",
                &inventory,
                "--out",
                &out,
            ],
        ),
    ];
    let owned = |arguments: &[&str]| arguments.iter().map(ToString::to_string).collect();
    readers
        .iter()
        .map(|&(file, arguments)| (file, owned(arguments)))
        .collect()
}

/// A run is read only by a program that knows its version.
#[test]
fn documents_of_unknown_versions_and_of_other_programs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let run_text = run.display().to_string();
    for (file, arguments) in readers(dir.path(), &run) {
        let path = run.join(file);
        let good = fs::read_to_string(&path).unwrap();
        let read = |content: &str| -> Assert {
            fs::write(&path, content).unwrap();
            closegate().args(&arguments).assert()
        };
        let version = |to: &str| {
            good.replacen(
                "\"schema_version\": 2",
                &format!("\"schema_version\": {to}"),
                1,
            )
        };
        for unknown in ["1", "3", "0", "99", "\"2\"", "2.5", "null"] {
            assert_ne!(version(unknown), good);
            fails(
                read(&version(unknown)),
                2,
                &[file, "schema_version", "reads 2"],
            );
        }
        fails(
            read(&good.replacen("\"schema_version\": 2,", "", 1)),
            2,
            &[file],
        );
        for other in ["{}", "[]", "null", "{", ""] {
            fails(read(other), 2, &[file]);
        }
        fs::write(&path, good).unwrap();
    }
    // What a document of the right version holds is checked as well.
    let audit_json = run.join("audit.json");
    fs::write(&audit_json, r#"{"schema_version": 2, "connections": [], "findings": [], "rules": [5], "revocations": []}"#).unwrap();
    fails(
        closegate().args(["diff", &run_text, &run_text]).assert(),
        2,
        &["audit.json", "invalid type: integer `5`"],
    );
}

/// A document that lacks a key is not read as if the key were empty. `verify` reads of rules.json what says what changes; a file
/// written by hand needs no more.
#[test]
fn a_missing_key_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    for (file, arguments) in readers(dir.path(), &run) {
        let path = run.join(file);
        let good = fs::read_to_string(&path).unwrap();
        let document: Value = serde_json::from_str(&good).unwrap();
        let document = document.as_object().unwrap();
        let needed = |key: &&String| arguments[0] != "verify" || *key == "rules";
        for key in document.keys().filter(needed) {
            let mut without = document.clone();
            without.remove(key);
            fs::write(&path, Value::Object(without).to_string()).unwrap();
            let says = if arguments[0] == "verify" {
                "neither rules nor resource_changes"
            } else {
                key
            };
            fails(closegate().args(&arguments).assert(), 2, &[file, says]);
        }
        // A word that no version of the document has.
        for (key, word) in [
            ("verdict", "accepted"),
            ("severity", "high"),
            ("status", "add"),
        ] {
            let unknown = good.replacen(
                &format!("\"{key}\":\"{word}\""),
                &format!("\"{key}\":\"perhaps\""),
                1,
            );
            if unknown != good {
                fs::write(&path, &unknown).unwrap();
                fails(closegate().args(&arguments).assert(), 2, &[file, "perhaps"]);
            }
        }
        fs::write(&path, good).unwrap();
    }
}
