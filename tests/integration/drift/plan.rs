//! A Terraform plan against the policy. The plans have the shape that `terraform show -json` prints (JSON output format of plans).

use std::fs;

use serde_json::{Value, json};

use super::{CACHE, DB, Found, Kept, WEB, word};
use crate::cli::fails;
use crate::common::{fixtures, sample};

/// What differs with a plan of the fixtures.
fn with_plan(kept: &Kept, name: &str, more: &[&str]) -> Found {
    let plan = fixtures().join(format!("terraform-plans/{name}.json"));
    kept.applied(&[&["--plan", plan.to_str().unwrap()][..], more].concat())
}

/// Whose group and port the differences of a kind are about, with their level.
fn about<'a>(found: &'a Found, kind: &str) -> Vec<(&'a str, Option<u64>, &'a str)> {
    let rows = found.of(kind).into_iter();
    let mut about: Vec<_> = rows
        .map(|row| {
            let port = row["rule"]["from_port"].as_u64();
            (word(row, "group_id"), port, word(row, "level"))
        })
        .collect();
    about.sort_unstable();
    about
}

#[test]
fn a_plan_that_removes_what_an_entry_needs() {
    let kept = Kept::locked();
    let found = with_plan(&kept, "breaks", &[]);
    assert_eq!(found.code, 1);
    let row = found.only("plan-breaks");
    let key = kept.key(WEB, "web_to_db_3306_");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "error")
    );
    assert_eq!(row["rule"]["target"], json!({"security_group": DB}));
    assert_eq!(found.of("plan-loses"), Vec::<&Value>::new(), "no logs");
    // With the logs: which connections would be lost.
    let flows = sample().join("flows/custom");
    let found = with_plan(&kept, "breaks", &["--flows", flows.to_str().unwrap()]);
    let row = found.only("plan-loses");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "error")
    );
    assert_eq!(row["connections"], 3);
    assert_eq!(row["evidence"].as_array().unwrap().len(), 3);
    // A decision makes the same plan right.
    kept.decide("decline", &key, &["--reason", "moved"]);
    let found = with_plan(&kept, "breaks", &["--flows", flows.to_str().unwrap()]);
    assert_eq!(found.code, 0, "{:#}", found.document);
    assert_eq!(word(found.only("plan-loses"), "level"), "note");
    assert_eq!(found.of("plan-breaks"), Vec::<&Value>::new());
}

/// Rules that nobody decided about, and that traffic needs.
#[test]
fn a_plan_that_denies_what_is_undecided() {
    let kept = Kept::learning();
    let key = kept.key(WEB, "web_to_db_3306_");
    kept.decide("defer", &key, &[]);
    let flows = sample().join("flows/custom");
    let found = with_plan(&kept, "breaks", &["--flows", flows.to_str().unwrap()]);
    assert_eq!((found.code, found.of("plan-breaks").len()), (1, 0));
    let row = found.only("plan-loses");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "warning")
    );
}

#[test]
fn a_plan_that_opens() {
    let found = with_plan(&Kept::locked(), "opens", &[]);
    assert_eq!(found.code, 1);
    assert_eq!(
        about(&found, "plan-opens"),
        [
            (WEB, None, "error"),
            (DB, Some(22), "warning"),
            (CACHE, Some(8443), "warning"),
        ]
    );
    // Where nothing is locked yet, only what is open to everyone counts.
    let found = with_plan(&Kept::learning(), "opens", &[]);
    assert_eq!(found.code, 1);
    assert_eq!(
        about(&found, "plan-opens"),
        [
            (WEB, None, "warning"),
            (DB, Some(22), "warning"),
            (CACHE, Some(8443), "note"),
        ]
    );
}

