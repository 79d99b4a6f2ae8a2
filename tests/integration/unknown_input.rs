//! What a record doesn't say stays unknown: a missing port is not port 0, and a column that some tools call `status` is
//! not log-status.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use closegate::query::{self, Engine, KeptPorts, Over, Partials, QUERIES, QueryNames};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::closegate;
use crate::queries::peer;

/// web (eni-0001, 10.0.0.1) and db (eni-0002, 10.0.0.2), each in a group of its own with open egress. The db's group
/// lets web in on 3306, by a rule with tags.
pub(crate) fn inventory() -> Value {
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

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Audits one file in a directory that holds [`inventory`].
pub(crate) fn audit_file(
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
pub(crate) fn audited(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, Value) {
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
pub(crate) fn counts(audit: &Value) -> [u64; 4] {
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
pub(crate) const PORTLESS: &[&str] = &[
    "eni-0001 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 - 3306 6 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 40000 - 17 1 60 1790000000 1790000010 ACCEPT OK",
    "eni-0001 10.0.0.1 10.0.0.2 - - 1 1 60 1790000000 1790000010 ACCEPT OK",
];

pub(crate) fn csv(rows: &[&str]) -> String {
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

/// OCSF in Parquet; `port` is the receiver's, if there is such a column.
pub(crate) fn ocsf(has_port: bool, port: Option<i64>) -> Vec<u8> {
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
    receiver.extend(has_port.then(|| ("port", numbers(port))));
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
    let (_dir, audit) = audited("a.parquet", ocsf(true, Some(3306)));
    assert_eq!(
        (counts(&audit), services(&audit)),
        ([1, 0, 0, 0], vec!["tcp/3306".to_owned()])
    );
    let dir = tempfile::tempdir().unwrap();
    fails(
        audit_file(dir.path(), "a.parquet", ocsf(true, None), &[]),
        3,
        &["without a port: no dstport"],
    );
    fails(
        audit_file(dir.path(), "a.parquet", ocsf(false, None), &[]),
        3,
        &["the format has no `dstport`"],
    );
}

/// What DuckDB answers.
fn ask(sql: impl AsRef<[u8]>) -> Vec<Value> {
    const RUN: &str = r"
import duckdb, json, sys
cursor = duckdb.connect()
cursor.execute(open(sys.argv[1]).read())
names = [column[0] for column in cursor.description]
print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()]))
";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.sql");
    fs::write(&file, sql).unwrap();
    let mut python = std::process::Command::new(peer("python"));
    let output = python.args(["-c", RUN]).arg(&file).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The rows of the query `connections` over a log, by DuckDB.
fn by_duckdb(log: &str, columns: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let flows = dir.path().join("a.log");
    fs::write(&flows, log).unwrap();
    let mut command = closegate();
    command.args(["query", "connections", "--engine", "duckdb"]);
    command.args(["--log-format", columns, "--flows"]);
    let done = command.arg(&flows).assert().success();
    ask(&done.get_output().stdout)
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

/// A column `status` of a table, as in files.
#[test]
fn the_queries_take_status_for_a_missing_log_status() {
    let connections = QUERIES
        .iter()
        .find(|query| (query.over, query.name) == (Over::Rows, "connections"));
    let counted = |columns: &str, values: &str| -> Vec<(String, u64)> {
        let from = format!("(VALUES ({values})) AS logs({columns})");
        let columns = columns
            .split(", ")
            .map(|name| name.trim_matches('"').to_owned())
            .collect();
        let names = QueryNames {
            dialect: Engine::Duckdb.dialect().unwrap(),
            from: &from,
            is_table: true,
            columns: &columns,
            condition: "true",
            window: (None, None),
            inventory: None,
        };
        let sql = query::over_rows(connections.unwrap(), &names);
        let rows = ask(sql);
        let row = |row: &Value| {
            (
                row["status"].as_str().unwrap().to_owned(),
                row["records"].as_u64().unwrap(),
            )
        };
        rows.iter().map(row).collect()
    };
    let names = "interface_id, srcaddr, dstaddr, srcport, dstport, protocol, action, start, \"end\", status";
    let idle = "'eni-0001', '-', '-', '-', '-', '-', '-', 1, 2";
    let row = "'eni-0001', '10.0.0.1', '10.0.0.2', 1, 2, 6, 'ACCEPT', 1, 2";
    let one = |status: &str| vec![(status.to_owned(), 1)];
    assert_eq!(
        counted(names, &format!("{idle}, 'SKIPDATA'")),
        one("SKIPDATA")
    );
    assert_eq!(counted(names, &format!("{row}, 200")), one("OK"));
    let both = format!("{names}, log_status");
    assert_eq!(
        counted(&both, &format!("{idle}, 'OK', 'SKIPDATA'")),
        one("SKIPDATA")
    );
    assert_eq!(
        counted(&both, &format!("{row}, 'SKIPDATA', 'OK'")),
        one("OK")
    );
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
        vec![("srcaddr", "10.0.0.256")],
        vec![("srcaddr", "2001:db8::1")],
        vec![("protocol", "-")],
        vec![("action", "-")],
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
    assert_eq!((intake.rows, intake.malformed), (9, 18));
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
