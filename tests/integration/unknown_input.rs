//! What input doesn't say stays unknown: a missing port is not port 0, a missing interface is not an interface called `-`,
//! and of two versions the newer is used only where something says which that is.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use closegate::inventory::Inventory;
use closegate::query::{KeptPorts, Partials};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::closegate;
use crate::queries::peer;

/// web (eni-0001, 10.0.0.1) and db (eni-0002, 10.0.0.2), each in a group of its own with open egress. The db's group
/// lets web in on 3306, by a rule with tags.
fn inventory() -> Value {
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let group = |id: &str, name: &str, ingress: Value| {
        json!({"GroupId": id, "GroupName": name, "VpcId": "vpc-1", "OwnerId": "111122223333",
            "IpPermissions": ingress, "IpPermissionsEgress": open})
    };
    let interface = |id: &str, address: &str, group: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "InterfaceType": "interface",
            "PrivateIpAddress": address, "Groups": [{"GroupId": group}]})
    };
    let from_web = json!([{"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "UserIdGroupPairs": [{"GroupId": "sg-0001"}]}]);
    json!({
        "SecurityGroups": [group("sg-0001", "web", json!([])), group("sg-0002", "db", from_web)],
        "NetworkInterfaces": [interface("eni-0001", "10.0.0.1", "sg-0001"), interface("eni-0002", "10.0.0.2", "sg-0002")],
        "SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-0001", "GroupId": "sg-0002", "IsEgress": false,
            "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "ReferencedGroupInfo": {"GroupId": "sg-0001"},
            "Tags": [{"Key": "owner", "Value": "ops"}, {"Key": "aws:cloudformation:x", "Value": "y"}, {"Key": "a\nb = \"${c}\"", "Value": ""}]}],
    })
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Audits one file in a directory that holds [`inventory`].
fn audit_file(
    dir: &Path,
    name: &str,
    content: impl AsRef<[u8]>,
    more: &[&str],
) -> assert_cmd::assert::Assert {
    write(&dir.join("flows").join(name), content);
    if !dir.join("inventory").exists() {
        write(&dir.join("inventory/all.json"), inventory().to_string());
    }
    let mut command = closegate();
    command.current_dir(dir);
    command.args([
        "audit",
        "--inventory",
        "inventory",
        "--out",
        "run",
        "--flows",
    ]);
    command
        .arg(Path::new("flows").join(name))
        .args(more)
        .assert()
}

/// The `audit.json` of an audit that succeeds.
fn audited(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    audit_file(dir.path(), name, content, &[]).success();
    let audit = fs::read(dir.path().join("run/audit.json")).unwrap();
    (dir, serde_json::from_slice(&audit).unwrap())
}

fn reasons(audit: &Value) -> Vec<&str> {
    let samples = audit["input"]["malformed_samples"].as_array().unwrap();
    samples
        .iter()
        .map(|sample| sample["reason"].as_str().unwrap())
        .collect()
}

/// Rows, idle intervals, skipped intervals and malformed rows.
fn counts(audit: &Value) -> [u64; 4] {
    let input = |key: &str| audit["input"][key].as_u64().unwrap();
    let idle = input("records_no_data") + input("records_skip_data");
    [
        input("records_read") - idle,
        input("records_no_data"),
        input("records_skip_data"),
        input("records_malformed"),
    ]
}

fn services(audit: &Value) -> Vec<String> {
    let connections = audit["connections"].as_array().unwrap();
    let mut all: Vec<String> = connections
        .iter()
        .map(|c| format!("{}/{}", c["protocol"].as_str().unwrap(), c["port"]))
        .collect();
    all.sort();
    all
}

const NAMES: &str = "interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status";

/// One good row, rows that lack a port, and one of ICMP, which has none.
const PORTLESS: &[&str] = &[
    "eni-0001 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 - 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 40000 - 17 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 - - 1 1 60 1790000000 1790000010 ACCEPT OK",
];

fn csv(rows: &[&str]) -> String {
    let lines = [NAMES]
        .iter()
        .chain(rows)
        .map(|line| line.replace(' ', ","));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn json_rows(rows: &[&str]) -> String {
    let row = |row: &&str| {
        let values = NAMES.split(' ').zip(row.split(' '));
        // What has no value has no key either.
        let members = values.filter(|(_, value)| *value != "-");
        let members: serde_json::Map<String, Value> = members
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Value::from(members).to_string() + "\n"
    };
    rows.iter().map(row).collect()
}

/// TCP and UDP without a port are malformed in every format, with a reason that says which port; ICMP has none.
#[test]
fn a_row_without_a_port_is_malformed_and_says_which() {
    let text = [&[NAMES], PORTLESS].concat().join("\n");
    let nulls = csv(PORTLESS).replace(",-", ",");
    for (name, content) in [
        ("a.log", text),
        ("a.csv", csv(PORTLESS)),
        ("nulls.csv", nulls),
        ("a.json", json_rows(PORTLESS)),
    ] {
        let (_dir, audit) = audited(name, content);
        assert_eq!(counts(&audit), [2, 0, 0, 2], "{name}");
        assert_eq!(services(&audit), ["icmp/null", "tcp/3306"], "{name}");
        let reasons = reasons(&audit);
        assert!(
            reasons[0].contains("without a port: no srcport")
                && reasons[1].contains("without a port: no dstport"),
            "{name}: {reasons:?}"
        );
    }
}

#[test]
fn a_table_without_the_columns_of_ports_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let without = |name: &str, text: &str| {
        let at = NAMES.split(' ').position(|known| known == name).unwrap();
        let line = |line: &str| {
            let mut cells: Vec<&str> = line.split(',').collect();
            cells.remove(at);
            cells.join(",") + "\n"
        };
        text.lines().map(line).collect::<String>()
    };
    for name in ["srcport", "dstport"] {
        let table = without(name, &csv(PORTLESS));
        fails(
            audit_file(dir.path(), "a.csv", table, &[]),
            3,
            &[&format!("the format has no `{name}`")],
        );
        let text = without(name, &csv(PORTLESS)).replace(',', " ");
        fails(
            audit_file(dir.path(), "a.log", text, &[]),
            3,
            &[&format!("the format has no `{name}`")],
        );
    }
}

/// OCSF in Parquet; `port` is the receiver's.
fn ocsf(port: Option<Option<i64>>) -> Vec<u8> {
    let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let numbers = |number: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
    let group = |members: Vec<(&str, ArrayRef)>| -> ArrayRef {
        let members = members.into_iter().map(|(name, column)| {
            let kind: DataType = column.data_type().clone();
            (Arc::new(Field::new(name, kind, true)), column)
        });
        Arc::new(StructArray::from(members.collect::<Vec<_>>()))
    };
    let mut receiver = vec![("ip", texts("10.0.0.2"))];
    receiver.extend(port.map(|port| ("port", numbers(port))));
    let sender = vec![
        ("ip", texts("10.0.0.1")),
        ("port", numbers(Some(40000))),
        ("interface_uid", texts("eni-0001")),
    ];
    let columns = vec![
        ("src_endpoint", group(sender)),
        ("dst_endpoint", group(receiver)),
        (
            "connection_info",
            group(vec![
                ("protocol_num", numbers(Some(6))),
                ("direction_id", numbers(Some(2))),
            ]),
        ),
        ("start_time", numbers(Some(1_790_000_000_000))),
        ("action_id", numbers(Some(1))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn ocsf_without_a_port_is_refused_or_malformed() {
    let (_dir, audit) = audited("a.parquet", ocsf(Some(Some(3306))));
    assert_eq!(
        (counts(&audit), services(&audit)),
        ([1, 0, 0, 0], vec!["tcp/3306".to_owned()])
    );
    let dir = tempfile::tempdir().unwrap();
    fails(
        audit_file(dir.path(), "a.parquet", ocsf(Some(None)), &[]),
        3,
        &["without a port: no dstport"],
    );
    fails(
        audit_file(dir.path(), "a.parquet", ocsf(None), &[]),
        3,
        &["the format has no `dstport`"],
    );
}

/// The rows of the query `connections` over a log, by DuckDB.
fn by_duckdb(log: &str, columns: &str) -> Vec<Value> {
    const RUN: &str = r"
import duckdb, json, sys
cursor = duckdb.connect()
cursor.execute(open(sys.argv[1]).read())
names = [column[0] for column in cursor.description]
print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()]))
";
    let dir = tempfile::tempdir().unwrap();
    let (flows, sql) = (dir.path().join("a.log"), dir.path().join("a.sql"));
    fs::write(&flows, log).unwrap();
    let mut command = closegate();
    command.args([
        "query",
        "connections",
        "--engine",
        "duckdb",
        "--log-format",
        columns,
        "--flows",
    ]);
    fs::write(
        &sql,
        command
            .arg(&flows)
            .assert()
            .success()
            .get_output()
            .stdout
            .clone(),
    )
    .unwrap();
    let output = std::process::Command::new(peer("python"))
        .args(["-c", RUN])
        .arg(&sql)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Athena and DuckDB count the same rows as malformed, and name the same places.
#[test]
fn the_queries_keep_what_is_unknown_apart() {
    let header = NAMES.replace('_', "-");
    let rows = by_duckdb(&[&[header.as_str()], PORTLESS].concat().join("\n"), &header);
    let of = |status: &str| -> u64 {
        let rows = rows.iter().filter(|row| row["status"] == status);
        rows.map(|row| row["records"].as_u64().unwrap()).sum()
    };
    assert_eq!((of("OK"), of("bad")), (2, 2), "{rows:#?}");

    let header = format!("resource-id {header}");
    let log = [
        &header,
        "nat-0001 - 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
        "- - 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
    ];
    let rows = by_duckdb(&log.join("\n"), &header);
    let mut places: Vec<&str> = rows
        .iter()
        .map(|row| row["interface_id"].as_str().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places, ["-", "nat-0001"]);
}

/// The same of Logs Insights, which answers with what the records hold.
#[test]
fn answers_of_logs_insights_keep_what_is_unknown_apart() {
    let answer = |more: &[(&'static str, &'static str)]| {
        let mut row = vec![
            ("interface_id", "-"),
            ("srcaddr", "10.0.0.1"),
            ("dstaddr", "10.0.0.2"),
            ("srcport", "40000"),
            ("dstport", "3306"),
            ("protocol", "6"),
            ("action", "ACCEPT"),
            ("records", "3"),
            ("packets", "3"),
            ("bytes", "180"),
            ("first_seen", "1790000000"),
            ("last_seen", "1790000010"),
            ("tcp_flags", "-"),
        ];
        for &(name, value) in more {
            row.retain(|(known, _)| *known != name);
            row.push((name, value));
        }
        row
    };
    let mut partials = Partials::default();
    for more in [
        vec![],
        vec![("dstport", "-")],
        vec![("srcport", "-")],
        vec![("protocol", "1"), ("srcport", "-"), ("dstport", "-")],
        // A format without counts.
        vec![("packets", ""), ("bytes", ""), ("resource_id", "nat-0001")],
    ] {
        let row = answer(&more);
        let value = |wanted: &str| {
            row.iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| *value)
        };
        partials.add_kept(KeptPorts::Both, value).unwrap();
    }
    let (table, intake) = partials.finish("x", "x", 0);
    assert_eq!((intake.rows, intake.malformed), (9, 6));
    assert_eq!(table.observers, ["-", "nat-0001"]);
    let mut ports: Vec<_> = table
        .flows
        .iter()
        .map(|flow| (flow.key.protocol.0, flow.key.dst_port, flow.counters.bytes))
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [(1, 0, 180), (6, 3306, 0), (6, 3306, 180)]);
}

