//! Probes: rejected connections from outside, many of which are one entry. Nothing of them is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{closegate, printed};
use crate::queries::peer;
use crate::small::{group, interface};

const LOG: &str = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags packets bytes start end log-status\n";

const START: u64 = 1_793_577_600;

/// Forty web servers, which admit everybody to 443.
fn inventory() -> Value {
    let web = json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]);
    let server = |n: usize| {
        let mut server = interface(&name(n), &address(n), &["sg-web"]);
        server["Ipv6Addresses"] = json!([{"Ipv6Address": format!("2600:1f18::{n:x}")}]);
        server
    };
    let servers: Vec<Value> = (0..40).map(server).collect();
    json!({"SecurityGroups": [group("sg-web", &web)], "NetworkInterfaces": servers})
}

fn name(server: usize) -> String {
    format!("eni-{server:02}")
}

fn address(server: usize) -> String {
    format!("10.0.0.{}", server + 10)
}

/// A record of a server's interface, of one TCP packet.
fn record(
    server: usize,
    from: (&str, u16),
    to: (&str, u16),
    (action, flags): (&str, u8),
    start: u64,
) -> String {
    format!(
        "{} {} {} {} {} 6 {action} {flags} 1 40 {start} {} OK\n",
        name(server),
        from.0,
        from.1,
        to.0,
        to.1,
        start + 59
    )
}

/// A server rejects a packet that opens a connection.
fn probe(from: &str, server: usize, port: u16) -> String {
    let to = if from.contains(':') {
        format!("2600:1f18::{server:x}")
    } else {
        address(server)
    };
    record(server, (from, 40_000), (&to, port), ("REJECT", 2), START)
}

/// A run, read back.
struct Run {
    dir: TempDir,
    audit: Value,
}

fn run(log: &str) -> Run {
    run_with(&inventory(), &[log], &[])
}

/// A run of several logs, with more arguments.
fn run_with(inventory: &Value, logs: &[&str], more: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    for directory in ["inventory", "flows"] {
        fs::create_dir(dir.path().join(directory)).unwrap();
    }
    fs::write(dir.path().join("inventory/all.json"), inventory.to_string()).unwrap();
    for (n, log) in logs.iter().enumerate() {
        let file = dir.path().join(format!("flows/{n}.log"));
        fs::write(file, format!("{LOG}{log}")).unwrap();
    }
    audit_of(dir, &[&["--flows", "flows"], more].concat())
}

fn audit_of(dir: TempDir, from: &[&str]) -> Run {
    let mut command = closegate();
    command
        .current_dir(dir.path())
        .args(["audit", "--inventory", "inventory", "--out", "run"])
        .args(from);
    command.assert().success();
    let audit = fs::read(dir.path().join("run/audit.json")).unwrap();
    let audit = serde_json::from_slice(&audit).unwrap();
    Run { dir, audit }
}

/// Prints the table that each line names.
const READ: &str = r"
import duckdb, json, sys
cursor = duckdb.connect()
for line in sys.stdin:
    cursor.execute('SELECT * FROM read_parquet(?)', [line.rstrip('\n')])
    names = [column[0] for column in cursor.description]
    print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()]), flush=True)
";

/// DuckDB, in one process for all tests: starting it takes longer than a table. It ends with its standard input.
struct TableReader {
    _process: Child,
    files: ChildStdin,
    tables: BufReader<ChildStdout>,
}

static READER: LazyLock<Mutex<TableReader>> = LazyLock::new(|| {
    let mut python = Command::new(peer("python"));
    python.args(["-c", READ]).stdin(Stdio::piped());
    let mut process = python.stdout(Stdio::piped()).spawn().unwrap();
    Mutex::new(TableReader {
        files: process.stdin.take().unwrap(),
        tables: BufReader::new(process.stdout.take().unwrap()),
        _process: process,
    })
});

