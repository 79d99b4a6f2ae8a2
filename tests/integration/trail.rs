//! History from CloudTrail: which groups an interface carried when, and which rules stood when.

use std::fs;

use serde_json::{Value, json};

use crate::small::{
    Case, DAY, START, adds_up, audit_in, connections, document_in, from_group, group, interface,
    kinds, ready,
};

/// `eventTime` of a time in Unix seconds.
fn time(seconds: u64) -> String {
    jiff::Timestamp::from_second(i64::try_from(seconds).unwrap())
        .unwrap()
        .to_string()
}

/// A record of a trail; its id tells it from others.
fn record(name: &str, at: u64, request: &Value, response: &Value) -> Value {
    json!({
        "eventVersion": "1.08", "eventName": name, "eventTime": time(at), "eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1",
        "eventID": format!("{name}-{at}-{request}"), "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "requestParameters": request, "responseElements": response,
    })
}

fn set(groups: &[&str]) -> Value {
    let items: Vec<Value> = groups.iter().map(|id| json!({"groupId": id})).collect();
    json!({ "items": items })
}

/// An instance starts with an interface.
pub(crate) fn launched(at: u64, instance: &str, id: &str, address: &str, groups: &[&str]) -> Value {
    let interface = json!({
        "networkInterfaceId": id, "subnetId": "subnet-1", "vpcId": "vpc-1", "privateIpAddress": address, "interfaceType": "interface",
        "privateIpAddressesSet": {"item": [{"privateIpAddress": address, "primary": true}]}, "ipv6AddressesSet": {},
        "groupSet": set(groups), "attachment": {"deviceIndex": 0, "deleteOnTermination": true}, "tagSet": {},
    });
    let instance = json!({"instanceId": instance, "groupSet": set(groups), "networkInterfaceSet": {"items": [interface]}});
    record(
        "RunInstances",
        at,
        &json!({}),
        &json!({"groupSet": {}, "instancesSet": {"items": [instance]}}),
    )
}

pub(crate) fn terminated(at: u64, instance: &str) -> Value {
    let named = json!({"instancesSet": {"items": [{"instanceId": instance}]}});
    record("TerminateInstances", at, &named, &named)
}

fn with_trail(mut case: Case, records: &[Value]) -> Case {
    case.inventory["Records"] = json!(records);
    case
}

/// The vanished interface of `unknown.rs`, with its launch on record: its connections are its group's.
#[test]
fn the_connections_of_a_vanished_interface_are_its_groups() {
    let case = || {
        Case::web_and_db(&[
            "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6",
            "eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6",
            "eni-9 10.0.0.9:40002 151.101.1.1:443 6",
        ])
    };
    let life = [
        launched(START - 100, "i-9", "eni-9", "10.0.0.9", &["sg-a"]),
        terminated(START + 15 * DAY + 1000, "i-9"),
    ];
    for (audit, _) in with_trail(case(), &life).runs() {
        assert_eq!(
            connections(&audit),
            [
                "10.0.0.1 10.0.0.2 tcp/3306 accepted - permitted",
                "10.0.0.9 10.0.0.2 tcp/3306 accepted - permitted",
                "10.0.0.9 151.101.1.1 tcp/443 accepted - permitted",
            ]
        );
        adds_up(&audit);
        assert_eq!(
            ready(&audit, "sg-a")["ready"],
            true,
            "{}",
            ready(&audit, "sg-a")
        );
        let internet = audit["rules"].as_array().unwrap().iter();
        let internet = internet
            .clone()
            .find(|rule| rule["target"]["cidr_ipv4"] == "151.101.1.1/32");
        assert_eq!(internet.unwrap()["group_id"], "sg-a");
        let initiator = audit["connections"].as_array().unwrap().iter();
        let initiator = initiator
            .map(|c| &c["initiator"])
            .find(|end| end["interface_id"] == "eni-9")
            .unwrap();
        assert_eq!(initiator["groups"], json!(["sg-a"]));
        assert_eq!(initiator["groups_known_from"], "trail");
        assert!(!kinds(&audit).contains(&"unresolved-interface"));
    }
    // Whatever the order of the records, and as LookupEvents answers.
    let (expected, _) = with_trail(case(), &life).run();
    let (reversed, _) =
        with_trail(case(), &[life[1].clone(), life[0].clone(), life[1].clone()]).run();
    assert_eq!(expected["connections"], reversed["connections"]);
    let mut looked_up = case();
    looked_up.inventory["Events"] = life
        .iter()
        .map(|record| json!({"EventId": "1", "CloudTrailEvent": record.to_string()}))
        .collect();
    assert_eq!(expected["connections"], looked_up.run().0["connections"]);
}

