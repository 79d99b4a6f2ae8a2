//! The change in stages: nothing lost after any of them, what is cut at once, what may be tightened, and what somebody else keeps.

use std::fmt::Write as _;
use std::path::Path;

use closegate::audit::Audit;
use closegate::proof::StageName;
use serde_json::{Value, json};

use crate::common::{audit_paths, sample};

const EVERYTHING: &str = "0.0.0.0/0";

/// What a test says of a group.
struct Group<'a> {
    id: &'a str,
    name: &'a str,
    tags: Value,
    ingress: Value,
}

fn port(port: u16, to: &str) -> Value {
    let mut rule = json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port});
    if to.starts_with("sg-") {
        rule["UserIdGroupPairs"] = json!([{"GroupId": to}]);
    } else {
        rule["IpRanges"] = json!([{"CidrIp": to}]);
    }
    rule
}

/// Groups that are all open, and an interface of each: the first has 10.0.0.10, the next 10.0.0.11.
fn audit(
    groups: &[Group<'_>],
    rows: &[(usize, &str, &str, u16, u8)],
) -> (Audit, Vec<(String, String)>) {
    let dir = tempfile::tempdir().unwrap();
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYTHING}]}]);
    let all: Vec<Value> = groups
        .iter()
        .map(|g| json!({"GroupId": g.id, "GroupName": g.name, "VpcId": "vpc-1", "OwnerId": "1", "Tags": g.tags, "IpPermissions": g.ingress, "IpPermissionsEgress": open}))
        .collect();
    let interfaces: Vec<Value> = groups
        .iter()
        .enumerate()
        .map(|(n, g)| json!({"NetworkInterfaceId": format!("eni-{n}"), "InterfaceType": "interface", "VpcId": "vpc-1",
            "PrivateIpAddress": format!("10.0.0.{}", 10 + n), "Groups": [{"GroupId": g.id}]}))
        .collect();
    let write = |name: &str, value: Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    write("g.json", json!({"SecurityGroups": all}));
    write("i.json", json!({"NetworkInterfaces": interfaces}));
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    for (at, from, to, port, protocol) in rows {
        let flags = if *protocol == 6 { (2, 18) } else { (0, 0) };
        writeln!(
            log,
            "eni-{at} {from} 40000 {to} {port} {protocol} ACCEPT {} 1000",
            flags.0
        )
        .unwrap();
        writeln!(
            log,
            "eni-{at} {to} {port} {from} 40000 {protocol} ACCEPT {} 1000",
            flags.1
        )
        .unwrap();
    }
    let flows = dir.path().join("x.log");
    std::fs::write(&flows, log).unwrap();
    let audit = audit_paths(&[flows], dir.path());
    let files = closegate::emit::files(&audit).unwrap();
    let text = |(path, bytes): (String, Vec<u8>)| Some((path, String::from_utf8(bytes).ok()?));
    (audit, files.into_iter().filter_map(text).collect())
}

fn cut(audit: &Audit, name: StageName) -> Vec<String> {
    let stage = audit
        .proof
        .stages
        .iter()
        .find(|stage| stage.name == name)
        .unwrap();
    let one = |&c: &usize| {
        let c = &audit.connections[c];
        format!(
            "{} {} {}",
            c.initiator.address, c.responder.address, c.service
        )
    };
    let mut cut: Vec<String> = stage.cut_at_once.iter().map(one).collect();
    cut.sort();
    cut
}