/// What an accepted entry permits is not opened by a plan, and what is missing today is there after it.
#[test]
fn a_plan_that_applies_the_policy() {
    let kept = Kept::locked();
    kept.close(WEB, "egress", 3306);
    let today = kept.applied(&[]);
    assert_eq!(today.code, 1);
    assert_eq!(today.only("rule-missing")["ended_by_plan"], false);
    let found = with_plan(&kept, "applies", &[]);
    assert_eq!(found.code, 0, "{:#}", found.document);
    let row = found.only("rule-missing");
    assert_eq!(
        (&row["ended_by_plan"], &row["decides"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(row["level"], "error");
    assert_eq!(
        found.document["counts"],
        json!({"errors": 0, "warnings": 0, "notes": 0})
    );
    assert_eq!(found.document["today_counts"]["errors"], 1);
}

/// A pull request does not fail for what is different today.
#[test]
fn a_plan_is_not_to_blame_for_todays_drift() {
    let kept = Kept::locked();
    kept.reopen(DB);
    kept.close(WEB, "egress", 6379);
    assert_eq!(kept.applied(&[]).code, 1);
    let found = with_plan(&kept, "applies", &[]);
    assert_eq!(found.code, 0);
    assert_eq!(found.kinds("error"), ["group-reopened", "rule-missing"]);
    assert_eq!(found.only("group-reopened")["ended_by_plan"], false);
}

/// Moved, forgotten, read, imported, described anew; and what is known only after apply, which is said and not guessed.
#[test]
fn a_plan_that_changes_nothing() {
    let kept = Kept::locked();
    let flows = sample().join("flows/custom");
    let found = with_plan(&kept, "harmless", &["--flows", flows.to_str().unwrap()]);
    assert_eq!(found.code, 0, "{:#}", found.document);
    for kind in ["plan-breaks", "plan-loses", "plan-opens"] {
        assert_eq!(found.of(kind), Vec::<&Value>::new(), "{kind}");
    }
    let unknown = found.of("plan-unknown");
    let said: Vec<&str> = unknown.iter().map(|row| word(row, "what")).collect();
    for address in [
        "aws_vpc_security_group_egress_rule.new:",
        "aws_security_group.cache: a part of its ingress rules",
    ] {
        assert!(said.iter().any(|what| what.contains(address)), "{said:?}");
    }
    assert!(
        unknown
            .iter()
            .all(|row| row["level"] == "note" && row["group_id"].is_null())
    );
}

/// Open egress that goes before the policy's rules stand.
#[test]
fn a_plan_that_closes_too_early() {
    let kept = Kept::locked();
    kept.reopen(WEB);
    kept.close(WEB, "egress", 3306);
    let plan = json!({"format_version": "1.2", "resource_changes": [{
        "address": "aws_vpc_security_group_egress_rule.open", "mode": "managed",
        "type": "aws_vpc_security_group_egress_rule",
        "change": {"actions": ["delete"], "after": null, "after_unknown": {}, "before": {
            "security_group_id": WEB, "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0",
        }},
    }]});
    fs::write(kept.path("plan.json"), plan.to_string()).unwrap();
    let found = kept.applied(&["--plan", "plan.json"]);
    assert_eq!(found.code, 1);
    let row = found.only("plan-breaks");
    assert_eq!(
        (word(row, "group_id"), &row["rule"]["from_port"]),
        (WEB, &json!(3306))
    );
    assert_eq!(found.only("group-reopened")["ended_by_plan"], true);
}

#[test]
fn what_is_no_plan_is_refused() {
    let kept = Kept::learning();
    for (content, says) in [
        ("{", "terraform show -json"),
        ("{}", "resource_changes"),
        (
            r#"{"format_version": "9.0", "resource_changes": []}"#,
            "9.0",
        ),
    ] {
        fs::write(kept.path("plan.json"), content).unwrap();
        let done = kept.drift("inventory", &["--plan", "plan.json"]).assert();
        fails(done, 2, &["plan `plan.json`", says]);
    }
    let done = kept
        .drift("inventory", &["--plan", "nowhere.json"])
        .assert();
    fails(done, 2, &["plan `nowhere.json`", "can't be read"]);
}
