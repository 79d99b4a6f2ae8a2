//! What credentials may call, as `closegate doctor` says it.

use closegate::aws::calls::CALLS;
use serde_json::Value;

use super::peers::Peer;
use crate::common::{closegate, printed, sample};

fn doctor(peer: &Peer, arguments: &[&str]) -> Value {
    let mut command = peer.closegate();
    let text = printed(command.args(["doctor", "--json"]).args(arguments));
    serde_json::from_str(&text).unwrap()
}

/// What it says of an operation: the first call of that name.
fn held<'d>(document: &'d Value, operation: &str) -> &'d Value {
    let calls = document["aws"]["calls"].as_array().unwrap();
    let found = calls.iter().find(|call| call["operation"] == operation);
    found.unwrap_or_else(|| panic!("{operation} is not in {calls:?}"))
}

/// A rule of the proxy: this operation is answered with this code.
fn refused(operation: &str, code: &str) -> String {
    format!(r#"{{"op":"{operation}","kind":"error","code":"{code}","status":403,"times":-1}}"#)
}

#[test]
fn a_permission_is_held_refused_or_unknown() {
    let moto = Peer::moto();
    moto.run("ec2_estate.py", &["make", "4"]);
    let proxy = Peer::faults(&moto);
    let rules = [
        refused("DescribeRouteTables", "UnauthorizedOperation"),
        refused("DescribeLoadBalancers", "AccessDenied"),
        refused("DescribeNatGateways", "OptInRequired"),
        refused("DescribeVpcEndpoints", "SomethingElse"),
    ];
    proxy.break_with(&format!("[{}]", rules.join(",")));
    let found = doctor(&proxy, &["--aws"]);
    let aws = &found["aws"];
    assert_eq!(aws["account"], "123456789012");
    assert!(
        aws["arn"].as_str().unwrap().starts_with("arn:aws:"),
        "{aws}"
    );
    assert_eq!(aws["region"], "us-east-1");
    // Dry runs that would have succeeded, and calls that were answered.
    for operation in [
        "DescribeVpcs",
        "DescribeSecurityGroups",
        "DescribeFlowLogs",
        "GetManagedPrefixListEntries",
        "DescribeTargetGroups",
        "GetCallerIdentity",
    ] {
        assert_eq!(held(&found, operation)["held"], "permitted", "{operation}");
        assert_eq!(held(&found, operation)["reason"], Value::Null);
    }
    let tables = held(&found, "DescribeRouteTables");
    assert_eq!(tables["held"], "denied");
    assert_eq!(tables["action"], "ec2:DescribeRouteTables");
    assert_eq!(tables["policy"], "collect-inventory");
    assert!(tables["cost"].as_str().unwrap().contains("middleboxes"));
    assert_eq!(held(&found, "DescribeLoadBalancers")["held"], "denied");
    // What the emulator lacks, what the region lacks, and what nobody knows: none of them is a no.
    for (operation, reason) in [
        ("DescribeSecurityGroupVpcAssociations", "InvalidAction"),
        ("DescribeNatGateways", "OptInRequired"),
        ("DescribeVpcEndpoints", "SomethingElse"),
    ] {
        let call = held(&found, operation);
        assert_eq!(call["held"], "unknown", "{call}");
        assert!(call["reason"].as_str().unwrap().contains(reason), "{call}");
    }
    for (operation, _) in proxy.seen() {
        assert!(
            CALLS.iter().any(|call| call.operation == operation),
            "{operation} is not in the table that the policies are made from"
        );
    }
    // Nothing lies there to audit, so an inventory comes first.
    let next = found["next"][0]["command"].as_str().unwrap();
    assert_eq!(next, "closegate collect inventory --out inventory");

    let mut command = proxy.closegate();
    let text = printed(command.args(["doctor", "--aws"]));
    assert!(
        text.contains("docs/iam/collect-inventory.json permits ec2:DescribeRouteTables"),
        "{text}"
    );
    assert!(text.contains("123456789012"), "{text}");
}

#[test]
fn objects_in_s3_are_looked_at_and_asked_about() {
    let ministack = Peer::ministack();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join(
        "111122223333_vpcflowlogs_us-east-1_fl-0123456789abcdef0_20261102T2355Z_00000001.log.gz",
    );
    std::fs::copy(sample().join("flows/custom/day-1.log.gz"), &log).unwrap();
    ministack.run(
        "log_files.py",
        &["s3", "logs", "plain", log.to_str().unwrap()],
    );
    let url = "s3://logs/some prefix/";
    let found = doctor(&ministack, &["--flows", url]);
    let here = closegate()
        .args(["doctor", "--json", "--flows"])
        .arg(&log)
        .output()
        .unwrap();
    let here: Value = serde_json::from_slice(&here.stdout).unwrap();
    for key in [
        "records",
        "records_rejected",
        "window",
        "malformed",
        "formats",
    ] {
        assert_eq!(found["sources"][0][key], here["sources"][0][key], "{key}");
    }
    for operation in ["ListObjectsV2", "HeadBucket", "GetObject"] {
        let call = held(&found, operation);
        assert_eq!(call["held"], "permitted", "{call}");
        assert_eq!(call["resource"], url);
        assert_eq!(call["policy"], "flows-s3");
    }
    let audit = found["next"][1]["command"].as_str().unwrap();
    assert!(
        audit.contains("--flows 's3://logs/some prefix/' "),
        "{audit}"
    );

    // Refused: said of the source and of the call, and the rest is asked all the same.
    let proxy = Peer::faults(&ministack);
    proxy.break_with(&format!("[{}]", refused("ListObjectsV2", "AccessDenied")));
    let mut command = proxy.closegate();
    let assert = command.args(["doctor", "--json", "--flows", url]).assert();
    let output = assert.code(4).get_output().clone();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = found["sources"][0]["not_read"].as_str().unwrap();
    assert!(said.contains("AccessDenied"), "{said}");
    assert_eq!(held(&found, "ListObjectsV2")["held"], "denied");
    assert_eq!(held(&found, "GetObject")["held"], "unknown");
    assert_eq!(held(&found, "HeadBucket")["held"], "permitted");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("docs/iam"), "{error}");
}

/// No identity, no answer; what lies here is looked at nevertheless.
#[test]
fn credentials_that_are_none_end_with_4() {
    let moto = Peer::moto();
    let proxy = Peer::faults(&moto);
    proxy.break_with(&format!(
        "[{}]",
        refused("GetCallerIdentity", "ExpiredToken")
    ));
    let mut command = proxy.closegate();
    command.args(["doctor", "--json", "--aws", "--flows"]);
    let assert = command.arg(sample().join("flows/default")).assert().code(4);
    let output = assert.get_output();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["aws"], Value::Null);
    assert!(found["sources"][0]["records"].as_u64().unwrap() > 0);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(error.contains("sign in again"), "{error}");
}