/// A record that failed, one of something else, and one that is damaged.
#[test]
fn a_record_that_tells_nothing_is_passed_over() {
    let mut failed = launched(START - 100, "i-9", "eni-9", "10.0.0.9", &["sg-a"]);
    failed["errorCode"] = json!("Client.UnauthorizedOperation");
    let mut damaged = launched(START - 90, "i-9", "eni-9", "10.0.0.9", &["sg-a"]);
    damaged["eventTime"] = json!("yesterday");
    let other = record("DescribeInstances", START, &json!({}), &Value::Null);
    let case = Case::web_and_db(&["eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6"]);
    let (audit, _) = with_trail(case, &[failed, damaged, other]).run();
    assert_eq!(
        connections(&audit),
        ["10.0.0.9 10.0.0.2 tcp/3306 unattributed unknown-interface unjudged"]
    );
    let notes = audit["notes"].to_string();
    assert!(
        notes.contains("can't read 1 record of CloudTrail"),
        "{notes}"
    );
}

/// An address passes from a member of one group to a member of another.
#[test]
fn an_address_is_its_holders_of_the_time() {
    let mut case = Case::web_and_db(&[]);
    case.inventory["SecurityGroups"] = json!([
        group("sg-a", &json!([])),
        group("sg-b", &from_group(3306, &json!({"GroupId": "sg-a"}))),
        group("sg-c", &json!([])),
    ]);
    // eni-8 has the address today; eni-9 had it on the first day. Only db logs.
    case.inventory["NetworkInterfaces"][0] = interface("eni-8", "10.0.0.9", &["sg-c"]);
    case.conversations = vec!["eni-2 10.0.0.9:40001 10.0.0.2:3306 6"];
    case.days = 1;
    let records = [
        launched(START - 100, "i-9", "eni-9", "10.0.0.9", &["sg-a"]),
        terminated(START + DAY, "i-9"),
        launched(START + 2 * DAY, "i-8", "eni-8", "10.0.0.9", &["sg-c"]),
    ];
    for (audit, _) in with_trail(case, &records).runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.9 10.0.0.2 tcp/3306 accepted - permitted"]
        );
        assert_eq!(
            audit["connections"][0]["initiator"]["interface_id"],
            "eni-9"
        );
    }
}

