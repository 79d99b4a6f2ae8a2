//! Decisions: by key, by filter, and from a file.

use std::collections::BTreeSet;
use std::fs;

use super::{Place, file_of, texts};
use crate::cli::fails;

#[test]
fn an_unknown_key_changes_nothing() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = texts(&place.path("policy"));
    let key = place.key("policy", "web_to_db_3306_");
    let mut decide = place.command("decide", "policy", &["accept", &key, "web_to_nowhere"]);
    fails(decide.assert(), 2, &["web_to_nowhere", "no entry"]);
    assert_eq!(texts(&place.path("policy")), before);
}

#[test]
fn declining_needs_a_reason_and_accepting_does_not() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = texts(&place.path("policy"));
    let key = place.key("policy", "web_to_db_3306_");
    let mut decline = place.command("decide", "policy", &["decline", &key]);
    fails(decline.assert(), 2, &[&key, "without a reason"]);
    let mut blank = place.command("decide", "policy", &["decline", &key, "--reason", " "]);
    fails(blank.assert(), 2, &[&key, "without a reason"]);
    assert_eq!(texts(&place.path("policy")), before);
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    assert_eq!(place.entries("policy")[&key], "accepted");
}

/// Only the file of the entry's group changes, and in it only what was decided.
#[test]
fn a_decision_is_a_small_diff() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = texts(&place.path("policy"));
    let key = place.key("policy", "web_to_db_3306_");
    let arguments = [
        "accept",
        &key,
        "--reason",
        "orders",
        "--owner",
        "shop",
        "--ticket",
        "NET-1",
        "--expires",
        "2999-12-31",
    ];
    place
        .command("decide", "policy", &arguments)
        .assert()
        .success();
    let after = texts(&place.path("policy"));
    let changed: Vec<&String> = after
        .keys()
        .filter(|name| before.get(*name) != after.get(*name))
        .collect();
    let web = file_of(&place.path("policy"), "web");
    assert_eq!(changed, [web.file_name().unwrap().to_str().unwrap()]);
    let name = changed[0];
    let old: Vec<&str> = before[name].lines().collect();
    let new = after[name].lines().filter(|line| !old.contains(line));
    let wanted = [
        "state = \"accepted\"",
        "reason = \"orders\"",
        "owner = \"shop\"",
        "ticket = \"NET-1\"",
        "expires = 2999-12-31",
    ];
    assert_eq!(new.collect::<BTreeSet<_>>(), BTreeSet::from(wanted));
    assert_eq!(after[name].lines().count(), old.len() + 4);
    place.command("check", "policy", &[]).assert().success();
}

#[test]
fn filters_choose_what_is_undecided() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let all = place.entries("policy");
    let keep = place.key("policy", "web_to_db_3306_");
    place
        .command("decide", "policy", &["decline", &keep, "--reason", "no"])
        .assert()
        .success();
    place
        .command("decide", "policy", &["accept", "--group", "web"])
        .assert()
        .success();
    let entries = place.entries("policy");
    for (key, state) in &entries {
        let wanted = match key {
            key if *key == keep => "declined",
            key if key.starts_with("web_to_") || key.starts_with("web_from_") => "accepted",
            _ => "proposed",
        };
        assert_eq!(state, wanted, "{key}");
    }
    // Nothing was seen on so many days.
    let before = texts(&place.path("policy"));
    place
        .command("decide", "policy", &["accept", "--seen-days", "90"])
        .assert()
        .success();
    assert_eq!(texts(&place.path("policy")), before);
    place
        .command(
            "decide",
            "policy",
            &["accept", "--seen-days", "1", "--confidence", "low"],
        )
        .assert()
        .success();
    let entries = place.entries("policy");
    let accepted = entries
        .values()
        .filter(|state| *state == "accepted")
        .count();
    assert_eq!(accepted, all.len() - 1, "{entries:?}");
    let neither = place.command("decide", "policy", &["accept"]).assert();
    fails(neither, 2, &["neither keys nor filters"]);
}

#[test]
fn a_file_of_decisions_counts_as_a_whole() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let (db, out) = (
        place.key("policy", "web_to_db_3306_"),
        place.key("policy", "web_to_internet_443_"),
    );
    let file = place.path("decisions.csv");
    let decide = || {
        place
            .command("decide", "policy", &["--decisions", file.to_str().unwrap()])
            .assert()
    };
    let before = texts(&place.path("policy"));
    for (text, says) in [
        (format!("key,state\n{db},yes\n"), "line 2: state is `yes`"),
        (
            format!("key,colour\n{db},red\n"),
            "line 1: `colour` is not a column",
        ),
        (
            format!("key\n{db}\n"),
            "line 1: the column state is missing",
        ),
        (
            format!("key,state,expires\n{db},accepted,soon\n"),
            "line 2: expires is `soon`",
        ),
        (
            format!("key,state\n{db},accepted\nnobody,accepted\n"),
            "nobody",
        ),
        (
            format!("key,state\n{db},accepted\n{db},deferred\n"),
            "decided twice",
        ),
        (
            format!("key,state\n{db},accepted\n{out},declined\n"),
            "without a reason",
        ),
    ] {
        fs::write(&file, &text).unwrap();
        fails(decide(), 2, &[says]);
        assert_eq!(texts(&place.path("policy")), before, "{text}");
    }
    fs::write(&file, format!("key,state,reason\n{db},accepted,\"orders, all of them\"\n{out},declined,\"say \"\"no\"\"\"\n")).unwrap();
    decide().success();
    let entries = place.entries("policy");
    assert_eq!((&*entries[&db], &*entries[&out]), ("accepted", "declined"));
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    assert!(
        text.contains("reason = \"orders, all of them\"")
            && text.contains(r#"reason = "say \"no\"""#),
        "{text}"
    );
}
