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
    // It counts among what the change does not stop.
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    let stays = report.split("## What stays permitted").nth(1).unwrap();
    assert!(stays.split("\n## ").next().unwrap().contains(id), "{stays}");
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
    assert!(summary.contains("0 new, 3 known since"), "{summary}");
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

fn document(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("audit.json")).unwrap()).unwrap()
}

/// The connections of a run between these addresses.
fn connection(document: &Value, from: &str, to: &str) -> Value {
    let mut all = document["connections"].as_array().unwrap().iter();
    let found = all.find(|c| c["initiator"]["address"] == from && c["responder"]["address"] == to);
    found.unwrap_or_else(|| panic!("{from} to {to}")).clone()
}

/// Where the client's own connection is seen, what the NAT gateway forwards for it is its leg, and no second finding.
#[test]
fn a_gateways_records_are_legs_of_the_clients_connection() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    audit(
        &fixtures().join("nat-gateway/client-and-gateway.log"),
        &run,
        &[],
    )
    .success();
    let document = document(&run);
    let client = connection(&document, "10.20.10.11", "203.0.113.66");
    assert_eq!(client["verdict"], "quarantined");
    assert_eq!(client["reason"], "irc");
    assert_eq!(client["after"]["state"], "denied");
    assert_eq!(client["leg_of"], Value::Null);
    let legs = [
        connection(&document, "10.20.10.11", "10.20.0.99"),
        connection(&document, "10.20.0.99", "203.0.113.66"),
    ];
    for leg in &legs {
        assert_eq!(leg["verdict"], "unattributed");
        assert_eq!(leg["reason"], "forwarded");
        assert_eq!(leg["leg_of"], client["id"]);
        assert_eq!(
            leg["after"],
            serde_json::json!({"state": "unjudged", "rules": []})
        );
    }
    let irc = findings(&run, "irc");
    assert_eq!(irc.len(), 1, "the leg is no second finding");
    assert_eq!(irc[0]["evidence"], serde_json::json!([client["id"]]));
    assert_eq!(irc[0]["outcome"], "denied");
    // Each of them is shown as a leg.
    let run_text = run.display().to_string();
    let explain =
        |id: &Value| printed(closegate().args(["explain", &run_text, id.as_str().unwrap()]));
    let of_client = explain(&client["id"]);
    for leg in &legs {
        assert!(
            of_client.contains(&format!("leg         {}", leg["id"].as_str().unwrap())),
            "{of_client}"
        );
        let of_leg = explain(&leg["id"]);
        assert!(
            of_leg.contains(&format!("leg of      {}", client["id"].as_str().unwrap())),
            "{of_leg}"
        );
        assert!(
            of_leg.contains("accepted in transit") && !of_leg.contains(" 0 "),
            "{of_leg}"
        );
    }
    assert!(explain(&irc[0]["id"]).contains("      leg "));
}

/// Whoever approves the client's connection approves what the gateway forwards for it.
#[test]
fn an_approval_of_the_clients_connection_covers_its_leg() {
    let dir = tempfile::tempdir().unwrap();
    let (run, config) = (dir.path().join("run"), dir.path().join("approved.toml"));
    fs::write(
        &config,
        "[[approve]]\ngroup = \"web\"\ndestination = [\"203.0.113.66/32\"]\nprotocol = \"tcp\"\nport = 6667\nowner = \"chat\"\nreason = \"the team's server\"\n",
    )
    .unwrap();
    let log = fixtures().join("nat-gateway/client-and-gateway.log");
    let summary = audit(&log, &run, &["--config", config.to_str().unwrap()]).success();
    assert_eq!(findings(&run, "irc"), Vec::<Value>::new());
    assert!(
        text(&summary).contains("0 threat findings"),
        "{}",
        text(&summary)
    );
    let document = document(&run);
    let client = connection(&document, "10.20.10.11", "203.0.113.66");
    assert_eq!(client["verdict"], "accepted");
    assert_eq!(client["after"]["state"], "permitted");
    assert_eq!(
        connection(&document, "10.20.0.99", "203.0.113.66")["leg_of"],
        client["id"]
    );
}

/// The gateway forwards far more than the client sent: somebody else is behind it, and that is not judged.
#[test]
fn a_leg_that_no_client_explains_stays_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    audit(&fixtures().join("nat-gateway/hidden-client.log"), &run, &[]).success();
    let leg = connection(&document(&run), "10.20.0.99", "203.0.113.66");
    assert_eq!(leg["leg_of"], Value::Null);
    let outcomes: Vec<Value> = findings(&run, "irc")
        .iter()
        .map(|f| f["outcome"].clone())
        .collect();
    assert_eq!(outcomes.len(), 2);
    assert!(
        outcomes.contains(&"denied".into()) && outcomes.contains(&"not-judged".into()),
        "{outcomes:?}"
    );
}