/// The groups of an interface change: each flow is judged by those that it carried then.
#[test]
fn a_flow_is_judged_by_the_groups_of_its_time() {
    let regrouped = |at| {
        record(
            "ModifyNetworkInterfaceAttribute",
            at,
            &json!({"networkInterfaceId": "eni-1", "groupSet": set(&["sg-c"])}),
            &json!({"_return": true}),
        )
    };
    let case = |days| {
        let mut case = Case::web_and_db(&["eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6"]);
        let groups = case.inventory["SecurityGroups"].as_array_mut().unwrap();
        groups.push(group("sg-c", &json!([])));
        case.inventory["NetworkInterfaces"][0] = interface("eni-1", "10.0.0.1", &["sg-c"]);
        case.days = days;
        case
    };
    let made = launched(START - 100, "i-1", "eni-1", "10.0.0.1", &["sg-a"]);
    // The change is after the logs: db's rule admits what eni-1 was then.
    let (audit, _) = with_trail(case(3), &[made.clone(), regrouped(START + 4 * DAY)]).run();
    assert_eq!(
        connections(&audit),
        ["10.0.0.1 10.0.0.2 tcp/3306 accepted - permitted"]
    );
    assert_eq!(
        audit["connections"][0]["initiator"]["groups"],
        json!(["sg-a"])
    );
    // Without the history it is a rule of today that denies what was accepted: db seems to have asked.
    let (audit, _) = case(3).run();
    assert_ne!(
        connections(&audit),
        ["10.0.0.1 10.0.0.2 tcp/3306 accepted - permitted"]
    );
    // The change is amid them, and db admits both: each part is its own connection, of the groups of its time.
    let mut both = case(16);
    let admitted = json!([{"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "UserIdGroupPairs": [{"GroupId": "sg-a"}, {"GroupId": "sg-c"}]}]);
    both.inventory["SecurityGroups"][1] = group("sg-b", &admitted);
    for (audit, _) in with_trail(both, &[made, regrouped(START + 4 * DAY)]).runs() {
        assert_eq!(
            connections(&audit),
            ["10.0.0.1 10.0.0.2 tcp/3306 accepted - permitted"; 2]
        );
        let all = audit["connections"].as_array().unwrap();
        let mut groups: Vec<&Value> = all.iter().map(|c| &c["initiator"]["groups"]).collect();
        groups.sort_by_key(ToString::to_string);
        assert_eq!(groups, [&json!(["sg-a"]), &json!(["sg-c"])]);
        assert_ne!(all[0]["id"], all[1]["id"]);
        adds_up(&audit);
    }
}

/// A rule was revoked in between: what it permitted was no reply.
#[test]
fn a_rule_that_stood_then_is_evidence() {
    let case = || {
        let mut case = Case::web_and_db(&["eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6"]);
        case.inventory["SecurityGroups"][1] = group("sg-b", &json!([]));
        case.days = 3;
        case
    };
    let permission = json!({"ipProtocol": "tcp", "fromPort": 3306, "toPort": 3306, "groups": {"items": [{"groupId": "sg-a", "userId": "111122223333"}]}, "ipRanges": {}, "ipv6Ranges": {}, "prefixListIds": {}});
    let revoked = record(
        "RevokeSecurityGroupIngress",
        START + 5 * DAY,
        &json!({"groupId": "sg-b", "ipPermissions": {"items": [permission]}}),
        &json!({"_return": true}),
    );
    let (audit, _) = with_trail(case(), &[revoked]).run();
    assert_eq!(
        connections(&audit),
        ["10.0.0.1 10.0.0.2 tcp/3306 quarantined not-permitted-today denied"]
    );
}

/// Who opened egress, in the shape of a real trail.
#[test]
fn open_egress_says_who_opened_it() {
    let opened = record(
        "AuthorizeSecurityGroupEgress",
        1_759_900_000,
        &json!({"groupId": "sg-a", "ipPermissions": {"items": [{"ipProtocol": "-1", "groups": {}, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}, "ipv6Ranges": {}, "prefixListIds": {}}]}}),
        &json!({"_return": true, "securityGroupRuleSet": {"items": [{"groupOwnerId": "111122223333", "groupId": "sg-a", "securityGroupRuleId": "sgr-1", "isEgress": true, "ipProtocol": "-1", "fromPort": -1, "toPort": -1, "cidrIpv4": "0.0.0.0/0"}]}}),
    );
    let mut made = record(
        "CreateSecurityGroup",
        1_759_800_000,
        &json!({"groupName": "sg-b", "groupDescription": "d", "vpcId": "vpc-1"}),
        &json!({"_return": true, "groupId": "sg-b"}),
    );
    // Anybody may choose such a name.
    made["userIdentity"]["arn"] = json!("arn:aws:iam::111122223333:user/<b>\u{202e}bob");
    let case = Case::web_and_db(&["eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6"]);
    let (audit, _) = with_trail(case, &[opened, made]).run();
    let detail = |group: &str| {
        let all = audit["findings"].as_array().unwrap();
        let found = all
            .iter()
            .find(|f| f["kind"] == "open-egress" && f["group_id"] == group);
        found.unwrap()["detail"].as_str().unwrap().to_owned()
    };
    let web = detail("sg-a");
    assert!(
        web.ends_with("Opened by arn:aws:iam::111122223333:user/alice, on 2025-10-08."),
        "{web}"
    );
    let db = detail("sg-b");
    assert!(
        db.contains("who made the group, on 2025-10-07.") && !db.contains('\u{202e}'),
        "{db}"
    );
}

/// Trail files as S3 holds them lie beside the rest, packed.
#[test]
fn trail_files_are_read_packed() {
    let case = Case::web_and_db(&["eni-9,eni-2 10.0.0.9:40001 10.0.0.2:3306 6"]);
    let dir = tempfile::tempdir().unwrap();
    case.write(dir.path());
    let trail = dir
        .path()
        .join("inventory/AWSLogs/111122223333/CloudTrail/us-east-1/2025/10/09");
    fs::create_dir_all(&trail).unwrap();
    let records =
        json!({"Records": [launched(START - 100, "i-9", "eni-9", "10.0.0.9", &["sg-a"])]});
    let file =
        fs::File::create(trail.join("111122223333_CloudTrail_us-east-1_20251009T0000Z_x.json.gz"))
            .unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, records.to_string().as_bytes()).unwrap();
    packed.finish().unwrap();
    let run = |more: &[&str]| audit_in(dir.path()).args(more).assert();
    let document = || document_in(dir.path());
    run(&[]).success();
    let audit = document();
    assert_eq!(
        connections(&audit),
        ["10.0.0.9 10.0.0.2 tcp/3306 accepted - permitted"]
    );
    // The same, from elsewhere.
    let elsewhere = dir.path().join("trail");
    fs::rename(dir.path().join("inventory/AWSLogs"), &elsewhere).unwrap();
    run(&[]).success();
    assert_ne!(document()["connections"], audit["connections"]);
    run(&["--cloudtrail", elsewhere.to_str().unwrap()]).success();
    assert_eq!(document()["connections"], audit["connections"]);
    // What is none is named.
    let other = dir.path().join("other.json");
    fs::write(&other, "{\"a\": 1}").unwrap();
    let refused = run(&["--cloudtrail", other.to_str().unwrap()]).code(2);
    let error = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(error.contains("other.json` is no trail file"), "{error}");
    run(&["--cloudtrail", "nowhere"]).code(2);
}
