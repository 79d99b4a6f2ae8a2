//! Which sources the arguments name, and which time of them is read.

use std::fs;
use std::path::Path;

use crate::cli::fails;
use crate::common::{closegate, fixtures, printed, sample};

/// What AWS calls a flow log object.
const OBJECT: &str =
    "123456789012_vpcflowlogs_us-east-1_fl-0123456789abcdef0_20261101T0005Z_abcd1234.log";

/// Audits sources as they are typed in `dir`: the records read, the duplicates among them, and standard error.
fn audit(dir: &Path, flows: &[&str]) -> (u64, u64, String) {
    let done = closegate()
        .current_dir(dir)
        .args(["audit", "--out", "run", "--inventory"])
        .arg(fixtures().join("inventory"))
        .arg("--flows")
        .args(flows)
        .assert()
        .success();
    let audit: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("run/audit.json")).unwrap()).unwrap();
    let count = |name: &str| audit["input"][name].as_u64().unwrap();
    let error = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    (count("records_read"), count("records_duplicate"), error)
}

fn log() -> String {
    fs::read_to_string(fixtures().join("irc/positive.log")).unwrap()
}

#[test]
fn a_file_is_read_once_whatever_path_leads_to_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("flows/sub")).unwrap();
    fs::write(dir.path().join("flows/sub/a.log"), log()).unwrap();
    let once = audit(dir.path(), &["flows/sub/a.log"]);
    assert!(once.0 > 0 && once.1 == 0, "{once:?}");
    for flows in [
        &["flows/sub/a.log", "./flows/sub/a.log"][..],
        &["flows", "flows/sub"],
        &["flows/*/*.log", "./flows"],
        &["flows/sub/../sub/a.log", "flows/sub/a.log"],
    ] {
        assert_eq!(audit(dir.path(), flows), once, "{flows:?}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("flows/sub/a.log", dir.path().join("link.log")).unwrap();
        std::os::unix::fs::symlink("flows", dir.path().join("more")).unwrap();
        for flows in [&["flows", "link.log"][..], &["more", "flows"]] {
            assert_eq!(audit(dir.path(), flows), once, "{flows:?}");
        }
    }
}

#[test]
fn a_flow_log_object_below_two_directories_is_read_once_and_named() {
    let dir = tempfile::tempdir().unwrap();
    for place in ["a", "b", "c"] {
        fs::create_dir(dir.path().join(place)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(&format!("a/{OBJECT}"), &log());
    write(&format!("b/{OBJECT}"), &log());
    let (records, _, error) = audit(dir.path(), &["a"]);
    assert_eq!(error, "");
    for flows in [["a", "b"], ["b", "a"]] {
        let (again, _, error) = audit(dir.path(), &flows);
        assert_eq!(again, records);
        assert_eq!(
            error,
            format!(
                "`b/{OBJECT}` is the same flow log object as `a/{OBJECT}`: closegate reads it once\n"
            )
        );
    }
    // A download that was cut off does not stand for the whole.
    let half = log()
        .lines()
        .take(2)
        .fold(String::new(), |text, line| text + line + "\n");
    write(&format!("a/{OBJECT}"), &half);
    write(&format!("c/{OBJECT}"), &log());
    let (again, _, error) = audit(dir.path(), &["a", "b", "c"]);
    assert_eq!(again, records);
    assert!(
        error.contains("their sizes differ, so closegate reads the larger one (and 1 file more")
            && error.starts_with(&format!("`a/{OBJECT}` is the same")),
        "{error}"
    );
}

/// The next ingest finds the object elsewhere: it was moved, or is named by another path.
#[test]
fn a_store_does_not_read_a_copy_of_an_object_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    for place in ["a", "b"] {
        fs::create_dir(dir.path().join(place)).unwrap();
        fs::write(dir.path().join(place).join(OBJECT), log()).unwrap();
    }
    let store = |arguments: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .arg("ingest")
            .args(arguments);
        command
    };
    let inventory = fixtures().join("inventory").display().to_string();
    let ingest = |into: &str, flows: &str| {
        let inputs = ["--store", into, "--flows", flows, "--inventory", &inventory];
        printed(&mut store(&inputs))
    };
    let first = ingest("store", "a");
    assert!(first.contains("1 new file, 8 records"), "{first}");
    let again = ingest("store", "b");
    assert!(again.contains("0 new files, 0 records"), "{again}");
    assert!(again.contains("1 file known before"), "{again}");
    ingest("other", "b");
    let merged = printed(&mut store(&["--store", "store", "--merge", "other"]));
    assert!(
        merged.contains("0 new files; 1 file known before"),
        "{merged}"
    );
    // What changed is not a copy.
    fs::write(dir.path().join("b").join(OBJECT), log() + "\n").unwrap();
    let inputs = [
        "--store",
        "store",
        "--flows",
        "b",
        "--inventory",
        &inventory,
    ];
    let refused = store(&inputs).assert();
    fails(refused, 2, &[OBJECT, "has another size now"]);
}

