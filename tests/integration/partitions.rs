//! The days that a question for Athena reads. DuckDB reads such a question with one function of Trino's.

use std::process::Command;

use crate::cli::fails;
use crate::common::{closegate, printed, sample};
use crate::queries::{ask, peer};

/// Makes the table of the question, with every row twice: in the partition of its own day, and in one of 2020.
const ASK: &str = r#"
import duckdb, json, sys
question, flows, columns = open(sys.argv[1]).read(), sys.argv[2], sys.argv[3]
names = 'version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status'
cursor = duckdb.connect()
cursor.execute('CREATE SCHEMA logs')
cursor.execute('CREATE MACRO regexp_like(text, pattern) AS regexp_matches(text, pattern)')
cursor.execute(f"""CREATE TABLE logs.flow_logs AS
    WITH logs AS (
        SELECT *, CAST(make_timestamp(CAST("end" AS bigint) * 1000000) AS date) AS delivered
        FROM read_csv('{flows}', delim = ' ', skip = 1, header = false, all_varchar = true, names = {names.split()})
    ), twice AS (FROM logs UNION ALL SELECT * REPLACE (DATE '2020-01-01' AS delivered) FROM logs)
    SELECT * EXCLUDE (delivered), {columns} FROM twice""")
cursor.execute(question)
out = [column[0] for column in cursor.description]
print(json.dumps([dict(zip(out, row)) for row in cursor.fetchall()]))
"#;

fn ask_athena(columns: &str, more: &[&str]) -> Vec<serde_json::Value> {
    let mut command = closegate();
    command.args(["query", "top-talkers", "--engine", "athena"]);
    let question = printed(command.args(more));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("question.sql");
    std::fs::write(&file, question).unwrap();
    let output = Command::new(peer("python"))
        .args(["-c", ASK])
        .arg(&file)
        .arg(sample().join("flows/default/*.log.gz"))
        .arg(columns)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn since_leaves_out_the_partitions_before_it() {
    let since = ["--since", "2026-11-03T06:00:00Z"];
    let until = ["--until", "2026-11-03T18:00:00Z"];
    for window in [since.to_vec(), [since, until].concat()] {
        let expected = ask("top-talkers", "default", &window);
        assert!(!expected.is_empty());
        for (columns, partition) in [
            ("strftime(delivered, '%Y/%m/%d') AS day", None),
            ("strftime(delivered, '%Y/%m/%d') AS dt", Some("dt")),
            ("delivered AS date", Some("date:date")),
            (
                "strftime(delivered, '%Y') AS y, strftime(delivered, '%m') AS m, strftime(delivered, '%d') AS d",
                Some("y,m,d"),
            ),
        ] {
            let mut more = window.clone();
            more.extend(partition.iter().flat_map(|name| ["--partition", name]));
            assert_eq!(ask_athena(columns, &more), expected, "{more:?}");
        }
        let none = [window.as_slice(), &["--partition", "none"]].concat();
        assert_ne!(ask_athena("1 AS one", &none), expected, "twice");
    }
}

#[test]
fn until_leaves_out_the_partitions_after_it() {
    let until = ["--until", "2026-11-03T18:00:00Z"];
    for (partition, condition) in [
        ("day", "WHERE \"day\" <= '2026/11/04'\n"),
        ("a\"b:date", "WHERE \"a\"\"b\" <= DATE '2026-11-04'\n"),
        (
            "y,m,d",
            "(\"y\" < '2026' OR \"y\" = '2026' AND (\"m\" < '11' OR \"m\" = '11' AND \"d\" <= '04'))\n",
        ),
        ("none", "WHERE true\n"),
    ] {
        let mut command = closegate();
        command.args([
            "query",
            "irc",
            "--engine",
            "athena",
            "--partition",
            partition,
        ]);
        let question = printed(command.args(until));
        assert!(question.contains(condition), "{question}");
    }
}

#[test]
fn what_names_no_columns_is_refused() {
    for wrong in ["", "a,b", "a,,c", ":date", "a:time"] {
        let mut command = closegate();
        command.args(["query", "irc", "--engine", "athena", "--partition", wrong]);
        fails(command.assert(), 2, &["--partition", "NAME:date"]);
    }
}
