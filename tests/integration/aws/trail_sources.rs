//! CloudTrail's events, from `LookupEvents` and from a trail's bucket: the same result as from files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use closegate::aws::calls::{CALLS, Caller};
use closegate::inventory::TRAIL_EVENTS;
use serde_json::{Value, json};

use super::peers::Peer;
use crate::cli::fails;
use crate::common::closegate;
use crate::small::START;
use crate::trail::{launched, terminated};
use crate::trail_sources::{TOLD, UNTOLD, audit, said, vanished};

/// What CloudTrail remembers of an account: five launches, the end of one, one that failed, and one whose record is damaged.
fn remembered(dir: &Path) -> std::path::PathBuf {
    let launch = |number: u64| {
        let mut record = launched(
            START - 100 - number,
            &format!("i-{number}"),
            &format!("eni-{number}"),
            &format!("10.0.0.{number}"),
            &["sg-a"],
        );
        record["sourceIPAddress"] = json!("93.184.216.34");
        record["userIdentity"]["accessKeyId"] = json!("AKIASECRET");
        record["requestParameters"] = json!({
            "iamInstanceProfile": {"name": "secret-profile"}, "launchTemplate": {"launchTemplateName": "secret-template", "version": "1"},
            "instancesSet": {"items": [{"imageId": "ami-1", "keyName": "secret-key"}]}, "userData": "<sensitiveDataRemoved>",
            "tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": [{"key": "owner", "value": "secret-owner"}]}]},
        });
        record
    };
    let mut failed = launch(5);
    failed["errorCode"] = json!("Client.UnauthorizedOperation");
    let mut records: Vec<Value> = (6..=10).map(launch).collect();
    records.extend([
        failed,
        terminated(START - 50, "i-6"),
        // The record of an event is text, which may hold anything.
        json!("{\"eventName\": \"RunInst"),
        json!("[]"),
    ]);
    let path = dir.join("remembered.json");
    fs::write(&path, Value::from(records).to_string()).unwrap();
    path
}

