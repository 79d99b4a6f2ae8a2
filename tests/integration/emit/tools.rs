//! Findings in the formats of other tools, and graphs, read by those tools or by models of their schemas.

use std::path::Path;
use std::process::Command;

use closegate::audit::Audit;
use closegate::documents::{GraphDocument, ReportDocument};
use closegate::emit::Places;
use serde_json::Value;

use super::{audit, hostile_audit, json, text};
use crate::common::{self, closegate, root};

/// A file of a run's directory that other formats are made of.
fn report(audit: &Audit) -> ReportDocument {
    serde_json::from_value(json(audit, "report.json")).unwrap()
}

fn ids(audit: &Audit) -> Vec<String> {
    let mut ids: Vec<String> = audit.findings.iter().map(|f| f.id.clone()).collect();
    ids.sort();
    ids
}

/// What `tests/peers/finding_formats.py` reads in a text.
pub(crate) fn read(url: &str, form: &str, text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("findings");
    std::fs::write(&path, text).unwrap();
    let python = crate::queries::peer("python");
    let script = root().join("tests/peers/finding_formats.py");
    let done = Command::new(python)
        .arg(script)
        .args([url, form])
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{form}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn every_finding_is_in_sarif_ocsf_and_the_table() {
    for audit in [audit(), hostile_audit()] {
        let report = report(&audit);
        assert_eq!(
            read(
                "-",
                "sarif",
                &closegate::emit::sarif(&report, &Places::new())
            ),
            ids(&audit)
        );
        assert_eq!(
            text(&audit, "findings.sarif"),
            closegate::emit::sarif(&report, &Places::new())
        );
        assert_eq!(
            read("-", "ocsf", &closegate::emit::ocsf(&report)),
            ids(&audit)
        );
        let table = closegate::emit::csv(&report).unwrap();
        let mut table = csv::Reader::from_reader(table.as_bytes());
        let mut listed: Vec<String> = table
            .records()
            .map(|row| row.unwrap())
            .inspect(|row| {
                assert!(
                    row.iter().all(|cell| !cell.starts_with(['=', '+', '@'])),
                    "{row:?}"
                );
            })
            .map(|row| row[0].to_owned())
            .collect();
        listed.sort();
        assert_eq!(listed, ids(&audit));
    }
}

/// A run's directory, with files that define some of its groups.
fn run(dir: &Path) {
    closegate()
        .args(["demo", "--out"])
        .arg(dir.join("run"))
        .assert()
        .success();
    std::fs::create_dir(dir.join("tf")).unwrap();
    let file = "# a comment\nresource \"aws_security_group\" \"x\" {\n  name = \"web\"\n}\n\nresource \"aws_security_group\" \"y\" {\n  name = var.name\n}\n";
    std::fs::write(dir.join("tf/groups.tf"), file).unwrap();
    std::fs::write(dir.join("tf/broken.tf"), "resource {").unwrap();
}

fn printed(dir: &Path, arguments: &[&str]) -> String {
    common::printed(closegate().current_dir(dir).args(arguments))
}

/// A finding about a group points to the line where Terraform defines it, if that is known.
#[test]
fn sarif_points_to_the_line_of_the_group() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path());
    let sarif = printed(
        dir.path(),
        &["report", "run", "--format", "sarif", "--terraform", "tf"],
    );
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let place = |result: &Value| {
        let place = &result["locations"][0]["physicalLocation"];
        (
            place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .to_owned(),
            place["region"]["startLine"].as_u64().unwrap(),
        )
    };
    let web = |result: &&Value| {
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
            == "sg-0a1b2c3d4e5f90002"
    };
    let (of_web, others): (Vec<&Value>, Vec<&Value>) = results.iter().partition(web);
    assert!(
        of_web.len() >= 2
            && of_web
                .iter()
                .all(|result| place(result) == ("groups.tf".to_owned(), 2)),
        "{of_web:?}"
    );
    assert!(
        !others.is_empty()
            && others
                .iter()
                .all(|result| place(result) == ("report.md".to_owned(), 1))
    );
}

