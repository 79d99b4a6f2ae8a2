//! What the program says about itself: help, manual pages, and what a build lacks.

use std::fs;

use crate::common::{closegate, printed};

/// Every command, as the program lists them.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["init"],
    &["doctor"],
    &["audit"],
    &["demo"],
    &["ingest"],
    &["store"],
    &["store", "verify"],
    &["verify"],
    &["rules"],
    &["report"],
    &["graph"],
    &["explain"],
    &["can"],
    &["diff"],
    &["policy"],
    &["policy", "update"],
    &["policy", "decide"],
    &["policy", "check"],
    &["policy", "status"],
    &["drift"],
    &["config"],
    &["config", "init"],
    &["config", "check"],
    &["tables"],
    &["tables", "list"],
    &["tables", "update"],
    &["query"],
    &["schema"],
    &["completions"],
    &["man"],
    #[cfg(feature = "aws")]
    &["collect"],
    #[cfg(feature = "aws")]
    &["collect", "inventory"],
];

fn help(command: &[&str]) -> String {
    printed(closegate().args(command).arg("--help"))
}

#[test]
fn help_is_plain_text() {
    for command in COMMANDS {
        let text = help(command);
        assert!(text.contains("Usage: closegate"), "{command:?}");
        assert!(!text.contains('`'), "{command:?}: {text}");
    }
}

/// The options of a command stand under `Options`, those for sources in AWS under a heading of their own.
#[test]
fn options_stand_under_their_own_heading() {
    for (command, own) in [
        (
            "audit",
            &["--out", "--config", "--baseline", "--fail-on", "--threads"][..],
        ),
        ("verify", &["--rules", "--current", "--json"]),
        ("ingest", &["--store", "--merge", "--hold"]),
    ] {
        let text = help(&[command]);
        let (options, in_aws) = text.split_once("Sources in AWS:").unwrap_or((&text, ""));
        for option in own {
            assert!(
                options.contains(&format!("{option} ")) || options.contains(&format!("{option}\n")),
                "{command} {option}: {text}"
            );
        }
        let remote = [
            "--profile",
            "--only-account",
            "--athena-output",
            "--requester-pays",
        ];
        for option in remote {
            assert!(!options.contains(option), "{command} {option}");
            assert_eq!(
                in_aws.contains(option),
                cfg!(feature = "aws"),
                "{command} {option}"
            );
        }
    }
}

#[test]
fn every_command_has_a_manual_page_that_its_sister_pages_name() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    closegate()
        .args(["man", "--out"])
        .arg(&pages)
        .assert()
        .success()
        .stdout("");
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for command in COMMANDS {
        let name = [&["closegate"], *command].concat().join("-") + ".1";
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let main = fs::read_to_string(pages.join("closegate.1")).unwrap();
    let named = main.lines().filter_map(|line| line.strip_suffix("(1)"));
    let mut count = 0;
    for name in named {
        let file = name.replace("\\-", "-") + ".1";
        assert!(names.contains(&file), "{file} in {names:?}");
        count += 1;
    }
    assert!(count > 10, "{main}");
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_says_so() {
    for rest in [&["inventory", "--out", "x"][..], &["--help"], &[]] {
        let assert = closegate().arg("collect").args(rest).assert();
        crate::cli::fails(assert, 2, &["without the feature aws", "aws ec2 describe-"]);
    }
}

/// How much a command says is decided under one heading, in every command's help.
#[test]
fn options_of_output_stand_under_one_heading() {
    for command in COMMANDS {
        let text = help(command);
        let (_, output) = text.split_once("\nOutput:\n").expect("a heading");
        for option in [
            "-q, --quiet",
            "-v, --verbose",
            "--no-progress",
            "--color <WHEN>",
        ] {
            assert!(output.contains(option), "{command:?} {option}: {text}");
        }
    }
}

/// One name for a format, on every command that writes in several. `rules` keeps its other one.
#[test]
fn a_format_is_chosen_by_one_option() {
    for command in ["rules", "report", "graph", "drift"] {
        let text = help(&[command]);
        assert!(text.contains("--format <FORMAT>"), "{command}: {text}");
    }
    assert!(help(&["rules"]).contains("[alias: --emit]"));
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    closegate()
        .args(["demo", "--out"])
        .arg(&run)
        .assert()
        .success();
    let rules = |option: &str| {
        printed(
            closegate()
                .arg("rules")
                .arg(&run)
                .args([option, "cloudformation"]),
        )
    };
    assert_eq!(rules("--format"), rules("--emit"));
}

/// Every help page, word for word, 100 columns wide. `INSTA_UPDATE=always cargo test help_pages` writes them anew.
#[cfg(feature = "aws")]
#[test]
fn help_pages_are_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for command in COMMANDS {
            let name = [&["help"], *command].concat().join("-");
            let text = printed(
                closegate()
                    .env("COLUMNS", "100")
                    .args(*command)
                    .arg("--help"),
            );
            insta::assert_snapshot!(name, text);
        }
    });
}
