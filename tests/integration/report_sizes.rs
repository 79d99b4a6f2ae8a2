//! Reports take the room that there is, whatever the estate: each shows the most important rows and counts the others.

use std::fs;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::common::{closegate, printed};
use crate::emit::tools::read;
use crate::folding::{
    HOSTS, Threat, audit, document, irc, rows, summary, table, write_inventory, write_log,
};

/// The part of a report that is under a heading.
fn section<'a>(report: &'a str, heading: &str) -> &'a str {
    let part = report.split(&format!("\n{heading}\n")).nth(1).unwrap();
    part.split("\n#").next().unwrap()
}

/// The rows of a table, and how many more the line under it names.
fn shown(section: &str) -> (usize, usize) {
    let table = section.lines().filter(|line| line.starts_with('|')).count();
    let more = section
        .lines()
        .filter_map(|line| line.split_once(" more in `report/"));
    let more = more.map(|(number, _)| number.replace(',', "").parse::<usize>().unwrap());
    (table.saturating_sub(2), more.sum())
}

/// The data of a page.
fn page_data(html: &str) -> Value {
    let packed = html.split("id=\"data\">").nth(1).unwrap();
    let packed = STANDARD.decode(packed.split('<').next().unwrap()).unwrap();
    let mut text = String::new();
    GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Positions on a page lead to rows of the page.
fn positions_hold(data: &Value) {
    let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let (groups, nodes) = (rows(data, "groups").len(), rows(data, "nodes"));
    for node in nodes.iter().filter(|node| !node["group"].is_null()) {
        assert!(place(&node["group"]) < groups);
    }
    for edge in rows(data, "edges") {
        assert!(place(&edge[0]) < nodes.len() && place(&edge[1]) < nodes.len());
    }
    for rules in rows(&data["all"], "rules") {
        assert!(place(&rules[0]) < groups);
    }
}

/// None of sixty groups has enough findings to be folded, but all of them together are too many for a report.
#[test]
fn thirty_thousand_threats_of_many_groups_are_counted_where_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    write_inventory(dir.path(), 60);
    let server = |n: usize| format!("81.{}.{}.9", n / 250, n % 250);
    let threat = |n: usize| (n / 500, n % HOSTS, server(n));
    let threats: Vec<Threat> = (0..30_000).map(threat).collect();
    write_log(dir.path(), "x.log", &threats);
    let text = summary(&audit(dir.path(), &["x.log"], "run", &[]).success());
    assert!(text.contains("30,000 threat findings"), "{text}");
    let run = dir.path().join("run");
    let report = document(dir.path(), "run/report.json");
    let findings = rows(&report, "findings");
    assert_eq!(irc(&report).len(), 30_000);

    let markdown = fs::read_to_string(run.join("report.md")).unwrap();
    let tables = markdown.lines().filter(|line| line.starts_with('|'));
    let tables: usize = tables.map(|line| line.len() + 1).sum();
    assert!(tables <= 60_000, "{tables} bytes of tables");
    assert!(markdown.len() <= 70_000, "{} bytes", markdown.len());
    let (there, more) = shown(section(&markdown, "### Threats"));
    assert!(there > 20 && there + more == 30_000, "{there} and {more}");
    let (there, more) = shown(section(&markdown, "## Accepted connections without a rule"));
    let without = table(&run.join("report/without-a-rule.csv"), &["id", "after"]);
    assert_eq!((there + more, without.len()), (30_000, 30_000));
    assert!(without.iter().all(|row| row[1] == "denied"));
    let edges = table(&run.join("report/group-connections.csv"), &["verdict"]);
    assert_eq!(edges.len(), 30_000);

    let html = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(html.len() <= 3_000_000, "{} bytes", html.len());
    let data = page_data(&html);
    positions_hold(&data);
    assert_eq!(data["counts"], report["counts"]);
    assert_eq!(data["all"]["findings"], findings.len());
    assert_eq!(data["all"]["edges"], 30_000);
    assert!(rows(&data, "findings").len() > 1_000 && rows(&data, "edges").len() > 1_000);

    let sarif = fs::read_to_string(run.join("findings.sarif")).unwrap();
    assert_eq!(read("-", "sarif", &sarif).len(), 25_000);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["level"] == "error"));
    let said = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    let left_out = closegate::net::thousands(findings.len() as u64 - 25_000);
    let said = said["message"]["text"].as_str().unwrap();
    let begins = format!("{left_out} results left out");
    assert!(said.starts_with(&begins), "{said}");

    // Formats for other tools have them all.
    let print = |format: &str| {
        let arguments = ["report", "run", "--format", format];
        printed(closegate().current_dir(dir.path()).args(arguments))
    };
    let listed = fs::read_to_string(run.join("report/findings.csv")).unwrap();
    assert!(print("csv") == listed, "the table of the run");
    assert!(print("markdown") == markdown);
    assert_eq!(print("ocsf").lines().count(), findings.len());
}

