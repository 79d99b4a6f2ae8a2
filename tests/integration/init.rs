//! `closegate init`: the flow logs of an account, and the commands that audit them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{closegate, printed, sample};

/// The default format, as describe-flow-logs prints it.
const DEFAULT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

/// A flow log of a VPC into a bucket.
fn flow_log(id: &str, resource: &str, bucket: &str) -> Value {
    json!({
        "FlowLogId": id, "FlowLogStatus": "ACTIVE", "ResourceId": resource, "TrafficType": "ALL", "LogFormat": DEFAULT,
        "LogDestinationType": "s3", "LogDestination": format!("arn:aws:s3:::{bucket}"),
    })
}

/// A flow log of a VPC into a log group.
fn to_group(id: &str, resource: &str, group: &str) -> Value {
    json!({
        "FlowLogId": id, "FlowLogStatus": "ACTIVE", "ResourceId": resource, "TrafficType": "ALL", "LogFormat": DEFAULT,
        "LogDestinationType": "cloud-watch-logs", "LogGroupName": group,
    })
}

fn changed(mut log: Value, key: &str, value: Value) -> Value {
    log[key] = value;
    log
}

/// Writes what a region's calls answered, as `closegate collect inventory` lays it out.
fn region(dir: &Path, account: &str, region: &str, logs: &[Value], vpcs: &[&str]) {
    let place = dir.join(account).join(region);
    fs::create_dir_all(&place).unwrap();
    let vpcs: Vec<Value> = vpcs
        .iter()
        .map(|id| json!({"VpcId": id, "OwnerId": account, "CidrBlock": "10.0.0.0/16"}))
        .collect();
    let write = |name: &str, content: Value| {
        fs::write(place.join(name), content.to_string()).unwrap();
    };
    write("flow-logs.json", json!({ "FlowLogs": logs }));
    write("vpcs.json", json!({ "Vpcs": vpcs }));
}

/// What `init` says of a snapshot that is called `snapshot`.
fn init(dir: &Path) -> String {
    let mut command = closegate();
    command.current_dir(dir);
    printed(command.args(["init", "--inventory", "snapshot"]))
}

/// The commands that it prints.
fn commands(said: &str) -> Vec<&str> {
    said.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("closegate ") || line.starts_with("AWS_REGION="))
        .collect()
}

const A: &str = "111122223333";

#[test]
fn logs_in_a_bucket_are_one_audit() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    let hive = json!({"HiveCompatiblePartitions": true, "PerHourPartition": true, "FileFormat": "parquet"});
    let logs = [
        flow_log("fl-1", "vpc-1", "plain/some/prefix/"),
        changed(
            flow_log("fl-2", "vpc-2", "hive"),
            "DestinationOptions",
            hive,
        ),
        // The same VPC in a log group: reading it twice is of no use.
        to_group("fl-3", "vpc-1", "/vpc/one"),
    ];
    region(&snapshot, A, "us-east-1", &logs, &["vpc-1", "vpc-2"]);
    let said = init(dir.path());
    assert!(said.contains("3 flow logs, 2 VPCs"), "{said}");
    let s3 = [
        "s3://hive/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/",
        "s3://plain/some/prefix/AWSLogs/111122223333/vpcflowlogs/us-east-1/",
    ];
    assert_eq!(
        commands(&said),
        [format!(
            "closegate audit --flows '{}' {} --since 14d --inventory snapshot --out run",
            s3[0], s3[1]
        )]
    );
    assert!(said.contains("read by     --flows cloudwatch:/vpc/one"));
    // What the default format lacks, and what that costs.
    assert!(
        said.contains("misses      tcp-flags: closegate infers the initiator"),
        "{said}"
    );
    assert!(said.contains("pkt-srcaddr, pkt-dstaddr: "), "{said}");
    assert!(!said.contains("create-flow-logs"), "{said}");
}

#[test]
fn log_groups_of_several_regions_are_an_audit_each() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    let of = |id: &str, vpc: &str| [to_group(id, vpc, "flow logs")];
    region(&snapshot, A, "us-east-1", &of("fl-1", "vpc-1"), &["vpc-1"]);
    let one = init(dir.path());
    assert_eq!(
        commands(&one),
        [
            "AWS_REGION=us-east-1 closegate audit --flows 'cloudwatch:flow logs' --since 14d --inventory snapshot --out run"
        ]
    );
    region(&snapshot, A, "eu-west-1", &of("fl-2", "vpc-2"), &["vpc-2"]);
    let said = init(dir.path());
    let expected = ["eu-west-1", "us-east-1"].map(|region| {
        format!(
            "AWS_REGION={region} closegate audit --flows 'cloudwatch:flow logs' --since 14d --inventory snapshot --out run-{region}"
        )
    });
    assert_eq!(commands(&said), expected);
}