/// What a row lacks is named, where nothing else would tell.
#[test]
fn a_row_says_which_field_it_lacks() {
    for field in ["srcaddr", "dstaddr", "protocol", "start", "action"] {
        let at = NAMES.split(' ').position(|name| name == field).unwrap();
        let mut values: Vec<&str> = PORTLESS[0].split(' ').collect();
        values[at] = "-";
        let row = values.join(" ");
        let rows = [PORTLESS[0], &row];
        for (name, content) in [("a.json", json_rows(&rows)), ("a.csv", csv(&rows))] {
            let (_dir, audit) = audited(name, content);
            assert_eq!(counts(&audit), [1, 0, 0, 1], "{name} without {field}");
            let reason = reasons(&audit)[0].to_owned();
            assert!(
                reason.starts_with(&format!("no {field}")),
                "{name}: {reason}"
            );
        }
    }
}

/// `log_status` is the field. `status` counts only where that is not a column, and only with its values.
#[test]
fn status_counts_only_without_log_status() {
    let row = |status: &str, log_status: Option<&str>| {
        let [names, values] = [NAMES, "eni-0001 - - - - - - - 1790000000 1790000010 - X"]
            .map(|line| line.rsplit_once(' ').unwrap().0);
        let traffic = PORTLESS[0].rsplit_once(' ').unwrap().0;
        let values = if log_status.or(Some(status)) == Some("SKIPDATA") {
            values
        } else {
            traffic
        };
        let (mut names, mut values) = (format!("status {names}"), format!("{status} {values}"));
        if let Some(log_status) = log_status {
            names += " log_status";
            values = format!("{values} {log_status}");
        }
        (names, values)
    };
    for (status, log_status, wanted) in [
        ("OK", Some("SKIPDATA"), [1, 0, 1, 0]),
        ("SKIPDATA", Some("OK"), [2, 0, 0, 0]),
        ("SKIPDATA", None, [1, 0, 1, 0]),
        ("200", None, [2, 0, 0, 0]),
        ("200", Some("OK"), [2, 0, 0, 0]),
    ] {
        let (names, values) = row(status, log_status);
        let good = PORTLESS[0].replace("40000", "40001");
        let good = match log_status {
            Some(_) => format!("200 {good}"),
            None => format!("200 {}", good.rsplit_once(' ').unwrap().0),
        };
        let table = [&names, &values, &good]
            .map(|line| line.replace(' ', ","))
            .join("\n");
        let members = |values: &str| -> String {
            let all = names.split(' ').zip(values.split(' '));
            let all: serde_json::Map<String, Value> = all
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            Value::from(all).to_string()
        };
        for (name, content) in [
            ("a.csv", table),
            ("a.json", members(&values) + "\n" + &members(&good)),
        ] {
            let (_dir, audit) = audited(name, content);
            assert_eq!(
                counts(&audit),
                wanted,
                "{name}: status {status}, log_status {log_status:?}, {:?}",
                reasons(&audit)
            );
        }
    }
}

