//! `closegate doctor`: what it says of sources and inventories, and whether its next command is one.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{audit_paths, closegate, fixtures, printed, sample};

/// What `--json` prints; every run of it meets the schema.
fn doctor(flows: &[&Path], inventory: Option<&Path>) -> Value {
    let mut command = closegate();
    command.args(["doctor", "--json"]);
    if !flows.is_empty() {
        command.arg("--flows").args(flows);
    }
    if let Some(inventory) = inventory {
        command.arg("--inventory").arg(inventory);
    }
    checked(&printed(&mut command))
}

fn checked(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let schema = serde_json::to_value(closegate::emit::schema("doctor").unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(document["schema_version"], 2);
    document
}

/// The fields that a format lacks, in the order in which they matter.
fn missing(format: &Value) -> Vec<&str> {
    let missing = format["missing"].as_array().unwrap().iter();
    missing
        .flat_map(|missing| missing["fields"].as_array().unwrap())
        .map(|field| field.as_str().unwrap())
        .collect()
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap()).collect()
}

/// A row of the default format.
fn row(interface: &str, action: &str) -> String {
    format!(
        "2 111122223333 {interface} 10.0.0.10 10.0.0.11 40000 443 6 5 600 1793577600 1793577659 {action} OK\n"
    )
}

const LISTED: &str = "eni-0000000000000000a";