/// Collects with `--history`; CloudTrail is another peer than the rest.
fn collect(moto: &Peer, cloudtrail: &Peer, out: &Path) -> assert_cmd::Command {
    let mut command = moto.closegate();
    command
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", cloudtrail.url())
        .args(["collect", "inventory", "--history", "--region", "us-east-1"])
        .arg("--out")
        .arg(out);
    command
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What a snapshot's manifest says of an operation, under `calls` or `refused`.
fn manifest(out: &Path, list: &str, operation: &str) -> Value {
    let manifest = read(&out.join("manifest.json"));
    let all = manifest[list].as_array().unwrap();
    let of = all.iter().find(|call| call["operation"] == operation);
    of.cloned().unwrap_or_default()
}

#[test]
fn history_is_every_event_that_cloudtrail_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let moto = Peer::moto();
    let cloudtrail = Peer::cloudtrail(&remembered(dir));
    let proxy = Peer::faults(&cloudtrail);
    let out = dir.join("snapshot");
    let events = out.join("123456789012/us-east-1/cloudtrail.json");
    // A call that is throttled, or breaks, is made again.
    proxy.break_with(
        r#"[{"op":"LookupEvents","kind":"throttle","skip":1,"times":2},{"op":"LookupEvents","kind":"reset","skip":6,"times":1}]"#,
    );
    collect(&moto, &proxy, &out).assert().success();
    let seen = proxy.seen();
    assert!(
        seen.iter()
            .all(|(operation, _)| operation == "LookupEvents")
    );
    let broken = seen.iter().filter(|(_, broken)| broken.is_some()).count();
    // Eight of RunInstances are four pages; each other name has one.
    let pages = TRAIL_EVENTS.len() + 3;
    // Two are throttled and one is reset.
    assert_eq!((broken, seen.len()), (3, pages + 3));
    let call = manifest(&out, "calls", "LookupEvents");
    assert_eq!(call["pages"], pages);
    let records = read(&events)["Records"].as_array().unwrap().clone();
    let mut ids: Vec<&str> = records
        .iter()
        .filter_map(|record| {
            record["responseElements"]["instancesSet"]["items"][0]["instanceId"].as_str()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["i-10", "i-6", "i-6", "i-7", "i-8", "i-9"]);
    let text = fs::read_to_string(&events).unwrap();
    for left_out in [
        "secret",
        "AKIA",
        "93.184.216.34",
        "sensitive",
        "UnauthorizedOperation",
    ] {
        assert!(!text.contains(left_out), "{left_out}");
    }

    // An audit judges by what was collected, and says what could not be read.
    vanished(dir);
    audit(closegate(), dir, &[]).success();
    assert_eq!(said(dir), [UNTOLD]);
    audit(closegate(), dir, &[events.to_str().unwrap()]).success();
    assert_eq!(said(dir), [TOLD]);
    let notes = read(&dir.join("run/audit.json"))["notes"].to_string();
    assert!(
        notes.contains("can't read 2 records of CloudTrail"),
        "{notes}"
    );

    // The same again gives the same bytes, and redacted it tells no names.
    collect(&moto, &cloudtrail, &out).assert().success();
    assert_eq!(fs::read_to_string(&events).unwrap(), text);
    collect(&moto, &cloudtrail, &out)
        .arg("--redact")
        .assert()
        .success();
    let redacted = fs::read_to_string(out.join("000000000001/us-east-1/cloudtrail.json")).unwrap();
    for secret in ["alice", "111122223333", "123456789012", "secret"] {
        assert!(!redacted.contains(secret), "{secret}");
    }
    assert!(redacted.contains("eni-9") && redacted.contains("sg-a"));
}

#[test]
fn a_refused_lookup_costs_its_file_and_a_failed_one_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let moto = Peer::moto();
    moto.run("ec2_estate.py", &["make", "2"]);
    let cloudtrail = Peer::cloudtrail(&remembered(dir));
    let proxy = Peer::faults(&cloudtrail);
    let out = dir.join("snapshot");
    proxy.break_with(r#"[{"op":"LookupEvents","kind":"error","code":"AccessDeniedException","status":400,"times":-1}]"#);
    let done = collect(&moto, &proxy, &out).assert().success();
    let summary = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        summary.contains("LookupEvents in us-east-1 (AccessDeniedException): which groups"),
        "{summary}"
    );
    assert_eq!(
        manifest(&out, "refused", "LookupEvents")["code"],
        "AccessDeniedException"
    );
    assert!(!out.join("123456789012/us-east-1/cloudtrail.json").exists());
    assert_eq!(proxy.seen().len(), 1, "a refusal is final");
    let inventory = closegate::inventory::Inventory::load(&out).unwrap();
    let notes = format!("{:?}", inventory.notes());
    assert!(notes.contains("LookupEvents was refused"), "{notes}");

    // Half of what it remembers is no history.
    let before = fs::read(out.join("manifest.json")).unwrap();
    proxy.break_with(r#"[{"op":"LookupEvents","kind":"error","code":"ExpiredTokenException","status":400,"skip":2,"times":-1}]"#);
    fails(
        collect(&moto, &proxy, &out).assert(),
        4,
        &["LookupEvents", "sign in again"],
    );
    assert_eq!(fs::read(out.join("manifest.json")).unwrap(), before);

    // Without --history nothing of this is asked.
    proxy.break_with("[]");
    let mut command = moto.closegate();
    command
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", proxy.url())
        .args(["collect", "inventory", "--region", "us-east-1", "--out"])
        .arg(&out);
    command.assert().success();
    assert!(proxy.seen().is_empty());
}

/// Trail files below `AWSLogs`, of an account and of an organization, with what lies beside them.
fn bucket(moto: &Peer, dir: &Path) -> String {
    let trail = vanished(dir);
    let files = BTreeMap::from([
        ("trail.json", trail),
        ("none.json", json!({"Records": []}).to_string()),
        ("other.json", "no trail".to_owned()),
    ]);
    for (name, text) in &files {
        fs::write(dir.join(name), text).unwrap();
    }
    let day = "us-east-1/2025/10/09/111122223333";
    let objects = [
        (
            format!(
                "own/AWSLogs/111122223333/CloudTrail/{day}_CloudTrail_us-east-1_20251009T0000Z_a.json.gz"
            ),
            "trail.json",
        ),
        (
            format!(
                "own/AWSLogs/111122223333/CloudTrail/{day}_CloudTrail_us-east-1_20251009T0005Z_b.json.gz"
            ),
            "none.json",
        ),
        (
            format!("own/AWSLogs/111122223333/CloudTrail-Digest/{day}_CloudTrail-Digest.json.gz"),
            "other.json",
        ),
        (
            format!("own/AWSLogs/111122223333/CloudTrail-Insight/{day}_CloudTrail-Insight.json.gz"),
            "other.json",
        ),
        (
            format!(
                "own/AWSLogs/111122223333/vpcflowlogs/{day}_vpcflowlogs_us-east-1_fl-1_20251009T0000Z_c.log.gz"
            ),
            "other.json",
        ),
        (
            format!(
                "org/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/{day}_CloudTrail_us-east-1_20251009T0000Z_a.json.gz"
            ),
            "trail.json",
        ),
        (
            format!(
                "org/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail-Digest/{day}_CloudTrail-Digest.json.gz"
            ),
            "other.json",
        ),
        ("copied/trail.json".to_owned(), "trail.json"),
        (
            format!("flows/AWSLogs/111122223333/vpcflowlogs/{day}_vpcflowlogs.log.gz"),
            "other.json",
        ),
    ];
    let named: Vec<String> = objects
        .iter()
        .map(|(key, file)| format!("{key}={}", dir.join(file).display()))
        .collect();
    let mut arguments = vec!["objects", "trails"];
    arguments.extend(named.iter().map(String::as_str));
    moto.run("log_files.py", &arguments)
}

#[test]
fn trail_files_in_s3_are_read_as_files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let moto = Peer::moto();
    bucket(&moto, dir);
    audit(closegate(), dir, &[]).success();
    assert_eq!(said(dir), [UNTOLD]);
    for prefix in [
        "own/AWSLogs/111122223333/CloudTrail/",
        "own/AWSLogs/111122223333/CloudTrail/us-east-1/2025/10/",
        "own/AWSLogs/",
        "own/",
        "org/",
        "org/AWSLogs/o-a1b2c3d4e5/111122223333/",
        "copied/",
        "copied/trail.json",
    ] {
        audit(moto.closegate(), dir, &[&format!("s3://trails/{prefix}")]).success();
        assert_eq!(said(dir), [TOLD], "{prefix}");
    }
    // Beside files of this machine.
    let both = ["s3://trails/own/", "none.json"];
    audit(moto.closegate(), dir, &both).success();
    assert_eq!(said(dir), [TOLD]);

    // Accounts and regions are chosen by key.
    let chosen = |option: &str, value: &str| {
        let mut command = moto.closegate();
        command
            .args(["audit", option, value, "--flows", "flows.log"])
            .current_dir(dir);
        command.args(["--inventory", "inventory", "--out", "run"]);
        command.args(["--cloudtrail", "s3://trails/org/"]).assert()
    };
    for (option, value) in [
        ("--only-account", "111122223333"),
        ("--only-region", "us-east-1"),
    ] {
        chosen(option, value).success();
        assert_eq!(said(dir), [TOLD]);
    }
    fs::remove_dir_all(dir.join("run")).unwrap();
    // What matches nothing is named, for silence would pass for a trail without events.
    fails(
        chosen("--only-region", "eu-west-1"),
        2,
        &["`s3://trails/org/`", "--cloudtrail"],
    );
    for prefix in ["flows/", "nowhere/"] {
        let url = format!("s3://trails/{prefix}");
        let refused = audit(moto.closegate(), dir, &[&url]);
        fails(refused, 2, &[&format!("`{url}`"), "--cloudtrail"]);
    }
    assert!(!dir.join("run").exists());
}

