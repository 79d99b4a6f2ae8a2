//! The table of accounts, and findings that name theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::{DATABASES, Estate, MONITORING, SHOP, list, text};
use crate::browser::look;
use crate::common::sample;

/// The figures of the accounts are those of the run, divided; the worst account comes first.
#[test]
fn the_table_of_accounts_adds_up() {
    for (accounts, ids) in [
        (2, &[SHOP, MONITORING][..]),
        (3, &[SHOP, MONITORING, DATABASES][..]),
    ] {
        let estate = Estate::new(accounts);
        let audit = estate.document("run/audit.json");
        let report = estate.document("run/report.json");
        assert_eq!(audit["accounts"], report["accounts"]);
        let rows = list(&audit, "accounts");
        let found: BTreeSet<String> = rows.iter().map(|row| text(row, "account_id")).collect();
        // What is found about no account of its own, such as a short window, has a row too.
        let ids = ids.iter().chain([&""]);
        let wanted: BTreeSet<String> = ids.map(|&id| id.to_owned()).collect();
        assert_eq!(found, wanted);
        assert_eq!(text(&rows[0], "account_id"), SHOP, "it has the threats");
        let sum = |key: &str| -> u64 { rows.iter().map(|row| row[key].as_u64().unwrap()).sum() };
        for key in [
            "groups",
            "open_groups",
            "findings",
            "rules_to_add",
            "revocations",
            "groups_in_use",
            "groups_ready",
        ] {
            assert_eq!(sum(key), report["counts"][key].as_u64().unwrap(), "{key}");
        }
        let threats: u64 = ["critical", "high", "medium"]
            .iter()
            .map(|severity| sum(&format!("threats_{severity}")))
            .sum();
        assert_eq!(threats, report["counts"]["suspicious"].as_u64().unwrap());
        assert!(threats > 0);
        let owners = estate.owners();
        let account = |end: &Value| {
            let group = end["groups"].get(0).and_then(Value::as_str);
            group.and_then(|group| owners.get(group)).cloned()
        };
        let connections = list(&audit, "connections").into_iter();
        let crossing = connections.filter(|connection| {
            let (from, to) = (
                account(&connection["initiator"]),
                account(&connection["responder"]),
            );
            from.is_some() && to.is_some() && from != to
        });
        let crossing = crossing.count() as u64;
        assert!(crossing > 0);
        assert_eq!(sum("connections_to_others"), crossing);
        let markdown = fs::read_to_string(estate.path("run/report.md")).unwrap();
        let table = markdown.find(&format!("\n| {SHOP} | ")).unwrap();
        assert!(table < markdown.find("\n| Groups with open egress |").unwrap());
        assert!(markdown.contains(&format!("\n{crossing} connections between these accounts.")));
        let page = fs::read_to_string(estate.path("run/report.html")).unwrap();
        assert!(page.contains("<section id=\"accounts\""));
    }
}

/// The terminal's summary begins with the accounts.
#[test]
fn the_summary_begins_with_the_accounts() {
    let estate = Estate::new(3);
    let flows = sample().join("flows");
    let words = ["audit", "--flows", flows.to_str().unwrap()];
    let rest = ["--inventory", "inventory", "--out", "again"];
    let printed = estate.printed(&[&words[..], &rest[..]].concat());
    let first: Vec<&str> = printed
        .lines()
        .take(2)
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(first, ["account", SHOP], "{printed}");
    assert!(printed.contains(" between accounts\n"), "{printed}");
    assert!(printed.contains(&format!("{SHOP} web")), "{printed}");
}

/// Findings are of the account of their group, in every format.
#[test]
fn findings_name_their_account() {
    let estate = Estate::new(3);
    let owners = estate.owners();
    let findings = list(&estate.document("run/audit.json"), "findings");
    let mut named = BTreeSet::new();
    let mut by_id: BTreeMap<String, String> = BTreeMap::new();
    for finding in &findings {
        if let Some(owner) = owners.get(&text(finding, "group_id")) {
            assert_eq!(&text(finding, "account_id"), owner, "{finding}");
            named.insert(owner.clone());
            by_id.insert(text(finding, "id"), owner.clone());
        }
    }
    assert_eq!(named.len(), 3, "every account has a finding");
    let batches = estate.printed(&["report", "run", "--format", "asff"]);
    let mut compared = 0;
    for line in batches.lines() {
        let batch: Value = serde_json::from_str(line).unwrap();
        for finding in list(&batch, "Findings") {
            if let Some(owner) = by_id.get(&text(&finding, "Id")) {
                assert_eq!(&text(&finding, "AwsAccountId"), owner);
                let arn = text(&finding["Resources"][0], "Id");
                assert!(arn.contains(&format!(":{owner}:security-group/")), "{arn}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, by_id.len());
    let events = estate.printed(&["report", "run", "--format", "ocsf"]);
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if let Some(owner) = by_id.get(&text(&event["finding_info"], "uid")) {
            assert_eq!(&text(&event["cloud"]["account"], "uid"), owner);
        }
    }
    for (file, id) in [("findings", "id"), ("groups", "group_id")] {
        let path = estate.path(&format!("run/report/{file}.csv"));
        let mut table = csv::Reader::from_path(path).unwrap();
        let columns = table.headers().unwrap().clone();
        assert_eq!(&columns[columns.len() - 1], "account_id");
        let at = columns.iter().position(|column| column == id).unwrap();
        for row in table.records() {
            let row = row.unwrap();
            let known = by_id.get(&row[at]).or_else(|| owners.get(&row[at]));
            if let Some(owner) = known {
                assert_eq!(&row[row.len() - 1], owner, "{row:?}");
            }
        }
    }
}

/// In the page, an account can be chosen.
#[test]
fn an_account_is_chosen_in_the_page() {
    let estate = Estate::new(3);
    let [page, audit] = ["report.html", "audit.json"].map(|file| estate.path("run").join(file));
    look(&[json!({"kind": "accounts", "file": page, "audit": audit})]);
}

/// A run of one account says nothing of accounts.
#[test]
fn one_account_has_no_table() {
    let estate = Estate::new(1);
    for file in ["run/audit.json", "run/report.json"] {
        let document = estate.document(file);
        assert!(document.get("accounts").is_none(), "{file}");
        for finding in list(&document, "findings") {
            assert!(finding.get("account_id").is_none(), "{finding}");
        }
    }
    let files = estate.texts("run/report");
    for name in ["findings.csv", "groups.csv"] {
        assert!(!files[name].contains("account_id"), "{name}");
    }
    let page = fs::read_to_string(estate.path("run/report.html")).unwrap();
    assert!(!page.contains("id=\"accounts\""));
    let markdown = fs::read_to_string(estate.path("run/report.md")).unwrap();
    assert!(!markdown.contains("these accounts"));
    let printed = estate.printed(&["policy", "update", "run", "--policy", "policy"]);
    assert!(!printed.contains("elsewhere"), "{printed}");
}
