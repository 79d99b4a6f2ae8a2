//! The rules, and the proof of them.

use closegate::audit::Audit;
use closegate::inventory::{Direction, Gates, NetworkPath, Target};
use closegate::replay::{self, RulesAfter};
use closegate::resolve::Confidence;
use closegate::suggest::{KeptOpenBecause, Level, Reason, Status};
use std::fmt::Write as _;

use crate::common::{audit_at, audit_text};

/// An inventory of groups (id, ingress, egress) and interfaces (id, address, groups).
fn inventory(
    groups: &[(&str, &str, &str)],
    interfaces: &[(&str, &str, &[&str])],
    more: &str,
) -> tempfile::TempDir {
    let groups: Vec<String> = groups
        .iter()
        .map(|(id, ingress, egress)| {
            format!(r#"{{"GroupId":"{id}","GroupName":"{}","VpcId":"vpc-1","OwnerId":"1","IpPermissions":[{ingress}],"IpPermissionsEgress":[{egress}]}}"#, id.trim_start_matches("sg-"))
        })
        .collect();
    let interfaces: Vec<String> = interfaces
        .iter()
        .map(|(id, address, groups)| {
            let groups: Vec<String> = groups.iter().map(|g| format!(r#"{{"GroupId":"{g}"}}"#)).collect();
            let vpc = if address.starts_with("10.9.") { "vpc-9" } else { "vpc-1" };
            format!(r#"{{"NetworkInterfaceId":"{id}","InterfaceType":"interface","VpcId":"{vpc}","PrivateIpAddress":"{address}","Groups":[{}]}}"#, groups.join(","))
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "g.json",
        format!("{{\"SecurityGroups\":[{}]}}", groups.join(",")),
    );
    write(
        "i.json",
        format!("{{\"NetworkInterfaces\":[{}]}}", interfaces.join(",")),
    );
    write("m.json", more.to_owned());
    dir
}

const OPEN: &str = r#"{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}"#;

fn tcp(port: u16, from: &str) -> String {
    let target = if from.contains('/') {
        format!(r#""IpRanges":[{{"CidrIp":"{from}"}}]"#)
    } else {
        format!(r#""UserIdGroupPairs":[{{"GroupId":"{from}"}}]"#)
    };
    format!(r#"{{"IpProtocol":"tcp","FromPort":{port},"ToPort":{port},{target}}}"#)
}

/// Connections with handshakes, recorded at the initiator's interface.
fn audit(inventory: &tempfile::TempDir, connections: &[(&str, &str, &str, u16)]) -> Audit {
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start log-status\n"
            .to_owned();
    for (at, from, to, port) in connections {
        writeln!(log, "{at} {from} 40000 {to} {port} 6 ACCEPT 2 1000 OK").unwrap();
        writeln!(log, "{at} {to} {port} {from} 40000 6 ACCEPT 18 1000 OK").unwrap();
    }
    let audit = audit_text(&log, inventory.path());
    assert_eq!(audit.replay.lost, Vec::<usize>::new());
    assert_eq!(audit.replay.permitted, audit.connections.len() as u64);
    never_wider(&audit);
    audit
}

/// Whatever the rules permit after the change between two interfaces, on a
/// service in use, they permit today.
fn never_wider(audit: &Audit) {
    let (before, after) = (Gates::today(&audit.inventory), &audit.rules_after.gates);
    for c in &audit.connections {
        for x in audit.inventory.interface_indexes() {
            for y in audit.inventory.interface_indexes() {
                let party = closegate::inventory::Party::Interface;
                let can = |gates| {
                    audit
                        .inventory
                        .can(gates, &party(x), &party(y), c.service.into())
                        .allowed
                        == Some(true)
                };
                assert!(
                    !can(after) || can(&before),
                    "{:?} → {:?} on {} is new",
                    x,
                    y,
                    c.service
                );
            }
        }
    }
}

/// `status direction group target`, in order.
fn summary(audit: &Audit) -> Vec<String> {
    let mut lines: Vec<String> = audit
        .rules
        .rules
        .iter()
        .map(|r| {
            let status = if r.status == Status::Add {
                "add"
            } else {
                "keep"
            };
            let ports = r.rule.port_pair().map_or(String::new(), |(from, to)| {
                if from == to {
                    format!(":{from}")
                } else {
                    format!(":{from}-{to}")
                }
            });
            format!(
                "{status} {} {} {}{ports}",
                r.rule.direction.as_str(),
                audit.inventory.group(r.group).name,
                r.rule.target
            )
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_connection_between_groups_is_a_mutual_pair() {
    let inventory = inventory(
        &[
            ("sg-web", "", OPEN),
            ("sg-db", &tcp(3306, "10.0.0.0/8"), OPEN),
        ],
        &[
            ("eni-1", "10.0.0.1", &["sg-web"]),
            ("eni-2", "10.0.0.2", &["sg-db"]),
        ],
        "{}",
    );
    let audit = audit(&inventory, &[("eni-1", "10.0.0.1", "10.0.0.2", 3306)]);
    assert_eq!(
        summary(&audit),
        ["add egress web sg-db:3306", "add ingress db sg-web:3306"]
    );
    let [egress, ingress] = &audit.rules.rules[..] else {
        panic!()
    };
    let (egress, ingress) = if egress.rule.direction == Direction::Egress {
        (egress, ingress)
    } else {
        (ingress, egress)
    };
    assert_eq!(
        (egress.pair.as_ref(), ingress.pair.as_ref()),
        (Some(&ingress.id), Some(&egress.id))
    );
    assert_eq!(
        audit.rules.revocations.len(),
        1,
        "only the group with interfaces in the logs"
    );
    assert_eq!(audit.rules.kept_open[0].because, KeptOpenBecause::Unseen);
}

/// `base` is on everything; the pair is written for the group that the client
/// and nobody else carries.
#[test]
fn a_shared_group_gets_no_rule_for_what_one_member_does() {
    let inventory = inventory(
        &[
            ("sg-base", "", OPEN),
            ("sg-web", "", OPEN),
            ("sg-db", &tcp(3306, "10.0.0.0/8"), OPEN),
        ],
        &[
            ("eni-1", "10.0.0.1", &["sg-base", "sg-web"]),
            ("eni-2", "10.0.0.2", &["sg-base", "sg-web"]),
            ("eni-3", "10.0.0.3", &["sg-base"]),
            ("eni-4", "10.0.0.4", &["sg-base", "sg-db"]),
        ],
        "{}",
    );
    let found = audit(
        &inventory,
        &[
            ("eni-1", "10.0.0.1", "10.0.0.4", 3306),
            ("eni-2", "10.0.0.2", "10.0.0.4", 3306),
        ],
    );
    assert_eq!(
        summary(&found),
        ["add egress web sg-db:3306", "add ingress db sg-web:3306"]
    );
    // When all its members share a connection, it is the group's.
    let all: Vec<_> = ["1", "2", "3"]
        .map(|n| (format!("eni-{n}"), format!("10.0.0.{n}")))
        .into();
    let all: Vec<_> = all
        .iter()
        .map(|(eni, address)| (eni.as_str(), address.as_str(), "198.51.100.7", 443))
        .collect();
    assert_eq!(
        summary(&audit(
            &inventory,
            &[&all[..], &[("eni-4", "10.0.0.4", "198.51.100.7", 443)]].concat()
        )),
        ["add egress base 198.51.100.7/32:443"]
    );
}

/// The ingress rule knows one address; naming the client's group would let the
/// other member in, so the ingress rule of today stays as it is.
#[test]
fn an_ingress_rule_that_would_widen_is_not_written() {
    let inventory = inventory(
        &[
            ("sg-web", "", OPEN),
            ("sg-db", &tcp(3306, "10.0.0.1/32"), ""),
        ],
        &[
            ("eni-1", "10.0.0.1", &["sg-web"]),
            ("eni-2", "10.0.0.2", &["sg-web"]),
            ("eni-3", "10.0.0.3", &["sg-db"]),
        ],
        "{}",
    );
    let audit = audit(&inventory, &[("eni-1", "10.0.0.1", "10.0.0.3", 3306)]);
    assert_eq!(
        summary(&audit),
        [
            "add egress web sg-db:3306",
            "keep ingress db 10.0.0.1/32:3306"
        ]
    );
}

/// Rules that stand are kept, never made twice.
#[test]
fn what_stands_already_is_kept() {
    let inventory = inventory(
        &[
            ("sg-web", &tcp(443, "0.0.0.0/0"), &tcp(3306, "sg-db")),
            ("sg-db", &tcp(3306, "sg-web"), ""),
        ],
        &[
            ("eni-1", "10.0.0.1", &["sg-web"]),
            ("eni-2", "10.0.0.2", &["sg-db"]),
        ],
        "{}",
    );
    let audit = audit(
        &inventory,
        &[
            ("eni-1", "10.0.0.1", "10.0.0.2", 3306),
            ("eni-1", "198.51.100.1", "10.0.0.1", 443),
        ],
    );
    assert_eq!(
        summary(&audit),
        [
            "keep egress web sg-db:3306",
            "keep ingress db sg-web:3306",
            "keep ingress web 0.0.0.0/0:443"
        ]
    );
    assert!(audit.rules.revocations.is_empty());
}

/// The narrowest exact prefixes, and never one address more.
#[test]
fn outside_destinations_are_exact() {
    let inventory = inventory(
        &[("sg-web", "", OPEN)],
        &[("eni-1", "10.0.0.1", &["sg-web"])],
        "{}",
    );
    let to: Vec<String> = (4..8)
        .map(|n| format!("198.51.100.{n}"))
        .chain(["198.51.100.9".to_owned(), "2001:db8::1".to_owned()])
        .collect();
    let to: Vec<_> = to
        .iter()
        .filter(|a| !a.contains(':'))
        .map(|a| ("eni-1", "10.0.0.1", a.as_str(), 443))
        .collect();
    assert_eq!(
        summary(&audit(&inventory, &to)),
        [
            "add egress web 198.51.100.4/30:443",
            "add egress web 198.51.100.9/32:443"
        ]
    );
}

/// Peered in one region: by group. No path that can name groups: by address.
#[test]
fn a_group_is_named_only_where_a_reference_works() {
    let peering = |region: &str| {
        format!(
            r#"{{"VpcPeeringConnections":[{{"Status":{{"Code":"active"}},"RequesterVpcInfo":{{"VpcId":"vpc-1","Region":"us-east-1"}},"AccepterVpcInfo":{{"VpcId":"vpc-9","Region":"{region}"}}}}]}}"#
        )
    };
    let groups = [
        ("sg-web", "", OPEN),
        ("sg-far", &*tcp(5432, "10.0.0.0/24"), ""),
    ];
    let interfaces: [(&str, &str, &[&str]); 2] = [
        ("eni-1", "10.0.0.1", &["sg-web"]),
        ("eni-9", "10.9.0.9", &["sg-far"]),
    ];
    let with = |more: &str| {
        summary(&audit(
            &inventory(&groups, &interfaces, more),
            &[("eni-1", "10.0.0.1", "10.9.0.9", 5432)],
        ))
    };
    assert_eq!(
        with(&peering("us-east-1")),
        ["add egress web sg-far:5432", "add ingress far sg-web:5432"]
    );
    let by_address = [
        "add egress web 10.9.0.9/32:5432",
        "keep ingress far 10.0.0.0/24:5432",
    ];
    assert_eq!(with(&peering("eu-west-1")), by_address);
    // Whether it is the other VPC's interface at all, nothing tells.
    assert_eq!(with("{}"), by_address[..1]);
}

/// Across a transit gateway ingress rules may name groups, if it and both
/// attachments support that, and egress rules never may.
#[test]
fn across_a_transit_gateway_egress_goes_by_address_and_ingress_by_name() {
    let groups = [("sg-web", "", OPEN), ("sg-far", &*tcp(5432, "sg-web"), "")];
    let interfaces: [(&str, &str, &[&str]); 2] = [
        ("eni-1", "10.0.0.1", &["sg-web"]),
        ("eni-9", "10.9.0.9", &["sg-far"]),
    ];
    let gateway = |gateway: &str, near: &str, far: &str| {
        let options = |support: &str| {
            format!(r#""Options":{{"SecurityGroupReferencingSupport":"{support}"}}"#)
        };
        let attached = |vpc: &str, support: &str| {
            format!(
                r#"{{"TransitGatewayId":"tgw-1","VpcId":"{vpc}","State":"available",{}}}"#,
                options(support)
            )
        };
        format!(
            r#"{{"TransitGateways":[{{"TransitGatewayId":"tgw-1",{}}}],"TransitGatewayVpcAttachments":[{},{}]}}"#,
            options(gateway),
            attached("vpc-1", near),
            attached("vpc-9", far)
        )
    };
    let with = |more: &str| {
        let inventory = inventory(&groups, &interfaces, more);
        let log = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start log-status\n\
            eni-1 10.0.0.1 40000 10.9.0.9 5432 6 ACCEPT 2 1000 OK\n\
            eni-1 10.9.0.9 5432 10.0.0.1 40000 6 ACCEPT 18 1000 OK\n";
        audit_text(log, inventory.path())
    };
    let supported = with(&gateway("enable", "enable", "enable"));
    assert_eq!(
        summary(&supported),
        [
            "add egress web 10.9.0.9/32:5432",
            "keep ingress far sg-web:5432"
        ]
    );
    let mut rules = supported.rules.rules.iter();
    let rule = rules.find(|r| r.status == Status::Add).unwrap();
    assert!(
        matches!(
            rule.reason,
            Reason::Unreferenced(NetworkPath::TransitGateway { .. })
        ),
        "{:?}",
        rule.reason
    );
    // Answered, though the only rule cannot have let it in: somebody changed it since.
    for unsupported in [
        gateway("disable", "enable", "enable"),
        gateway("enable", "enable", "disable"),
    ] {
        let audit = with(&unsupported);
        assert_eq!(summary(&audit), [""; 0]);
        assert_eq!(audit.replay.quarantined, 1);
    }
}

/// A route through an appliance: what arrives is no longer the sender's group.
#[test]
fn past_a_middlebox_a_group_cannot_be_named() {
    let groups = [
        ("sg-web", "", OPEN),
        ("sg-db", &*tcp(3306, "10.0.0.0/8"), ""),
    ];
    let interfaces: [(&str, &str, &[&str]); 2] = [
        ("eni-1", "10.0.0.1", &["sg-web"]),
        ("eni-2", "10.0.0.2", &["sg-db"]),
    ];
    let with = |routes: &str| {
        let tables = format!(
            r#"{{"RouteTables":[{{"VpcId":"vpc-1","Associations":[{{"Main":true}}],"Routes":[{{"DestinationCidrBlock":"10.0.0.0/16","GatewayId":"local"}},{routes}]}}]}}"#
        );
        let inventory = inventory(&groups, &interfaces, &tables);
        audit(&inventory, &[("eni-1", "10.0.0.1", "10.0.0.2", 3306)])
    };
    let inspected =
        with(r#"{"DestinationCidrBlock":"10.0.0.0/24","GatewayId":"vpce-0123456789abcdef0"}"#);
    assert_eq!(
        summary(&inspected),
        [
            "add egress web 10.0.0.2/32:3306",
            "keep ingress db 10.0.0.0/8:3306"
        ]
    );
    assert_eq!(
        inspected.rules.rules[1].reason,
        Reason::Unreferenced(NetworkPath::Inspected)
    );
    // Only the way to the internet leads through the appliance.
    let direct = with(r#"{"DestinationCidrBlock":"0.0.0.0/0","NetworkInterfaceId":"eni-7"}"#);
    assert_eq!(
        summary(&direct),
        ["add egress web sg-db:3306", "add ingress db sg-web:3306"]
    );
}

/// A list whose entries nobody saved: AWS's published ranges stand in, and the rule
/// says so.
#[test]
fn published_ranges_stand_in_for_the_entries_of_a_list_of_aws() {
    let with = |name: &str| {
        let list = format!(
            r#"{{"PrefixLists":[{{"PrefixListId":"pl-00000001","PrefixListName":"com.amazonaws.{name}","OwnerId":"AWS"}}]}}"#
        );
        let inventory = inventory(
            &[("sg-web", "", OPEN)],
            &[("eni-1", "10.0.0.1", &["sg-web"])],
            &list,
        );
        audit(&inventory, &[("eni-1", "10.0.0.1", "52.216.0.9", 443)])
    };
    let here = with("us-east-1.s3");
    assert_eq!(summary(&here), ["add egress web pl-00000001:443"]);
    let rule = &here.rules.rules[0];
    assert_eq!(rule.reason, Reason::PublishedList);
    assert_eq!(rule.confidence, Confidence::Likely);
    for elsewhere in [
        "eu-west-1.s3",
        "us-east-1.dynamodb",
        "us-east-1.vpc-lattice",
    ] {
        assert_eq!(
            summary(&with(elsewhere)),
            ["add egress web 52.216.0.9/32:443"]
        );
    }
}

/// A customer's list holds what the customer wants: level exact names the address. A list that holds half the internet says nothing about a
/// destination at any level.
#[test]
fn a_customers_list_stands_for_addresses_where_the_level_allows_it() {
    let list = |cidr: &str| {
        format!(
            r#"{{"PrefixLists":[{{"PrefixListId":"pl-00000001","PrefixListName":"partner","OwnerId":"1","Cidrs":["{cidr}"]}}]}}"#
        )
    };
    let with = |level, cidr: &str| {
        let inventory = inventory(
            &[("sg-web", "", OPEN)],
            &[("eni-1", "10.0.0.1", &["sg-web"])],
            &list(cidr),
        );
        let log = inventory.path().join("flows.log");
        let row = "eni-1 10.0.0.1 40000 198.51.100.9 443 6 ACCEPT 2 1000 OK";
        let header = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start log-status";
        std::fs::write(&log, format!("{header}\n{row}\n")).unwrap();
        summary(&audit_at(level, &[log], inventory.path()))
    };
    let address = ["add egress web 198.51.100.9/32:443"];
    let narrow = "198.51.100.0/24";
    assert_eq!(with(Level::Exact, narrow), address);
    assert_eq!(
        with(Level::Balanced, narrow),
        ["add egress web pl-00000001:443"]
    );
    assert_eq!(with(Level::Balanced, "128.0.0.0/1"), address);
}

/// Replay is independent: rules that somebody tampered with do not pass.
#[test]
fn replay_finds_what_a_missing_rule_would_break() {
    let inventory = inventory(
        &[
            ("sg-web", "", OPEN),
            ("sg-db", &tcp(3306, "10.0.0.0/8"), OPEN),
        ],
        &[
            ("eni-1", "10.0.0.1", &["sg-web"]),
            ("eni-2", "10.0.0.2", &["sg-db"]),
        ],
        "{}",
    );
    let mut audit = audit(&inventory, &[("eni-1", "10.0.0.1", "10.0.0.2", 3306)]);
    audit
        .rules
        .rules
        .retain(|r| !matches!(&r.rule.target, Target::Group(id) if id == "sg-db"));
    let after = RulesAfter::new(&audit.inventory, &audit.rules.change());
    assert_eq!(
        replay::replay(&audit.inventory, &after, &audit.connections).lost,
        [0]
    );
}