/// What can't be read is said with its reason, and no audit is proposed for it.
#[test]
fn what_an_audit_cannot_use_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    let firehose = changed(
        flow_log("fl-firehose", "vpc-1", "x"),
        "LogDestinationType",
        "kinesis-data-firehose".into(),
    );
    let logs = [
        firehose,
        changed(
            flow_log("fl-reject", "vpc-1", "x"),
            "TrafficType",
            "REJECT".into(),
        ),
        flow_log("fl-tgw", "tgw-1", "x"),
        changed(
            flow_log("fl-short", "vpc-1", "x"),
            "LogFormat",
            "${version} ${srcaddr}".into(),
        ),
        changed(
            flow_log("fl-elsewhere", "vpc-1", "x"),
            "LogDestinationType",
            "post".into(),
        ),
    ];
    region(&snapshot, A, "us-east-1", &logs, &["vpc-1", "vpc-2"]);
    let said = init(dir.path());
    for reason in [
        "Firehose, which can't be read",
        "rejected traffic only",
        "of a Transit Gateway",
        "has no `dstaddr`",
        "no destination that closegate knows",
    ] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert_eq!(said.matches("not read").count(), logs.len(), "{said}");
    assert!(commands(&said).is_empty(), "{said}");
    // It says how to switch flow logs on, and with which format.
    let made = said
        .lines()
        .find(|line| line.contains("aws ec2 create-flow-logs"))
        .unwrap();
    assert!(made.contains("--region us-east-1 "), "{made}");
    assert!(made.ends_with("--resource-ids vpc-1 vpc-2"), "{made}");
    let format = made.split('\'').nth(1).unwrap();
    assert!(format.contains("${tcp-flags}") && format.contains("${pkt-dst-aws-service}"));
    // The format can be used.
    region(
        &snapshot,
        A,
        "us-east-1",
        &[changed(
            flow_log("fl-new", "vpc-1", "x"),
            "LogFormat",
            format.into(),
        )],
        &["vpc-1"],
    );
    let said = init(dir.path());
    assert_eq!(commands(&said).len(), 1, "{said}");
    assert!(!said.contains("misses"), "{said}");
}

#[test]
fn vpcs_without_a_flow_log_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    let mut failing = flow_log("fl-1", "vpc-1", "logs");
    failing["DeliverLogsErrorMessage"] = "Access error".into();
    failing["TrafficType"] = "ACCEPT".into();
    let logs = [failing, flow_log("fl-2", "subnet-2", "logs")];
    region(
        &snapshot,
        A,
        "us-east-1",
        &logs,
        &["vpc-1", "vpc-2", "vpc-3"],
    );
    fs::write(
        snapshot.join("subnets.json"),
        json!({"Subnets": [{"SubnetId": "subnet-2", "VpcId": "vpc-2"}]}).to_string(),
    )
    .unwrap();
    let said = init(dir.path());
    assert!(said.contains("vpc-2 has flow logs of 1 subnet only: subnet-2"));
    assert!(said.contains("vpc-3 has no flow log"), "{said}");
    assert!(!said.contains("vpc-1 has"), "{said}");
    assert!(said.contains("can't deliver it: Access error"), "{said}");
    assert!(said.contains("accepted traffic only"), "{said}");
    assert_eq!(commands(&said).len(), 1, "{said}");
}

/// The AWS CLI's own files, in one directory and without its layout: what is not known of the place is left out of it.
#[test]
fn files_of_the_aws_cli_do_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    fs::create_dir(&snapshot).unwrap();
    let logs = json!([flow_log("fl-1", "vpc-1", "logs/a")]);
    for content in [json!({ "FlowLogs": logs }), logs] {
        fs::write(snapshot.join("logs.json"), content.to_string()).unwrap();
        let said = init(dir.path());
        assert_eq!(
            commands(&said),
            [
                "closegate audit --flows s3://logs/a/AWSLogs/ --since 14d --inventory snapshot --out run"
            ]
        );
    }
    // Where the place of a snapshot does not tell account and region, a source ends with what is known.
    let mut command = closegate();
    command
        .args(["init", "--inventory"])
        .arg(sample().join("inventory"));
    let said = printed(&mut command);
    assert!(
        said.contains("read by     --flows s3://shop-flow-logs/custom/AWSLogs/\n"),
        "{said}"
    );
}

/// Names are somebody else's: they are text, and a command with one that can't be shown is not shown.
#[test]
fn hostile_names_stay_text() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = dir.path().join("snapshot");
    let logs = [to_group("fl-1", "vpc-1", "$(reboot)'; \u{1b}[2J")];
    region(&snapshot, A, "us-east-1", &logs, &["vpc-1"]);
    let said = init(dir.path());
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(commands(&said).is_empty(), "{said}");
    assert!(said.contains("can't be shown"), "{said}");
    let logs = [to_group("fl-1", "vpc-1", "$(reboot)'; ")];
    region(&snapshot, A, "us-east-1", &logs, &["vpc-1"]);
    let said = init(dir.path());
    assert!(
        said.contains(r"--flows 'cloudwatch:$(reboot)'\''; '"),
        "{said}"
    );
}

#[test]
fn a_snapshot_that_cannot_be_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let run = |inventory: &str| {
        let mut command = closegate();
        command.current_dir(dir.path());
        command.args(["init", "--inventory", inventory]).assert()
    };
    fails(run("nowhere"), 2, &["`nowhere` is not a directory"]);
    fs::create_dir(dir.path().join("bad")).unwrap();
    let path = dir.path().join("bad/a.json");
    fs::write(&path, "{\"FlowLogs\": [{\"FlowLogId\": 7}]}").unwrap();
    fails(run("bad"), 2, &["FlowLogs[0].FlowLogId is the number 7"]);
    fs::write(&path, "{\"FlowLogs\":").unwrap();
    fails(run("bad"), 2, &["this is not JSON"]);
    // An empty one has nothing to audit, and says so.
    fs::write(&path, "{}").unwrap();
    let mut command = closegate();
    command.args(["init", "--inventory"]);
    let said = printed(command.arg(dir.path().join("bad")));
    assert!(said.contains("There is no VPC here"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