#[test]
fn a_trail_in_s3_that_breaks_is_read_again_or_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let moto = Peer::moto();
    bucket(&moto, dir);
    let proxy = Peer::faults(&moto);
    let url = "s3://trails/own/";
    for kind in ["throttle", "http503", "reset", "truncate"] {
        proxy.break_with(&format!(
            r#"[{{"op":"GetObject","kind":"{kind}","times":2}},{{"op":"ListObjectsV2","kind":"{kind}","times":1}}]"#
        ));
        audit(proxy.closegate(), dir, &[url]).success();
        assert_eq!(said(dir), [TOLD], "{kind}");
        let seen = proxy.seen();
        assert_eq!(
            seen.iter().filter(|(_, broken)| broken.is_some()).count(),
            3,
            "{kind}"
        );
        // What lies beside the trail is not fetched, and every call is in the table of the policies.
        let fetched = seen
            .iter()
            .filter(|(operation, broken)| operation == "GetObject" && broken.is_none());
        assert_eq!(fetched.count(), 2, "{kind}");
        for (operation, _) in seen {
            let mut known = CALLS.iter().filter(|call| call.command == Caller::S3);
            assert!(known.any(|call| call.operation == operation), "{operation}");
        }
    }
    fs::remove_dir_all(dir.join("run")).unwrap();
    for (rules, says) in [
        (
            r#"[{"op":"GetObject","kind":"error","code":"AccessDenied","status":403,"skip":1,"times":1}]"#,
            "AccessDenied",
        ),
        (
            r#"[{"op":"GetObject","kind":"truncate","times":-1}]"#,
            "GetObject",
        ),
        (
            r#"[{"op":"ListObjectsV2","kind":"error","code":"AccessDenied","status":403,"times":-1}]"#,
            "AccessDenied",
        ),
    ] {
        proxy.break_with(rules);
        fails(audit(proxy.closegate(), dir, &[url]), 4, &[says]);
        assert!(!dir.join("run").exists());
    }
}
