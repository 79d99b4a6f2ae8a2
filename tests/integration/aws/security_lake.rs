//! The bucket of a Security Lake: what is listed and read of it.

use std::fs;
use std::path::Path;

use closegate::aws::calls::{CALLS, Caller};
use serde_json::Value;

use super::peers::Peer;
use crate::common::closegate;
use crate::unknown_input::{inventory, ocsf, write};

const BUCKET: &str = "aws-security-data-lake-us-east-1-abcdefgh";

/// The day of the event in [`ocsf`].
const PARTITION: &str =
    "aws/VPC_FLOW/2.0/region=us-east-1/accountId=111122223333/eventDay=20260921/";

fn audit(command: &mut assert_cmd::Command, place: &Path, source: &str, more: &[&str]) -> Value {
    let run = place.join("run");
    command.args(["audit", "--flows", source]).args(more);
    command.arg("--inventory").arg(place.join("inventory"));
    command.arg("--out").arg(&run).assert().success();
    serde_json::from_slice(&fs::read(run.join("audit.json")).unwrap()).unwrap()
}

/// What passed a proxy of one operation.
fn count(proxy: &Peer, wanted: &str) -> usize {
    let seen = proxy.seen();
    for (operation, _) in &seen {
        let mut known = CALLS.iter().filter(|call| call.command == Caller::S3);
        assert!(known.any(|call| call.operation == operation), "{operation}");
    }
    seen.iter().filter(|(call, _)| call == wanted).count()
}

#[test]
fn partitions_choose_what_is_read() {
    let ministack = Peer::ministack();
    let proxy = Peer::faults(&ministack);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path();
    write(&place.join("inventory/all.json"), inventory().to_string());
    let event = place.join("event.parquet");
    write(&event, ocsf(true, Some(3306)));
    let junk = place.join("junk");
    write(&junk, "no flow log\n");
    let expected = audit(&mut closegate(), place, event.to_str().unwrap(), &[]);
    assert_eq!(expected["input"]["records_read"], 1);

    let object = |key: &str, path: &Path| format!("{key}={}", path.display());
    let elsewhere = [
        "aws/ROUTE53/2.0/region=us-east-1/accountId=111122223333/eventDay=20260921/a.gz.parquet",
        "aws/VPC_FLOW/2.0/metadata/00001.metadata.json",
        "aws/VPC_FLOW/2.0/region=us-east-1/accountId=111122223333/eventDay=20260918/a.gz.parquet",
        "aws/VPC_FLOW/2.0/region=us-east-1/accountId=111122223333/eventDay=20261001/a.gz.parquet",
        "aws/VPC_FLOW/2.0/region=us-east-1/accountId=444455556666/eventDay=20260921/a.gz.parquet",
        "aws/VPC_FLOW/2.0/region=eu-west-1/accountId=111122223333/eventDay=20260921/a.gz.parquet",
    ];
    // A day more on either side is read, for records are filed by other times than their own.
    let days = ["20260920", "20260921", "20260922"];
    let mut objects = days
        .map(|day| {
            let key = PARTITION.replace("20260921", day);
            object(&format!("{key}a.gz.parquet"), &event)
        })
        .to_vec();
    objects.extend(elsewhere.iter().map(|key| object(key, &junk)));
    let mut put = vec!["objects", BUCKET];
    put.extend(objects.iter().map(String::as_str));
    ministack.run("log_files.py", &put);

    let window = [
        "--since",
        "2026-09-21T00:00:00Z",
        "--until",
        "2026-09-22T00:00:00Z",
    ];
    let only = [
        "--only-account",
        "111122223333",
        "--only-region",
        "us-east-1",
    ];
    for prefix in ["", "aws/", "aws/VPC_FLOW/2.0/"] {
        proxy.break_with("[]");
        let more: Vec<&str> = window.iter().chain(&only).copied().collect();
        let url = format!("s3://{BUCKET}/{prefix}");
        let found = audit(&mut proxy.closegate(), place, &url, &more);
        assert_eq!(found["connections"], expected["connections"], "{url}");
        assert_eq!(found["input"]["records_read"], 1, "{url}");
        assert_eq!(found["input"]["records_duplicate"], 2, "{url}");
        assert_eq!(found["input"]["records_malformed"], 0, "{url}");
        assert_eq!(count(&proxy, "GetObject"), days.len(), "{url}");
    }
}
