//! The files under queries/, run by DuckDB on a run of ours: a second reader of
//! the Parquet file, in another language.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{audit_paths, root, sample};

/// A program of the peers that `make peers` sets up under target/.
pub(crate) fn peer(program: &str) -> PathBuf {
    let path = root().join("target/peers/bin").join(program);
    assert!(
        path.exists(),
        "{} is missing: run `make peers`",
        path.display()
    );
    path
}

const RUN: &str = r"
import duckdb, json, sys
sql = open(sys.argv[1]).read().replace('connections.parquet', sys.argv[2])
cursor = duckdb.execute(sql)
names = [column[0] for column in cursor.description]
print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()]))
";

fn run(query: &str) -> Vec<serde_json::Value> {
    let audit = audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    );
    let dir = tempfile::tempdir().unwrap();
    let parquet = dir.path().join("connections.parquet");
    let mut file = std::fs::File::create(&parquet).unwrap();
    closegate::emit::connection_table(&audit, &mut file).unwrap();
    let output = Command::new(peer("python"))
        .args(["-c", RUN])
        .arg(root().join("queries").join(query))
        .arg(&parquet)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{query}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn top_talkers() {
    let rows = run("top-talkers.sql");
    assert_eq!(
        (&rows[0]["initiator_address"], &rows[0]["responder_address"]),
        (&"10.20.10.11".into(), &"10.20.20.21".into())
    );
    assert!(
        rows.windows(2)
            .all(|pair| pair[0]["bytes"].as_f64() >= pair[1]["bytes"].as_f64())
    );
}

#[test]
fn held_back() {
    let rows = run("held-back.sql");
    let reasons: Vec<&str> = rows
        .iter()
        .map(|row| row["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.iter().filter(|r| **r == "irc").count(), 1);
    assert_eq!(
        reasons.iter().filter(|r| **r == "third-party-dns").count(),
        1
    );
    assert_eq!(reasons.len(), 7);
}

#[test]
fn refused_by_port() {
    let rows = run("refused-by-port.sql");
    let total: u64 = rows
        .iter()
        .map(|row| row["connections"].as_u64().unwrap())
        .sum();
    assert_eq!(total, 11);
}

#[test]
fn services_by_group() {
    let rows = run("services-by-group.sql");
    let mysql = rows
        .iter()
        .find(|row| row["responder_groups"] == "sg-0a1b2c3d4e5f90003" && row["port"] == 3306)
        .unwrap();
    assert_eq!(mysql["clients"], 6);
}

#[test]
fn every_query_is_run_and_says_what_it_asks() {
    let tests = std::fs::read_to_string(root().join("tests/integration/queries.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("queries")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = std::fs::read_to_string(root().join("queries").join(&name)).unwrap();
        assert!(
            text.starts_with("-- "),
            "{name} begins with a comment that says what it asks"
        );
        assert!(
            tests.contains(&format!("run(\"{name}\")")),
            "{name} is run by no test"
        );
    }
}
