//! What every command prints and writes: nothing that a terminal would obey, and no line of somebody else's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use closegate::query::QUERIES;
use serde_json::Value;

use super::{PAYLOADS, clean, estate, group_named, put_back};
use crate::common::closegate;

fn files(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    all.collect()
}

/// Every file of a run and every result, to standard output and to a file, whose bytes are the same.
#[test]
fn no_output_holds_what_a_terminal_obeys() {
    let estate = estate();
    let run = files(&estate.file(""));
    assert!(run.len() > 12, "{run:?}");
    for path in run {
        if path.extension().is_none_or(|end| end != "parquet") {
            clean(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
    for name in estate.outputs.keys().filter(|name| *name != "audit") {
        assert!(!estate.text(name).is_empty(), "{name}");
    }
    clean("audit", &estate.outputs["audit"]);
}

/// A rule for each name, a finding of each kind, and some connections: names are in the text, and none of them begins a
/// line.
#[test]
fn explain_prints_names_as_text() {
    let estate = estate();
    let audit = fs::read(estate.file("audit.json")).unwrap();
    let audit: Value = serde_json::from_slice(&audit).unwrap();
    let list = |key: &str| audit[key].as_array().unwrap();
    let of_name = |text: &&str| {
        list("rules")
            .iter()
            .find(|rule| rule["group_name"] == **text)
    };
    let mut rows: Vec<&Value> = PAYLOADS.iter().map(|text| of_name(text).unwrap()).collect();
    let mut kinds = BTreeSet::new();
    let findings = list("findings").iter();
    rows.extend(findings.filter(|f| kinds.insert(f["kind"].as_str().unwrap())));
    assert!(kinds.len() > 3, "{kinds:?}");
    rows.extend(list("connections").iter().step_by(40));
    let mut said = String::new();
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let text = clean(id, &estate.run(&["explain", "run", id]));
        assert!(!text.contains("\n  verdict     forged"), "{text}");
        said += &text;
    }
    let said = put_back(&said);
    for text in PAYLOADS {
        assert!(said.contains(&put_back(text)), "{text:?}");
    }
}

/// Two runs that share nothing: everything of the one is gone, and everything of the other new.
#[test]
fn diff_verify_and_can_print_names_as_text() {
    let estate = estate();
    let demo = estate.dir.join("demo");
    closegate()
        .args(["demo", "--out"])
        .arg(&demo)
        .assert()
        .success();
    clean("diff", &estate.run(&["diff", "demo", "run"]));
    let difference = clean(
        "diff --json",
        &estate.run(&["diff", "demo", "run", "--json"]),
    );
    let difference: Value = serde_json::from_str(&difference).unwrap();
    let new = difference["rules"]["new"].as_array().unwrap();
    for text in PAYLOADS {
        assert!(
            new.iter().any(|rule| rule["group_name"] == *text),
            "{text:?}"
        );
        assert!(new.iter().any(|rule| rule["group_id"] == *text), "{text:?}");
    }
    let input = ["--flows", "logs", "--inventory", "inventory"];
    for rules in [&["--current"][..], &["--rules", "run/rules/rules.json"]] {
        for json in [&[][..], &["--json"]] {
            let arguments = [&["verify"], &input[..], rules, json].concat();
            clean(&format!("{arguments:?}"), &estate.run(&arguments));
        }
    }
    for (number, text) in PAYLOADS.iter().enumerate() {
        let (own, peer) = (
            format!("10.0.0.{}", 10 + number),
            format!("10.0.1.{}", 10 + number),
        );
        let ask = ["can", "--inventory", "inventory", &own, &peer, "tcp/80"];
        let said = put_back(&clean("can", &estate.run(&ask)));
        assert!(said.contains(&format!("    {}", put_back(text))), "{said}");
        let said = clean("can --json", &estate.run(&[&ask[..], &["--json"]].concat()));
        let said: Value = serde_json::from_str(&said).unwrap();
        let rule = &said["egress"]["rules"][0];
        assert_eq!(
            (&rule["group_name"], &rule["group_id"]),
            (&(*text).into(), &group_named(number).into())
        );
        assert_eq!(rule["security_group_rule_id"], format!("{text}0"));
    }
}

/// Questions with the inventory's names in them: DuckDB reads back every id.
#[test]
fn queries_hold_ids_as_text() {
    let estate = estate();
    let mut asked = 0;
    for query in QUERIES {
        for engine in query.over.engines() {
            let engine = engine.name();
            let run: &[&str] = if query.over == closegate::query::Over::Run {
                &["--run", "run"]
            } else {
                &[]
            };
            let arguments = [
                "query",
                query.name,
                "--engine",
                engine,
                "--inventory",
                "inventory",
            ];
            let text = clean(query.name, &estate.run(&[&arguments[..], run].concat()));
            if engine != "duckdb" || query.name != "open-egress-by-group" {
                continue;
            }
            asked += 1;
            let start = text.find("VALUES\n        (").unwrap();
            let values = text[start..].split("\n)").next().unwrap();
            let found = super::readers::read("sql", values.as_bytes());
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            for (number, text) in PAYLOADS.iter().enumerate() {
                assert!(found.contains(text), "{text:?}");
                assert!(found.contains(&&*group_named(number)));
            }
        }
    }
    assert_eq!(asked, 1);
}

/// A store remembers the names of files.
#[test]
fn a_store_is_clean_as_well() {
    let estate = estate();
    let arguments = [
        "ingest",
        "--flows",
        "logs",
        "--inventory",
        "inventory",
        "--store",
        "store",
    ];
    clean("ingest", &estate.run(&arguments));
    for path in files(&estate.dir.join("store")) {
        if path.extension().is_none_or(|end| end != "parquet") {
            clean(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

/// What is wrong with a command is said in one line, whatever it is called.
#[test]
fn errors_are_one_line_of_text() {
    let estate = estate();
    for text in PAYLOADS
        .iter()
        .filter(|text| !text.contains('\0') && !text.starts_with('-'))
    {
        for arguments in [
            &["explain", text, "r-1"][..],
            &["report", text, "--format", "csv"],
            &["can", "--inventory", "inventory", text, "sg-none", "tcp/80"],
            &["config", "check", text],
        ] {
            let done = closegate()
                .current_dir(&estate.dir)
                .args(arguments)
                .output()
                .unwrap();
            assert_eq!(done.status.code(), Some(2), "{arguments:?}");
            let said = clean(&format!("{arguments:?}"), &done.stderr);
            crate::troubleshooting::parts(&said);
        }
    }
}