/// What is small looks as if there were no limits.
#[test]
fn a_small_run_is_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    printed(
        closegate()
            .current_dir(dir.path())
            .args(["demo", "--out", "run"]),
    );
    let markdown = fs::read_to_string(dir.path().join("run/report.md")).unwrap();
    assert!(!markdown.contains(" more in `"), "{markdown}");
    let document = document(dir.path(), "run/audit.json");
    let report = crate::folding::document(dir.path(), "run/report.json");
    for finding in rows(&document, "findings") {
        assert_eq!(finding["count"], 1);
        assert!(finding.get("pattern").is_none() && finding.get("stands_for").is_none());
        let told = finding["family"] == "posture";
        assert!(told || markdown.contains(finding["id"].as_str().unwrap()));
    }
    let sarif = crate::folding::document(dir.path(), "run/findings.sarif");
    assert!(sarif["runs"][0].get("invocations").is_none());
    let html = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    let data = page_data(&html);
    for list in ["findings", "groups", "nodes", "edges", "notes", "sources"] {
        assert_eq!(data[list], report[list], "{list}");
    }
    assert_eq!(rows(&data["all"], "rules"), &[] as &[Value]);
    let tables = table(&dir.path().join("run/report/groups.csv"), &["group_id"]);
    assert_eq!(tables.len(), rows(&report, "groups").len());
}

/// Texts that look like ids, and that hardly pack.
fn noise(seed: &mut u64) -> String {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    format!("{seed:016x}")
}

/// A page has room for a part of a report only: it takes the most important rows, and counts the others.
#[test]
fn a_page_of_any_report_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| {
        let mut command = closegate();
        command.current_dir(dir.path()).args(arguments);
        command
    };
    command(&["demo", "--out", "run"]).assert().success();
    let mut report = document(dir.path(), "run/report.json");
    let mut seed = 88_172_645_463_325_252;
    let finding = rows(&report, "findings")[0].clone();
    let group = rows(&report, "groups")
        .iter()
        .find(|group| group["proposed"].as_array().is_some_and(|p| !p.is_empty()))
        .unwrap()
        .clone();
    let findings: Vec<Value> = (0..12_000)
        .map(|_| {
            let mut finding = finding.clone();
            finding["id"] = format!("f-{}", noise(&mut seed)).into();
            finding["detail"] = format!("{} {}", noise(&mut seed), "and so on ".repeat(30)).into();
            finding
        })
        .collect();
    let mut groups = Vec::new();
    for n in 0..1_500 {
        // One group has far more rules than any other.
        let rules = if n == 200 { 20_000 } else { 50 };
        let mut group = group.clone();
        group["id"] = format!("sg-{}", noise(&mut seed)).into();
        group["open"] = (n == 200).into();
        let mut rule = group["proposed"][0].clone();
        let proposed = (0..rules).map(|at| {
            rule[0] = (at % 2 == 0).into();
            rule[8] = format!("r-{}", noise(&mut seed)).into();
            rule[9] = noise(&mut seed).into();
            rule.clone()
        });
        group["proposed"] = proposed.collect::<Vec<Value>>().into();
        groups.push(group);
    }
    let node = |n: usize| json!({"kind": "group", "label": format!("service-{n}"), "group": n});
    let edge = |n: usize| json!([n % 1_500, n / 1_500, "tcp/443", "accepted", n, n, 1]);
    report["nodes"] = (0..1_500).map(node).collect::<Vec<Value>>().into();
    report["edges"] = (0..20_000).map(edge).collect::<Vec<Value>>().into();
    report["findings"] = findings.into();
    report["groups"] = groups.into();
    fs::write(dir.path().join("run/report.json"), report.to_string()).unwrap();

    let html = printed(&mut command(&["report", "run", "--format", "html"]));
    assert!(html.len() <= 3_000_000, "{} bytes", html.len());
    assert!(
        html.len() > 1_000_000,
        "{} bytes: there is room",
        html.len()
    );
    let data = page_data(&html);
    positions_hold(&data);
    let all = &data["all"];
    assert_eq!(
        (&all["findings"], &all["groups"], &all["edges"]),
        (&12_000.into(), &1_500.into(), &20_000.into())
    );
    let has = |list: &str| rows(&data, list).len();
    assert!((1_000..12_000).contains(&has("findings")));
    assert!((20..1_500).contains(&has("groups")));
    assert!((1_000..=10_000).contains(&has("edges")));
    // The group with open egress is there, with the first of its rules and the number of all.
    let at = rows(&data, "groups").iter().position(|g| g["open"] == true);
    let at = at.unwrap();
    let of_it = rows(all, "rules").iter().find(|rules| rules[0] == at);
    assert_eq!(of_it.unwrap()[2], 20_000);
    assert_eq!(of_it.unwrap()[4], 10_000);
    let proposed = rows(&data["groups"][at], "proposed");
    assert!((10..20_000).contains(&proposed.len()));
    assert!(proposed.iter().all(|rule| rule[0] == true), "those to add");
    // The edges are those with the most records.
    let least = rows(&data, "edges").iter().map(|edge| edge[4].as_u64());
    assert!(least.flatten().min().unwrap() > 0);

    // No other format is cut.
    let table = printed(&mut command(&["report", "run", "--format", "csv"]));
    assert_eq!(table.lines().count(), 12_001);
}
