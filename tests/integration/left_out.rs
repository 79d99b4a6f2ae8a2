//! A rule that would permit what today's rules deny is nowhere, and everything says so.

use std::fs;

use closegate::audit::Audit;
use closegate::documents::Status;
use closegate::emit;
use closegate::graph;
use closegate::inventory::{Direction, Gates, Target};
use closegate::proof;
use closegate::replay;
use closegate::suggest::{Generalise, KeptOpenBecause, Quotas, RuleEvidence, RuleSet};
use serde_json::Value;

use crate::common::{audit_paths, closegate, sample};

const MARK: &str = "wider than today";

fn audit() -> Audit {
    audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    )
}

/// The shop's change with one rule that admits everybody where today's rules admit the web servers: the ingress half of a pair.
fn widened(audit: &Audit) -> RuleSet {
    let mut rules = audit.rules.clone();
    let half = rules.rules.iter_mut().find(|rule| {
        rule.status == Status::Add
            && rule.pair.is_some()
            && rule.rule.direction == Direction::Ingress
    });
    let half = half.expect("the shop gets mutual pairs");
    half.rule.target = Target::cidr("0.0.0.0/0").unwrap();
    MARK.clone_into(&mut half.wording);
    MARK.clone_into(&mut half.rule.description);
    rules
}

/// The audit as it is if such a rule is made.
fn with_a_wider_rule() -> Audit {
    let mut audit = audit();
    let rules = widened(&audit);
    let today = Gates::today(&audit.inventory);
    let evidence = RuleEvidence {
        inventory: &audit.inventory,
        today: &today,
        table: &audit.table,
        connections: &audit.connections,
        before: None,
        generalise: &Generalise::default(),
        quotas: Quotas::default(),
        policy: None,
    };
    let (rules, after, left_out) = proof::proven(&evidence, rules);
    audit.replay = replay::replay(&audit.inventory, &after, &audit.connections);
    audit.after = replay::each(&audit.inventory, &after, &audit.connections);
    audit.rules = rules;
    audit.rules_after = after;
    audit.proof.left_out = left_out;
    audit.proof.open_to_newcomers = proof::open_to_newcomers(
        &audit.inventory,
        &Gates::today(&audit.inventory),
        &audit.rules,
    );
    audit.graph = graph::build(
        &audit.inventory,
        &audit.table,
        &audit.connections,
        &audit.rules,
    );
    audit
}

#[test]
fn what_a_wider_rule_was_to_replace_stays_open_and_nothing_is_lost() {
    let (before, after) = (audit(), with_a_wider_rule());
    assert_eq!(after.proof.left_out.len(), 1);
    let made = |audit: &Audit| audit.rules.rules.len();
    assert_eq!(
        made(&after),
        made(&before) - 2,
        "the rule and its other half"
    );
    assert!(after.replay.lost.is_empty());
    let unproven = after.rules.kept_open.iter();
    let unproven = unproven.filter(|kept| kept.because == KeptOpenBecause::Unproven);
    assert!(unproven.count() >= 1);
    assert!(after.rules.revocations.len() < before.rules.revocations.len());
    assert!(after.rules.rules.iter().all(|rule| rule.wording != MARK));
}

#[test]
fn no_file_has_the_rule_and_every_report_tells_of_it() {
    let audit = with_a_wider_rule();
    let said = "1 rule was left out";
    assert!(audit.verdict().contains(said));
    for (path, content) in emit::files(&audit).unwrap() {
        let text = String::from_utf8_lossy(&content);
        if path.starts_with("rules/") {
            assert!(!text.contains(MARK), "{path}");
        }
        if ["report.md", "report.html", "rules/plan.md"].contains(&path.as_str()) {
            assert!(text.contains(said), "{path}");
        }
        if path == "audit.json" {
            let document: Value = serde_json::from_slice(&content).unwrap();
            assert_eq!(document["proof"]["wider"].as_array().unwrap().len(), 1);
        }
    }
}

/// A run of a version that wrote such rules all the same.
#[test]
fn rules_of_a_run_whose_proof_rejects_them_are_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    closegate()
        .args(["demo", "--out"])
        .arg(&run)
        .assert()
        .success();
    let path = run.join("audit.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    document["proof"]["wider"] = serde_json::json!([{
        "group_id": "sg-1", "rule": "ingress sg-1 icmp", "interface_id": "eni-1", "peer": "10.0.0.1", "services": "icmp/13",
    }]);
    fs::write(&path, document.to_string()).unwrap();
    let done = closegate()
        .arg("rules")
        .arg(&run)
        .args(["--emit", "aws-cli"])
        .assert()
        .code(2);
    let output = done.get_output();
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("proof.wider") && said.contains("Run the audit again"),
        "{said}"
    );
}