/// Two spellings of one field in a record: one value is the value, two different ones are none.
#[test]
fn an_empty_spelling_is_no_second_value() {
    let row = |more: Value| {
        let values = NAMES.split(' ').zip(PORTLESS[0].split(' '));
        let mut members: serde_json::Map<String, Value> = values
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        members.extend(more.as_object().unwrap().clone());
        Value::from(members).to_string()
    };
    for (more, wanted) in [
        (json!({"srcAddr": null}), [1, 0, 0, 0]),
        (
            json!({"srcaddr": null, "srcAddr": "10.0.0.1"}),
            [1, 0, 0, 0],
        ),
        (json!({"starttime": 1_790_000_000}), [1, 0, 0, 0]),
    ] {
        let (_dir, audit) = audited("a.json", row(more.clone()));
        assert_eq!(counts(&audit), wanted, "{more}: {:?}", reasons(&audit));
    }
    let dir = tempfile::tempdir().unwrap();
    let two = row(json!({"srcAddr": "10.0.0.9"}));
    fails(
        audit_file(dir.path(), "a.json", two, &[]),
        3,
        &["two different values for one field"],
    );
}

const NAT: &str = "interface-id resource-id srcaddr dstaddr srcport dstport protocol packets bytes start end action flow-direction tcp-flags log-status";

