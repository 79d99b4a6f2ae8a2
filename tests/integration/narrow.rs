//! `--narrow`: egress rules for some ports to everybody, replaced by rules for what was seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::closegate;

const LOG: &str = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags packets bytes start end log-status\n";

/// An account in which one group may send, and what its interface did.
struct Account {
    dir: TempDir,
    groups: Vec<Value>,
    interfaces: Vec<Value>,
    log: String,
}

/// A run, read back.
struct Run {
    dir: PathBuf,
    audit: Value,
    change: Value,
}

/// A rule for some ports to everybody.
fn everybody(protocol: &str, from: i64, to: i64) -> Value {
    json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
}

fn https() -> Value {
    json!([everybody("tcp", 443, 443)])
}

/// So many addresses of the internet, which no prefix gathers.
fn scattered(count: u32) -> Vec<String> {
    let address = |n: u32| format!("{}.{}.{}.7", 20 + n, n * 37 % 250, n * 91 % 250);
    (0..count).map(address).collect()
}

impl Account {
    /// sg-0a with this egress, on eni-a.
    fn new(egress: &Value) -> Self {
        let mut account = Self {
            dir: tempfile::tempdir().unwrap(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            log: LOG.to_owned(),
        };
        account.group("sg-0a", &json!([]), egress);
        account.interface("eni-a", "10.0.0.10", &["sg-0a"]);
        account
    }

    fn group(&mut self, id: &str, ingress: &Value, egress: &Value) {
        self.groups.push(json!({
            "GroupId": id, "GroupName": format!("name-of-{id}"), "VpcId": "vpc-1", "OwnerId": "111122223333",
            "IpPermissions": ingress, "IpPermissionsEgress": egress,
        }));
    }

    fn interface(&mut self, id: &str, address: &str, groups: &[&str]) {
        let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
        self.interfaces.push(json!({
            "NetworkInterfaceId": id, "InterfaceType": "interface", "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddress": address, "Groups": groups,
        }));
    }

    /// Connections of eni-a, as an interface records them.
    fn connect(&mut self, at: &str, addresses: &[String], port: u16) {
        for address in addresses {
            writeln!(
                self.log,
                "{at} 10.0.0.10 40000 {address} {port} 6 ACCEPT 2 5 600 1793577600 1793577659 OK"
            )
            .unwrap();
        }
    }

    /// Audits it; the run succeeds, and no stage loses anything.
    fn run(&self, options: &[&str]) -> Run {
        let dir = self.dir.path();
        let inventory =
            json!({"SecurityGroups": self.groups, "NetworkInterfaces": self.interfaces});
        fs::create_dir_all(dir.join("inventory")).unwrap();
        fs::write(dir.join("inventory/all.json"), inventory.to_string()).unwrap();
        fs::write(dir.join("flows.log"), &self.log).unwrap();
        let mut command = closegate();
        command.current_dir(dir).args([
            "audit",
            "--flows",
            "flows.log",
            "--inventory",
            "inventory",
            "--out",
            "run",
        ]);
        command.args(options).assert().success();
        let run = dir.join("run");
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(run.join(name)).unwrap()).unwrap()
        };
        let (audit, change) = (read("audit.json"), read("rules/rules.json"));
        assert_eq!(audit["replay"]["lost"], 0);
        for stage in change["stages"].as_array().unwrap() {
            assert_eq!(stage["lost"], 0, "{stage}");
        }
        Run {
            dir: run,
            audit,
            change,
        }
    }

    /// Makes what the run adds, and takes away what it revokes.
    fn apply(&mut self, run: &Run) {
        for rule in run.rows("rules").filter(|rule| rule["status"] == "add") {
            let group = self.named(rule);
            let permission = json!({
                "IpProtocol": rule["protocol"], "FromPort": rule["from_port"], "ToPort": rule["to_port"],
                "IpRanges": [{"CidrIp": rule["target"]["cidr_ipv4"]}],
            });
            let rules = group["IpPermissionsEgress"].as_array_mut().unwrap();
            rules.push(permission);
        }
        for gone in run.rows("revocations") {
            let group = self.named(gone);
            let goes = |rule: &Value| {
                rule["IpProtocol"] == gone["protocol"]
                    && rule["FromPort"] == gone["from_port"]
                    && rule["ToPort"] == gone["to_port"]
                    && rule["IpRanges"][0]["CidrIp"] == gone["target"]["cidr_ipv4"]
            };
            let rules = group["IpPermissionsEgress"].as_array_mut().unwrap();
            let before = rules.len();
            rules.retain(|rule| !goes(rule));
            assert_eq!(rules.len(), before - 1, "{gone}");
        }
    }

    fn named(&mut self, row: &Value) -> &mut Value {
        let mut groups = self.groups.iter_mut();
        groups
            .find(|group| group["GroupId"] == row["group_id"])
            .unwrap()
    }
}

