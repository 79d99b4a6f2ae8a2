//! `closegate.toml`: what it changes, and what is wrong with it.

use std::fs;

use crate::cli::fails;
use crate::common::{closegate, sample};

/// The configuration is read from where one stands; a key that nobody knows is an
/// error that shows its line.
#[test]
fn a_configuration_is_read_and_a_wrong_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(dir.path().join("closegate.toml"), text).unwrap();
    let audit = || {
        closegate()
            .current_dir(dir.path())
            .args(["audit", "--flows"])
            .arg(sample().join("flows/custom"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .args(["--out", "run"])
            .assert()
    };
    write("[generalise]\nlevel = \"compact\"\n");
    audit().success();
    let report = fs::read_to_string(dir.path().join("run/report.md")).unwrap();
    assert!(report.contains("--generalise compact"));
    for (text, says) in [
        (
            "[generalise]\nlevl = \"exact\"\n",
            ["closegate.toml", "line 2", "levl"],
        ),
        (
            "[generalise]\nlevel = \"wide\"\n",
            ["line 2", "wide", "balanced"],
        ),
        (
            "[generalise.compact]\nwidest = 4\n",
            ["generalise.compact.widest", "4", "8 to 32"],
        ),
        (
            "[findings.ircc]\nreport = false\n",
            ["findings.ircc", "not a kind", "docs/findings.md"],
        ),
        (
            "[findings.irc]\nseverity = \"bad\"\n",
            ["findings.irc.severity", "bad", "critical"],
        ),
        (
            "[findings.port-scan]\nreport = true\nportz = 5\n",
            ["line 3", "findings.port-scan.portz", "ports, uncommon"],
        ),
        (
            "[findings.port-scan]\nports = \"many\"\n",
            ["line 2", "findings.port-scan.ports", "a whole number"],
        ),
        (
            "[findings.irc]\nquarantine = 1\n",
            ["line 2", "findings.irc.quarantine", "true or false"],
        ),
        (
            "[[approve]]\nreason = \"x\"\nowner = \"y\"\n",
            ["approve, number 1", "neither a destination", "group"],
        ),
        (
            "[[approve]]\ndestination = [\"x\"]\nreason = \"x\"\nowner = \"y\"\n",
            ["approve, number 1", "destination `x`", "prefix"],
        ),
        (
            "[[approve]]\ngroup = \"web\"\nreason = \"x\"\nowner = \"y\"\nexpires = \"soon\"\n",
            ["approve, number 1", "expires `soon`", "2027-01-31"],
        ),
    ] {
        write(text);
        let output = audit().code(2).get_output().clone();
        let error = String::from_utf8(output.stderr).unwrap();
        for word in says {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn a_configuration_tunes_kinds_and_is_made_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = closegate();
        command.current_dir(dir.path()).args(arguments);
        command
    };
    run(&["config", "init"]).assert().success();
    let made = fs::read_to_string(dir.path().join("closegate.toml")).unwrap();
    for kind in closegate::findings::KINDS {
        assert!(
            made.contains(&format!("# [findings.{}]", kind.id)),
            "{}",
            kind.id
        );
    }
    run(&["config", "check"]).assert().success();
    fails(
        run(&["config", "init"]).assert(),
        2,
        &["closegate.toml", "exists"],
    );
    // Every line of it, without its comment sign, is a configuration too.
    let all: String = made
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.contains(" = ") || l.starts_with('['))
                .unwrap_or("")
                .to_owned()
                + "\n"
        })
        .collect();
    fs::write(dir.path().join("closegate.toml"), &all).unwrap();
    run(&["config", "check"]).assert().success();

    fs::write(
        dir.path().join("closegate.toml"),
        "[findings.irc]\nseverity = \"critical\"\nquarantine = false\n[findings.third-party-dns]\nreport = false\n",
    )
    .unwrap();
    let mut command = run(&["audit", "--out", "run", "--flows"]);
    command
        .arg(sample().join("flows/custom"))
        .arg("--inventory")
        .arg(sample().join("inventory"));
    command.assert().success();
    let audit: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("run/audit.json")).unwrap()).unwrap();
    let of = |kind: &str| {
        audit["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let irc = of("irc");
    assert_eq!(
        (irc[0]["severity"].as_str(), irc[0]["quarantined"].as_bool()),
        (Some("critical"), Some(false))
    );
    assert!(of("third-party-dns").is_empty());
    assert_eq!(audit["findings"][0]["kind"], "irc", "the worst first");
    fs::write(dir.path().join("closegate.toml"), "[findings]\nirc = 1\n").unwrap();
    fails(run(&["config", "check"]).assert(), 2, &["line 2", "irc"]);
}

#[test]
fn a_baseline_and_a_blocklist_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list.csv");
    fs::write(&list, "address,why\n203.0.113.66,a controller\n").unwrap();
    let audit = |out: &str, more: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .arg("audit")
            .arg("--flows")
            .arg(sample().join("flows/custom"));
        command
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .args(["--out", out])
            .args(more)
            .assert()
    };
    let read = |out: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(dir.path().join(out).join("audit.json")).unwrap()).unwrap()
    };
    audit("first", &[]).success();
    let second = audit(
        "second",
        &["--baseline", "first", "--blocklist", "somebody's=list.csv"],
    )
    .success();
    let findings = read("second")["findings"].clone();
    let kinds: Vec<&str> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["blocklisted-address"], "everything else is known");
    let known = read("first")["findings"].as_array().unwrap().len();
    let summary = String::from_utf8(second.get_output().stdout.clone()).unwrap();
    assert!(
        summary.contains(&format!("{known} findings of the baseline not repeated")),
        "{summary}"
    );
    assert_eq!(
        read("second")["rules"],
        read("first")["rules"],
        "what is known is quarantined all the same"
    );

    fails(
        audit("third", &["--blocklist", "x"]),
        2,
        &["--blocklist `x`", "NAME=FILE"],
    );
    fails(
        audit("third", &["--blocklist", "x=nowhere"]),
        2,
        &["blocklist `nowhere`"],
    );
    fs::write(&list, "nothing\n").unwrap();
    fails(
        audit("third", &["--blocklist", "x=list.csv"]),
        2,
        &["holds no address"],
    );
    fails(
        audit("third", &["--baseline", "nowhere"]),
        2,
        &["--baseline", "nowhere/audit.json"],
    );
}