/// A client's connection to the internet, recorded at its interface and at a regional NAT gateway, which names itself
/// only as a resource.
fn through_nat(resource: bool) -> String {
    let mut log = vec![NAT.to_owned()];
    for day in 0..3 {
        let times = format!(
            "{} {}",
            1_790_000_000 + day * 86_400,
            1_790_000_050 + day * 86_400
        );
        let row = |place: &str, ends: &str, way: &str, flags: u8| {
            format!("{place} {ends} 6 5 700 {times} ACCEPT {way} {flags} OK")
        };
        log.push(row(
            "eni-0001 -",
            "10.0.0.1 203.0.113.5 40000 443",
            "egress",
            2,
        ));
        log.push(row(
            "eni-0001 -",
            "203.0.113.5 10.0.0.1 443 40000",
            "ingress",
            18,
        ));
        log.push(row(
            "- nat-0001",
            "10.0.0.1 203.0.113.5 40000 443",
            "ingress",
            2,
        ));
        log.push(row(
            "- nat-0001",
            "203.0.113.5 10.0.0.1 443 40000",
            "egress",
            18,
        ));
        log.push(format!("- nat-0001 - - - - - - - {times} - - - SKIPDATA"));
    }
    let strip = |line: String| {
        let mut cells: Vec<&str> = line.split(' ').collect();
        cells.remove(1);
        cells.join(" ")
    };
    if !resource {
        log = log.into_iter().map(strip).collect();
    }
    log.join("\n") + "\n"
}