impl Run {
    fn rows(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.change[key].as_array().unwrap().iter()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// `group direction protocol ports target` of the rules to add.
    fn added(&self) -> BTreeSet<String> {
        let added = self.rows("rules").filter(|rule| rule["status"] == "add");
        added.map(said).collect()
    }

    /// The same of those that go, with the reason.
    fn revoked(&self) -> BTreeSet<String> {
        let line = |gone: &Value| format!("{} {}", said(gone), gone["reason"].as_str().unwrap());
        self.rows("revocations").map(line).collect()
    }

    fn changes_nothing(&self) -> bool {
        self.added().is_empty() && self.revoked().is_empty()
    }

    /// What happens to the connections to an address.
    fn after(&self, address: &str) -> &str {
        let mut connections = self.audit["connections"].as_array().unwrap().iter();
        let found = connections.find(|c| c["responder"]["address"] == address);
        found.unwrap()["after"]["state"].as_str().unwrap()
    }

    fn has_finding(&self, kind: &str) -> bool {
        let mut findings = self.audit["findings"].as_array().unwrap().iter();
        findings.any(|finding| finding["kind"] == kind)
    }
}

fn said(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap();
    let target = row["target"].as_object().unwrap().values().next().unwrap();
    let (from, to) = (&row["from_port"], &row["to_port"]);
    format!(
        "{} {} {} {from}-{to} {}",
        text("group_id"),
        text("direction"),
        text("protocol"),
        target.as_str().unwrap()
    )
}

/// `sg-0a egress tcp PORT-PORT ADDRESS/32` of each.
fn pinned(addresses: &[String], port: u16) -> BTreeSet<String> {
    let line = |address: &String| format!("sg-0a egress tcp {port}-{port} {address}/32");
    addresses.iter().map(line).collect()
}

const HTTPS_GOES: &str = "sg-0a egress tcp 443-443 0.0.0.0/0 open-egress-port";

/// At every level, three destinations are three rules, and the wide one goes; every file that people read says so.
#[test]
fn one_port_becomes_the_destinations_in_use() {
    let mut account = Account::new(&https());
    let destinations = scattered(3);
    account.connect("eni-a", &destinations, 443);
    for level in ["exact", "balanced", "compact"] {
        let run = account.run(&["--narrow", "--generalise", level]);
        assert_eq!(run.added(), pinned(&destinations, 443), "{level}");
        assert_eq!(run.revoked(), BTreeSet::from([HTTPS_GOES.to_owned()]));
        let revoke = run.rows("stages").find(|stage| stage["name"] == "revoke");
        assert_eq!(revoke.unwrap()["permitted"], 3);
        for script in ["rules/apply.sh", "rules/rollback.sh"] {
            assert!(
                run.file(script).contains("tcp/443 to 0.0.0.0/0"),
                "{script}"
            );
        }
        let (report, plan) = (run.file("report.md"), run.file("rules/plan.md"));
        assert!(report.contains("## Open rules to revoke"), "{report}");
        assert!(
            plan.contains("Revoke the open rules, group by group"),
            "{plan}"
        );
        let findings = run.audit["findings"].as_array().unwrap();
        let port = findings.iter().find(|f| f["kind"] == "open-egress-port");
        let remediation = port.unwrap()["remediation"].as_str().unwrap();
        assert!(remediation.ends_with("then revoke this one."));
    }
}

/// Without the option the rule stays, and nothing speaks of narrowing. The configuration's key is as good as the option.
#[test]
fn nothing_is_narrowed_unasked() {
    let mut account = Account::new(&https());
    account.connect("eni-a", &scattered(3), 443);
    let run = account.run(&[]);
    assert!(run.changes_nothing());
    assert!(run.file("report.md").contains("## Open egress to revoke"));
    assert!(!run.file("rules/plan.md").contains("open rules, group"));
    let narrowed = account.run(&["--narrow"]).change;
    let configuration = account.dir.path().join("closegate.toml");
    fs::write(configuration, "[generalise]\nnarrow = true\n").unwrap();
    assert_eq!(account.run(&[]).change, narrowed);
    assert_ne!(run.change, narrowed);
}

/// Too many destinations for the level or for AWS: the rule stays as it is, and is never made again. Other ports of the group are
/// narrowed as if it were alone.
#[test]
fn a_port_to_too_many_addresses_stays() {
    for (count, level) in [(80, "exact"), (20, "balanced"), (20, "compact")] {
        let mut account = Account::new(&json!([
            everybody("tcp", 443, 443),
            everybody("tcp", 8443, 8443)
        ]));
        account.connect("eni-a", &scattered(count), 443);
        account.connect("eni-a", &scattered(3), 8443);
        let run = account.run(&["--narrow", "--generalise", level]);
        assert_eq!(run.added(), pinned(&scattered(3), 8443), "{level}");
        let gone = "sg-0a egress tcp 8443-8443 0.0.0.0/0 open-egress-port";
        assert_eq!(run.revoked(), BTreeSet::from([gone.to_owned()]));
        let mut kept = run.rows("rules").filter(|rule| rule["status"] == "keep");
        assert_eq!(kept.next().unwrap()["from_port"], 443);
        let report = run.file("report.md");
        for says in [
            "These open rules stay:",
            "tcp/443 to 0.0.0.0/0: its destinations are too many to name",
        ] {
            assert!(report.contains(says), "{says}: {report}");
        }
        for kind in ["quota-pressure", "unpinned-internet"] {
            assert!(!run.has_finding(kind), "{kind}");
        }
    }
}

/// What was quarantined on a range of ports is denied once the range goes.
#[test]
fn a_range_goes_with_what_was_suspicious_on_it() {
    let mut account = Account::new(&json!([everybody("tcp", 1024, 65535)]));
    account.connect("eni-a", &["198.51.100.7".to_owned()], 8443);
    account.connect("eni-a", &["203.0.113.9".to_owned()], 6667);
    assert_eq!(account.run(&[]).after("203.0.113.9"), "permitted");
    let run = account.run(&["--narrow"]);
    assert_eq!(run.added(), pinned(&["198.51.100.7".to_owned()], 8443));
    let gone = "sg-0a egress tcp 1024-65535 0.0.0.0/0 open-egress-port";
    assert_eq!(run.revoked(), BTreeSet::from([gone.to_owned()]));
    assert_eq!(run.after("203.0.113.9"), "denied");
    assert_eq!(run.after("198.51.100.7"), "permitted");
}

/// A range may become one port to the whole internet: less than the range, and never the range again.
#[test]
fn a_range_may_become_one_port() {
    let mut account = Account::new(&json!([everybody("tcp", 400, 500)]));
    account.connect("eni-a", &scattered(20), 443);
    let run = account.run(&["--narrow", "--generalise", "balanced"]);
    let one = "sg-0a egress tcp 443-443 0.0.0.0/0".to_owned();
    assert_eq!(run.added(), BTreeSet::from([one]));
    assert_eq!(run.revoked().len(), 1);
    assert!(run.has_finding("unpinned-internet"));
}

/// Rules that nothing used go, with or without ports; those for ICMP stay.
#[test]
fn unused_rules_go_and_icmp_stays() {
    let mut account = Account::new(&json!([
        everybody("tcp", 443, 443),
        everybody("udp", 123, 123),
        everybody("icmp", -1, -1),
        {"IpProtocol": "50", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ]));
    account.connect("eni-a", &scattered(1), 443);
    let run = account.run(&["--narrow"]);
    let protocols: Vec<&Value> = run.rows("revocations").map(|r| &r["protocol"]).collect();
    assert_eq!(protocols.len(), 3, "{protocols:?}");
    assert!(!protocols.contains(&&json!("icmp")));
}

/// Nothing is known of a group whose interfaces the logs lack, or that has none.
#[test]
fn groups_without_evidence_keep_their_ports() {
    let mut account = Account::new(&https());
    account.group("sg-0b", &json!([]), &https());
    account.group("sg-0c", &json!([]), &https());
    account.interface("eni-b", "10.0.0.11", &["sg-0b"]);
    account.connect("eni-a", &scattered(1), 443);
    let run = account.run(&["--narrow"]);
    assert_eq!(run.revoked(), BTreeSet::from([HTTPS_GOES.to_owned()]));
    let report = run.file("report.md");
    for says in [
        "tcp/443 to 0.0.0.0/0: the logs have no record of its interfaces",
        "tcp/443 to 0.0.0.0/0: no interface carries it",
    ] {
        assert!(report.contains(says), "{says}: {report}");
    }
}

/// Connections to another group by such a rule get a mutual pair.
#[test]
fn a_port_inside_the_network_becomes_a_mutual_pair() {
    let mut account = Account::new(&https());
    let ingress = json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]);
    account.group("sg-0b", &ingress, &json!([]));
    account.interface("eni-b", "10.0.0.11", &["sg-0b"]);
    for at in ["eni-a", "eni-b"] {
        account.connect(at, &["10.0.0.11".to_owned()], 443);
    }
    let run = account.run(&["--narrow"]);
    let pair = [
        "sg-0a egress tcp 443-443 sg-0b",
        "sg-0b ingress tcp 443-443 sg-0a",
    ];
    assert_eq!(run.added(), BTreeSet::from(pair.map(str::to_owned)));
    assert_eq!(run.revoked(), BTreeSet::from([HTTPS_GOES.to_owned()]));
}

