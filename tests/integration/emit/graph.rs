//! `graph.json` and `graph.dot`.

use std::process::Command;

use super::{audit, hostile_audit, json, text};

#[test]
fn every_connection_is_on_exactly_one_edge() {
    let audit = audit();
    let graph = json(&audit, "graph.json");
    let mut ids: Vec<&str> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|edge| edge["connections"].as_array().unwrap())
        .map(|id| id.as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let expected: Vec<String> = audit.connections.iter().map(|c| c.id.to_string()).collect();
    assert_eq!(ids, expected);
    let nodes: Vec<&str> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["id"].as_str().unwrap())
        .collect();
    for edge in graph["edges"].as_array().unwrap() {
        assert!(
            nodes.contains(&edge["source"].as_str().unwrap())
                && nodes.contains(&edge["target"].as_str().unwrap())
        );
    }
}

#[test]
fn groups_are_the_ones_whose_rules_permit_the_connection() {
    let audit = audit();
    let graph = json(&audit, "graph.json");
    let name = |id: &serde_json::Value| {
        let node = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|n| n["id"] == *id)
            .unwrap();
        node["label"].as_str().unwrap().to_owned()
    };
    let edges: Vec<String> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            format!(
                "{} {} {} {}",
                name(&e["source"]),
                name(&e["target"]),
                e["port"],
                e["verdict"].as_str().unwrap()
            )
        })
        .collect();
    for expected in [
        "load-balancer web 80 accepted",
        "web db 3306 accepted",
        "monitoring base 9100 accepted",
        "reports warehouse 5432 accepted",
        "web com.amazonaws.us-east-1.s3 443 accepted",
        "web 203.0.113.66 6667 quarantined",
        "order-mailer cache 6379 rejected",
    ] {
        assert!(
            edges.iter().any(|e| e == expected),
            "{expected} is not in {edges:#?}"
        );
    }
}

/// A reader of the DOT language takes it, hostile names and all.
#[test]
fn a_dot_reader_takes_it() {
    for audit in [audit(), hostile_audit()] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("graph.dot");
        std::fs::write(&path, text(&audit, "graph.dot")).unwrap();
        let python = crate::queries::peer("python");
        let script = "import sys, pydot; g, = pydot.graph_from_dot_file(sys.argv[1]); print(len(g.get_nodes()), len(g.get_edges()))";
        let output = Command::new(python)
            .args(["-c", script])
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let graph = json(&audit, "graph.json");
        let counts = format!(
            "{} {}",
            graph["nodes"].as_array().unwrap().len() + 2,
            graph["edges"].as_array().unwrap().len()
        );
        // The two defaults, for nodes and for edges, count as nodes to the reader.
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), counts);
    }
}
