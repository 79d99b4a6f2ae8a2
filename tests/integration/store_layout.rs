//! How a store lies on the disk: few files for any records, the same ones in any order, and only those of a window are read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::slice;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{closegate, fixtures, printed, sample};
use crate::small::{Case, START};
use crate::trail::{launched, terminated};

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
                      log-status pkt-dst-aws-service\n";

fn ingest(logs: &[PathBuf], store: &Path) -> String {
    let mut command = closegate();
    command.arg("ingest").arg("--flows").args(logs);
    command.arg("--inventory").arg(fixtures().join("inventory"));
    printed(command.arg("--store").arg(store))
}

/// The Parquet files of a store, by path below it.
fn tables(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = walkdir::WalkDir::new(store).into_iter();
    let files = files.map(|entry| entry.unwrap().into_path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .map(|path| {
            let content = fs::read(&path).unwrap();
            (path.strip_prefix(store).unwrap().to_path_buf(), content)
        })
        .collect()
}

fn audit(from: &[&str], evidence: &[PathBuf], out: &Path) -> assert_cmd::Command {
    let mut command = closegate();
    command.arg("audit").args(from).args(evidence);
    command.arg("--inventory").arg(sample().join("inventory"));
    command.arg("--out").arg(out);
    command
}

/// Every file of a run.
fn run(command: &mut assert_cmd::Command, out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    command.assert().success();
    let files = walkdir::WalkDir::new(out).into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let content = fs::read(entry.path()).unwrap();
            (
                entry.path().strip_prefix(out).unwrap().to_path_buf(),
                content,
            )
        })
        .collect()
}

fn document(run: &BTreeMap<PathBuf, Vec<u8>>) -> Value {
    serde_json::from_slice(&run[Path::new("audit.json")]).unwrap()
}

fn write(dir: &Path, name: &str, rows: &[String]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, HEADER.to_owned() + &rows.concat()).unwrap();
    path
}

/// A log may name any day until 2106. Its days share files, and neither the order of the rows nor the runs change a byte of them.
#[test]
fn thousands_of_days_are_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let row = |day: u64| {
        let start = day * 86_400 + 1_000;
        let times = format!("{start} {}", start + 60);
        let (third, last) = (day / 250 % 250, day % 250 + 1);
        let mut rows = match day % 50 {
            0 => format!(
                "5 123456789012 eni-{} - - - - - - - {times} - NODATA -\n",
                day % 7
            ),
            1 => format!(
                "5 123456789012 eni-{} - - - - - - - {times} - SKIPDATA -\n",
                day % 7
            ),
            2 => format!(
                "5 123456789012 eni-2 2001:db8::1 2001:db8::{last} 40000 443 6 1 60 {times} ACCEPT OK -\n"
            ),
            _ => String::new(),
        };
        let service = match day % 3 {
            0 => "S3",
            1 => "DYNAMODB",
            _ => "-",
        };
        writeln!(
            rows,
            "5 123456789012 eni-1 10.0.0.1 52.1.{third}.{last} 40000 443 6 1 60 {times} ACCEPT OK {service}"
        )
        .unwrap();
        // One address, whose service differs from day to day.
        writeln!(
            rows,
            "5 123456789012 eni-1 10.0.0.1 52.2.0.1 40000 443 6 1 60 {times} ACCEPT OK {service}"
        )
        .unwrap();
        rows
    };
    let mut rows: Vec<String> = (0..5_000).map(row).collect();
    let whole = write(dir.path(), "whole.log", &rows);
    let halves = [
        write(dir.path(), "first.log", &rows[..2_500]),
        write(dir.path(), "second.log", &rows[2_500..]),
    ];
    rows.reverse();
    let backwards = write(dir.path(), "backwards.log", &rows);

    let place = |name: &str| dir.path().join(name);
    let said = ingest(slice::from_ref(&whole), &place("a"));
    assert!(said.contains("5,000 days, 10,100 flows"), "{said}");
    let files = tables(&place("a"));
    // 10,300 records: tables of 2,048, 2,048 and 904 days, each with at most 8,192 records.
    assert_eq!(files.len(), 12, "{:?}", files.keys());
    ingest(&[backwards], &place("b"));
    assert!(tables(&place("b")) == files, "rows in another order");
    for half in halves.iter().rev() {
        ingest(slice::from_ref(half), &place("c"));
    }
    assert!(tables(&place("c")) == files, "in two runs");

    let out = place("run");
    let from_logs = run(&mut audit(&["--flows"], &[whole], &out), &out);
    let from_store = run(&mut audit(&["--store"], &[place("a")], &out), &out);
    assert!(from_logs == from_store);
    let some = ["--since", "1970-02-01", "--until", "1970-02-03", "--store"];
    let some = document(&run(&mut audit(&some, &[place("a")], &out), &out));
    // Days 31 and 32.
    assert_eq!(some["input"]["records_read"], 4);
    assert_eq!(some["window"]["start"], 31 * 86_400 + 1_000);
    assert_eq!(some["window"]["end"], 32 * 86_400 + 1_060);
}