/// A group beside the one with the port would have to be opened in its place: the port stays, and the other group's open egress goes.
#[test]
fn a_port_is_not_made_again_in_a_group_beside_it() {
    let mut account = Account::new(&https());
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    account.group("sg-0b", &json!([]), &open);
    account.interfaces.clear();
    account.interface("eni-a", "10.0.0.10", &["sg-0a", "sg-0b"]);
    account.connect("eni-a", &scattered(80), 443);
    let run = account.run(&["--narrow"]);
    assert_eq!(run.added(), BTreeSet::new());
    let reasons: Vec<&Value> = run.rows("revocations").map(|r| &r["reason"]).collect();
    assert_eq!(reasons, ["open-egress"]);
    assert_eq!(account.run(&[]).change["rules"], run.change["rules"]);
}

/// What an earlier run opened on one port is narrowed where there is room, and then nothing is left to do.
#[test]
fn an_earlier_unpinned_rule_is_narrowed_once() {
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let mut account = Account::new(&open);
    account.connect("eni-a", &scattered(20), 443);
    let first = account.run(&["--generalise", "balanced"]);
    assert!(first.has_finding("unpinned-internet"));
    account.apply(&first);
    for again in [&["--narrow", "--generalise", "balanced"][..], &[]] {
        let run = account.run(again);
        assert!(run.changes_nothing(), "{again:?}");
    }
    let second = account.run(&["--narrow"]);
    assert_eq!(second.added(), pinned(&scattered(20), 443));
    assert_eq!(second.revoked(), BTreeSet::from([HTTPS_GOES.to_owned()]));
    account.apply(&second);
    for done in [&["--narrow"][..], &[]] {
        let run = account.run(done);
        assert!(run.changes_nothing(), "{done:?}");
        assert!(!run.has_finding("open-egress-port"));
    }
}

