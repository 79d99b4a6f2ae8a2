//! Thousands of findings of one kind and group become few rows, and nothing is lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use assert_cmd::assert::Assert;
use ipnet::IpNet;
use polars::prelude::{ParquetReader, SerReader as _};
use serde_json::{Value, json};

use crate::common::{closegate, printed};

/// A host of a group, and the IRC server that it connects to.
pub(crate) type Threat = (usize, usize, String);

/// Hosts of each group.
pub(crate) const HOSTS: usize = 10;

fn address(group: usize, host: usize) -> String {
    format!("10.{}.{}.{}", group / 250, group % 250, host + 1)
}

/// An account of so many groups with open egress.
pub(crate) fn write_inventory(dir: &Path, groups: usize) {
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let id = |group: usize| format!("sg-{group:017x}");
    let of_group = |group: usize| {
        json!({"GroupId": id(group), "GroupName": format!("service-{group}"), "VpcId": "vpc-1", "OwnerId": "111122223333",
        "IpPermissions": [], "IpPermissionsEgress": open})
    };
    let hosts = (0..groups).flat_map(|group| (0..HOSTS).map(move |host| (group, host)));
    let of_host = |(group, host): (usize, usize)| {
        json!({"NetworkInterfaceId": format!("eni-{group:08x}{host:09x}"), "InterfaceType": "interface",
        "VpcId": "vpc-1", "PrivateIpAddress": address(group, host), "Groups": [{"GroupId": id(group)}]})
    };
    let inventory = json!({
        "SecurityGroups": (0..groups).map(of_group).collect::<Vec<Value>>(),
        "NetworkInterfaces": hosts.map(of_host).collect::<Vec<Value>>(),
    });
    fs::create_dir_all(dir.join("inventory")).unwrap();
    fs::write(dir.join("inventory/all.json"), inventory.to_string()).unwrap();
}

pub(crate) fn write_log(dir: &Path, name: &str, threats: &[Threat]) {
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    for (group, host, server) in threats {
        let from = address(*group, *host);
        writeln!(
            log,
            "eni-{group:08x}{host:09x} {from} 40000 {server} 6667 6 ACCEPT 2 1793577600"
        )
        .unwrap();
    }
    fs::write(dir.join(name), log).unwrap();
}

pub(crate) fn audit(dir: &Path, logs: &[&str], out: &str, more: &[&str]) -> Assert {
    closegate()
        .current_dir(dir)
        .args(["audit", "--inventory", "inventory", "--out", out])
        .args(more)
        .arg("--flows")
        .args(logs)
        .assert()
}

pub(crate) fn summary(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub(crate) fn document(dir: &Path, path: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(path)).unwrap()).unwrap()
}

pub(crate) fn rows<'a>(document: &'a Value, list: &str) -> &'a [Value] {
    document[list].as_array().unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

pub(crate) fn irc(document: &Value) -> Vec<&Value> {
    let all = rows(document, "findings").iter();
    all.filter(|finding| finding["kind"] == "irc").collect()
}

fn count<'a>(findings: impl IntoIterator<Item = &'a Value>) -> u64 {
    let counts = findings.into_iter().map(|f| f["count"].as_u64().unwrap());
    counts.sum()
}

/// The ids of the findings that these stand for.
fn ids<'a>(findings: &[&'a Value]) -> BTreeSet<&'a str> {
    let ids = findings.iter().flat_map(|finding| {
        let own = finding["id"].as_str().unwrap();
        let folded = texts(&finding["stands_for"]);
        if folded.is_empty() { vec![own] } else { folded }
    });
    ids.collect()
}

/// Servers that lie a hundred in a network of /24.
fn near(count: usize) -> Vec<Threat> {
    let server = |n: usize| format!("81.0.{}.{}", n / 100, n % 100 + 1);
    (0..count).map(|n| (0, n % HOSTS, server(n))).collect()
}

/// Each in a network of /24 of its own, 250 in one of /16.
fn apart(count: usize) -> Vec<Threat> {
    let server = |n: usize| format!("81.{}.{}.7", n / 250, n % 250);
    (0..count).map(|n| (0, n % HOSTS, server(n))).collect()
}

/// Each in a network of /16 of its own.
fn scattered(count: usize) -> Vec<Threat> {
    const FIRST: [u8; 12] = [2, 4, 6, 7, 60, 61, 81, 82, 84, 85, 90, 91];
    let server = |n: usize| format!("{}.{}.1.7", FIRST[n / 250], n % 250);
    (0..count).map(|n| (0, n % HOSTS, server(n))).collect()
}