/// A name that anybody may give says nothing about the content.
#[test]
fn files_of_equal_names_are_both_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = log();
    let (head, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let (first, second) = rows.split_at(rows.len() / 2);
    for (place, rows) in [("a", first), ("b", second)] {
        fs::create_dir(dir.path().join(place)).unwrap();
        let path = dir.path().join(place).join("flows.log");
        fs::write(path, format!("{head}\n{}\n", rows.join("\n"))).unwrap();
    }
    let (records, _, error) = audit(dir.path(), &["a", "b"]);
    assert_eq!((records, error.as_str()), (rows.len() as u64, ""));
}

/// Runs a command over a part of the sample's logs.
fn bounded(command: &str, bounds: &[&str]) -> assert_cmd::assert::Assert {
    let dir = tempfile::tempdir().unwrap();
    let target: &[&str] = match command {
        "audit" => &["--out", "run"],
        _ => &["--current", "--json"],
    };
    closegate()
        .current_dir(dir.path())
        .arg(command)
        .args(target)
        .args(bounds)
        .arg("--flows")
        .arg(sample().join("flows/custom"))
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .assert()
}

#[test]
fn a_date_is_its_midnight_in_utc() {
    let answer = |bounds: &[&str]| {
        let done = bounded("verify", bounds);
        let output = done.get_output().clone();
        assert!(output.stderr.is_empty(), "{bounds:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let times = answer(&[
        "--since",
        "2026-11-03T00:00:00Z",
        "--until",
        "2026-11-04T00:00:00Z",
    ]);
    assert_eq!(
        answer(&["--since", "2026-11-03", "--until", "2026-11-04"]),
        times
    );
    assert_ne!(answer(&["--since", "2026-11-03"]), times);
    let query = |since: &str| {
        let mut command = closegate();
        command.args([
            "query",
            "connections",
            "--engine",
            "athena",
            "--since",
            since,
        ]);
        printed(&mut command)
    };
    assert_eq!(query("2026-11-03"), query("2026-11-03T00:00:00Z"));
    // Which hour is meant, and where, nobody can tell.
    for wrong in ["2026-11-3", "2026-13-01", "2026-11-03T10:00", "20261103"] {
        fails(
            bounded("audit", &["--since", wrong]),
            2,
            &[wrong, "2026-11-01"],
        );
    }
}

#[test]
fn a_window_without_records_says_what_the_logs_cover() {
    for command in ["audit", "verify"] {
        for bounds in [["--since", "2030-01-01"], ["--until", "2020-01-01"]] {
            fails(
                bounded(command, &bounds),
                3,
                &[
                    "nothing in the window: --since and --until leave out 6,687 records",
                    "the logs cover 2026-11-02 to 2026-11-04",
                ],
            );
        }
    }
    // Of one day, the time of it.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("flows.log"), log()).unwrap();
    let done = closegate()
        .current_dir(dir.path())
        .args(["audit", "--out", "run", "--flows", "flows.log"])
        .args(["--since", "2030-01-01", "--inventory"])
        .arg(fixtures().join("inventory"))
        .assert();
    fails(
        done,
        3,
        &["the logs cover 2026-11-02, 00:00:00 to 00:00:59 UTC"],
    );
}

/// No record is of 1970: a time of 0 is one that is missing.
#[test]
fn a_time_of_zero_is_unknown_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let text = log().replace(" 1793577600 1793577659 ", " 0 0 ");
    fs::write(dir.path().join("flows.log"), text).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = closegate();
        command.current_dir(dir.path()).args(arguments);
        printed(&mut command)
    };
    let inventory = fixtures().join("inventory").display().to_string();
    let audit = ["audit", "--out", "run", "--flows", "flows.log"];
    let summary = run(&[&audit[..], &["--inventory", &inventory]].concat());
    assert!(!summary.contains("1970"), "{summary}");
    for format in ["csv", "markdown", "html"] {
        let text = run(&["report", "run", "--format", format]);
        assert!(!text.contains("1970-01-01"), "{format}: {text}");
    }
    let plan = fs::read_to_string(dir.path().join("run/rules/plan.md")).unwrap();
    assert!(!plan.contains("1970"), "{plan}");
    let report = run(&["report", "run", "--format", "markdown"]);
    assert!(report.contains("unknown to unknown"), "{report}");
}
