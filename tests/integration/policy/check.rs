//! What keeps a policy from being used, each with its file and line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Place, file_of};
use crate::cli::fails;
use crate::common::sample;

/// A policy of the sample, and the file of `web`.
fn place() -> (Place, std::path::PathBuf) {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    (place, web)
}

fn edit(file: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(file).unwrap();
    let new = change(text.clone());
    assert_ne!(new, text, "the edit changes something");
    fs::write(file, new).unwrap();
}

/// The line of a text in a file, from 1.
fn line_of(file: &Path, wanted: &str) -> usize {
    let text = fs::read_to_string(file).unwrap();
    let before = text.split(wanted).next().unwrap();
    assert_ne!(before.len(), text.len(), "{wanted} in {text}");
    before.matches('\n').count() + 1
}

/// The problems that `check --json` prints; it exits with 1 if there are some.
fn problems(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--json"][..]].concat();
    let done = place.command("check", "policy", &arguments).assert();
    let output = done.get_output();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = document["problems"].as_array().unwrap().clone();
    assert_eq!(document["valid"], problems.is_empty());
    assert_eq!(output.status.code(), Some(i32::from(!problems.is_empty())));
    problems
}

#[test]
fn a_new_policy_is_valid() {
    let (place, _) = place();
    let inventory = sample().join("inventory");
    let run = place.path("run");
    let all = [
        "--inventory",
        inventory.to_str().unwrap(),
        "--run",
        run.to_str().unwrap(),
    ];
    assert_eq!(problems(&place, &[]), Vec::<Value>::new());
    assert_eq!(problems(&place, &all), Vec::<Value>::new());
    place
        .command("decide", "policy", &["accept", "--state", "proposed"])
        .assert()
        .success();
    assert_eq!(problems(&place, &all), Vec::<Value>::new());
}

#[test]
fn what_is_no_policy_is_refused() {
    let place = Place::new();
    let run = place.command("check", "run", &[]).assert();
    fails(run, 2, &["is not a policy", "policy.toml"]);
    let none = place.command("status", "nowhere", &[]).assert();
    fails(none, 2, &["is not a policy"]);
}

/// A misspelt key is named with file, line and key, by every command.
#[test]
fn an_unknown_key_is_named_with_its_place() {
    for (wrong, says) in [
        (
            "stat = \"accepted\"",
            "stat is not a key; did you mean state?",
        ),
        ("ports = [70000]", "ports is a list"),
        ("protocol = \"tpc\"", "protocol is `tpc`"),
        ("expires = \"soon\"", "expires is `soon`"),
        (
            "to_prefixes = [\"10.0.0.1/8\"]",
            "to_prefixes has `10.0.0.1/8`",
        ),
        ("to_group = \"sg-../../etc\"", "to_group is `sg-../../etc`"),
        ("key = \"Web to DB\"", "key is `Web to DB`"),
        (
            "days = [\"0001-01-01/9999-12-31\"]",
            "days has `0001-01-01/9999-12-31`",
        ),
        ("mutual = \"no\"", "mutual is `no`"),
    ] {
        let (place, web) = place();
        let name = wrong.split(' ').next().unwrap();
        edit(&web, |text| {
            // In the first entry, instead of its own value.
            let start = text.find("[[allow]]").unwrap();
            let end = text[start..]
                .find("\n\n")
                .map_or(text.len(), |at| start + at);
            let own = |line: &&str| !line.starts_with(&format!("{name} ="));
            let kept: Vec<&str> = text[start..end].lines().filter(own).collect();
            let (before, after) = (&text[..start], &text[end..]);
            format!("{before}{}\n{wrong}\n{after}", kept.join("\n"))
        });
        let found = problems(&place, &[]);
        let line = line_of(&web, wrong);
        let hit = found.iter().find(|problem| {
            problem["what"].as_str().unwrap().contains(says) && problem["line"] == line
        });
        assert!(hit.is_some(), "{wrong}, line {line}: {found:#?}");
        assert_eq!(hit.unwrap()["file"], web.to_str().unwrap());
        let run = place.path("run");
        let mut update = place.command("update", "policy", &[run.to_str().unwrap()]);
        let line = format!("line {line}");
        fails(update.assert(), 2, &[web.to_str().unwrap(), &line, says]);
    }
}