/// A regional NAT gateway is a place on the way: no interface, no end, and no second connection.
#[test]
fn a_regional_nat_gateway_is_no_interface() {
    for resource in [true, false] {
        let (dir, audit) = audited("a.log", through_nat(resource));
        let connections = audit["connections"].as_array().unwrap();
        assert_eq!(connections.len(), 1, "{connections:#?}");
        let one = &connections[0];
        assert_eq!(
            (
                &one["initiator"]["interface_id"],
                &one["responder"]["interface_id"]
            ),
            (&json!("eni-0001"), &Value::Null)
        );
        assert_eq!(
            (&one["records"], &one["verdict"]),
            (&json!(12), &json!("accepted"))
        );
        assert_eq!(one["seen"]["forwarded_accepted"], 3, "{:#}", one["seen"]);

        let findings = audit["findings"].as_array().unwrap();
        let skipped: Vec<_> = findings
            .iter()
            .filter(|finding| finding["kind"] == "skipped-records")
            .collect();
        assert_eq!(skipped.len(), 1);
        assert_eq!(skipped[0]["interface_id"], Value::Null);
        let detail = skipped[0]["detail"].as_str().unwrap();
        let wanted = if resource {
            "of nat-0001 in 3 intervals"
        } else {
            "in 3 intervals. The logs don't name the interface"
        };
        assert!(detail.contains(wanted), "{detail}");
        for file in ["audit.json", "graph.json", "report.md", "rules/rules.json"] {
            let text = fs::read_to_string(dir.path().join("run").join(file)).unwrap();
            assert!(
                !text.contains("\"-\"") && !text.contains("\"nat-0001\""),
                "{file}"
            );
        }
    }
}

/// Two NAT gateways whose records AWS skipped are two findings.
#[test]
fn each_place_without_an_interface_has_its_own_finding() {
    let log = through_nat(true);
    let other = log.lines().last().unwrap().replace("nat-0001", "nat-0002");
    let (_dir, audit) = audited("a.log", format!("{log}{other}\n"));
    let findings = audit["findings"].as_array().unwrap();
    let skipped: Vec<_> = findings
        .iter()
        .filter(|finding| finding["kind"] == "skipped-records")
        .collect();
    assert_eq!(skipped.len(), 2, "{skipped:#?}");
    assert_ne!(skipped[0]["id"], skipped[1]["id"]);
}

const TGW: &str = "version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route tcp-flags flow-direction";

fn as_format(names: &str) -> String {
    let names: Vec<String> = names
        .split(' ')
        .map(|name| format!("${{{name}}}"))
        .collect();
    names.join(" ")
}