#[test]
fn a_leg_that_several_clients_share_names_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    audit(&fixtures().join("nat-gateway/two-clients.log"), &run, &[]).success();
    let document = document(&run);
    let mut clients = ["10.20.10.11", "10.20.10.12"]
        .map(|address| connection(&document, address, "203.0.113.66")["id"].clone());
    clients.sort_by_key(ToString::to_string);
    let leg = connection(&document, "10.20.0.99", "203.0.113.66");
    assert_eq!(leg["leg_of"], clients[0]);
    assert_eq!(leg["leg_of_all"], serde_json::json!(clients));
    assert_eq!(findings(&run, "irc").len(), 2);
}

/// A finding's outcome is that of its connections.
fn outcome_agrees(finding: &Value, connections: &[Value]) {
    let states: Vec<&str> = finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| {
            let c = connections.iter().find(|c| c["id"] == *id).unwrap();
            c["after"]["state"].as_str().unwrap()
        })
        .collect();
    match finding["outcome"].as_str() {
        Some("denied") => assert!(states.iter().all(|s| *s == "denied"), "{finding}"),
        Some("still-open" | "rule-written") => {
            assert!(states.contains(&"permitted"), "{finding}");
        }
        Some("not-judged") => assert!(states.contains(&"unjudged"), "{finding}"),
        None => assert!(
            finding["family"] == "posture" || states.is_empty(),
            "{finding}"
        ),
        Some(other) => panic!("{other}"),
    }
}

/// Whatever a run says of a connection agrees: verdict, what the change does, the rules that it names, the counts of the replay and
/// the outcomes of findings.
#[test]
fn verdicts_outcomes_and_counts_agree() {
    let inventory = fixtures().join("open-egress-port/positive-inventory");
    let doh = fixtures().join("dns-over-https/positive.log");
    for (log, inventory) in [
        (sample().join("flows/custom"), sample().join("inventory")),
        (sample().join("flows/default"), sample().join("inventory")),
        (
            fixtures().join("nat-gateway/client-and-gateway.log"),
            sample().join("inventory"),
        ),
        (doh, inventory),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        closegate()
            .args(["audit", "--flows"])
            .arg(&log)
            .arg("--inventory")
            .arg(&inventory)
            .arg("--out")
            .arg(&run)
            .assert()
            .success();
        let document = document(&run);
        let connections = document["connections"].as_array().unwrap();
        let ids = |list: &str| -> Vec<&str> {
            let rows = document[list].as_array().unwrap().iter();
            rows.map(|row| row["id"].as_str().unwrap()).collect()
        };
        let (rules, today) = (ids("rules"), ids("current_rules"));
        let mut counts = std::collections::BTreeMap::new();
        for c in connections {
            let (verdict, state) = (
                c["verdict"].as_str().unwrap(),
                c["after"]["state"].as_str().unwrap(),
            );
            *counts.entry((verdict, state)).or_insert(0_u64) += 1;
            let possible: &[&str] = match verdict {
                "accepted" => &["permitted", "lost"],
                "quarantined" | "rejected" => &["permitted", "denied"],
                "unattributed" => &["unjudged"],
                other => panic!("{other}"),
            };
            assert!(possible.contains(&state), "{c}");
            let named = c["after"]["rules"].as_array().unwrap();
            assert_eq!(state == "permitted", !named.is_empty(), "{c}");
            for id in named {
                let id = id.as_str().unwrap();
                assert!(rules.contains(&id) || today.contains(&id), "{id} of {c}");
            }
            assert_eq!(
                c["reason"].is_null(),
                matches!(verdict, "accepted" | "rejected"),
                "{c}"
            );
        }
        let count = |verdict: &str, state: &str| -> u64 {
            let all = counts
                .iter()
                .filter(|((v, s), _)| *v == verdict && (state.is_empty() || *s == state));
            all.map(|(_, n)| *n).sum()
        };
        let replay = &document["replay"];
        for (key, verdict, state) in [
            ("permitted", "accepted", "permitted"),
            ("lost", "accepted", "lost"),
            ("quarantined", "quarantined", ""),
            ("still_open", "quarantined", "permitted"),
            ("rejected", "rejected", ""),
            ("unattributed", "unattributed", ""),
        ] {
            assert_eq!(
                replay[key],
                count(verdict, state),
                "{key} of {}",
                log.display()
            );
        }
        assert_eq!(replay["connections"], connections.len());
        for finding in document["findings"].as_array().unwrap() {
            outcome_agrees(finding, connections);
        }
    }
}

/// A group that no interface carries needs no rules: the advice says so, in every format.
#[test]
fn an_unused_group_gets_advice_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    audit(&sample().join("flows/custom"), &run, &[]).success();
    let open = findings(&run, "open-egress");
    let unused: Vec<&Value> = open
        .iter()
        .filter(|f| {
            f["detail"]
                .as_str()
                .unwrap()
                .contains("; 0 interfaces carry it")
        })
        .collect();
    assert!(!unused.is_empty() && unused.len() < open.len(), "{open:?}");
    for finding in unused {
        let text = printed(
            closegate()
                .arg("explain")
                .arg(&run)
                .arg(finding["id"].as_str().unwrap()),
        );
        assert!(text.contains("No interface carries this group"), "{text}");
        assert!(!text.contains("Add the suggested rules"), "{text}");
    }
}