/// Five-minute files, a run each: the day lies in a few tables while it grows, and in one when the next day has begun.
#[test]
fn a_large_day_is_not_written_whole_in_every_run() {
    let dir = tempfile::tempdir().unwrap();
    let log = |number: u64| {
        let start = 1_793_577_600 + number * 300;
        let row = |n: u64| {
            let port = 1_024 + n % 50;
            format!(
                "5 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 {port} 6 1 60 {start} {} ACCEPT OK -\n",
                start + 60 + n
            )
        };
        let rows: Vec<String> = (0..6_000).map(row).collect();
        write(dir.path(), &format!("{number}.log"), &rows)
    };
    let store = dir.path().join("store");
    let mut logs: Vec<PathBuf> = (0..14).map(log).collect();
    let mut most = 0;
    for log in &logs {
        ingest(slice::from_ref(log), &store);
        let files = tables(&store).into_keys();
        let flows = files.filter(|path| path.to_string_lossy().contains("/flows-"));
        most = most.max(flows.count());
    }
    assert!((2..=3).contains(&most), "{most} tables");
    let verified = printed(closegate().args(["store", "verify"]).arg(&store));
    assert!(verified.contains("whole: 1 day,"), "{verified}");
    let out = dir.path().join("run");
    let from_logs = run(&mut audit(&["--flows"], &logs, &out), &out);
    let from_store = run(
        &mut audit(&["--store"], slice::from_ref(&store), &out),
        &out,
    );
    assert!(from_logs == from_store);

    logs.push(log(288));
    ingest(&logs[14..], &store);
    let at_once = dir.path().join("at-once");
    ingest(&logs, &at_once);
    assert_eq!(tables(&store).len(), 8);
    assert!(tables(&store) == tables(&at_once));
}

/// A store can't tell a day's records from before a change of groups from those after it, in however many tables they lie.
#[test]
fn a_day_in_several_tables_is_judged_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Case::web_and_db(&[]).write(dir);
    let noon = START + 43_200;
    // One address, which passes from an interface to another at noon.
    let trail = [
        launched(START - 100, "i-8", "eni-8", "10.0.0.9", &["sg-b"]),
        terminated(noon - 10, "i-8"),
        launched(noon, "i-9", "eni-9", "10.0.0.9", &["sg-a"]),
    ];
    fs::write(
        dir.join("trail.json"),
        json!({"Records": trail}).to_string(),
    )
    .unwrap();
    let log = |hour: u64| {
        let start = START + hour * 3_600;
        let row = |n: u64| {
            format!(
                "5 123456789012 eni-2 10.0.0.9 10.0.0.2 40000 3306 6 1 60 {start} {} ACCEPT OK -\n",
                start + 60 + n
            )
        };
        let rows: Vec<String> = (0..6_000).map(row).collect();
        write(dir, &format!("{hour}.log"), &rows)
    };
    let logs: Vec<PathBuf> = (0..14).map(log).collect();
    let (parts, whole) = (dir.join("parts"), dir.join("whole"));
    for log in &logs {
        ingest(slice::from_ref(log), &parts);
    }
    ingest(&logs, &whole);
    assert!(tables(&parts).len() > tables(&whole).len());
    let out = dir.join("run");
    let judged = |store: &Path| {
        let mut command = closegate();
        command.arg("audit").arg("--store").arg(store);
        command.arg("--inventory").arg(dir.join("inventory"));
        command.arg("--cloudtrail").arg(dir.join("trail.json"));
        run(command.arg("--out").arg(&out), &out)
    };
    let of_parts = judged(&parts);
    let said = document(&of_parts);
    assert_eq!(said["connections"].as_array().unwrap().len(), 1);
    assert!(of_parts == judged(&whole));
}