/// The folded findings of a run stand for all of these connections, and each says what its connections say.
fn holds_all(document: &Value, folded: &[&Value], width: u8) {
    let connections: BTreeMap<&str, &Value> = rows(document, "connections")
        .iter()
        .map(|c| (c["id"].as_str().unwrap(), c))
        .collect();
    let mut evidence = BTreeSet::new();
    for finding in folded {
        let pattern: IpNet = finding["pattern"].as_str().unwrap().parse().unwrap();
        assert_eq!(pattern.prefix_len(), width, "{finding}");
        let (members, of_it) = (texts(&finding["stands_for"]), texts(&finding["evidence"]));
        assert_eq!(finding["count"], members.len());
        assert_eq!(of_it.len(), members.len(), "a connection each");
        assert!(of_it.is_sorted() && members.is_sorted());
        let mut records = 0;
        for id in of_it {
            let connection = connections[id];
            let server = connection["responder"]["address"].as_str().unwrap();
            assert!(
                pattern.contains(&server.parse::<IpAddr>().unwrap()),
                "{server} in {pattern}"
            );
            assert_eq!(connection["verdict"], "quarantined");
            assert_eq!(connection["after"]["state"], finding["outcome"]);
            records += connection["records"].as_u64().unwrap();
            assert!(evidence.insert(id), "{id} in two findings");
        }
        assert_eq!(finding["records"], records);
        assert_eq!(finding["remote"], Value::Null);
        assert_eq!(
            (&finding["protocol"], &finding["port"]),
            (&"tcp".into(), &6667.into())
        );
    }
    let of_irc = connections.values().filter(|c| c["port"] == 6667);
    assert_eq!(evidence.len(), of_irc.count());
}

/// The ids in the table of connections.
fn parquet_ids(path: &Path) -> BTreeSet<String> {
    let frame = ParquetReader::new(fs::File::open(path).unwrap())
        .finish()
        .unwrap();
    let ids = frame.column("id").unwrap().str().unwrap();
    ids.iter().flatten().map(ToOwned::to_owned).collect()
}

/// The cells of a table under these names, by row.
pub(crate) fn table(path: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let head = reader.headers().unwrap().clone();
    let column = |name: &&str| head.iter().position(|cell| cell == *name).unwrap();
    let columns: Vec<usize> = names.iter().map(column).collect();
    let cells = |row: csv::StringRecord| -> Vec<String> {
        let cell = |&column: &usize| row[column].to_owned();
        columns.iter().map(cell).collect()
    };
    reader.records().map(|row| cells(row.unwrap())).collect()
}

#[test]
fn three_thousand_threats_of_a_group_fold_by_network_and_lose_nothing() {
    for (threats, folded_to, width) in [
        (near(3_000), 30, 24),
        (apart(3_000), 12, 16),
        (scattered(3_000), 1, 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_inventory(dir.path(), 1);
        write_log(dir.path(), "x.log", &threats);
        let done = audit(dir.path(), &["x.log"], "run", &["--fail-on", "high"]).code(1);
        let error = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        assert!(error.contains("irc ×3,000"), "{error}");
        let text = summary(&done);
        assert!(text.contains("3,000 threat findings"), "{text}");
        let document = document(dir.path(), "run/audit.json");
        let irc = irc(&document);
        assert_eq!((irc.len(), count(irc.iter().copied())), (folded_to, 3_000));
        assert_eq!(ids(&irc).len(), 3_000);
        holds_all(&document, &irc, width);
        // In the other files of the run.
        let report = self::document(dir.path(), "run/report.json");
        assert_eq!(report["counts"]["suspicious"], 3_000);
        assert_eq!(
            report["counts"]["findings"],
            count(rows(&document, "findings"))
        );
        let run = dir.path().join("run");
        let listed = table(&run.join("report/findings.csv"), &["kind", "count"]);
        let listed = listed.iter().filter(|row| row[0] == "irc");
        let counted: u64 = listed.map(|row| row[1].parse::<u64>().unwrap()).sum();
        assert_eq!(counted, 3_000);
        let table = parquet_ids(&run.join("connections.parquet"));
        for finding in &irc {
            assert!(
                texts(&finding["evidence"])
                    .iter()
                    .all(|id| table.contains(*id))
            );
        }
        explained(dir.path(), irc[0]);
    }
}

/// `explain` prints every connection of a folded finding, in order, and finds it by the id of each finding that it stands for.
fn explained(dir: &Path, finding: &Value) {
    let id = finding["id"].as_str().unwrap();
    let explain = |id: &str| printed(closegate().current_dir(dir).args(["explain", "run", id]));
    let text = explain(id);
    let pattern = finding["pattern"].as_str().unwrap();
    for part in ["stands for", pattern, "connections.parquet"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let connections = text
        .lines()
        .filter_map(|line| line.strip_prefix("    c-")?.split(':').next());
    let connections: Vec<String> = connections.map(|id| format!("c-{id}")).collect();
    assert_eq!(connections, texts(&finding["evidence"]));
    let member = texts(&finding["stands_for"])[7];
    let of_member = explain(member);
    let first = of_member.lines().next().unwrap();
    assert!(first.starts_with(member) && first.contains(id), "{first}");
    assert!(of_member.ends_with(&text));
}

/// Every file below a directory.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let file = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(dir).unwrap();
        (name.display().to_string(), fs::read(entry.path()).unwrap())
    };
    files.map(file).collect()
}