/// The account with a policy of a run without the option: an entry for each of two ports to everybody.
fn with_policy() -> Account {
    let mut account = Account::new(&json!([
        everybody("tcp", 443, 443),
        everybody("tcp", 8443, 8443)
    ]));
    account.connect("eni-a", &scattered(3), 443);
    account.connect("eni-a", &scattered(2), 8443);
    account.run(&[]);
    policy(&account, &["update", "run"]);
    account
}

fn policy(account: &Account, arguments: &[&str]) {
    let mut command = closegate();
    command.current_dir(account.dir.path()).arg("policy");
    command.args(arguments).args(["--policy", "policy"]);
    command.assert().success();
}

/// What nobody accepted is narrowed; what an accepted entry wants is not, and the report says so.
#[test]
fn a_rule_that_the_policy_wants_is_never_revoked() {
    let account = with_policy();
    let options = ["--narrow", "--policy", "policy"];
    let proposed = account.run(&options);
    let mut pins = pinned(&scattered(3), 443);
    pins.extend(pinned(&scattered(2), 8443));
    assert_eq!(proposed.added(), pins);
    assert_eq!(proposed.revoked().len(), 2);
    assert!(proposed.revoked().contains(HTTPS_GOES));
    policy(&account, &["decide", "accept", "--state", "proposed"]);
    let accepted = account.run(&options);
    assert!(accepted.changes_nothing());
    let report = accepted.file("report.md");
    for port in [443, 8443] {
        let says = format!("tcp/{port} to 0.0.0.0/0: an accepted entry of the policy wants it");
        assert!(report.contains(&says), "{says}: {report}");
    }
}

/// A locked group loses what no accepted entry permits, for that reason, whether ports are narrowed or not.
#[test]
fn what_a_policy_closes_is_not_narrowed() {
    let account = with_policy();
    let file = account.dir.path().join("policy/sg-0a.toml");
    let text = fs::read_to_string(&file).unwrap();
    let locked = text.replacen("mode = \"learn\"", "mode = \"locked\"", 1);
    assert_ne!(text, locked);
    fs::write(file, locked).unwrap();
    let run = account.run(&["--policy", "policy"]);
    let gone = run.revoked();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|gone| gone.ends_with("outside-the-policy")));
    let narrowed = account.run(&["--narrow", "--policy", "policy"]);
    assert_eq!(narrowed.change, run.change);
}