#[test]
fn another_version_is_refused_in_words() {
    let (place, web) = place();
    edit(&web, |text| {
        text.replace("schema = 1", "schema = 2\nnew_key = true")
    });
    let found = problems(&place, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    let what = found[0]["what"].as_str().unwrap();
    assert!(
        what.contains("schema is 2") && what.contains("reads 1"),
        "{what}"
    );
    fails(
        place.command("status", "policy", &[]).assert(),
        2,
        &["schema is 2"],
    );
}

#[test]
fn what_expired_and_what_is_twice_there() {
    let (place, web) = place();
    let key = place.key("policy", "web_to_db_3306_");
    let accept = |expires: &str| {
        let arguments = ["accept", &key, "--expires", expires];
        place
            .command("decide", "policy", &arguments)
            .assert()
            .success();
    };
    accept("2999-01-01");
    assert_eq!(problems(&place, &[]), Vec::<Value>::new());
    accept("2001-01-01");
    let found = problems(&place, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["key"], &found[0]["file"]),
        (&json!(key), &json!(web.to_str().unwrap()))
    );
    assert!(
        found[0]["what"].as_str().unwrap().contains("2001-01-01"),
        "{found:?}"
    );
    let line = usize::try_from(found[0]["line"].as_u64().unwrap()).unwrap();
    let text = fs::read_to_string(&web).unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("[[allow]]"));
    assert!(text.lines().nth(line).unwrap().contains(&key));
    accept("2999-01-01");
    // The same key in another file.
    let db = file_of(&place.path("policy"), "db");
    edit(&db, |text| {
        format!(
            "{text}\n[[allow]]\nkey = \"{key}\"\nto_prefixes = [\"192.0.2.1/32\"]\nprotocol = \"tcp\"\nports = [1]\n"
        )
    });
    let found = problems(&place, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]["what"].as_str().unwrap().contains("already"),
        "{found:?}"
    );
    let decide = place
        .command("decide", "policy", &["accept", &key])
        .assert();
    fails(decide, 2, &[&key, "already"]);
}

#[test]
fn more_rules_than_aws_takes_are_refused() {
    let (place, web) = place();
    let key = place.key("policy", "web_to_internet_443_");
    let mut prefixes = String::new();
    for number in 0..61 {
        write!(prefixes, "\"198.51.100.{number}/32\", ").unwrap();
    }
    edit(&web, |text| {
        text.replace(
            "to_prefixes = [\"192.0.2.44/31\"]",
            &format!("to_prefixes = [{prefixes}]"),
        )
    });
    assert_eq!(
        problems(&place, &[]),
        Vec::<Value>::new(),
        "nothing is accepted"
    );
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    let inventory = sample().join("inventory");
    for arguments in [&[][..], &["--inventory", inventory.to_str().unwrap()]] {
        let found = problems(&place, arguments);
        assert_eq!(found.len(), 1, "{found:?}");
        let what = found[0]["what"].as_str().unwrap();
        assert!(
            what.contains("61 rules for egress") && what.contains("takes 60"),
            "{what}"
        );
    }
}

#[test]
fn an_accepted_entry_that_opens_what_is_quarantined() {
    let (place, web) = place();
    let run = place.path("run");
    let with_run = ["--run", run.to_str().unwrap()];
    edit(&web, |text| {
        format!(
            "{text}\n[[allow]]\nkey = \"chat\"\nto_prefixes = [\"203.0.113.0/24\"]\nprotocol = \"tcp\"\nports = [\"6000-7000\"]\n"
        )
    });
    assert_eq!(
        problems(&place, &with_run),
        Vec::<Value>::new(),
        "it is proposed only"
    );
    place
        .command("decide", "policy", &["accept", "chat"])
        .assert()
        .success();
    assert_eq!(
        problems(&place, &[]),
        Vec::<Value>::new(),
        "only a run says so"
    );
    let found = problems(&place, &with_run);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["key"], "chat");
    assert!(
        found[0]["what"]
            .as_str()
            .unwrap()
            .contains("1 connection that the run quarantined"),
        "{found:?}"
    );
}