/// A connection is untracked where its rule is for everybody and so is the other direction's, for every port
/// (security-group-connection-tracking.html); then it ends when either goes.
#[test]
fn what_is_untracked_is_cut_and_named() {
    let groups = [
        Group {
            id: "sg-1",
            name: "web",
            tags: json!([]),
            ingress: json!([port(443, EVERYTHING), port(80, "sg-2"), {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": EVERYTHING}]}]),
        },
        Group {
            id: "sg-2",
            name: "app",
            tags: json!([]),
            ingress: json!([]),
        },
    ];
    let (audit, files) = audit(
        &groups,
        &[
            (0, "198.51.100.7", "10.0.0.10", 443, 6),
            (0, "10.0.0.11", "10.0.0.10", 80, 6),
            (1, "10.0.0.11", "10.0.0.10", 80, 6),
            (0, "198.51.100.7", "10.0.0.10", 0, 1),
            (1, "10.0.0.11", "198.51.100.9", 8443, 6),
        ],
    );
    assert!(cut(&audit, StageName::Add).is_empty());
    assert_eq!(
        cut(&audit, StageName::Revoke),
        ["198.51.100.7 10.0.0.10 tcp/443"]
    );
    assert!(
        audit
            .proof
            .stages
            .iter()
            .all(|stage| stage.replay.lost.is_empty())
    );
    let plan = &files
        .iter()
        .find(|(path, _)| path == "rules/plan.md")
        .unwrap()
        .1;
    let id = &audit
        .connections
        .iter()
        .find(|c| c.service.port == 443)
        .unwrap()
        .id;
    assert!(
        plan.contains(&id.to_string())
            && plan.contains(
                "Revoking these rules drops 1 open connection, because AWS does not track them"
            ),
        "{plan}"
    );
}

/// Ingress by addresses may go where the mutual pairs let everybody in who was seen; not where somebody else was seen, and not
/// what is open to customers.
#[test]
fn ingress_that_the_pairs_cover_may_go() {
    let network = "10.0.0.0/24";
    let groups = [
        Group {
            id: "sg-1",
            name: "db",
            tags: json!([]),
            ingress: json!([
                port(5432, network),
                port(22, network),
                port(443, EVERYTHING)
            ]),
        },
        Group {
            id: "sg-2",
            name: "app",
            tags: json!([]),
            ingress: json!([]),
        },
    ];
    let rows = [
        (0, "10.0.0.11", "10.0.0.10", 5432, 6),
        (1, "10.0.0.11", "10.0.0.10", 5432, 6),
        (0, "10.0.0.11", "10.0.0.10", 22, 6),
        (1, "10.0.0.11", "10.0.0.10", 22, 6),
        (0, "10.0.0.11", "10.0.0.10", 443, 6),
        (1, "10.0.0.11", "10.0.0.10", 443, 6),
        // Somebody in the network whose interface nobody knows.
        (0, "10.0.0.99", "10.0.0.10", 22, 6),
    ];
    let (audit, files) = audit(&groups, &rows);
    let gone: Vec<String> = audit
        .proof
        .tightenings
        .iter()
        .map(|gone| gone.rule.services())
        .collect();
    assert_eq!(gone, ["tcp/5432"]);
    assert!(
        audit
            .proof
            .stages
            .iter()
            .all(|stage| stage.replay.lost.is_empty())
    );
    let apply = &files
        .iter()
        .find(|(path, _)| path == "rules/apply.sh")
        .unwrap()
        .1;
    let tighten = apply.split("\ntighten() {").nth(1).unwrap();
    assert!(tighten.contains("revoke-security-group-ingress") && tighten.contains("5432"));
}

/// Rules of a stack's group, a service's, and a default group are in `rules.json`, and nowhere that writes them.
#[test]
fn what_somebody_else_keeps_is_not_written_over() {
    let tag = |key: &str, value: &str| json!([{"Key": key, "Value": value}]);
    let groups = [
        Group {
            id: "sg-1",
            name: "ours",
            tags: tag("Name", "aws:cloudformation:stack-name"),
            ingress: json!([port(80, "10.0.0.0/24")]),
        },
        Group {
            id: "sg-2",
            name: "stack",
            tags: tag("aws:cloudformation:stack-name", "shop|<b>"),
            ingress: json!([port(80, "10.0.0.0/24")]),
        },
        Group {
            id: "sg-3",
            name: "eks",
            tags: tag("aws:eks:cluster-name", "x"),
            ingress: json!([port(80, "10.0.0.0/24")]),
        },
        Group {
            id: "sg-4",
            name: "default",
            tags: json!([]),
            ingress: json!([port(80, "10.0.0.0/24")]),
        },
    ];
    let addresses = ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13"];
    let mut rows = Vec::new();
    for (n, from) in addresses.iter().enumerate() {
        let to = addresses[(n + 1) % 4];
        rows.extend([(n, *from, to, 80, 6), ((n + 1) % 4, *from, to, 80, 6)]);
    }
    let (audit, files) = audit(&groups, &rows);
    assert_eq!(
        audit.rules.revocations.len(),
        4,
        "the audit says what is open, whoever keeps it"
    );
    let of = |name: &str| &files.iter().find(|(path, _)| path == name).unwrap().1;
    for name in [
        "rules/mutual.tf",
        "rules/other.tf",
        "rules/apply.sh",
        "rules/rollback.sh",
    ] {
        for id in ["sg-2", "sg-3", "sg-4"] {
            let writes = [
                format!("security_group_id            = \"{id}\""),
                format!("--group-id {id}"),
                format!("_sg_id       = \"{id}\""),
            ];
            assert!(
                !writes.iter().any(|text| of(name).contains(text)),
                "{name} writes {id}"
            );
        }
    }
    assert!(
        of("rules/other.tf").contains("\"sg-1\"")
            && of("rules/apply.sh").contains("--group-id sg-1")
    );
    let plan = of("rules/plan.md");
    for says in [
        "stack shop\\|&lt;b&gt;",
        "aws:eks:cluster-name",
        "the default group of its network",
    ] {
        assert!(plan.contains(says), "{says}: {plan}");
    }
}

/// Where a group that somebody else keeps would get the rule that lets a connection out, the open rule of ours beside it stays until
/// that is done: apply.sh would cut it otherwise.
#[test]
fn an_open_rule_waits_for_a_rule_that_somebody_else_has_to_make() {
    let dir = tempfile::tempdir().unwrap();
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYTHING}]}]);
    let tags = json!([{"Key": "aws:cloudformation:stack-name", "Value": "shop"}]);
    let groups = json!([
        {"GroupId": "sg-1", "GroupName": "ours", "VpcId": "vpc-1", "OwnerId": "1", "IpPermissions": [], "IpPermissionsEgress": open},
        {"GroupId": "sg-2", "GroupName": "stack", "VpcId": "vpc-1", "OwnerId": "1", "Tags": tags, "IpPermissions": [], "IpPermissionsEgress": []},
    ]);
    let interface = |n: u8, groups: Value| json!({"NetworkInterfaceId": format!("eni-{n}"), "InterfaceType": "interface", "VpcId": "vpc-1", "PrivateIpAddress": format!("10.0.0.1{n}"), "Groups": groups});
    // Only one of the two interfaces calls, and it alone carries the stack's group: that one grants least.
    let interfaces = json!([
        interface(0, json!([{"GroupId": "sg-1"}, {"GroupId": "sg-2"}])),
        interface(1, json!([{"GroupId": "sg-1"}]))
    ]);
    let write = |name: &str, value: Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    write("g.json", json!({"SecurityGroups": groups}));
    write("i.json", json!({"NetworkInterfaces": interfaces}));
    let flows = dir.path().join("x.log");
    let log = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\neni-0 10.0.0.10 40000 198.51.100.7 443 6 ACCEPT 2 1000\neni-1 198.51.100.7 443 10.0.0.11 40000 6 REJECT 0 1000\n";
    std::fs::write(&flows, log).unwrap();
    let audit = audit_paths(&[flows], dir.path());
    let added: Vec<&str> = audit
        .rules
        .rules
        .iter()
        .map(|rule| audit.inventory.group(rule.group).id.as_str())
        .collect();
    assert_eq!((added, audit.rules.revocations.len()), (vec!["sg-2"], 1));
    let files = closegate::emit::files(&audit).unwrap();
    let of = |name: &str| {
        let (_, bytes) = files.iter().find(|(path, _)| path == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    for name in ["rules/apply.sh", "rules/rollback.sh"] {
        assert!(
            !of(name).contains("--group-id sg-"),
            "{name} takes what nothing replaces"
        );
    }
    let plan = of("rules/plan.md");
    assert!(plan.contains("| ours (sg-1) | sg-2 |"), "{plan}");
}

/// The sample's own.
#[test]
fn every_stage_of_the_sample_loses_nothing() {
    let audit = audit_paths(
        &[sample().join("flows/custom")],
        Path::new(&sample().join("inventory")),
    );
    let stages: Vec<(usize, u64, usize)> = audit
        .proof
        .stages
        .iter()
        .map(|stage| (stage.rules, stage.replay.permitted, stage.replay.lost.len()))
        .collect();
    assert_eq!(stages, [(21, 147, 0), (9, 147, 0), (4, 147, 0)]);
}
