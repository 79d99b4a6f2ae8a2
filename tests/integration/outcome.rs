//! What becomes of a finding, and what every output says of it.

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use serde_json::Value;

use crate::common::{closegate, fixtures, printed, sample};

fn audit(log: &Path, out: &Path, more: &[&str]) -> Assert {
    closegate()
        .args(["audit", "--flows"])
        .arg(log)
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--out")
        .arg(out)
        .args(more)
        .assert()
}

fn findings(run: &Path, kind: &str) -> Vec<Value> {
    let audit: Value = serde_json::from_slice(&fs::read(run.join("audit.json")).unwrap()).unwrap();
    let all = audit["findings"].as_array().unwrap();
    all.iter().filter(|f| f["kind"] == kind).cloned().collect()
}

fn text(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// The NAT gateway has no groups: nothing denies what is only seen there, and no output says that it is denied or has a rule.
#[test]
fn irc_that_is_only_seen_at_a_nat_gateway_is_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    let log = fixtures().join("nat-gateway/irc.log");
    let run = dir.path().join("run");
    let done = audit(&log, &run, &[]).success();
    let irc = findings(&run, "irc");
    assert_eq!(irc.len(), 1);
    assert_eq!(
        (&irc[0]["outcome"], &irc[0]["threat"]),
        (&"not-judged".into(), &true.into())
    );
    let summary = text(&done);
    assert!(
        summary.contains("1 threat finding: 1 not judged"),
        "{summary}"
    );
    let row = summary.lines().find(|line| line.contains(" irc ")).unwrap();
    assert!(row.ends_with("not judged"), "{row}");
    let run_text = run.display().to_string();
    let id = irc[0]["id"].as_str().unwrap();
    for (arguments, says) in [
        (
            &["report", &run_text, "--format", "markdown"][..],
            "not judged",
        ),
        (&["report", &run_text, "--format", "csv"], "not-judged"),
        (&["report", &run_text, "--format", "sarif"], "not-judged"),
        (&["report", &run_text, "--format", "asff"], "not-judged"),
        (&["report", &run_text, "--format", "ocsf"], "not-judged"),
        (
            &["explain", &run_text, id],
            "no group of the inventory judges",
        ),
    ] {
        let printed = printed(closegate().args(arguments));
        assert!(printed.contains(says), "{arguments:?}: {printed}");
        assert!(
            !printed.contains("rule written") && !printed.contains("rule-written"),
            "{arguments:?}"
        );
    }
}

/// A baseline is no permission: a threat that goes on is counted, listed and trips `--fail-on`.
#[test]
fn a_known_threat_stays_a_threat() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let log = sample().join("flows/custom");
    audit(&log, &first, &[]).success();
    let base = first.display().to_string();
    let again = audit(&log, &second, &["--baseline", &base, "--fail-on", "high"]).code(1);
    let summary = text(&again);
    assert!(
        summary.contains("0 new and 3 threat findings known since"),
        "{summary}"
    );
    assert!(summary.contains(" irc "), "{summary}");
    let error = String::from_utf8(again.get_output().stderr.clone()).unwrap();
    assert_eq!(error, "--fail-on: irc ×1, third-party-dns ×1\n");
    let report = fs::read_to_string(second.join("report.md")).unwrap();
    let threats = report.split("### Threats").nth(1).unwrap();
    let threats = threats.split("###").next().unwrap();
    assert!(
        threats.contains("| irc |") && !threats.contains("None."),
        "{threats}"
    );
    assert_eq!(findings(&second, "irc")[0]["known_since"], base.as_str());

    // What is known and no threat that is quarantined trips nothing.
    audit(
        &log,
        &second,
        &["--baseline", &base, "--fail-on", "critical"],
    )
    .success();
    let posture = [
        "--baseline",
        &base,
        "--fail-on",
        "info",
        "--fail-on-family",
        "posture",
    ];
    audit(&log, &second, &posture).success();
}

#[test]
fn fail_on_counts_the_families_that_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let log = sample().join("flows/custom");
    let fails = |families: &[&str]| {
        let all = [&["--fail-on", "high", "--fail-on-family"], families].concat();
        let done = audit(&log, &run, &all);
        let error = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        (done.get_output().status.code(), error)
    };
    let (code, error) = fails(&["posture"]);
    assert_eq!(
        (code, error.as_str()),
        (Some(1), "--fail-on: open-egress ×10\n")
    );
    let (code, error) = fails(&["destination", "behaviour"]);
    assert_eq!(
        (code, error.as_str()),
        (Some(1), "--fail-on: irc ×1, third-party-dns ×1\n")
    );
    assert_eq!(fails(&["behaviour"]), (Some(0), String::new()));
}