#[test]
fn a_window_of_a_store_is_whole_days() {
    let dir = tempfile::tempdir().unwrap();
    let (store, out) = (dir.path().join("store"), dir.path().join("run"));
    ingest(&[sample().join("flows/custom")], &store);
    let window = |bounds: &[&str]| {
        let mut words = bounds.to_vec();
        words.push("--store");
        let mut command = audit(&words, slice::from_ref(&store), &out);
        let done = command.assert().success();
        let said = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        (run(&mut command, &out), said)
    };
    // Every file of the sample is a day.
    let day = sample().join("flows/custom/day-2.log.gz");
    let from_logs = document(&run(&mut audit(&["--flows"], &[day], &out), &out));
    let (exact, said) = window(&["--since", "2026-11-03", "--until", "2026-11-04"]);
    assert!(!said.contains("whole days"), "{said}");
    let exact = document(&exact);
    for key in ["connections", "rules", "findings", "replay", "notes"] {
        assert_eq!(exact[key], from_logs[key], "{key}");
    }
    assert_eq!(exact["window"], from_logs["window"]);
    let (read, left) = ("records_read", "records_outside_window");
    assert_eq!(exact["input"][read], from_logs["input"][read]);
    let count = |key: &str| exact["input"][key].as_u64().unwrap();
    assert_eq!(count(read) + count(left), 6_687);

    // What a store can't tell apart is not left out, and the run says so.
    let bounds = [
        "--since",
        "2026-11-03T10:00:00Z",
        "--until",
        "2026-11-03T11:00:00Z",
    ];
    let (wider, said) = window(&bounds);
    let says = "widens the window to --since 2026-11-03 --until 2026-11-04";
    assert!(said.contains(says), "{said}");
    let report = String::from_utf8_lossy(&wider[Path::new("report.json")]).into_owned();
    assert!(report.contains(says));
    let wider = document(&wider);
    assert_eq!(wider["connections"], exact["connections"]);
    assert_eq!(wider["window"], exact["window"]);
    assert!(wider["notes"].to_string().contains(says));

    let (all, said) = window(&["--since", "2026-01-01", "--until", "2027-01-01"]);
    assert!(!said.contains("whole days"), "{said}");
    assert!(window(&[]).0 == all);

    let nothing = audit(
        &["--since", "2027-01-01", "--store"],
        slice::from_ref(&store),
        &out,
    )
    .assert();
    let says = [
        "nothing in the window",
        "2026-11-02 to 2026-11-04",
        "6,687 records",
    ];
    fails(nothing, 3, &says);

    let mut verify = closegate();
    verify
        .args(["verify", "--current", "--json", "--store"])
        .arg(&store);
    verify.args(["--since", "2026-11-03", "--until", "2026-11-04"]);
    verify.arg("--inventory").arg(sample().join("inventory"));
    let verified: Value = serde_json::from_str(&printed(&mut verify)).unwrap();
    let connections = exact["connections"].as_array().unwrap().len();
    assert_eq!(verified["connections"], connections);
}

/// The files of other days may be gone.
#[test]
fn only_the_files_of_the_window_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let row = |day: u64, n: u64| {
        let start = 1_793_577_600 + day * 86_400 + n;
        format!(
            "5 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 60 {start} {} ACCEPT OK -\n",
            start + 60
        )
    };
    // As many as make each day have a table of its own.
    let rows = (0..3).flat_map(|day| (0..8_193).map(move |n| row(day, n)));
    let log = write(dir.path(), "three-days.log", &rows.collect::<Vec<_>>());
    let (store, out) = (dir.path().join("store"), dir.path().join("run"));
    ingest(&[log], &store);
    assert_eq!(tables(&store).len(), 12);
    for name in tables(&store).into_keys() {
        if !name.starts_with("day=2026-11-03") {
            fs::write(store.join(name), "x").unwrap();
        }
    }
    let bounds = ["--since", "2026-11-03", "--until", "2026-11-04", "--store"];
    let one = document(&run(
        &mut audit(&bounds, slice::from_ref(&store), &out),
        &out,
    ));
    assert_eq!(one["input"]["records_read"], 8_193);
    assert_eq!(one["input"]["records_outside_window"], 2 * 8_193);
    let more = audit(&["--since", "2026-11-03", "--store"], &[store], &out).assert();
    fails(more, 2, &["day=2026-11-04", "damaged"]);
}