#[test]
fn the_sample_lacks_nothing_that_is_worth_another_flow_log() {
    let (flows, inventory) = (sample().join("flows/custom"), sample().join("inventory"));
    let found = doctor(&[&flows], Some(&inventory));
    let source = &found["sources"][0];
    assert_eq!(
        (&source["files"], &source["files_read"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(source["not_read"], Value::Null);
    let format = &source["formats"][0];
    assert_eq!(format["container"], "gzip, text");
    assert_eq!(
        (&format["version"], &format["files"]),
        (&json!(5), &json!(3))
    );
    assert_eq!(missing(format), ["resource-id"]);
    assert_eq!(found["recommended_log_format"], Value::Null);

    // The same records as an audit reads.
    let audit = audit_paths(&[flows], &inventory);
    assert_eq!(
        source["records"],
        audit.intake.rows + audit.intake.duplicates
    );
    assert_eq!(source["records_no_data"], audit.intake.no_data);
    assert_eq!(source["records_skip_data"], audit.intake.skip_data);
    let (start, end) = audit.intake.window.unwrap();
    assert_eq!(source["window"], json!({"start": start, "end": end}));

    let interfaces = &found["interfaces"];
    let number = |key: &str| interfaces[key].as_u64().unwrap();
    let without = interfaces["without_records"].as_array().unwrap().len() as u64;
    assert_eq!(
        number("with_records") + number("idle") + without,
        number("interfaces")
    );
    assert!(number("with_records") > 10, "{interfaces}");
    assert_eq!(
        number("records"),
        audit.intake.rows + audit.intake.duplicates
    );
    let of = |id: &str| audit.table.coverage_of(id).is_some();
    for id in texts(&interfaces["without_records"]) {
        assert!(!of(id), "{id} has records");
    }
    // What the inventory says of itself in an audit is what it says here.
    let notes = texts(&found["inventory"]["notes"]);
    for note in audit.inventory.notes() {
        assert!(notes.contains(&note.0.as_str()), "{}", note.0);
    }
    assert_eq!(found["inventory"]["accounts"], json!(["111122223333"]));
    let flow_logs = &found["flow_logs"];
    assert_eq!(flow_logs["flow_logs"].as_array().unwrap().len(), 2);
    assert_eq!(found["aws"], Value::Null);
    let next = found["next"][0]["command"].as_str().unwrap();
    assert!(next.starts_with("closegate audit --flows "), "{next}");
}

#[test]
fn the_default_format_has_its_costs_and_a_better_one() {
    let (flows, inventory) = (sample().join("flows/default"), sample().join("inventory"));
    let found = doctor(&[&flows], Some(&inventory));
    let format = &found["sources"][0]["formats"][0];
    assert_eq!(format["version"], 2);
    assert_eq!(
        missing(format),
        [
            "tcp-flags",
            "pkt-srcaddr",
            "pkt-dstaddr",
            "flow-direction",
            "pkt-src-aws-service",
            "pkt-dst-aws-service",
            "resource-id"
        ]
    );
    let better = found["recommended_log_format"].as_str().unwrap();

    // A log in that format, which its header would name, lacks nothing of it.
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("better.log");
    let header = better.replace("${", "").replace('}', "");
    let values = header.split(' ').map(|field| match field {
        "version" => "5",
        "account-id" => "111122223333",
        "interface-id" => LISTED,
        "srcaddr" | "pkt-srcaddr" => "10.0.0.10",
        "dstaddr" | "pkt-dstaddr" => "10.0.0.11",
        "srcport" => "40000",
        "dstport" => "443",
        "protocol" => "6",
        "packets" | "bytes" => "600",
        "start" | "end" => "1793577600",
        "action" => "ACCEPT",
        "log-status" => "OK",
        "tcp-flags" => "2",
        "flow-direction" => "egress",
        _ => "-",
    });
    fs::write(&log, values.collect::<Vec<_>>().join(" ") + "\n").unwrap();
    let mut command = closegate();
    command.args(["doctor", "--json", "--log-format", better, "--flows"]);
    let found = checked(&printed(command.arg(&log)));
    assert_eq!(found["sources"][0]["records"], 1);
    assert_eq!(missing(&found["sources"][0]["formats"][0]), ["resource-id"]);

    let text = printed(closegate().args(["doctor", "--flows"]).arg(&flows));
    assert!(text.contains(&format!("'{better}'")), "{text}");
    assert!(
        text.contains("tcp-flags: closegate infers the initiator"),
        "{text}"
    );
    assert!(
        text.contains("gzip, text, default (version 2), version 2 (3 files)"),
        "{text}"
    );
}

/// A shell runs what is proposed, whatever the paths are called.
#[test]
fn the_next_command_is_the_audit_of_the_same_sources() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("it's the \"logs\" $(of)");
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join("a.log"), row(LISTED, "ACCEPT")).unwrap();
    let inventory = fixtures().join("inventory");
    let found = doctor(&[&logs], Some(&inventory));
    let next = found["next"][0]["command"].as_str().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_closegate")).parent().unwrap();
    let done = Command::new("/bin/sh")
        .args(["-c", next])
        .env("PATH", program)
        .current_dir(dir.path())
        .output();
    let done = done.unwrap();
    assert!(
        done.status.success(),
        "{next}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let audit = fs::read(dir.path().join("run/audit.json")).unwrap();
    let audit: Value = serde_json::from_slice(&audit).unwrap();
    assert_eq!(audit["input"]["records_read"], 1);
}

/// Without an inventory the snapshot comes first, and the audit reads it.
#[test]
fn without_an_inventory_it_is_collected_first() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    fs::write(&log, row(LISTED, "ACCEPT")).unwrap();
    let found = doctor(&[&log], None);
    let next = found["next"].as_array().unwrap().iter();
    let commands: Vec<&str> = next.map(|next| next["command"].as_str().unwrap()).collect();
    if cfg!(feature = "aws") {
        assert_eq!(commands[0], "closegate collect inventory --out inventory");
    } else {
        assert!(commands[1].starts_with("aws ec2 describe-security-groups"));
    }
    let last = commands.last().unwrap();
    assert!(last.ends_with("--inventory inventory --out run"), "{last}");
    assert_eq!(found["interfaces"], Value::Null);
    assert_eq!(found["inventory"], Value::Null);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = vec![0; text.len() + 1024];
    let level = libdeflater::CompressionLvl::default();
    let length = libdeflater::Compressor::new(level).gzip_compress(text, &mut packed);
    packed.truncate(length.unwrap());
    packed
}

#[test]
fn a_source_is_what_its_content_says() {
    let names = "interface-id,srcaddr,dstaddr,srcport,dstport,protocol,action,start,end,log-status,tcp-flags";
    let values = [
        LISTED,
        "10.0.0.10",
        "10.0.0.11",
        "40000",
        "443",
        "6",
        "ACCEPT",
        "1793577600",
        "1793577659",
        "OK",
        "2",
    ];
    let csv = format!("{names}\n{}\n", values.join(","));
    let object: serde_json::Map<String, Value> = names
        .split(',')
        .zip(values)
        .map(|(name, value)| (name.replace('-', "_"), value.into()))
        .collect();
    let object = Value::Object(object).to_string();
    let events = json!({"events": [{"message": row(LISTED, "ACCEPT").trim()}]}).to_string();
    let text = row(LISTED, "ACCEPT");
    let cases: &[(&str, Vec<u8>, &str, bool)] = &[
        ("csv", csv.clone().into_bytes(), "CSV", true),
        (
            "lines of JSON",
            format!("{object}\n{object}\n").into_bytes(),
            "JSON",
            true,
        ),
        (
            "a list",
            format!("[\n{object},\n{object}]").into_bytes(),
            "JSON",
            true,
        ),
        ("packed", gzip(csv.as_bytes()), "gzip, CSV", true),
        (
            "packed twice",
            gzip(&gzip(csv.as_bytes())),
            "gzip, gzip, CSV",
            true,
        ),
        ("events", events.into_bytes(), "JSON", false),
        ("text", text.clone().into_bytes(), "text", false),
        ("packed text", gzip(text.as_bytes()), "gzip, text", false),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (name, content, container, has_flags) in cases {
        let log = dir.path().join(name);
        fs::write(&log, content).unwrap();
        let found = doctor(&[&log], None);
        let source = &found["sources"][0];
        let format = &source["formats"][0];
        assert_eq!(format["container"], *container, "{name}");
        assert!(source["records"].as_u64().unwrap() > 0, "{name}: {source}");
        let lacks_flags = missing(format).contains(&"tcp-flags");
        assert_eq!(!lacks_flags, *has_flags, "{name}: {format}");
        assert!(missing(format).contains(&"pkt-srcaddr"), "{name}: {format}");
    }
}

/// OCSF has its fields elsewhere than in keys of their names.
#[test]
fn ocsf_has_the_fields_that_it_maps() {
    let event = json!({
        "class_uid": 4001, "action_id": 1, "activity_id": 6, "status_code": "OK",
        "start_time": 1_793_577_600, "end_time": 1_793_577_659, "traffic": {"packets": 5, "bytes": 600},
        "src_endpoint": {"ip": "10.0.0.10", "port": 40000, "interface_uid": LISTED}, "dst_endpoint": {"ip": "10.0.0.11", "port": 443},
        "connection_info": {"protocol_num": 6, "tcp_flags": 2, "direction_id": 2},
    });
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("ocsf.json");
    fs::write(&log, event.to_string()).unwrap();
    let found = doctor(&[&log], None);
    let source = &found["sources"][0];
    assert_eq!(source["records"], 1, "{source}");
    let missing = missing(&source["formats"][0]);
    assert_eq!(
        missing,
        ["pkt-src-aws-service", "pkt-dst-aws-service", "resource-id"]
    );
}

/// Enough is read of a large source, and not more is claimed than was read.
#[test]
fn of_a_large_source_a_part_is_read_and_the_part_is_told() {
    const LINES: usize = 1_000_100;
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let line = b"10.0.0.10 10.0.0.11 40000 443 6 ACCEPT 1793577600\n";
    let mut file = std::io::BufWriter::new(fs::File::create(logs.join("a.log")).unwrap());
    for _ in 0..LINES {
        file.write_all(line).unwrap();
    }
    file.into_inner().unwrap();
    fs::write(logs.join("b.log"), line).unwrap();
    let format = "srcaddr dstaddr srcport dstport protocol action start";
    let mut command = closegate();
    command.args(["doctor", "--json", "--log-format", format, "--flows"]);
    let found = checked(&printed(command.arg(&logs)));
    let source = &found["sources"][0];
    assert_eq!(source["files_cut"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&source["files"], &source["files_read"]),
        (&json!(2), &json!(1))
    );
    let said = source["not_read"].as_str().unwrap();
    assert!(said.contains("1,000,000 lines"), "{said}");
    assert_eq!(source["malformed"], 0);
    // Rows that are the same count once.
    assert_eq!(
        (&source["records"], &source["records_duplicate"]),
        (&json!(1), &json!(999_999))
    );
    let text = printed(
        closegate()
            .args(["doctor", "--log-format", format, "--flows"])
            .arg(&logs),
    );
    assert!(text.contains("only the start of "), "{text}");
    assert!(text.contains("1 of 2 files"), "{text}");
}

#[test]
fn interfaces_that_the_inventory_lacks_are_named_with_their_share() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a.log");
    let unlisted = "eni-0000000000000ffff";
    let other = |last: u8| row(unlisted, "REJECT").replace("10.0.0.11", &format!("10.0.0.{last}"));
    let rows: String = (20..23).map(other).collect();
    let idle =
        "2 111122223333 eni-0000000000000000b - - - - - - - 1793577600 1793577659 - NODATA\n";
    fs::write(&log, rows + &row(LISTED, "ACCEPT") + idle).unwrap();
    let found = doctor(&[&log], Some(&fixtures().join("inventory")));
    let interfaces = &found["interfaces"];
    assert_eq!(
        interfaces["unlisted"],
        json!([{"interface_id": unlisted, "records": 3}])
    );
    assert_eq!(interfaces["unlisted_records"], 3);
    assert_eq!(interfaces["records"], 4);
    assert_eq!(
        (&interfaces["with_records"], &interfaces["idle"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(found["sources"][0]["records_rejected"], 3);
    assert_eq!(found["sources"][0]["records_no_data"], 1);
    let mut command = closegate();
    command.args(["doctor", "--flows"]).arg(&log);
    let text = printed(command.arg("--inventory").arg(fixtures().join("inventory")));
    assert!(text.contains("with 3 records (75%)"), "{text}");
}

/// The snapshot of the fixtures, with flow logs.
fn inventory_with(flow_logs: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["groups.json", "interfaces.json"] {
        fs::copy(
            fixtures().join("inventory").join(file),
            dir.path().join(file),
        )
        .unwrap();
    }
    let page = json!({ "FlowLogs": flow_logs });
    fs::write(dir.path().join("flow-logs.json"), page.to_string()).unwrap();
    dir
}

#[test]
fn flow_logs_that_see_half_are_told_from_those_that_see_all() {
    let log = |id: &str, resource: &str, more: Value| {
        let mut log = json!({"FlowLogId": id, "ResourceId": resource, "FlowLogStatus": "ACTIVE", "TrafficType": "ALL",
            "LogFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}",
            "MaxAggregationInterval": 60});
        for (key, value) in more.as_object().unwrap() {
            log[key] = value.clone();
        }
        log
    };
    let inventory = inventory_with(&json!([
        log("fl-1", "vpc-other", json!({})),
        log(
            "fl-2",
            LISTED,
            json!({"TrafficType": "REJECT", "MaxAggregationInterval": 600})
        ),
        log("fl-3", "vpc-1", json!({"FlowLogStatus": "INACTIVE"})),
        log(
            "fl-4",
            "subnet-other",
            json!({"TrafficType": "ACCEPT", "DeliverLogsStatus": "FAILED"})
        ),
    ]));
    let found = doctor(&[], Some(inventory.path()));
    let flow_logs = &found["flow_logs"];
    assert_eq!(flow_logs["recorded"], 1, "{flow_logs}");
    let all = flow_logs["interfaces"].as_u64().unwrap();
    let unrecorded = flow_logs["unrecorded"].as_array().unwrap();
    let counts = unrecorded
        .iter()
        .map(|row| row["interfaces"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), all - 1);
    let problems = texts(&flow_logs["problems"]).join("\n");
    for said in [
        "fl-2 of eni-0000000000000000a records rejected traffic only",
        "fl-2 of eni-0000000000000000a has one record for up to 600 seconds",
        "fl-3 of vpc-1 is not active",
        "fl-4 of subnet-other can't deliver",
        "fl-4 of subnet-other records accepted traffic only",
    ] {
        assert!(problems.contains(said), "{said}: {problems}");
    }
    assert!(!problems.contains("fl-1"), "{problems}");
    // It says how to switch them on, and where.
    let next = found["next"][0]["command"].as_str().unwrap();
    assert!(
        next.starts_with("aws ec2 create-flow-logs --resource-type VPC "),
        "{next}"
    );
    assert!(next.ends_with(" --resource-ids vpc-1"), "{next}");
    assert!(
        next.contains("--log-format '${version} ${account-id} ${interface-id}"),
        "{next}"
    );

    let covered = inventory_with(&json!([log("fl-1", "vpc-1", json!({}))]));
    let found = doctor(&[], Some(covered.path()));
    let flow_logs = &found["flow_logs"];
    let of_vpc = flow_logs["recorded"].as_u64().unwrap();
    assert!(of_vpc > 1, "{flow_logs}");
    assert_eq!(flow_logs["problems"], json!([]));
}

#[test]
fn an_inventory_without_flow_logs_says_what_to_fetch() {
    let found = doctor(&[], Some(&fixtures().join("inventory")));
    assert_eq!(found["flow_logs"], Value::Null);
    let notes = texts(&found["inventory"]["notes"]).join("\n");
    assert!(notes.contains("the inventory has no FlowLogs: "), "{notes}");
    assert!(
        notes.contains("the inventory has no Vpcs: the Amazon DNS address"),
        "{notes}"
    );
    let next = found["next"][0]["command"].as_str().unwrap();
    assert!(next.starts_with("aws ec2 describe-flow-logs > "), "{next}");
    assert_eq!(found["inventory"]["age"], Value::Null);
}

/// The manifest of a snapshot says when it was taken, and the records when they are of.
#[test]
fn the_snapshot_is_compared_with_the_records() {
    let inventory = inventory_with(&json!([]));
    let log = tempfile::NamedTempFile::new().unwrap();
    fs::write(log.path(), row(LISTED, "ACCEPT")).unwrap();
    for (taken, said) in [
        (
            1_793_577_600 + 3 * 86_400,
            "taken 2 days 23 h after the last record",
        ),
        (
            1_793_577_600 - 86_400,
            "taken 1 day 0 h before the first record",
        ),
        (1_793_577_630, "taken in the time of the records"),
    ] {
        let manifest = json!({"schema_version": 2, "collected_at": taken});
        fs::write(inventory.path().join("manifest.json"), manifest.to_string()).unwrap();
        let found = doctor(&[log.path()], Some(inventory.path()));
        let age = found["inventory"]["age"].as_str().unwrap();
        assert!(age.contains(said), "{age}");
        assert_eq!(found["inventory"]["taken"]["start"], taken);
    }
    fs::remove_file(inventory.path().join("manifest.json")).unwrap();
    let found = doctor(&[log.path()], Some(inventory.path()));
    let age = found["inventory"]["age"].as_str().unwrap();
    assert!(age.contains("no manifest"), "{age}");
}

#[test]
fn exit_codes_tell_what_was_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.log");
    fs::write(&garbage, "nothing of a flow log\n").unwrap();
    let mut command = closegate();
    let assert = command
        .args(["doctor", "--flows"])
        .arg(&garbage)
        .assert()
        .code(3);
    let output = assert.get_output();
    let (said, error) = (
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    );
    assert!(said.contains("no known format"), "{said}");
    assert!(error.contains("nothing usable could be read"), "{error}");

    let missing = dir.path().join("missing.log");
    let assert = closegate()
        .args(["doctor", "--flows"])
        .arg(&missing)
        .assert();
    fails(assert, 2, &["does not exist"]);
    let assert = closegate()
        .args(["doctor", "--inventory"])
        .arg(dir.path())
        .assert();
    fails(assert, 2, &["security groups"]);
    let assert = closegate().arg("doctor").assert().code(2);
    let error = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(
        error.contains("--flows") && error.contains("--inventory"),
        "{error}"
    );
}

/// What an attacker may have written moves no terminal.
#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("a\u{1b}[31m\u{202e}.log");
    let header = "srcaddr dstaddr srcport dstport protocol action start \u{1b}[2J";
    let rows = "10.0.0.10 10.0.0.11 40000 443 6 ACCEPT 1793577600 x\nbad\n";
    fs::write(&log, format!("{header}\n{rows}")).unwrap();
    let inventory = inventory_with(
        &json!([{"FlowLogId": "fl-\u{1b}[1m", "ResourceId": "vpc-\u{202e}", "TrafficType": "REJECT"}]),
    );
    let mut command = closegate();
    command.args(["doctor", "--flows"]).arg(&log);
    let text = printed(command.arg("--inventory").arg(inventory.path()));
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    assert!(text.contains("\\u{1b}[2J"), "{text}");
    assert!(text.contains("1 malformed line"), "{text}");
    assert!(text.contains("fl-\\u{1b}[1m"), "{text}");
}

/// Engines cost by what they scan; what one answered is no records.
#[test]
fn what_an_engine_answered_is_not_read() {
    let found = doctor(&[Path::new("answers:nothing-is-there")], None);
    let source = &found["sources"][0];
    assert!(source["not_read"].as_str().unwrap().contains("engines"));
    assert_eq!(source["files"], 0);
    let last = found["next"].as_array().unwrap().last().unwrap();
    assert!(
        last["command"]
            .as_str()
            .unwrap()
            .contains("answers:nothing-is-there")
    );
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_says_so() {
    let assert = closegate().args(["doctor", "--aws"]).assert();
    fails(assert, 2, &["without the feature aws"]);
}
