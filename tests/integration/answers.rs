//! `--flows answers:PATH`: what an engine answered, audited without the logs.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::fails;
use crate::common::{closegate, printed, root, sample};
use crate::engine_logs::{Logs, succeeds};
use crate::engines::asked;
use crate::peers::has;
use crate::queries::peer;

fn inventory() -> PathBuf {
    sample().join("inventory")
}

/// DuckDB's answer over the sample, kept as the end of the name says.
fn answer(dir: &Path, ending: &'static str) -> PathBuf {
    let logs = Logs::new(&sample().join("flows/default/*.log.gz"), None);
    let question = logs.question("connections", "duckdb");
    let mut answers = asked("duckdb", dir, &[(question, ending)]);
    answers.remove(0)
}

fn audit(flows: &str, out: &Path) -> assert_cmd::assert::Assert {
    let mut command = closegate();
    command.args(["audit", "--flows", flows, "--inventory"]);
    command.arg(inventory()).arg("--out").arg(out).assert()
}

/// What an audit says.
fn said(flows: &str, dir: &Path) -> Value {
    let out = dir.join("run");
    audit(flows, &out).success();
    serde_json::from_slice(&fs::read(out.join("audit.json")).unwrap()).unwrap()
}

fn answers(path: &Path) -> String {
    format!("answers:{}", path.display())
}

#[test]
fn an_audit_of_an_answer_is_that_of_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = said(
        &sample().join("flows/default").display().to_string(),
        dir.path(),
    );
    for ending in [".parquet", ".text.parquet", ".csv"] {
        let flows = answers(&answer(dir.path(), ending));
        let mut found = said(&flows, dir.path());
        let source = &found["input"]["sources"][0];
        assert_eq!(source["name"], flows);
        assert_eq!(source["format"], "answer of an engine");
        let mut command = closegate();
        command.arg("report").arg(dir.path().join("run"));
        let report = printed(command.args(["--format", "json"]));
        assert!(report.contains(&*flows), "the report names its source");
        for document in [&mut found, &mut expected] {
            let input = document["input"].as_object_mut().unwrap();
            input.remove("sources");
            input.remove("bytes_read");
        }
        assert!(found == expected, "{ending}");
    }
}

#[test]
fn verify_takes_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = closegate();
    command.args(["verify", "--current", "--flows"]);
    command.arg(answers(&answer(dir.path(), ".csv")));
    let said = printed(command.arg("--inventory").arg(inventory()));
    let mut command = closegate();
    command.args(["verify", "--current", "--flows"]);
    command.arg(sample().join("flows/default"));
    assert_eq!(said, printed(command.arg("--inventory").arg(inventory())));
}

#[test]
fn a_directory_is_read_without_what_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let one = answer(dir.path(), ".csv");
    let text = fs::read_to_string(&one).unwrap();
    let expected = said(&answers(&one), dir.path());
    let (header, rows) = text.split_once('\n').unwrap();
    let half = rows.lines().count() / 2;
    let lines: Vec<&str> = rows.lines().collect();
    let out = dir.path().join("out");
    for (day, rows) in [("day=1", &lines[..half]), ("day=2", &lines[half..])] {
        let own = out.join(day);
        fs::create_dir_all(own.join("_temporary/0")).unwrap();
        fs::write(
            own.join("part-0.csv"),
            format!("{header}\n{}\n", rows.join("\n")),
        )
        .unwrap();
        fs::write(own.join(".part-0.csv.crc"), "crc").unwrap();
        fs::write(own.join("_SUCCESS"), "").unwrap();
        fs::write(own.join("_temporary/0/part-1.csv"), "half a").unwrap();
    }
    let found = said(&answers(&out), dir.path());
    assert_eq!(found["connections"], expected["connections"]);
    // A query that is under way, or failed.
    fs::remove_file(out.join("day=2/_SUCCESS")).unwrap();
    let run = dir.path().join("run");
    fails(audit(&answers(&out), &run), 2, &["day=2", "_SUCCESS"]);
}

