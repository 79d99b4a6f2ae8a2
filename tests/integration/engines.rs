//! Every engine's answer to the questions over flow rows, asked for real, against the fold over the same records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use closegate::flow::FlowTable;
use closegate::ingest::{self, Intake};
use closegate::query::{Engine, Over, Partials, QUERIES, QueryNames, add_answer, over_rows};
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{closegate, printed, root, sample};
use crate::engine_logs::{DEFAULT, Logs, generated_logs, lake, succeeds, trap_logs};
use crate::peers::has;
use crate::queries::{custom, peer};

/// Asks an engine, and gives back where each answer is; the end of its name says how it is kept.
pub(crate) fn asked(engine: &str, dir: &Path, questions: &[(String, &str)]) -> Vec<PathBuf> {
    asked_by(Command::new(peer("python")), engine, dir, questions)
}

/// The same by a command that may have an environment of its own.
fn asked_by(
    mut command: Command,
    engine: &str,
    dir: &Path,
    questions: &[(String, &str)],
) -> Vec<PathBuf> {
    command
        .arg(root().join("tests/peers/engines.py"))
        .arg(engine);
    let mut answers = Vec::new();
    for (number, (question, ending)) in questions.iter().enumerate() {
        let file = dir.join(format!("{engine}-{number}.sql"));
        fs::write(&file, question).unwrap();
        let answer = dir.join(format!("{engine}-{number}{ending}"));
        command.arg(&file).arg(&answer);
        answers.push(answer);
    }
    succeeds(&command.output().unwrap());
    answers
}

/// An answer in a file, or in a directory as Spark writes it.
fn read(answer: &Path) -> (FlowTable, Intake) {
    let mut partials = Partials::default();
    let files = ingest::find(&[answer.display().to_string()]).unwrap();
    for file in files {
        let path = Path::new(&file.name);
        let name = path.file_name().unwrap().to_str().unwrap();
        if path == answer || name.starts_with("part-") {
            add_answer(&mut partials, &file.name, fs::read(path).unwrap().into()).unwrap();
        }
    }
    partials.finish("x", "x", 0)
}

fn assert_same(found: &(FlowTable, Intake), expected: &(FlowTable, Intake), what: &str) {
    let counted = |intake: &Intake| {
        [
            intake.rows,
            intake.no_data,
            intake.skip_data,
            intake.duplicates,
            intake.malformed,
        ]
    };
    let ((found, own), (expected, intake)) = (found, expected);
    assert!(!expected.flows.is_empty());
    for (found, expected) in found.flows.iter().zip(&expected.flows) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.flows.len(), expected.flows.len(), "{what}");
    assert_eq!(found.observers, expected.observers, "{what}");
    assert_eq!(found.coverage, expected.coverage, "{what}");
    assert_eq!(found.services, expected.services, "{what}");
    assert_eq!(counted(own), counted(intake), "{what}");
    assert_eq!(own.window, intake.window, "{what}");
}

/// Asks an engine of every kind of logs.
fn answers_what_the_fold_makes(engine: &str) {
    const ENDINGS: [&str; 3] = [".text.parquet", ".csv", ".parquet"];
    let dir = tempfile::tempdir().unwrap();
    let flows = |format: &str| sample().join("flows").join(format).join("*.log.gz");
    let mut logs = vec![
        Logs::new(&flows("default"), None),
        Logs::new(&flows("custom"), Some(&custom())),
        lake(dir.path()),
    ];
    logs.extend(trap_logs(dir.path()));
    logs.extend(generated_logs(dir.path()));
    let questions: Vec<(String, &str)> = logs
        .iter()
        .zip(ENDINGS.iter().cycle())
        .map(|(logs, ending)| (logs.question("connections", engine), *ending))
        .collect();
    for (logs, answer) in logs.iter().zip(asked(engine, dir.path(), &questions)) {
        let what = format!("{engine}, {}, {}", logs.glob, answer.display());
        assert_same(&read(&answer), &logs.folded(), &what);
    }
}

