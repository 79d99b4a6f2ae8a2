//! What the inventory does not tell is no "no": vanished interfaces, groups of other accounts, protocols without ports.

use std::fs;

use serde_json::{Value, json};

use crate::common::closegate;
use crate::small::{
    Case, DAYS, adds_up, audit_in, connections, document_in, from_group, group, interface, kinds,
    ready,
};

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
        audit_in(dir.path())
            .arg("--config")
            .arg(&config)
            .args(fail_on)
            .assert()
    };
    audit(&[]).success();
    let document = document_in(dir.path());
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
    let audit = || audit_in(dir.path()).assert().success();
    audit();
    let json = run.join("rules/for-account-444455556666.json");
    let document: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let schema = closegate::emit::schema("for-account").unwrap();
    let schema = jsonschema::validator_for(&serde_json::to_value(schema).unwrap()).unwrap();
    assert!(schema.is_valid(&document), "{document}");
    let rules = document["rules"].as_array().unwrap();
    let short = |rule: &Value| {
        json!([
            rule["group_id"],
            rule["address"],
            rule["direction"],
            rule["from_port"],
            rule["target"]["security_group"]
        ])
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
    assert!(
        terraform.contains("\"111122223333/sg-b\"") && terraform.contains("\"sg-0other\""),
        "{terraform}"
    );
    hcl_edit::parser::parse_body(&terraform).unwrap();
    let own = fs::read_to_string(run.join("rules/rules.json")).unwrap();
    assert!(!own.contains("\"group_id\": \"sg-0other\""));
    // A run that has nothing for that account leaves no file of an earlier one.
    case.conversations = vec!["eni-1 10.0.0.1:40000 151.101.1.1:443 6"];
    fs::write(dir.path().join("flows.log"), case.log()).unwrap();
    audit();
    assert!(!json.exists() && !json.with_extension("tf").exists());
}

/// All of the subnet carry web's group, and db admits it: the vanished interface is taken for one of them. Its rules are written; nothing
/// becomes certain, and the group is not ready.
#[test]
fn a_vanished_interface_may_be_guessed_by_its_subnet() {
    let mut case = Case::web_and_db(&[
        "eni-9,eni-2 10.0.1.9:40001 10.0.2.2:3306 6",
        "eni-9 10.0.1.9:40002 151.101.1.1:443 6",
        "eni-8 10.0.1.8:40002 151.101.1.2:443 6",
        "eni-1 10.0.1.1:40003 151.101.1.3:443 6",
    ]);
    let at = |id: &str, address: &str, group: &str, subnet: &str| {
        let mut interface = interface(id, address, &[group]);
        interface["SubnetId"] = json!(subnet);
        interface
    };
    case.inventory["NetworkInterfaces"] = json!([
        at("eni-1", "10.0.1.1", "sg-a", "subnet-1"),
        at("eni-2", "10.0.2.2", "sg-b", "subnet-2"),
    ]);
    case.inventory["Subnets"] = json!([
        {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"},
        {"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"},
    ]);
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            [
                "10.0.1.1 151.101.1.3 tcp/443 accepted - permitted",
                // No rule of today agrees that this one was web's.
                "10.0.1.8 151.101.1.2 tcp/443 unattributed unknown-interface unjudged",
                "10.0.1.9 10.0.2.2 tcp/3306 accepted - permitted",
                "10.0.1.9 151.101.1.1 tcp/443 accepted - permitted",
            ]
        );
        adds_up(&audit);
        let ends = audit["connections"].as_array().unwrap().iter();
        let guessed = ends
            .map(|c| &c["initiator"])
            .find(|end| end["address"] == "10.0.1.9");
        assert_eq!(guessed.unwrap()["groups_known_from"], "guessed");
        let rules = audit["rules"].as_array().unwrap().iter();
        let rule = rules
            .clone()
            .find(|rule| rule["target"]["cidr_ipv4"] == "151.101.1.1/32");
        let rule = rule.unwrap();
        assert_eq!(
            (&rule["group_id"], &rule["confidence"]),
            (&json!("sg-a"), &json!("low"))
        );
        let web = ready(&audit, "sg-a");
        assert_eq!(
            (&web["ready"], &web["unknown_members"]),
            (&json!(false), &json!(2))
        );
    }
}

/// A snapshot that was cut may lack an interface's groups: that is not an interface without groups, which nothing judges.
#[test]
fn an_interface_without_its_groups_is_unknown() {
    let mut case = Case::web_and_db(&["eni-1 10.0.0.1:40000 151.101.1.1:443 6"]);
    let web = case.inventory["NetworkInterfaces"][0]
        .as_object_mut()
        .unwrap();
    web.remove("Groups");
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let asked = closegate()
        .args(["can", "--inventory"])
        .arg(dir.path().join("inventory"))
        .args(["eni-1", "151.101.1.1", "tcp/443"])
        .assert()
        .code(2);
    let text = String::from_utf8(asked.get_output().stdout.clone()).unwrap();
    assert!(text.contains("lacks the groups of the interface"), "{text}");
    for (audit, _) in case.runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 151.101.1.1 tcp/443 unattributed unknown-interface unjudged"]
        );
    }
}

/// A foreign change takes a rule away that may be what permits a connection: `verify` counts it, and does not call it permitted.
#[test]
fn verify_counts_what_it_cannot_judge() {
    let pair = json!({"GroupId": "sg-0other", "UserId": "444455556666", "PeeringStatus": "active"});
    let mut case = Case::web_and_db(&["eni-2 172.31.5.5:40000 10.0.0.2:3306 6"]);
    let mut rules = from_group(3306, &pair);
    rules[0]["UserIdGroupPairs"].as_array_mut().unwrap().push(
        json!({"GroupId": "sg-0second", "UserId": "444455556666", "PeeringStatus": "active"}),
    );
    case.inventory["SecurityGroups"][1] = group("sg-b", &rules);
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let change = json!({"schema_version": 2, "rules": [], "revocations": [{
        "group_id": "sg-b", "direction": "ingress", "protocol": "tcp", "from_port": 3306, "to_port": 3306,
        "target": {"security_group": "sg-0other"}}]});
    let proposed = dir.path().join("change.json");
    fs::write(&proposed, change.to_string()).unwrap();
    let verify = |more: &[&str]| {
        let done = closegate()
            .args(["verify", "--flows"])
            .arg(dir.path().join("flows.log"))
            .arg("--inventory")
            .arg(dir.path().join("inventory"))
            .arg("--rules")
            .arg(&proposed)
            .args(more)
            .assert()
            .success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let text = verify(&[]);
    assert!(text.contains("permitted     0 connections"), "{text}");
    assert!(
        text.contains("unknown       1 connection: the inventory does not tell"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&verify(&["--json"])).unwrap();
    assert_eq!(
        document["unjudged"].as_array().unwrap().len(),
        1,
        "{document}"
    );
}
