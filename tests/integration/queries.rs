//! The files under queries/, run by DuckDB on a run of ours: a second reader of
//! the Parquet file, in another language.

use std::path::PathBuf;
use std::process::Command;

use closegate::ingest;
use closegate::query::{Engine, Over, Partials, QUERIES};

use crate::common::{audit_paths, closegate, root, sample};
use crate::peers::needed;

/// A program of the peers that `make peers` sets up under target/.
pub(crate) fn peer(program: &str) -> PathBuf {
    needed(root().join("target/peers/bin").join(program))
}

const RUN: &str = r"
import duckdb, json, sys
sql = open(sys.argv[1]).read().replace('connections.parquet', sys.argv[2])
cursor = duckdb.connect()
cursor.execute(sql)
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
        .arg(root().join("queries/run").join(query))
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
fn excluded_connections() {
    let rows = run("excluded.sql");
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
fn rejected_by_port_of_a_run() {
    let rows = run("rejected-by-port.sql");
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

/// Runs a question over flow rows as `closegate query` prints it for DuckDB.
pub(crate) fn ask(name: &str, format: &str, more: &[&str]) -> Vec<serde_json::Value> {
    let flows = sample().join(format!("flows/{format}/*.log.gz"));
    let mut command = closegate();
    command.args([
        "query",
        name,
        "--engine",
        "duckdb",
        "--flows",
        flows.to_str().unwrap(),
        "--inventory",
    ]);
    command.arg(sample().join("inventory")).args(more);
    let sql = command.assert().success().get_output().stdout.clone();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("question.sql");
    std::fs::write(&file, sql).unwrap();
    let output = Command::new(peer("python"))
        .args(["-c", RUN])
        .arg(&file)
        .arg("")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sample's custom format.
pub(crate) fn custom() -> String {
    let reader = sample().join("flows/custom/day-1.log.gz");
    let log = ingest::find(&[reader.display().to_string()]).unwrap();
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(log[0].raw().unwrap());
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn connections_are_the_flows_that_the_fold_makes() {
    for (format, more) in [
        ("default", vec![]),
        ("custom", vec!["--log-format".to_owned(), custom()]),
    ] {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let mut partials = Partials::default();
        for row in ask("connections", format, &more) {
            let cell = |name: &str| match &row[name] {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let cells: Vec<(&str, Option<String>)> = Partials::COLUMNS
                .iter()
                .map(|name| (*name, cell(name)))
                .collect();
            let value = |name: &str| cells.iter().find(|(known, _)| *known == name)?.1.as_deref();
            partials.add(value).unwrap();
        }
        let (found, intake) = partials.finish("x", "x", 0);
        let local = audit_paths(
            &[sample().join("flows").join(format)],
            &sample().join("inventory"),
        );
        assert_eq!(found.observers, local.table.observers);
        assert_eq!(found.coverage, local.table.coverage);
        assert_eq!(found.services, local.table.services);
        assert_eq!(found.flows.len(), local.table.flows.len());
        for (found, local) in found.flows.iter().zip(&local.table.flows) {
            assert_eq!(found, local);
        }
        assert_eq!(
            (
                intake.rows,
                intake.no_data,
                intake.skip_data,
                intake.duplicates,
                intake.malformed,
                intake.window
            ),
            (
                local.intake.rows,
                local.intake.no_data,
                local.intake.skip_data,
                local.intake.duplicates,
                local.intake.malformed,
                local.intake.window
            ),
        );
    }
}

#[test]
fn irc() {
    let rows = ask("irc", "default", &[]);
    // The instance's own interface, and the NAT gateway that passes it on; not the browser that uses 6667 itself.
    let mut senders: Vec<&str> = rows
        .iter()
        .map(|row| row["src"].as_str().unwrap())
        .collect();
    senders.sort_unstable();
    assert_eq!(senders, ["10.20.0.99", "10.20.10.12"]);
}

#[test]
fn third_party_dns() {
    let rows = ask("third-party-dns", "default", &[]);
    assert!(!rows.is_empty());
    assert!(
        rows.iter()
            .all(|row| row["dst_port"] == 53 || row["dst_port"] == 853),
        "{rows:?}"
    );
}

#[test]
fn top_talkers_of_the_rows() {
    let rows = ask("top-talkers", "default", &[]);
    assert_eq!(rows.len(), 25);
    assert!(
        rows.windows(2)
            .all(|pair| pair[0]["bytes"].as_u64() >= pair[1]["bytes"].as_u64())
    );
}

#[test]
fn rejected_by_port() {
    let rows = ask("rejected-by-port", "default", &[]);
    let local = audit_paths(
        &[sample().join("flows/default")],
        &sample().join("inventory"),
    );
    let refused: u64 = local
        .table
        .flows
        .iter()
        .filter(|flow| !flow.key.accepted)
        .map(|flow| flow.counters.records)
        .sum();
    let found: u64 = rows
        .iter()
        .map(|row| row["records"].as_u64().unwrap())
        .sum();
    assert_eq!(found, refused);
}

#[test]
fn open_egress_by_group() {
    let rows = ask("open-egress-by-group", "default", &[]);
    let local = audit_paths(
        &[sample().join("flows/default")],
        &sample().join("inventory"),
    );
    assert!(!rows.is_empty());
    for row in rows {
        let group = local
            .inventory
            .group_by_id(row["group_id"].as_str().unwrap())
            .unwrap();
        assert!(
            local
                .inventory
                .group(group)
                .rules
                .iter()
                .any(closegate::inventory::Rule::is_open_egress)
        );
    }
}

#[test]
fn unused_groups() {
    let rows = ask(
        "unused-groups",
        "default",
        &[
            "--since",
            "2026-11-01T00:00:00Z",
            "--until",
            "2026-11-01T00:00:01Z",
        ],
    );
    let local = audit_paths(
        &[sample().join("flows/default")],
        &sample().join("inventory"),
    );
    let carried = local
        .inventory
        .groups()
        .iter()
        .filter(|group| !group.members.is_empty())
        .count();
    assert_eq!(rows.len(), carried, "nothing happened in that second");
    assert!(ask("unused-groups", "default", &[]).len() < carried);
}

/// The questions for engines that are not here: their grammar, by another's parser.
#[test]
fn athena_and_insights_are_asked_in_their_own_words() {
    const PARSE: &str = r"
import sys, sqlglot
for path in sys.argv[1:]:
    statements = sqlglot.parse(open(path).read(), read='athena' if 'table-' in path else 'trino')
    assert len(statements) == 1 and not isinstance(statements[0], sqlglot.exp.Command), path
";
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for query in QUERIES
        .iter()
        .filter(|query| query.over.engines().contains(&Engine::Athena))
    {
        let mut command = closegate();
        command.args([
            "query",
            query.name,
            "--engine",
            "athena",
            "--since",
            "2026-11-01T00:00:00Z",
        ]);
        let text = command.assert().success().get_output().stdout.clone();
        assert!(
            !String::from_utf8_lossy(&text).contains("{{"),
            "{}: a name is missing",
            query.name
        );
        let file = dir.path().join(query.name);
        std::fs::write(&file, text).unwrap();
        files.push(file);
    }
    let output = Command::new(peer("python"))
        .args(["-c", PARSE])
        .args(&files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Every question that Insights can be asked says of itself what the one in SQL says, and names its columns.
    for query in QUERIES.iter().filter(|query| query.over == Over::Events) {
        let mut command = closegate();
        command.args(["query", query.name, "--engine", "insights"]);
        let text =
            String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
        assert!(!text.contains("{{"), "{}: a name is missing", query.name);
        assert!(text.contains("parse @message \"* * * * * * * * * * * * * *\" as version, account_id, interface_id"), "{text}");
        let Some(sql) = QUERIES
            .iter()
            .find(|other| other.over == Over::Rows && other.name == query.name)
        else {
            assert_eq!(
                query.name, "coverage",
                "in SQL it is a part of `connections`"
            );
            continue;
        };
        let start = |text: &str| {
            text.trim_start_matches(['-', '#', ' '])
                .chars()
                .take(20)
                .collect::<String>()
        };
        assert_eq!(start(sql.text), start(query.text), "{}", query.name);
    }
}

#[test]
fn every_query_is_run_and_says_what_it_asks() {
    let tests = std::fs::read_to_string(root().join("tests/integration/queries.rs")).unwrap();
    let mut names = 0;
    for folder in ["run", "flows", "insights", "athena"] {
        for entry in std::fs::read_dir(root().join("queries").join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let (name, _) = name.rsplit_once('.').unwrap();
            let query = QUERIES
                .iter()
                .find(|query| query.name == name)
                .unwrap_or_else(|| panic!("{name} is not in the table"));
            assert!(
                query.about().contains(' ')
                    && query.about().len() < 90
                    && query.text.starts_with(['-', '#']),
                "{name} begins with a comment that says what it asks"
            );
            names += 1;
            let run = match folder {
                "run" => format!("run(\"{name}.sql\")"),
                "flows" => format!("ask(\"{name}\""),
                _ => continue,
            };
            assert!(tests.contains(&run), "{name} is run by no test");
        }
    }
    assert_eq!(names, QUERIES.len());
}