#[test]
fn duckdb_answers_what_the_fold_makes() {
    answers_what_the_fold_makes("duckdb");
}

#[test]
fn clickhouse_answers_what_the_fold_makes() {
    answers_what_the_fold_makes("clickhouse");
}

#[test]
fn spark_answers_what_the_fold_makes() {
    if has("java") {
        answers_what_the_fold_makes("spark");
    }
}

/// The rows of an answer that is kept as lines of JSON, without what is null.
fn rows(answer: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(answer).unwrap();
    let row = |line: &str| -> BTreeMap<String, String> {
        let row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        row.into_iter()
            .filter_map(|(name, value)| match value {
                Value::Null => None,
                Value::String(text) => Some((name, text)),
                other => Some((name, other.to_string())),
            })
            .collect()
    };
    text.split_terminator('\n').map(row).collect()
}

/// Ids that mean something in one SQL or another.
const HOSTILE: [&str; 7] = [
    "sg-'x",
    "sg-\\",
    "sg-a\u{202e}b",
    "sg-`y",
    "sg-{{q}}",
    "sg-\"z",
    "sg-\u{1b}[1m",
];

/// An inventory of hostile groups, each with an interface that does nothing.
fn hostile_inventory(dir: &Path) -> String {
    let groups: Vec<Value> = HOSTILE
        .iter()
        .map(|id| json!({"GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "111122223333"}))
        .collect();
    let interfaces: Vec<Value> = HOSTILE
        .iter()
        .enumerate()
        .map(|(number, id)| {
            json!({"NetworkInterfaceId": id.replace("sg-", "eni-"), "VpcId": "vpc-1",
                "PrivateIpAddress": format!("10.99.0.{number}"), "Groups": [{"GroupId": id}]})
        })
        .collect();
    let inventory = dir.join("hostile");
    fs::create_dir(&inventory).unwrap();
    let all = json!({"SecurityGroups": groups, "NetworkInterfaces": interfaces}).to_string();
    fs::write(inventory.join("all.json"), all).unwrap();
    inventory.display().to_string()
}

#[test]
fn engines_answer_the_other_questions_alike() {
    let mut engines = vec!["duckdb", "clickhouse"];
    if has("java") {
        engines.push("spark");
    }
    let dir = tempfile::tempdir().unwrap();
    let logs = |inventory: String| {
        let mut logs = Logs::new(&sample().join("flows/default/*.log.gz"), None);
        logs.more = vec!["--inventory".to_owned(), inventory];
        logs
    };
    let usual = logs(sample().join("inventory").display().to_string());
    let hostile = logs(hostile_inventory(dir.path()));
    let names: Vec<&str> = QUERIES
        .iter()
        .filter(|query| query.over == Over::Rows && query.name != "connections")
        .map(|query| query.name)
        .collect();
    let mut first: Option<Vec<_>> = None;
    for engine in engines {
        let mut questions: Vec<(String, &str)> = names
            .iter()
            .map(|name| (usual.question(name, engine), ".json"))
            .collect();
        questions.push((hostile.question("unused-groups", engine), ".json"));
        // The connections are asked of a Spark of several processes; starting those takes longer than these questions.
        let mut python = Command::new(peer("python"));
        python.env("CLOSEGATE_SPARK", "local[2]");
        let answers = asked_by(python, engine, dir.path(), &questions);
        let mut found: Vec<_> = answers.iter().map(|answer| rows(answer)).collect();
        let ids = found.pop().unwrap();
        let ids: BTreeSet<&str> = ids.iter().map(|row| row["group_id"].as_str()).collect();
        assert_eq!(ids, BTreeSet::from(HOSTILE), "{engine}");
        let expected = first.get_or_insert_with(|| found.clone());
        for ((found, expected), name) in found.iter().zip(&*expected).zip(&names) {
            // Every group of the sample is in use; the hostile ones are not.
            assert!(!found.is_empty() || *name == "unused-groups", "{name}");
            assert_eq!(found, expected, "{name}, {engine}");
        }
    }
}

#[test]
fn trino_and_athena_take_every_question() {
    let dir = tempfile::tempdir().unwrap();
    for engine in ["trino", "athena"] {
        let mut questions = Vec::new();
        for query in QUERIES.iter().filter(|query| query.over == Over::Rows) {
            for kind in ["flow-logs", "security-lake"] {
                let mut command = closegate();
                command.args([
                    "query",
                    query.name,
                    "--engine",
                    engine,
                    "--table-kind",
                    kind,
                ]);
                command.args(["--since", "2026-11-01", "--until", "2026-11-08"]);
                questions.push((printed(&mut command), ".valid"));
            }
        }
        asked(engine, dir.path(), &questions);
    }
}

/// A log with another order of fields would be read wrongly, by the places of its values.
#[test]
fn another_header_ends_the_query() {
    let dir = tempfile::tempdir().unwrap();
    let header = DEFAULT.replace("srcport dstport", "dstport srcport");
    let row = "2 1 eni-1 10.0.0.1 10.0.0.2 443 40000 6 1 1 1 2 ACCEPT OK";
    fs::write(dir.path().join("a.log"), format!("{header}\n{row}\n")).unwrap();
    let logs = Logs::new(&dir.path().join("*.log"), None);
    for engine in ["duckdb", "clickhouse"] {
        let question = dir.path().join("a.sql");
        fs::write(&question, logs.question("connections", engine)).unwrap();
        let mut python = Command::new(peer("python"));
        python.arg(root().join("tests/peers/engines.py"));
        python.arg(engine).arg(&question);
        let output = python.arg(dir.path().join("a.csv")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{engine}");
        assert!(error.contains("a file has another header"), "{error}");
    }
}

#[test]
fn a_table_can_be_asked_by_every_engine_and_files_by_those_that_read_files() {
    for engine in ["athena", "trino", "spark", "clickhouse", "duckdb"] {
        let mut command = closegate();
        command.args(["query", "irc", "--engine", engine, "--table", "a.b"]);
        let question = printed(&mut command);
        let table = if engine == "spark" {
            "FROM `a`.`b`"
        } else {
            "FROM \"a\".\"b\""
        };
        assert!(question.contains(table), "{question}");
    }
    let mut command = closegate();
    command.args(["query", "irc", "--engine", "trino", "--flows", "*.log"]);
    fails(command.assert(), 2, &["trino", "--table"]);
    let mut command = closegate();
    command.args([
        "query",
        "irc",
        "--table-kind",
        "security-lake",
        "--flows",
        "*.log",
    ]);
    fails(command.assert(), 2, &["*.log", ".parquet"]);
}

#[test]
fn a_header_that_a_table_does_not_skip_is_no_record() {
    let row = "2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 1 1 2 ACCEPT OK";
    let values = |line: &str| format!("('{}')", line.replace(' ', "', '"));
    let names = DEFAULT.replace('-', "_");
    let quoted = format!("\"{}\"", names.replace(' ', "\", \""));
    let from = format!(
        "(VALUES {}, {}) AS logs({quoted})",
        values(DEFAULT),
        values(row)
    );
    let query = QUERIES
        .iter()
        .find(|query| (query.over, query.name) == (Over::Rows, "connections"));
    let question = over_rows(
        query.unwrap(),
        &QueryNames {
            dialect: Engine::Duckdb.dialect().unwrap(),
            from: &from,
            is_table: true,
            columns: &names.split(' ').map(str::to_owned).collect(),
            condition: "true",
            window: (None, None),
            inventory: None,
        },
    );
    let dir = tempfile::tempdir().unwrap();
    let answers = asked("duckdb", dir.path(), &[(question, ".csv")]);
    let (_, intake) = read(&answers[0]);
    assert_eq!((intake.rows, intake.malformed), (1, 0));
}
