//! Records and inventories that lack something: nothing is made up in its place.

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use serde_json::{Value, json};

use crate::common::closegate;
use crate::small::Case;

fn audit(dir: &Path, flows: &Path, more: &[&str]) -> Assert {
    closegate()
        .args(["audit", "--flows"])
        .arg(flows)
        .arg("--inventory")
        .arg(dir.join("inventory"))
        .arg("--out")
        .arg(dir.join("run"))
        .args(more)
        .assert()
}

fn error(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

fn document(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("run/audit.json")).unwrap()).unwrap()
}

/// A TCP row without a port is no row of port 0.
#[test]
fn rows_without_ports_are_malformed() {
    let dir = tempfile::tempdir().unwrap();
    Case::web_and_db(&[]).write(dir.path());
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let row = |ports: &str| {
        format!("eni-1,10.0.0.1,151.101.1.1{ports},6,1,40,1760000000,1760000030,ACCEPT,OK\n")
    };
    let head = "interface_id,srcaddr,dstaddr,srcport,dstport,protocol,packets,bytes,start,end,action,log_status\n";
    let object = |ports: &str| {
        format!(
            "{{\"interface_id\":\"eni-1\",\"srcaddr\":\"10.0.0.1\",\"dstaddr\":\"151.101.1.1\",{ports}\"protocol\":6,\"packets\":1,\"bytes\":40,\"start\":1760000000,\"end\":1760000030,\"action\":\"ACCEPT\",\"log_status\":\"OK\"}}\n"
        )
    };
    let good = row(",40000,443");
    for (name, text) in [
        ("empty.csv", format!("{head}{good}{}", row(",,"))),
        ("dashes.csv", format!("{head}{good}{}", row(",-,-"))),
        (
            "absent.json",
            object("\"srcport\":40000,\"dstport\":443,") + &object(""),
        ),
        (
            "null.json",
            object("\"srcport\":40000,\"dstport\":443,")
                + &object("\"srcport\":null,\"dstport\":null,"),
        ),
    ] {
        audit(dir.path(), &file(name, &text), &[]).success();
        let audit = document(dir.path());
        let input = &audit["input"];
        assert_eq!(
            (&input["records_read"], &input["records_malformed"]),
            (&json!(1), &json!(1)),
            "{name}"
        );
        assert_eq!(
            input["malformed_samples"][0]["reason"]
                .as_str()
                .unwrap()
                .split(',')
                .next(),
            Some("TCP or UDP without a port"),
            "{name}"
        );
        let ports: Vec<&Value> = audit["connections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| &c["port"])
            .collect();
        assert_eq!(ports, [443], "{name}");
    }
    let without = head.replace("srcport,dstport,", "") + &row("");
    let refused = audit(dir.path(), &file("without.csv", &without), &[]).code(3);
    assert!(
        error(&refused).contains("the format has no `srcport`"),
        "{}",
        error(&refused)
    );
}

/// A message names the field that a row lacks.
#[test]
fn a_row_without_a_needed_field_names_it() {
    let dir = tempfile::tempdir().unwrap();
    Case::web_and_db(&[]).write(dir.path());
    let row = json!({"interface_id": "eni-1", "srcaddr": "10.0.0.1", "dstaddr": "151.101.1.1", "srcport": 40000, "dstport": 443, "protocol": 6, "packets": 1, "bytes": 40, "start": 1_760_000_000, "end": 1_760_000_030, "action": "ACCEPT", "log_status": "OK"});
    for field in ["start", "protocol"] {
        let mut row = row.clone();
        row.as_object_mut().unwrap().remove(field);
        let path = dir.path().join("rows.json");
        fs::write(&path, row.to_string()).unwrap();
        let refused = error(&audit(dir.path(), &path, &[]).code(3));
        assert!(
            refused.contains(&format!("no value for {field}")),
            "{refused}"
        );
    }
}

/// A regional NAT gateway has no interface: the connection is counted once, and nothing is called `-`.
#[test]
fn a_place_without_an_interface_is_none() {
    let dir = tempfile::tempdir().unwrap();
    Case::web_and_db(&[]).write(dir.path());
    let head = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction resource-id\n";
    let rows = |name: &str| {
        format!(
            "9 1 - 10.0.0.1 151.101.1.1 40000 443 6 1 40 1760000000 1760000030 ACCEPT OK ingress {name}\n\
             9 1 eni-1 10.0.0.1 151.101.1.1 40000 443 6 1 40 1760000000 1760000030 ACCEPT OK egress -\n\
             9 1 - - - - - - - - 1760000100 1760000130 - SKIPDATA - {name}\n"
        )
    };
    for (name, said) in [
        ("nat-0abc", "records of nat-0abc in 1 interval"),
        (
            "-",
            "records of a place that the records don't name in 1 interval",
        ),
    ] {
        let path = dir.path().join("flows.log");
        fs::write(&path, format!("{head}{}", rows(name))).unwrap();
        audit(dir.path(), &path, &[]).success();
        let audit = document(dir.path());
        let connections = audit["connections"].as_array().unwrap();
        assert_eq!(connections.len(), 1, "{connections:?}");
        assert_eq!(
            (&connections[0]["records"], &connections[0]["verdict"]),
            (&json!(2), &json!("accepted"))
        );
        let findings = audit["findings"].as_array().unwrap();
        let skipped = findings
            .iter()
            .find(|f| f["kind"] == "skipped-records")
            .unwrap();
        assert!(
            skipped["detail"].as_str().unwrap().contains(said),
            "{skipped}"
        );
        assert_eq!(skipped["interface_id"], Value::Null);
        assert!(findings.iter().all(|f| {
            f["interface_id"]
                .as_str()
                .is_none_or(|id| id.starts_with("eni-"))
        }));
    }
}

/// A Transit Gateway's log, by its format alone.
#[test]
fn a_transit_gateway_log_is_recognised_by_its_format() {
    let dir = tempfile::tempdir().unwrap();
    Case::web_and_db(&[]).write(dir.path());
    let format = "${version} ${resource-type} ${account-id} ${tgw-id} ${tgw-attachment-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${start} ${end}";
    let row = "6 TransitGateway 111122223333 tgw-1 tgw-attach-1 10.0.0.1 10.9.0.1 40000 443 6 1760000000 1760000030\n";
    let path = dir.path().join("flows.log");
    fs::write(&path, row).unwrap();
    let refused = audit(dir.path(), &path, &["--log-format", format]).failure();
    assert!(
        error(&refused).contains("Transit Gateway flow log"),
        "{}",
        error(&refused)
    );
    // By the id in its name, as S3 has it.
    let path = dir
        .path()
        .join("111122223333_vpcflowlogs_us-east-1_fl-0123_20251009T0000Z_x.log");
    fs::write(&path, row).unwrap();
    let flow_logs = json!({"FlowLogs": [{"FlowLogId": "fl-0123", "LogFormat": format}]});
    fs::write(
        dir.path().join("inventory/flow-logs.json"),
        flow_logs.to_string(),
    )
    .unwrap();
    let refused = audit(dir.path(), &path, &[]).failure();
    assert!(
        error(&refused).contains("Transit Gateway flow log"),
        "{}",
        error(&refused)
    );
}

/// The file is there, and says that there is nothing.
#[test]
fn an_empty_list_is_no_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut case = Case::web_and_db(&["eni-1 10.0.0.1:40000 151.101.1.1:443 6"]);
    case.inventory["NetworkInterfaces"] = json!([]);
    case.write(dir.path());
    let refused = error(&audit(dir.path(), &dir.path().join("flows.log"), &[]).code(2));
    assert!(
        refused.contains("holds no network interfaces: its NetworkInterfaces list is empty"),
        "{refused}"
    );
}
