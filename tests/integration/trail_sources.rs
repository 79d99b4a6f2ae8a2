//! Where `--cloudtrail` reads trail files on this machine, and what it refuses.

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::closegate;
use crate::small::{Case, START, connections};
use crate::trail::launched;

/// An account whose logs have an interface that its inventory lacks, and the trail file that tells of it.
pub(crate) fn vanished(dir: &Path) -> String {
    Case::web_and_db(&["eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6"]).write(dir);
    json!({"Records": [launched(START - 100, "i-9", "eni-9", "10.0.0.9", &["sg-a"])]}).to_string()
}

/// Its only connection, with the trail file and without it.
pub(crate) const TOLD: &str = "10.0.0.9 10.0.0.2 tcp/3306 accepted - permitted";
pub(crate) const UNTOLD: &str =
    "10.0.0.9 10.0.0.2 tcp/3306 unattributed unknown-interface unjudged";

/// Audits the account that lies in `dir`.
pub(crate) fn audit(mut command: assert_cmd::Command, dir: &Path, trail: &[&str]) -> Assert {
    command
        .current_dir(dir)
        .args(["audit", "--flows", "flows.log", "--inventory", "inventory"])
        .args(["--out", "run"]);
    if !trail.is_empty() {
        command.arg("--cloudtrail").args(trail);
    }
    command.assert()
}

/// What the last audit in `dir` says of connections.
pub(crate) fn said(dir: &Path) -> Vec<String> {
    let audit: Value =
        serde_json::from_slice(&fs::read(dir.join("run/audit.json")).unwrap()).unwrap();
    connections(&audit)
}

#[test]
fn trail_files_are_found_by_file_directory_and_glob() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let trail = vanished(dir);
    fs::create_dir_all(dir.join("trail/2025/10")).unwrap();
    fs::write(dir.join("trail/2025/10/a.json"), &trail).unwrap();
    // What CloudTrail signs its files with lies beside them.
    let digest = json!({"digestS3Object": "AWSLogs/1/CloudTrail-Digest/x.json.gz", "logFiles": []});
    fs::write(dir.join("trail/digest.json"), digest.to_string()).unwrap();
    audit(closegate(), dir, &[]).success();
    assert_eq!(said(dir), [UNTOLD]);
    for sources in [
        &["trail/2025/10/a.json"][..],
        &["trail"],
        &["trail/*/*/*.json"],
        &["trail/digest.json", "trail/2025"],
        // The same event twice is one.
        &["trail", "./trail/2025"],
    ] {
        audit(closegate(), dir, sources).success();
        assert_eq!(said(dir), [TOLD], "{sources:?}");
    }
}

#[test]
fn verify_and_a_store_take_trail_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("trail.json"), vanished(dir)).unwrap();
    let verify = |more: &[&str]| -> Value {
        let mut command = closegate();
        command.current_dir(dir).args(["verify", "--current"]);
        command.args(["--flows", "flows.log", "--inventory", "inventory", "--json"]);
        let done = command.args(more).assert().success();
        serde_json::from_slice(&done.get_output().stdout).unwrap()
    };
    let (without, with) = (verify(&[]), verify(&["--cloudtrail", "trail.json"]));
    let counts = |said: &Value| [said["permitted"].clone(), said["unattributed"].clone()];
    assert_eq!(counts(&without), [0, 1], "{without}");
    assert_eq!(counts(&with), [1, 0], "{with}");

    let mut ingest = closegate();
    ingest
        .current_dir(dir)
        .args(["ingest", "--flows", "flows.log"]);
    let store = ["--inventory", "inventory", "--store", "store"];
    ingest.args(store).assert().success();
    let mut command = closegate();
    command.current_dir(dir).args(["audit", "--out", "run"]);
    command.args(store).args(["--cloudtrail", "trail.json"]);
    command.assert().success();
    assert_eq!(said(dir), [TOLD]);
}

#[test]
fn what_is_no_trail_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let trail = vanished(dir);
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("other.json"), "{\"a\": 1}").unwrap();
    fs::write(dir.join("text.json"), "no JSON").unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, trail.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    fs::write(dir.join("cut.json.gz"), &packed[..packed.len() / 2]).unwrap();
    for (source, says) in [
        ("nowhere.json", &["`nowhere.json`", "--cloudtrail"][..]),
        ("empty", &["`empty`", "--cloudtrail"]),
        ("*.none", &["`*.none`", "--cloudtrail"]),
        ("[", &["`[`", "--cloudtrail"]),
        ("other.json", &["`other.json`", "no trail file"]),
        ("text.json", &["`text.json`"]),
        ("cut.json.gz", &["`cut.json.gz`", "damaged"]),
        ("-", &["`-`", "--cloudtrail"]),
        ("cloudwatch:trail", &["`cloudwatch:trail`", "--cloudtrail"]),
        ("athena:a.b", &["`athena:a.b`", "--cloudtrail"]),
        ("insights:trail", &["`insights:trail`", "--cloudtrail"]),
    ] {
        let refused = audit(closegate(), dir, &[source]);
        let error = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(!error.contains("flow source"), "{source}: {error}");
        fails(refused, 2, says);
        assert!(!dir.join("run").exists(), "{source}");
    }
}
