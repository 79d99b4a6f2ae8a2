//! The connection store: what it gives is what the logs give, however it was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::{closegate, sample};

/// Every file below a directory, but for the lock.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "lock")
        .map(|entry| {
            let name = entry.path().strip_prefix(dir).unwrap().to_path_buf();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// The sample's log files of both formats: several flow logs of the same traffic.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let mut logs = Vec::new();
    for format in ["custom", "default"] {
        for day in 1..=3 {
            let log = dir.join(format!("{format}-{day}.log.gz"));
            fs::copy(
                sample().join(format!("flows/{format}/day-{day}.log.gz")),
                &log,
            )
            .unwrap();
            logs.push(log);
        }
    }
    logs
}

fn ingest(store: &Path, logs: &[PathBuf]) -> String {
    let output = closegate()
        .arg("ingest")
        .arg("--flows")
        .args(logs)
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--store")
        .arg(store)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn audit(from: &[&str], evidence: &[PathBuf], out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    closegate()
        .arg("audit")
        .args(from)
        .args(evidence)
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--out")
        .arg(out)
        .assert()
        .success();
    tree(out)
}

/// Byte by byte, every file of the run: the input's account included.
#[test]
fn an_audit_of_the_store_is_an_audit_of_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let all = logs(dir.path());
    for (name, logs) in [
        ("custom", &all[..3]),
        ("default", &all[3..]),
        ("both", &all[..]),
    ] {
        let store = dir.path().join(format!("store-{name}"));
        ingest(&store, logs);
        let from_logs = audit(&["--flows"], logs, &dir.path().join("run-logs"));
        let from_store = audit(&["--store"], &[store], &dir.path().join("run-store"));
        assert!(from_logs.len() > 7);
        assert_eq!(from_store, from_logs, "{name}");
    }
}

#[test]
fn reading_again_or_in_parts_or_elsewhere_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let logs = &logs(dir.path())[..3];
    let place = |name: &str| dir.path().join(name);
    ingest(&place("whole"), logs);
    let whole = tree(&place("whole"));
    assert!(
        whole
            .keys()
            .filter(|name| name.ends_with("manifest.json"))
            .count()
            == 1
    );
    assert!(ingest(&place("whole"), logs).contains("3 files known before"));
    assert_eq!(tree(&place("whole")), whole, "twice");
    for log in logs.iter().rev() {
        ingest(&place("parts"), std::slice::from_ref(log));
    }
    assert_eq!(tree(&place("parts")), whole, "one by one");
    for (number, log) in logs.iter().enumerate() {
        ingest(
            &place(&format!("machine-{number}")),
            std::slice::from_ref(log),
        );
    }
    let merge = |into: &str, from: &[PathBuf]| {
        closegate()
            .args(["ingest", "--store"])
            .arg(place(into))
            .arg("--merge")
            .args(from)
            .assert()
            .success();
    };
    let machines: Vec<PathBuf> = (0..3).map(|n| place(&format!("machine-{n}"))).collect();
    merge("merged", &machines);
    assert_eq!(tree(&place("merged")), whole, "merged");
    merge("merged", &machines[1..2]);
    assert_eq!(tree(&place("merged")), whole, "merged again");
}

/// Killed after any time, and run again: nothing is lost, nothing counted twice.
#[test]
fn a_killed_run_leaves_a_store_that_can_go_on() {
    let dir = tempfile::tempdir().unwrap();
    // Of one flow log, so that every file may be a batch of its own.
    let named = |log: &PathBuf| {
        let stem = log.file_stem().unwrap().to_str().unwrap();
        let name = format!("1_vpcflowlogs_us-east-1_fl-1_{stem}.gz");
        fs::rename(log, dir.path().join(&name)).unwrap();
        dir.path().join(name)
    };
    let logs: Vec<PathBuf> = logs(dir.path())[..3].iter().map(named).collect();
    let logs = &logs;
    let clean = dir.path().join("clean");
    ingest(&clean, logs);
    let clean = tree(&clean);
    let store = dir.path().join("killed");
    let mut killed = 0;
    for round in 0..60u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_closegate"))
            .arg("ingest")
            .arg("--flows")
            .args(logs)
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .arg("--store")
            .arg(&store)
            // Every file is a batch of its own.
            .args(["--hold", "1"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(round * 4));
        let over = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += u32::from(over.is_none());
        // Whatever is there can be read, or nothing is.
        let manifest = fs::read(store.join("manifest.json"));
        if let Ok(manifest) = manifest {
            serde_json::from_slice::<serde_json::Value>(&manifest).unwrap();
        }
    }
    assert!(killed > 3, "{killed} runs were killed before their end");
    ingest(&store, logs);
    assert_eq!(tree(&store), clean);
}

/// What cannot be counted right is refused, in one sentence.
#[test]
fn what_the_store_cannot_tell_apart_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let logs = logs(dir.path());
    let named = |id: &str, stamp: &str, from: &Path| {
        let name = format!("1_vpcflowlogs_us-east-1_{id}_{stamp}_x.log.gz");
        let to = dir.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    let store = dir.path().join("store");
    ingest(
        &store,
        &[
            named("fl-1", "20261101T0005Z", &logs[0]),
            named("fl-2", "20261101T0005Z", &logs[3]),
        ],
    );
    let fails = |flows: &Path, says: &str| {
        let output = closegate()
            .arg("ingest")
            .arg("--flows")
            .arg(flows)
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .arg("--store")
            .arg(&store)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says), "{error}");
        crate::troubleshooting::parts(&error);
    };
    let before = tree(&store);
    fails(&named("fl-2", "20261101T0000Z", &logs[4]), "too late");
    let changed = named("fl-1", "20261101T0005Z", &logs[1]);
    fails(&changed, "another size");
    fails(Path::new("-"), "pipe or a device");
    assert_eq!(tree(&store), before, "nothing was touched");
    ingest(&store, &[named("fl-2", "20261102T0000Z", &logs[4])]);
}