/// A Transit Gateway flow log is one by its header, by `--log-format`, by its columns, and by its id.
#[test]
fn a_transit_gateway_flow_log_is_refused_however_it_is_known() {
    const SAYS: &str = "this is a Transit Gateway flow log";
    const NAME: &str = "1_vpcflowlogs_us-east-1_fl-0001_20261102T0000Z_a.log";
    let row = "444455556666 6 TransitGateway tgw-1 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 OK";
    let new = tempfile::tempdir;
    let without_id = TGW.replace("tgw-id ", "");
    for format in [
        TGW,
        &without_id,
        "srcaddr dstaddr srcport dstport protocol start packets-lost-no-route",
    ] {
        let dir = new().unwrap();
        fails(
            audit_file(
                dir.path(),
                "a.log",
                row,
                &["--log-format", &as_format(format)],
            ),
            2,
            &["--log-format", SAYS],
        );
        fails(
            audit_file(dir.path(), "b.log", format!("{format}\n{row}\n"), &[]),
            3,
            &[SAYS],
        );
        fails(
            audit_file(
                dir.path(),
                "c.csv",
                format!("{}\n", format.replace(' ', ",").replace('-', "_")),
                &[],
            ),
            3,
            &[SAYS],
        );
    }
    let of_gateway = json!({"FlowLogId": "fl-0001", "ResourceId": "tgw-0001", "LogFormat": as_format("srcaddr dstaddr")});
    let by_format = json!({"FlowLogId": "fl-0001", "LogFormat": as_format(TGW)});
    for log in [of_gateway, by_format] {
        for more in [
            vec![],
            vec![
                "--log-format".to_owned(),
                as_format("version srcaddr dstaddr srcport dstport protocol action start"),
            ],
        ] {
            let dir = new().unwrap();
            write(
                &dir.path().join("inventory/all.json"),
                inventory().to_string(),
            );
            write(
                &dir.path().join("inventory/logs.json"),
                json!({"FlowLogs": [log]}).to_string(),
            );
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            fails(audit_file(dir.path(), NAME, row, &more), 3, &[SAYS]);
            let mut ingest = closegate();
            ingest.current_dir(dir.path()).args([
                "ingest",
                "--inventory",
                "inventory",
                "--store",
                "store",
                "--flows",
            ]);
            fails(
                ingest.arg(Path::new("flows").join(NAME)).assert(),
                3,
                &[SAYS],
            );
        }
    }
}

#[test]
fn an_empty_list_is_not_a_file_that_is_missing() {
    for (list, command) in [
        ("SecurityGroups", "describe-security-groups"),
        ("NetworkInterfaces", "describe-network-interfaces"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut all = inventory();
        all[list] = json!([]);
        write(&dir.path().join("inventory/all.json"), all.to_string());
        let failed = audit_file(dir.path(), "a.csv", csv(PORTLESS), &[]);
        fails(
            failed,
            2,
            &[
                &format!("the list {list} in `all.json` is empty"),
                command,
                "region",
            ],
        );
    }
}

/// A version of the db's group, which opens this port.
fn version(port: u16) -> String {
    let mut group = inventory()["SecurityGroups"][1].clone();
    group["IpPermissions"][0]["FromPort"] = port.into();
    group["IpPermissions"][0]["ToPort"] = port.into();
    json!({"SecurityGroups": [group]}).to_string()
}

/// Of two versions the newer is used, by the date in the path, else by the file's modification time; and a note says how.
#[test]
fn of_two_versions_the_newer_is_used_and_the_note_says_why() {
    let (early, late) = (1_700_000_000, 1_795_900_000);
    let (by_name, by_file) = ("has the later date in its path", "was modified later");
    for ((first, modified), (second, other), used, because) in [
        // Names that sort the other way.
        (
            ("z-2026-11-27.json", early),
            ("a-2026-11-28.json", early),
            2,
            by_name,
        ),
        (
            ("a-2026-11-28.json", early),
            ("z-2026-11-27.json", late),
            1,
            by_name,
        ),
        (
            ("20261128/g.json", early),
            ("h/20261127T2359.json", late),
            1,
            by_name,
        ),
        (
            ("new_2026_11_28.json", early),
            ("old_2026_11_27.json", late),
            1,
            by_name,
        ),
        (
            ("g-2026-11-28T09-30.json", early),
            ("h-2026-11-28.json", late),
            1,
            by_name,
        ),
        // Names that say nothing, or the same.
        (("a.json", late), ("b.json", early), 1, by_file),
        (("a.json", early), ("b.json", late), 2, by_file),
        (
            ("a/2026-11-28.json", late),
            ("b/2026-11-28.json", early),
            1,
            by_file,
        ),
        (
            ("a.json", late),
            ("b-2026-11-28.json", early),
            1,
            "modified after the date in the other's path",
        ),
        (
            ("a.json", early),
            ("b-2026-11-28.json", late),
            2,
            "later than the other's modification time",
        ),
        (("a.json", early), ("b.json", early), 2, "the last by path"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut rest = inventory();
        rest["SecurityGroups"].as_array_mut().unwrap().pop();
        rest.as_object_mut().unwrap().remove("SecurityGroupRules");
        write(&dir.path().join("rest.json"), rest.to_string());
        for (name, port, seconds) in [(first, 1, modified), (second, 2, other)] {
            let path = dir.path().join(name);
            write(&path, version(port));
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
                .unwrap();
        }
        let mut can = closegate();
        can.args([
            "can",
            "eni-0001",
            "eni-0002",
            &format!("tcp/{used}"),
            "--inventory",
        ]);
        can.arg(dir.path()).assert().success();
        let inventory = Inventory::load(dir.path()).unwrap();
        let notes: Vec<&str> = inventory
            .notes()
            .iter()
            .map(|note| note.0.as_str())
            .filter(|note| note.contains("sg-0002"))
            .collect();
        let [note] = notes[..] else {
            panic!("{first}, {second}: {notes:#?}")
        };
        let named = if used == 1 { first } else { second };
        assert!(
            note.contains(&format!("closegate uses `{named}`"))
                && note.contains("different content")
                && note.contains(because),
            "{first}, {second}: {note}"
        );
        let copied = note.contains("copying changes modification times");
        assert_eq!(copied, note.contains("modif"), "{note}");
    }
}

/// A managed prefix list's entries of an older file do not add up with those of a newer one.
#[test]
fn entries_are_of_the_newest_dated_file() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("all.json"), inventory().to_string());
    write(&dir.path().join("lists.json"), json!({"PrefixLists": [{"PrefixListId": "pl-00000001", "PrefixListName": "x", "MaxEntries": 9}]}).to_string());
    for (name, block) in [
        ("z-2026-11-27/pl-00000001.json", "192.0.2.0/24"),
        ("a-2026-11-28/pl-00000001.json", "198.51.100.0/24"),
    ] {
        write(
            &dir.path().join(name),
            json!({"Entries": [{"Cidr": block}]}).to_string(),
        );
    }
    let inventory = Inventory::load(dir.path()).unwrap();
    let lists = format!("{:?}", inventory.prefix_lists());
    assert!(
        lists.contains("198.51.100.0/24") && !lists.contains("192.0.2.0/24"),
        "{lists}"
    );
    assert!(
        inventory
            .notes()
            .iter()
            .any(|note| note.0.contains("pl-00000001") && note.0.contains("z-2026-11-27"))
    );
}