#[test]
fn damaged_rows_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let one = answer(dir.path(), ".csv");
    let text = fs::read_to_string(&one).unwrap();
    let expected = said(&answers(&one), dir.path());
    let row = "OK,eni-1,10.0.0.1,10.0.0.2,0,443,6,ACCEPT,src,1793491200,1793491200,1,0,10,1000,1793491200,1793491260,1,0,1,0,0,0,,,40000";
    let damages = [
        // The row as it is, to know that the others are damaged by what is changed in them.
        ("", ""),
        (",443,", ",65536,"),
        (",443,", ",,"),
        (",6,ACCEPT", ",256,ACCEPT"),
        ("ACCEPT", "MAYBE"),
        (",src,", ",both,"),
        ("OK,", "FINE,"),
        (",1,0,10,", ",18446744073709551615,0,10,"),
        (",1793491260,", ",1793491100,"),
        (",1793491260,", ",99999999999,"),
        (",1793491200,1793491200,1,", ",1793491200,0,1,"),
        (",10,1000,", ",ten,1000,"),
        (",0,443,", ",1,443,"),
        (",40000", ","),
        (",40000", ",x"),
        (",,,", ",,"),
    ];
    let damaged: Vec<String> = damages
        .iter()
        .map(|(from, to)| {
            assert!(row.contains(from));
            row.replacen(from, to, 1)
        })
        .collect();
    fs::write(&one, format!("{text}{}\n", damaged.join("\n"))).unwrap();
    let found = said(&answers(&one), dir.path());
    let count = |audit: &Value, key: &str| audit["input"][key].as_u64().unwrap();
    assert_eq!(
        count(&found, "records_read"),
        count(&expected, "records_read") + 1
    );
    assert_eq!(count(&found, "records_malformed"), 15);
    let samples = found["input"]["malformed_samples"].as_array().unwrap();
    let says = |word: &str| {
        samples
            .iter()
            .any(|sample| sample["reason"].as_str().unwrap().contains(word))
    };
    assert!(says("`dst_port`") && says("`65536`") && says("more or fewer values"));
    assert_eq!(samples[0]["source"], one.display().to_string());
}

#[test]
fn what_is_no_answer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let one = answer(dir.path(), ".csv");
    let flows = answers(&one);
    let text = fs::read_to_string(&one).unwrap();
    let without = dir.path().join("without.csv");
    fs::write(&without, text.replace("last_day", "other")).unwrap();
    fails(
        audit(&answers(&without), &run),
        2,
        &["without.csv", "`last_day`"],
    );
    let parquet = answer(dir.path(), ".parquet");
    let cut = dir.path().join("cut.parquet");
    let bytes = fs::read(&parquet).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    fails(audit(&answers(&cut), &run), 2, &["cut.parquet"]);
    fails(
        audit("answers:nowhere.parquet", &run),
        2,
        &["nowhere.parquet"],
    );
    for more in [["--since", "2026-11-01"], ["--flows", "other.log"]] {
        let mut command = closegate();
        command.args(["audit", "--flows", &flows]).args(more);
        command.arg("--inventory").arg(inventory());
        fails(command.arg("--out").arg(&run).assert(), 2, &["answers:"]);
    }
    let mut command = closegate();
    command.args(["ingest", "--flows", &flows, "--inventory"]);
    command.arg(inventory()).arg("--store");
    fails(
        command.arg(dir.path().join("store")).assert(),
        2,
        &["answers:", "`audit`"],
    );
}

/// Runs Spark jobs in one process, for starting Spark takes longer than a job: each line holds the arguments of one, and each answer
/// what it printed, and its error if it failed.
const JOBS: &str = r"
import contextlib, importlib.util, io, json, sys, traceback
spec = importlib.util.spec_from_file_location('connections', sys.argv[1])
job = importlib.util.module_from_spec(spec)
spec.loader.exec_module(job)
for line in sys.stdin:
    sys.argv[1:] = json.loads(line)
    out, error = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            job.main()
        except SystemExit as end:
            error = str(end.code)
        except Exception:
            error = traceback.format_exc()
    print(json.dumps([out.getvalue(), error]), flush=True)