/// A store of an earlier closegate, which had a table for each day and did not count records without traffic.
#[test]
fn a_store_of_an_earlier_version_is_read_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let old = fixtures().join("store-version-2");
    for entry in walkdir::WalkDir::new(&old) {
        let entry = entry.unwrap();
        let to = dir.path().join(entry.path().strip_prefix(&old).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    let (store, out) = (dir.path().join("store"), dir.path().join("run"));
    let command = |from: &[&str]| {
        let mut command = audit(from, &[], &out);
        command.current_dir(dir.path());
        command
    };
    let from_logs = run(&mut command(&["--flows", "first.log"]), &out);
    let from_store = run(&mut command(&["--store", "store"]), &out);
    assert!(from_logs == from_store);
    let bounds = ["--since", "2026-11-02", "--store", "store"];
    let second = document(&run(&mut command(&bounds), &out));
    assert_eq!(second["input"]["records_read"], 2);
    assert_eq!(second["input"]["records_outside_window"], 2);
    let manifest = || fs::read_to_string(store.join("manifest.json")).unwrap();
    assert!(
        manifest().contains("\"schema_version\": 2"),
        "an audit writes nothing"
    );
    assert_eq!(
        printed(closegate().args(["store", "verify"]).arg(&store)),
        "8 of 8 files whole: 2 days, 3 flows\n"
    );

    let ingest = |into: &str| {
        let mut command = closegate();
        command.current_dir(dir.path());
        command.args([
            "ingest",
            "--flows",
            "first.log",
            "second.log",
            "--store",
            into,
        ]);
        command.arg("--inventory").arg(fixtures().join("inventory"));
        printed(&mut command)
    };
    let said = ingest("store");
    assert!(said.contains("1 file known before"), "{said}");
    ingest("new");
    assert!(manifest().contains("\"schema_version\": 3"));
    assert_eq!(
        manifest(),
        fs::read_to_string(dir.path().join("new/manifest.json")).unwrap()
    );
    assert!(tables(&store) == tables(&dir.path().join("new")));
}

/// A killed run may leave many tables of one day. Those have files in common: what they name no service in, for one.
#[test]
fn a_run_that_is_killed_between_batches_of_a_day_leaves_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for number in 0..60 {
        let start = 1_793_577_600 + number * 300;
        let row = |n: u64| {
            format!(
                "5 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 60 {start} {} ACCEPT OK -\n",
                start + 60 + n % 7
            )
        };
        let rows: Vec<String> = (0..300).map(row).collect();
        let (hour, minute) = (number / 12, number % 12 * 5);
        let stamp = format!("20261102T{hour:02}{minute:02}Z");
        write(
            &logs,
            &format!("1_vpcflowlogs_us-east-1_fl-1_{stamp}_x.log"),
            &rows,
        );
    }
    let clean = dir.path().join("clean");
    ingest(slice::from_ref(&logs), &clean);
    let mut of_several = 0;
    for round in 1..=20u64 {
        let store = dir.path().join(format!("killed-{round}"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_closegate"))
            .args(["ingest", "--hold", "1", "--flows"])
            .arg(&logs)
            .arg("--inventory")
            .arg(fixtures().join("inventory"))
            .arg("--store")
            .arg(&store)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(round * 30));
        child.kill().unwrap();
        child.wait().unwrap();
        let Ok(manifest) = fs::read_to_string(store.join("manifest.json")) else {
            continue;
        };
        of_several += u32::from(manifest.matches("/flows-").count() > 1);
        let mut verify = closegate();
        printed(verify.args(["store", "verify"]).arg(&store));
        ingest(slice::from_ref(&logs), &store);
        assert!(tables(&store) == tables(&clean));
    }
    assert!(of_several > 0, "every run was killed too early or too late");
}
