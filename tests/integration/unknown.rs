//! What the inventory does not tell is no "no": vanished interfaces, groups of other accounts, protocols without ports.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{closegate, printed};

/// A day in seconds, and how many of them the logs span: enough for a group to be ready.
const DAY: u64 = 86_400;
const DAYS: u64 = 16;
const START: u64 = 1_760_000_000 / DAY * DAY;

/// An account and its logs.
struct Case {
    inventory: Value,
    /// Conversations, each as `observers client:port server:port protocol`; the first packet is the client's, and the server answers.
    conversations: Vec<&'static str>,
    flags: bool,
}

fn open_egress() -> Value {
    json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
}

fn group(id: &str, ingress: &Value) -> Value {
    json!({"GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "111122223333", "IpPermissions": ingress, "IpPermissionsEgress": open_egress()})
}

fn interface(id: &str, address: &str, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"NetworkInterfaceId": id, "InterfaceType": "interface", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": address, "Groups": groups})
}

fn from_group(port: u16, pair: &Value) -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [pair]}])
}

impl Case {
    /// web (sg-a) on eni-1, db (sg-b) on eni-2, which admits web to 3306.
    fn web_and_db(conversations: &[&'static str]) -> Self {
        Self {
            inventory: json!({
                "SecurityGroups": [group("sg-a", &json!([])), group("sg-b", &from_group(3306, &json!({"GroupId": "sg-a"})))],
                "NetworkInterfaces": [interface("eni-1", "10.0.0.1", &["sg-a"]), interface("eni-2", "10.0.0.2", &["sg-b"])],
                "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            }),
            conversations: conversations.to_vec(),
            flags: false,
        }
    }

    fn log(&self) -> String {
        let flags = if self.flags { " ${tcp-flags}" } else { "" };
        let mut log = format!(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status{}\n",
            flags.replace(['$', '{', '}'], "")
        );
        for day in 0..DAYS {
            for (number, conversation) in self.conversations.iter().enumerate() {
                let start = START + day * DAY + number as u64;
                let parts: Vec<&str> = conversation.split(' ').collect();
                let [observers, client, server, protocol] = parts[..] else {
                    panic!("{conversation}")
                };
                let ends = [client, server].map(|end| end.split_once(':').unwrap());
                for observer in observers.split(',') {
                    for ([from, to], opens) in
                        [([ends[0], ends[1]], true), ([ends[1], ends[0]], false)]
                    {
                        let flags = match (self.flags, opens) {
                            (false, _) => "",
                            (true, true) => " 2",
                            (true, false) => " 18",
                        };
                        writeln!(
                            log,
                            "2 111122223333 {observer} {} {} {} {} {protocol} 10 1000 {start} {} ACCEPT OK{flags}",
                            from.0, to.0, from.1, to.1, start + 30
                        )
                        .unwrap();
                    }
                }
            }
        }
        log
    }

    fn write(&self, dir: &Path) {
        fs::create_dir(dir.join("inventory")).unwrap();
        fs::write(dir.join("inventory/all.json"), self.inventory.to_string()).unwrap();
        fs::write(dir.join("flows.log"), self.log()).unwrap();
    }

    /// The run, and what it prints.
    fn run(&self) -> (Value, String) {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        let text = printed(
            closegate()
                .args(["audit", "--flows"])
                .arg(dir.path().join("flows.log"))
                .arg("--inventory")
                .arg(dir.path().join("inventory"))
                .arg("--out")
                .arg(dir.path().join("run")),
        );
        let audit = fs::read(dir.path().join("run/audit.json")).unwrap();
        (serde_json::from_slice(&audit).unwrap(), text)
    }

    /// The same without flags and with them.
    fn runs(mut self) -> [(Value, String); 2] {
        [false, true].map(|flags| {
            self.flags = flags;
            self.run()
        })
    }
}

/// Connections as `initiator responder service verdict reason state`.
fn connections(audit: &Value) -> Vec<String> {
    let line = |c: &Value| {
        format!(
            "{} {} {}/{} {} {} {}",
            c["initiator"]["address"].as_str().unwrap(),
            c["responder"]["address"].as_str().unwrap(),
            c["protocol"].as_str().unwrap(),
            c["port"],
            c["verdict"].as_str().unwrap(),
            c["reason"].as_str().unwrap_or("-"),
            c["after"]["state"].as_str().unwrap(),
        )
    };
    let mut all: Vec<String> = audit["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect();
    all.sort();
    all
}

fn kinds(audit: &Value) -> Vec<&str> {
    let findings = audit["findings"].as_array().unwrap().iter();
    findings.map(|f| f["kind"].as_str().unwrap()).collect()
}

fn ready<'a>(audit: &'a Value, group: &str) -> &'a Value {
    let all = audit["readiness"].as_array().unwrap();
    all.iter().find(|r| r["group_id"] == group).unwrap()
}

fn adds_up(audit: &Value) {
    let replay = &audit["replay"];
    let sum: u64 = ["permitted", "quarantined", "rejected", "lost"]
        .iter()
        .map(|key| replay[key].as_u64().unwrap())
        .sum();
    assert_eq!(
        replay["connections"].as_u64().unwrap(),
        sum + replay["unjudged"]["connections"].as_u64().unwrap(),
        "{replay}"
    );
}

/// The interface is gone from the inventory. Its connections are its own, nothing is said of its groups, and no group that it may have
/// carried is ready.
#[test]
fn the_connections_of_a_vanished_initiator_are_not_judged() {
    let case = Case::web_and_db(&[
        "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6",
        "eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6",
        "eni-9 10.0.0.9:40002 151.101.1.1:443 6",
    ]);
    for (audit, text) in case.runs() {
        assert_eq!(
            connections(&audit),
            [
                "10.0.0.1 10.0.0.2 tcp/3306 accepted - permitted",
                "10.0.0.9 10.0.0.2 tcp/3306 unattributed unknown-interface unjudged",
                "10.0.0.9 151.101.1.1 tcp/443 unattributed unknown-interface unjudged",
            ]
        );
        adds_up(&audit);
        let reasons = &audit["replay"]["unjudged"]["reasons"];
        assert_eq!(
            (
                &reasons[0]["reason"],
                &reasons[0]["connections"],
                &reasons[0]["interfaces"]
            ),
            (&json!("unknown-interface"), &json!(2), &json!(1))
        );
        // Both directions, at both interfaces for one of them, each day.
        assert_eq!(reasons[0]["records"], json!(6 * DAYS));
        for group in ["sg-a", "sg-b"] {
            let ready = ready(&audit, group);
            assert_eq!(
                (&ready["ready"], &ready["unknown_members"]),
                (&json!(false), &json!(1))
            );
            let wait = ready["wait_for"].to_string();
            assert!(
                wait.contains("1 interface that the inventory lacks"),
                "{wait}"
            );
        }
        assert!(
            text.contains("2 accepted connections of 1 unknown interface can't be judged"),
            "{text}"
        );
        let unresolved = audit["findings"].as_array().unwrap().iter();
        let unresolved = unresolved
            .clone()
            .find(|f| f["kind"] == "unresolved-interface")
            .unwrap();
        assert_eq!(unresolved["severity"], "medium");
        assert!(
            unresolved["detail"]
                .as_str()
                .unwrap()
                .contains("It initiated 2 accepted connections")
        );
    }
}

/// Without the interface, everything is known and the groups are ready.
#[test]
fn a_group_is_ready_where_no_member_is_missing_or_somebody_says_so() {
    let (audit, _) = Case::web_and_db(&["eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6"]).run();
    assert_eq!(
        ready(&audit, "sg-a")["ready"],
        true,
        "{}",
        ready(&audit, "sg-a")
    );

    let case = Case::web_and_db(&[
        "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6",
        "eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6",
    ]);
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let config = dir.path().join("closegate.toml");
    fs::write(&config, "[[complete]]\ngroup = \"sg-a\"\nreason = \"eni-9 was a test\"\nowner = \"web@example.com\"\n").unwrap();
    let audit = |fail_on: &[&str]| {
        closegate()
            .args(["audit", "--flows"])
            .arg(dir.path().join("flows.log"))
            .arg("--inventory")
            .arg(dir.path().join("inventory"))
            .arg("--out")
            .arg(dir.path().join("run"))
            .arg("--config")
            .arg(&config)
            .args(fail_on)
            .assert()
    };
    audit(&[]).success();
    let document = fs::read(dir.path().join("run/audit.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let web = ready(&document, "sg-a");
    assert_eq!(
        (&web["ready"], &web["vouched"]),
        (&json!(true), &json!(true)),
        "{web}"
    );
    assert_eq!(ready(&document, "sg-b")["ready"], false);
    // `--fail-on` knows what could not be judged.
    audit(&["--fail-on", "medium", "--fail-on-family", "evidence"]).code(1);
    fs::write(
        &config,
        "[[complete]]\ngroup = \"sg-a\"\nreason = \"eni-9 was a test\"\n",
    )
    .unwrap();
    let refused = audit(&[]).code(2);
    let error = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(error.contains("owner is missing"), "{error}");
}

/// The rule names a group of another account, whose members the inventory cannot list.
#[test]
fn a_group_of_another_account_may_be_what_admits_a_peer() {
    let pair = json!({"GroupId": "sg-0other", "UserId": "444455556666", "VpcId": "vpc-9", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"});
    let case = || {
        let mut case = Case::web_and_db(&[
            "eni-2 172.31.5.5:40000 10.0.0.2:3306 6",
            "eni-2 172.31.5.6:40001 10.0.0.2:3306 6",
        ]);
        case.inventory["SecurityGroups"][1] = group("sg-b", &from_group(3306, &pair));
        case
    };
    for (audit, _) in case().runs() {
        assert_eq!(
            connections(&audit),
            [
                "172.31.5.5 10.0.0.2 tcp/3306 accepted - permitted",
                "172.31.5.6 10.0.0.2 tcp/3306 accepted - permitted",
            ]
        );
        assert!(!kinds(&audit).contains(&"stale-reference"));
        adds_up(&audit);
    }
    let dir = tempfile::tempdir().unwrap();
    case().write(dir.path());
    let can = |from: &str, to: &str| {
        closegate()
            .args(["can", "--json", "--inventory"])
            .arg(dir.path().join("inventory"))
            .args([from, to, "tcp/3306"])
            .assert()
    };
    let unknown = can("172.31.5.5", "eni-2").code(2);
    let answer: Value = serde_json::from_slice(&unknown.get_output().stdout).unwrap();
    assert_eq!(
        (&answer["allowed"], &answer["ingress"]["allowed"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(answer["ingress"]["rules"][0]["target"], "sg-0other");
    // A public address is nobody's private one.
    can("151.101.1.1", "eni-2").code(1);

    // A peering connection that is gone lets nobody in.
    let mut gone = case();
    let pair = json!({"GroupId": "sg-0other", "UserId": "444455556666", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "deleted"});
    gone.inventory["SecurityGroups"][1] = group("sg-b", &from_group(3306, &pair));
    assert!(kinds(&gone.run().0).contains(&"stale-reference"));
}

/// An interface carries a group that the inventory lacks: `can` does not say no, and the other group's rules are written.
#[test]
fn a_group_without_its_rules_answers_nothing() {
    let mut case = Case::web_and_db(&[
        "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:5432 6",
        "eni-1 10.0.0.1:40001 151.101.1.1:443 6",
    ]);
    case.inventory["NetworkInterfaces"][1] = interface("eni-2", "10.0.0.2", &["sg-0gone", "sg-b"]);
    case.inventory["NetworkInterfaces"][0] = interface("eni-1", "10.0.0.1", &["sg-0gone", "sg-a"]);
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let text = closegate()
        .args(["can", "--inventory"])
        .arg(dir.path().join("inventory"))
        .args(["eni-1", "eni-2", "tcp/5432"])
        .assert()
        .code(2);
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains(": unknown\n") && text.contains("lacks the rules of sg-0gone"),
        "{text}"
    );
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            [
                "10.0.0.1 10.0.0.2 tcp/5432 accepted - permitted",
                "10.0.0.1 151.101.1.1 tcp/443 accepted - permitted",
            ]
        );
        let rules = audit["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["group_id"] != "sg-0gone"));
        assert!(
            rules
                .iter()
                .any(|rule| rule["group_id"] == "sg-a" && rule["direction"] == "egress")
        );
    }
}

/// A list whose entries were never saved permits nobody knows whom.
#[test]
fn a_prefix_list_without_entries_is_unknown() {
    let list = json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]);
    let mut case = Case::web_and_db(&["eni-1 10.0.0.1:40000 151.101.1.1:443 6"]);
    case.inventory["SecurityGroups"][0]["IpPermissionsEgress"] = list;
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 151.101.1.1 tcp/443 accepted - permitted"]
        );
        assert!(!kinds(&audit).contains(&"unused-egress-rule"));
    }
}

/// Nothing tells who pinged: each end counts as the initiator of what it sent.
#[test]
fn a_ping_that_either_end_may_have_sent_gets_rules_for_both() {
    for protocol in ["1", "132"] {
        let from_all = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]);
        let mut case = Case::web_and_db(&[]);
        case.conversations = vec![match protocol {
            "1" => "eni-1,eni-2 10.0.0.1:0 10.0.0.2:0 1",
            _ => "eni-1,eni-2 10.0.0.1:0 10.0.0.2:0 132",
        }];
        case.inventory["SecurityGroups"] =
            json!([group("sg-a", &from_all), group("sg-b", &from_all)]);
        let (audit, _) = case.run();
        let name = if protocol == "1" { "icmp" } else { "132" };
        assert_eq!(
            connections(&audit),
            [
                format!("10.0.0.1 10.0.0.2 {name}/null accepted - permitted"),
                format!("10.0.0.2 10.0.0.1 {name}/null accepted - permitted"),
            ]
        );
        let all = audit["connections"].as_array().unwrap();
        assert!(all.iter().all(|c| c["direction_confidence"] == "guessed"));
        // Every row is in one of the two.
        let records: u64 = all.iter().map(|c| c["records"].as_u64().unwrap()).sum();
        assert_eq!(records, audit["input"]["records_read"].as_u64().unwrap());
        let egress = audit["rules"].as_array().unwrap().iter();
        let egress: Vec<&Value> = egress
            .filter(|rule| rule["direction"] == "egress" && rule["status"] == "add")
            .collect();
        assert_eq!(egress.len(), 2, "{egress:?}");
    }
}

/// Today's rules settle who pinged, where they can.
#[test]
fn a_ping_that_one_end_alone_may_send_has_a_direction() {
    let ping = json!([{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": "sg-a"}]}]);
    let mut case = Case::web_and_db(&["eni-1,eni-2 10.0.0.1:0 10.0.0.2:0 1"]);
    case.inventory["SecurityGroups"][1] = group("sg-b", &ping);
    let (audit, _) = case.run();
    assert_eq!(
        connections(&audit),
        ["10.0.0.1 10.0.0.2 icmp/null accepted - permitted"]
    );
}

/// What the other account has to permit is written for its owner, and the rule files of this one do not hold it.
#[test]
fn the_other_accounts_half_is_written_for_its_owner() {
    let pair = json!({"GroupId": "sg-0other", "UserId": "444455556666", "VpcId": "vpc-9", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"});
    let mut case = Case::web_and_db(&[
        "eni-2 172.31.5.5:40000 10.0.0.2:3306 6",
        "eni-1 10.0.0.1:40001 172.31.7.7:8443 6",
    ]);
    case.inventory["SecurityGroups"][1] = group("sg-b", &from_group(3306, &pair));
    case.inventory["VpcPeeringConnections"] = json!([{
        "VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"},
        "RequesterVpcInfo": {"VpcId": "vpc-1", "OwnerId": "111122223333", "CidrBlock": "10.0.0.0/16"},
        "AccepterVpcInfo": {"VpcId": "vpc-9", "OwnerId": "444455556666", "CidrBlock": "172.31.0.0/16"},
    }]);
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let run = dir.path().join("run");
    let audit = || {
        closegate()
            .args(["audit", "--flows"])
            .arg(dir.path().join("flows.log"))
            .arg("--inventory")
            .arg(dir.path().join("inventory"))
            .arg("--out")
            .arg(&run)
            .assert()
            .success()
    };
    audit();
    let json = run.join("rules/for-account-444455556666.json");
    let document: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let rules = document["rules"].as_array().unwrap();
    let short = |rule: &Value| {
        json!([rule["group_id"], rule["address"], rule["direction"], rule["from_port"], rule["target"]["security_group"]])
    };
    let mut found: Vec<Value> = rules.iter().map(short).collect();
    found.sort_by_key(Value::to_string);
    assert_eq!(
        found,
        [
            json!(["sg-0other", null, "egress", 3306, "sg-b"]),
            json!([null, "172.31.7.7", "ingress", 8443, "sg-a"]),
        ]
    );
    let terraform = fs::read_to_string(json.with_extension("tf")).unwrap();
    assert!(terraform.contains("\"111122223333/sg-b\"") && terraform.contains("\"sg-0other\""), "{terraform}");
    hcl_edit::parser::parse_body(&terraform).unwrap();
    let own = fs::read_to_string(run.join("rules/rules.json")).unwrap();
    assert!(!own.contains("\"group_id\": \"sg-0other\""));
    // A run that has nothing for that account leaves no file of an earlier one.
    case.conversations = vec!["eni-1 10.0.0.1:40000 151.101.1.1:443 6"];
    fs::write(dir.path().join("flows.log"), case.log()).unwrap();
    audit();
    assert!(!json.exists() && !json.with_extension("tf").exists());
}