";

#[test]
fn a_spark_job_asks_day_by_day_and_goes_on_where_it_ended() {
    if !has("java") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for day in 1..=3 {
        let own = dir.path().join(format!("logs/2026/11/0{day}"));
        fs::create_dir_all(&own).unwrap();
        let log = sample().join(format!("flows/default/day-{day}.log.gz"));
        fs::copy(log, own.join("a.log.gz")).unwrap();
    }
    let out = dir.path().join("out");
    let script = root().join("queries/spark/connections.py");
    let arguments = |glob: &str, until: &str| {
        let logs = dir.path().join("logs").join(glob).display().to_string();
        let program = env!("CARGO_BIN_EXE_closegate");
        let out = out.display().to_string();
        let words = ["--closegate", program, "--flows", &logs, "--out", &out];
        let days = ["--since", "2026-11-01", "--until", until];
        [&words[..], &days].concat().join("\n")
    };
    let python = || {
        let mut python = Command::new(peer("python"));
        python.current_dir(dir.path());
        python.env("PYSPARK_SUBMIT_ARGS", "--master local[1] --conf spark.ui.enabled=false --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 --conf spark.sql.shuffle.partitions=2 pyspark-shell");
        python
    };
    let glob = "{day}/*.log.gz";
    // The first as people run it.
    let first = arguments(glob, "2026-11-03");
    let first = python().arg(&script).args(first.lines()).output();
    succeeds(&first.unwrap());
    let mut process = python()
        .args(["-c", JOBS])
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut jobs = process.stdin.take().unwrap();
    let mut ends = BufReader::new(process.stdout.take().unwrap());
    let mut job = |glob: &str, until: &str| -> (String, Option<String>) {
        let words: Vec<String> = arguments(glob, until).lines().map(str::to_owned).collect();
        writeln!(jobs, "{}", serde_json::to_string(&words).unwrap()).unwrap();
        let mut end = String::new();
        ends.read_line(&mut end).unwrap();
        serde_json::from_str(&end).unwrap()
    };
    let day = |day: u8| out.join(format!("day=2026-11-0{day}"));
    let written = |at: u8| {
        fs::metadata(day(at).join("_SUCCESS"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let first = written(1);
    // A day that a stopped job left behind.
    fs::remove_file(day(2).join("_SUCCESS")).unwrap();
    let (said, error) = job(glob, "2026-11-04");
    assert_eq!(error, None);
    assert!(said.contains("day=2026-11-01: done before"), "{said}");
    assert!(said.contains("day=2026-11-02: done\n"), "{said}");
    assert!(said.contains("day=2026-11-03: done\n"), "{said}");
    assert_eq!(written(1), first);

    let found = self::said(&answers(&out), dir.path());
    let logs = sample().join("flows/default").display().to_string();
    let expected = self::said(&logs, dir.path());
    for key in ["connections", "rules", "findings", "replay"] {
        assert_eq!(found[key], expected[key], "{key}");
    }

    // Answers to two questions don't add up, a day without logs is not passed over in silence, and a foreign file stays.
    let mut refused = |glob: &str, until: &str, says: &str| {
        let (_, error) = job(glob, until);
        let error = error.unwrap();
        assert!(error.contains(says), "{error}");
    };
    refused("{day}/*.gz", "2026-11-04", "another question");
    refused(glob, "2026-11-05", "2026/11/04");
    let mine = day(4).join("mine.txt");
    fs::create_dir_all(day(4)).unwrap();
    fs::write(&mine, "mine").unwrap();
    refused(glob, "2026-11-05", "mine.txt");
    assert!(mine.is_file());
    refused("*/*/*/*.log.gz", "2026-11-05", "names no day");
    // It ends with its standard input.
    drop(jobs);
    assert!(process.wait().unwrap().success());
}