fn sum(rows: &[Value], key: &str) -> u64 {
    rows.iter().map(|row| row[key].as_u64().unwrap()).sum()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

impl Run {
    fn path(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn connections(&self) -> &[Value] {
        self.audit["connections"].as_array().unwrap()
    }

    fn probes(&self) -> &[Value] {
        let probes = self.audit["probes"].as_array();
        probes.map(Vec::as_slice).unwrap_or_default()
    }

    /// Entries as `initiator responder connections initiators responders services`, with a star for several.
    fn entries(&self) -> Vec<String> {
        let entry = |probes: &Value| {
            let initiator = probes["initiator"].as_str().unwrap_or("*");
            let responder = probes["responder"]["address"].as_str().unwrap_or("*");
            let counts = ["connections", "initiators", "responders", "services"];
            let counts = counts.map(|key| probes[key].to_string());
            format!("{initiator} {responder} {}", counts.join(" "))
        };
        let mut entries: Vec<String> = self.probes().iter().map(entry).collect();
        entries.sort();
        entries
    }

    /// `connections.parquet`, by another reader.
    fn table(&self) -> Vec<Value> {
        let file = self.path().join("connections.parquet");
        let mut table = String::new();
        {
            let mut reader = READER.lock().unwrap();
            writeln!(reader.files, "{}", file.display()).unwrap();
            reader.tables.read_line(&mut table).unwrap();
        }
        // Nothing is there if the reader ended; what it says is on standard error.
        serde_json::from_str(&table).unwrap()
    }

    fn table_bytes(&self) -> Vec<u8> {
        fs::read(self.path().join("connections.parquet")).unwrap()
    }

    /// Every number agrees with every other; the table is the answer.
    fn adds_up(&self) -> Vec<Value> {
        let (audit, table) = (&self.audit, self.table());
        let folded = sum(self.probes(), "connections");
        let connections = self.connections().len() as u64 + folded;
        assert_eq!(audit["replay"]["connections"], connections);
        assert_eq!(table.len() as u64, connections);
        let is_rejected = |row: &&Value| row["verdict"] == "rejected";
        let rejected = self.connections().iter().filter(is_rejected).count() as u64;
        assert_eq!(audit["replay"]["rejected"], rejected + folded);
        assert_eq!(
            table.iter().filter(is_rejected).count() as u64,
            rejected + folded
        );
        let ids: BTreeSet<&str> = table.iter().map(|row| text(row, "id")).collect();
        assert_eq!(ids.len(), table.len(), "ids are unique");
        for probes in self.probes() {
            let samples = probes["samples"].as_array().unwrap();
            assert!((1..=5).contains(&samples.len()));
            assert!(
                samples
                    .iter()
                    .all(|sample| ids.contains(text(sample, "id")))
            );
        }
        let of_entries: BTreeSet<&str> = self.probes().iter().map(|p| text(p, "id")).collect();
        assert_eq!(of_entries.len(), self.probes().len(), "ids are unique");
        let records = sum(self.connections(), "records") + sum(self.probes(), "records");
        assert_eq!(audit["input"]["records_read"], records);
        assert_eq!(sum(&table, "records"), records);
        for key in ["bytes", "packets"] {
            let both = sum(self.connections(), key) + sum(self.probes(), key);
            assert_eq!(sum(&table, key), both, "{key}");
        }
        table
    }

    fn explain(&self, id: &str) -> String {
        printed(closegate().arg("explain").arg(self.path()).arg(id))
    }
}

/// Forty ports of one target.
fn scan(from: &str, server: usize) -> String {
    (1..=40).map(|port| probe(from, server, port)).collect()
}

/// One port of thirty targets.
fn sweep(from: &str, port: u16) -> String {
    (0..30).map(|server| probe(from, server, port)).collect()
}

/// Many sources, one target.
fn noise(sources: u32, server: usize, port: u16) -> String {
    let each = |n: u32| probe(&format!("198.51.100.{n}"), server, port);
    (1..=sources).map(each).collect()
}

#[test]
fn connections_that_are_alike_are_one_entry() {
    let several: String = (0..3).map(|server| scan("203.0.113.9", server)).collect();
    let three_of_ten: String = (0..30u16)
        .map(|n| probe("203.0.113.9", usize::from(n / 3), 20 + n % 3))
        .collect();
    let cases: [(String, &[&str]); 8] = [
        (scan("203.0.113.9", 0), &["203.0.113.9 10.0.0.10 40 1 1 40"]),
        (sweep("203.0.113.9", 22), &["203.0.113.9 * 30 1 30 1"]),
        (noise(40, 0, 22), &["* 10.0.0.10 40 40 1 1"]),
        (noise(16, 0, 22), &["* 10.0.0.10 16 16 1 1"]),
        (noise(15, 0, 22), &[]),
        (
            several,
            &[
                "203.0.113.9 10.0.0.10 40 1 1 40",
                "203.0.113.9 10.0.0.11 40 1 1 40",
                "203.0.113.9 10.0.0.12 40 1 1 40",
            ],
        ),
        (three_of_ten, &["203.0.113.9 * 30 1 10 3"]),
        (
            scan("2001:db8::9", 1) + &scan("203.0.113.9", 0),
            &[
                "2001:db8::9 2600:1f18::1 40 1 1 40",
                "203.0.113.9 10.0.0.10 40 1 1 40",
            ],
        ),
    ];
    for (log, expected) in cases {
        let run = run(&log);
        assert_eq!(run.entries(), expected);
        let table = run.adds_up();
        assert_eq!(table.len(), log.lines().count());
        assert!(table.iter().all(|row| row["after"] == "denied"));
        assert_eq!(run.connections().is_empty(), !expected.is_empty());
        assert_eq!(run.audit["replay"]["lost"], 0);
    }
}

/// 443 is open to the world: what was accepted there, and what a network ACL rejected, stay as they are.
#[test]
fn a_port_that_is_open_is_not_folded() {
    let mut log = scan("203.0.113.9", 0);
    let (client, server) = (("203.0.113.9", 40_000), ("10.0.0.10", 443));
    log += &record(0, client, server, ("ACCEPT", 2), START);
    log += &record(0, server, client, ("ACCEPT", 18), START);
    log += &probe("203.0.113.9", 0, 443);
    log += &noise(40, 0, 443);
    let run = run(&log);
    run.adds_up();
    assert_eq!(run.entries(), ["203.0.113.9 10.0.0.10 40 1 1 40"]);
    assert_eq!(run.connections().len(), 41);
    let is_accepted = |row: &&Value| row["verdict"] == "accepted";
    let accepted: Vec<&Value> = run.connections().iter().filter(is_accepted).collect();
    let [accepted] = accepted[..] else {
        panic!("one connection was accepted: {accepted:?}");
    };
    assert_eq!(accepted["initiator"]["address"], "203.0.113.9");
    assert_eq!(
        (&accepted["port"], &accepted["records"]),
        (&json!(443), &json!(3))
    );
    assert_eq!(run.audit["replay"]["permitted"], 1);
}

/// Replies that a network ACL rejects, with flags and without: they are of the connections that a server opened.
#[test]
fn a_rejected_reply_is_no_probe() {
    for flags in [0, 18] {
        let reply = |n: u16| {
            record(
                0,
                ("203.0.113.9", 443),
                ("10.0.0.10", 40_000 + n),
                ("REJECT", flags),
                START,
            )
        };
        let run = run(&(0..40).map(reply).collect::<String>());
        run.adds_up();
        assert_eq!(run.entries(), [""; 0]);
        assert_eq!(run.connections().len(), 1);
        assert_eq!(run.connections()[0]["initiator"]["address"], "10.0.0.10");
    }
}

/// An interface of our own that scans or sweeps is a finding, and every connection of it is evidence.
#[test]
fn what_our_own_interfaces_try_is_not_folded() {
    let scan: String = (0..40)
        .map(|n| probe("10.0.0.11", 0, 20_001 + 7 * n))
        .collect();
    let sweep: String = (0..120)
        .map(|n| {
            record(
                1,
                ("10.0.0.11", 40_000),
                (&format!("198.51.100.{n}"), 22),
                ("REJECT", 2),
                START,
            )
        })
        .collect();
    for (log, kind) in [(scan, "port-scan"), (sweep, "host-sweep")] {
        let run = run(&log);
        run.adds_up();
        assert_eq!(run.entries(), [""; 0]);
        assert_eq!(run.connections().len(), log.lines().count());
        let findings = run.audit["findings"].as_array().unwrap();
        let found = findings.iter().filter(|finding| finding["kind"] == kind);
        assert_eq!(found.count(), 1, "{kind}");
    }
}

/// Everything that is folded, beside something that is not.
fn everything() -> String {
    let log = scan("203.0.113.9", 0) + &scan("2001:db8::9", 1) + &sweep("203.0.113.10", 22);
    log + &noise(40, 2, 23) + &noise(3, 5, 8080) + &noise(5, 3, 443)
}

#[test]
fn any_order_any_threads_and_a_store_give_the_same() {
    let log = everything();
    let one = run(&log);
    one.adds_up();
    assert_eq!(one.probes().len(), 4);
    let mut lines: Vec<&str> = log.split_inclusive('\n').collect();
    lines.reverse();
    let parts: Vec<String> = lines
        .chunks(50)
        .map(|part| part.iter().copied().collect())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    for threads in ["1", "4"] {
        let other = run_with(&inventory(), &parts, &["--threads", threads]);
        for key in ["probes", "connections", "replay"] {
            assert_eq!(one.audit[key], other.audit[key], "{key}, {threads} threads");
        }
        assert_eq!(one.table_bytes(), other.table_bytes());
    }
    let dir = run_with(&inventory(), &parts, &[]).dir;
    let mut ingest = closegate();
    ingest.current_dir(dir.path()).args([
        "ingest",
        "--flows",
        "flows",
        "--inventory",
        "inventory",
        "--store",
        "store",
    ]);
    ingest.assert().success();
    let stored = audit_of(dir, &["--store", "store"]);
    for key in ["probes", "connections", "replay"] {
        assert_eq!(one.audit[key], stored.audit[key], "{key}, from a store");
    }
    assert_eq!(one.table_bytes(), stored.table_bytes());
}

#[test]
fn explain_knows_entries_and_what_is_in_them() {
    let run = run(&everything());
    for probes in run.probes() {
        let said = run.explain(text(probes, "id"));
        let connections = format!("{} rejected connections", probes["connections"]);
        assert!(said.contains(&connections), "{said}");
        for sample in probes["samples"].as_array().unwrap() {
            assert!(said.contains(text(sample, "id")), "{said}");
        }
    }
    let listed: BTreeSet<&str> = run.connections().iter().map(|c| text(c, "id")).collect();
    let table = run.table();
    let mut folded = table.iter().filter(|row| !listed.contains(text(row, "id")));
    let last = folded.next_back().unwrap();
    let said = run.explain(text(last, "id"));
    for key in ["id", "initiator_address", "responder_address", "verdict"] {
        assert!(said.contains(text(last, key)), "{key}: {said}");
    }
    assert!(said.contains("under probes"), "{said}");
    for unknown in ["p-0000000000000000", "c-0000000000000000"] {
        let mut command = closegate();
        command.arg("explain").arg(run.path()).arg(unknown);
        command.assert().code(2);
    }
}

#[test]
fn verify_counts_them_as_rejected() {
    let run = run(&everything());
    let printed = printed(closegate().current_dir(run.dir.path()).args([
        "verify",
        "--current",
        "--flows",
        "flows",
        "--inventory",
        "inventory",
        "--json",
    ]));
    let verified: Value = serde_json::from_str(&printed).unwrap();
    for key in ["connections", "rejected", "permitted"] {
        assert_eq!(verified[key], run.audit["replay"][key], "{key}");
    }
    assert_eq!(verified["lost"], 0);
}

/// An interface whose groups change has two entries, and so have the probes of it: each with an id of its own.
#[test]
fn each_period_of_an_interface_has_an_entry_of_its_own() {
    const DAY: u64 = 86_400;
    let time = |seconds: u64| {
        jiff::Timestamp::from_second(i64::try_from(seconds).unwrap())
            .unwrap()
            .to_string()
    };
    let event = |name: &str, at: u64, request: Value, response: Value| {
        json!({
            "eventVersion": "1.08", "eventName": name, "eventTime": time(at), "eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1",
            "eventID": name, "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
            "requestParameters": request, "responseElements": response,
        })
    };
    let set = |id: &str| json!({"items": [{"groupId": id}]});
    let made = json!({"networkInterface": {
        "networkInterfaceId": "eni-00", "subnetId": "subnet-1", "vpcId": "vpc-1", "privateIpAddress": "10.0.0.10", "interfaceType": "interface",
        "groupSet": set("sg-old"), "privateIpAddressesSet": {"item": [{"privateIpAddress": "10.0.0.10", "primary": true}]},
    }});
    let regrouped = json!({"networkInterfaceId": "eni-00", "groupSet": set("sg-web")});
    let mut inventory = inventory();
    inventory["SecurityGroups"]
        .as_array_mut()
        .unwrap()
        .push(group("sg-old", &json!([])));
    inventory["Records"] = json!([
        event("CreateNetworkInterface", START - 100, json!({}), made),
        event(
            "ModifyNetworkInterfaceAttribute",
            START + 4 * DAY,
            regrouped,
            json!({"_return": true})
        ),
    ]);
    let mut log = String::new();
    for day in [1, 6] {
        for n in 0..40 {
            let from = format!("203.0.113.{n}");
            log += &record(
                0,
                (&from, 40_000),
                ("10.0.0.10", 22),
                ("REJECT", 2),
                START + day * DAY,
            );
        }
    }
    let run = run_with(&inventory, &[&log], &[]);
    assert_eq!(run.entries(), ["* 10.0.0.10 40 40 1 1"; 2]);
    let groups: BTreeSet<String> = run
        .probes()
        .iter()
        .map(|p| p["responder"]["groups"].to_string())
        .collect();
    assert_eq!(groups.len(), 2, "{groups:?}");
    run.adds_up();
}

/// Source, server, a port's position, and whether it is accepted if the port is open.
type RandomRecord = (u8, usize, usize, bool);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// What the records say, each connection has once, with all of its records.
    #[test]
    fn folding_loses_nothing(
        records in prop::collection::vec((0u8..24, 0usize..4, 0usize..12, any::<bool>()), 1..300),
        scans in prop::collection::vec((0u8..24, 0usize..4), 0..3),
    ) {
        let mut expected: BTreeMap<(String, String, u16), (bool, u64)> = BTreeMap::new();
        let mut log = String::new();
        let ports = [21u16, 22, 23, 25, 80, 443, 445, 1433, 3306, 3389, 5432, 8080];
        let scanned = scans.iter().flat_map(|&(source, server)| (100..130).map(move |port| (source, server, port, false)));
        let single = records.iter().map(|&(source, server, port, is_accepted): &RandomRecord| (source, server, ports[port], is_accepted));
        for (source, server, port, is_accepted) in single.chain(scanned) {
            let from = format!("203.0.113.{source}");
            let is_accepted = is_accepted && port == 443;
            let action = if is_accepted { "ACCEPT" } else { "REJECT" };
            let start = START + log.len() as u64;
            log += &record(server, (&from, 40_000), (&address(server), port), (action, 2), start);
            let (any_accepted, count) = expected.entry((from, address(server), port)).or_default();
            *any_accepted |= is_accepted;
            *count += 1;
        }
        let run = run(&log);
        let mut found = BTreeMap::new();
        for row in run.adds_up() {
            let port = u16::try_from(row["port"].as_u64().unwrap()).unwrap();
            let key = (text(&row, "initiator_address").to_owned(), text(&row, "responder_address").to_owned(), port);
            let value = (row["verdict"] == "accepted", row["records"].as_u64().unwrap());
            prop_assert!(found.insert(key, value).is_none(), "{} is there twice", row);
        }
        prop_assert_eq!(found, expected);
    }
}