#[test]
fn folding_does_not_depend_on_the_order_of_files() {
    let dir = tempfile::tempdir().unwrap();
    write_inventory(dir.path(), 1);
    let mut threats = apart(3_000);
    threats.extend(near(50));
    write_log(dir.path(), "a.log", &threats[..1_500]);
    write_log(dir.path(), "b.log", &threats[1_500..]);
    audit(dir.path(), &["a.log", "b.log"], "ab", &[]).success();
    audit(dir.path(), &["b.log", "a.log"], "ba", &["--threads", "1"]).success();
    let (ab, ba) = (files(&dir.path().join("ab")), files(&dir.path().join("ba")));
    assert_eq!(ab.keys().collect::<Vec<_>>(), ba.keys().collect::<Vec<_>>());
    for (name, content) in &ab {
        assert!(content == &ba[name], "{name} differs");
    }
}

/// How many findings of IRC are in a list of a difference: all that a row stands for, or a part of them.
fn differing(difference: &Value, list: &str) -> u64 {
    let irc = rows(&difference["findings"], list)
        .iter()
        .filter(|row| row["kind"] == "irc");
    irc.map(|row| {
        let part = row["differing"].as_u64();
        part.unwrap_or_else(|| row["count"].as_u64().unwrap())
    })
    .sum()
}

#[test]
fn a_run_that_folds_is_compared_with_one_that_does_not() {
    let dir = tempfile::tempdir().unwrap();
    write_inventory(dir.path(), 1);
    let all = near(3_000);
    write_log(dir.path(), "few.log", &all[..950]);
    write_log(dir.path(), "all.log", &all);
    // One more server in a network that is folded.
    let mut other = all[..950].to_vec();
    other.push((0, 0, "81.0.3.250".to_owned()));
    write_log(dir.path(), "other.log", &other);
    audit(dir.path(), &["few.log"], "few", &[]).success();
    audit(dir.path(), &["all.log"], "all", &[]).success();

    let against = |log: &str, base: &str, out: &str| {
        summary(&audit(dir.path(), &[log], out, &["--baseline", base]).success())
    };
    let text = against("all.log", "few", "again");
    assert!(text.contains("2,050 new, 950 known since few"), "{text}");
    let text = against("few.log", "all", "less");
    assert!(text.contains("0 new, 950 known since all"), "{text}");
    let text = against("other.log", "all", "more");
    assert!(text.contains("1 new, 950 known since all"), "{text}");

    // Of the network that is known by half, the known ones keep the id.
    let (without, with) = (
        document(dir.path(), "all/audit.json"),
        document(dir.path(), "again/audit.json"),
    );
    let (without, with) = (irc(&without), irc(&with));
    assert_eq!((without.len(), with.len()), (30, 31));
    let own = |findings: &[&Value]| -> BTreeSet<String> {
        let ids = findings.iter().map(|f| f["id"].as_str().unwrap());
        ids.map(ToOwned::to_owned).collect()
    };
    assert!(own(&with).is_superset(&own(&without)) && own(&with).len() == 31);
    let known = with.iter().filter(|f| f["known_since"] == "few");
    assert_eq!(count(known.copied()), 950);

    let diff = |a: &str, b: &str| -> Value {
        let text = printed(
            closegate()
                .current_dir(dir.path())
                .args(["diff", a, b, "--json"]),
        );
        serde_json::from_str(&text).unwrap()
    };
    let grown = diff("few", "all");
    assert_eq!(
        (differing(&grown, "new"), differing(&grown, "gone")),
        (2_050, 0)
    );
    let shrunk = diff("all", "few");
    assert_eq!(
        (differing(&shrunk, "new"), differing(&shrunk, "gone")),
        (0, 2_050)
    );
    let same = diff("all", "again");
    assert_eq!((differing(&same, "new"), differing(&same, "gone")), (0, 0));
}

/// What changed in many findings alike is said once.
#[test]
fn a_change_of_a_folded_finding_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    write_inventory(dir.path(), 1);
    write_log(dir.path(), "few.log", &near(900));
    write_log(dir.path(), "all.log", &near(1_100));
    let milder = "[findings.irc]\nseverity = \"medium\"\n";
    fs::write(dir.path().join("milder.toml"), milder).unwrap();
    audit(dir.path(), &["few.log"], "few", &[]).success();
    let more = &["--config", "milder.toml"];
    audit(dir.path(), &["all.log"], "all", more).success();
    let text = printed(
        closegate()
            .current_dir(dir.path())
            .args(["diff", "few", "all"]),
    );
    let changed: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("severity high to medium, 100 of these"))
        .collect();
    assert_eq!(changed.len(), 9, "{text}");
}