/// What a run's directory has, `report` and `graph` print again; the rest is made of it.
#[test]
fn reports_and_graphs_of_a_past_run() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path());
    let file = |name: &str| std::fs::read_to_string(dir.path().join("run").join(name)).unwrap();
    for (arguments, name) in [
        (["report", "run", "--format", "html"], "report.html"),
        (["report", "run", "--format", "markdown"], "report.md"),
        (["report", "run", "--format", "sarif"], "findings.sarif"),
        (["graph", "run", "--format", "dot"], "graph.dot"),
        (["graph", "run", "--format", "json"], "graph.json"),
    ] {
        assert_eq!(printed(dir.path(), &arguments), file(name), "{arguments:?}");
    }
    printed(
        dir.path(),
        &["report", "run", "--format", "csv", "--out", "findings.csv"],
    );
    assert!(dir.path().join("findings.csv").is_file());
    crate::cli::fails(
        closegate()
            .current_dir(dir.path())
            .args(["report", "nowhere", "--format", "html"])
            .assert(),
        2,
        &["nowhere/report.json", "name an audit's --out directory"],
    );
    crate::cli::fails(
        closegate()
            .current_dir(dir.path())
            .args(["report", "run", "--format", "csv", "--terraform", "tf"])
            .assert(),
        2,
        &["--terraform goes with --format sarif"],
    );
}

/// networkx and Graphviz take the graphs of groups and of interfaces, whatever things are called, with every node and edge.
#[test]
fn readers_of_graphs_take_them() {
    let python = crate::queries::peer("python");
    let dir = tempfile::tempdir().unwrap();
    for audit in [audit(), hostile_audit()] {
        let groups: GraphDocument = serde_json::from_value(json(&audit, "graph.json")).unwrap();
        let interfaces = GraphDocument::of_connections(
            &serde_json::from_value(json(&audit, "audit.json")).unwrap(),
        );
        for graph in [groups, interfaces] {
            let plain: Value = serde_json::from_str(&graph.json().unwrap()).unwrap();
            let count = |list: &str| plain[list].as_array().unwrap().len();
            let path = dir.path().join("graph.graphml");
            std::fs::write(&path, graph.graphml().unwrap()).unwrap();
            let script = "import sys, networkx; g = networkx.read_graphml(sys.argv[1], force_multigraph=True); print(g.number_of_nodes(), g.number_of_edges())";
            let done = Command::new(&python)
                .args(["-c", script])
                .arg(&path)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            let error = String::from_utf8_lossy(&done.stderr);
            assert_eq!(
                said.trim(),
                format!("{} {}", count("nodes"), count("edges")),
                "{error}"
            );
            let path = dir.path().join("graph.dot");
            std::fs::write(&path, graph.dot()).unwrap();
            // Where Graphviz is missing, pydot reads the file in another test.
            if let Ok(done) = Command::new("dot").arg("-Tsvg").arg(&path).output() {
                assert!(
                    done.status.success(),
                    "{}",
                    String::from_utf8_lossy(&done.stderr)
                );
                let drawn = String::from_utf8_lossy(&done.stdout).into_owned();
                assert_eq!(drawn.matches("class=\"node\"").count(), count("nodes"));
                assert_eq!(drawn.matches("class=\"edge\"").count(), count("edges"));
            }
        }
    }
}

/// Viewers refuse more than five hundred lines: so there are several diagrams, and every line is in one.
#[test]
fn a_large_mermaid_diagram_is_split() {
    let nodes: Vec<Value> = (0..50)
        .map(|n| serde_json::json!({"id": format!("n{n}"), "kind": "group", "label": format!("g{n}"), "group_id": null, "open_egress": false}))
        .collect();
    let edges: Vec<Value> = (0..1000)
        .map(|n| serde_json::json!({"source": format!("n{}", n % 50), "target": format!("n{}", n / 50), "protocol": "tcp", "port": 80, "verdict": "accepted",
            "records": 1, "bytes": 1, "connections": ["c-0000000000000001"]}))
        .collect();
    let graph = serde_json::json!({"schema_version": 2, "nodes": nodes, "edges": edges});
    let graph: GraphDocument = serde_json::from_value(graph).unwrap();
    let text = graph.mermaid();
    let diagrams: Vec<&str> = text.split("```mermaid\n").skip(1).collect();
    assert_eq!(diagrams.len(), 3);
    assert!(
        diagrams
            .iter()
            .all(|diagram| diagram.matches(" -->|").count() <= 500)
    );
    assert_eq!(text.matches(" -->|").count(), 1000);
}