/// The module has one map of tags, so adoption takes a rule's own tags away. That is said, with the rule and its tags.
#[test]
fn adoption_says_which_rules_lose_their_tags() {
    let row = |at: u64| format!("eni-0001 10.0.0.1 10.0.0.2 40000 3306 6 1 60 {at} {at} ACCEPT OK");
    let rows: Vec<String> = (0..3)
        .map(|day| row(1_790_000_000 + day * 86_400))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (dir, _audit) = audited("a.csv", csv(&rows));
    let read = |name: &str| fs::read_to_string(dir.path().join("run/rules").join(name)).unwrap();
    let (mutual, plan) = (read("mutual.tf"), read("plan.md"));
    assert!(
        mutual.contains("import {") && mutual.contains("\"sgr-0001\""),
        "{mutual}"
    );
    let comment: Vec<&str> = mutual
        .lines()
        .take_while(|line| line.starts_with('#'))
        .collect();
    let comment = comment.join("\n");
    for text in [&comment, &plan] {
        for word in [
            "removes the tags of 1 rule",
            "sgr-0001",
            "owner",
            "apply.sh",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(
            !text.contains("aws:cloudformation") && !text.contains("a\nb"),
            "{text}"
        );
    }
    let mut command = closegate();
    command
        .arg("rules")
        .arg(dir.path().join("run"))
        .args(["--format", "terraform"]);
    let whole = crate::common::printed(&mut command);
    assert!(whole.contains("removes the tags of 1 rule"), "{whole}");

    // Without tags there is nothing to say.
    let dir = tempfile::tempdir().unwrap();
    let mut all = inventory();
    all["SecurityGroupRules"][0]
        .as_object_mut()
        .unwrap()
        .remove("Tags");
    write(&dir.path().join("inventory/all.json"), all.to_string());
    audit_file(dir.path(), "a.csv", csv(&rows), &[]).success();
    for name in ["mutual.tf", "plan.md"] {
        let text = fs::read_to_string(dir.path().join("run/rules").join(name)).unwrap();
        assert!(!text.to_lowercase().contains("tags"), "{name}: {text}");
    }
}
