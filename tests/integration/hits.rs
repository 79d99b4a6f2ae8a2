//! What each of today's rules let through.

use closegate::audit::Audit;
use closegate::resolve::Hits;

use crate::common::{audit_paths, sample};

fn audit() -> Audit {
    audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    )
}

/// The hits of the rule with this id.
fn of<'a>(audit: &'a Audit, rule: &str) -> &'a Hits {
    let groups = audit.inventory.groups().iter().zip(&audit.hits);
    let mut all = groups.flat_map(|(group, hits)| group.rules.iter().zip(hits));
    all.find(|(r, _)| r.rule_id.as_deref() == Some(rule))
        .unwrap()
        .1
}

#[test]
fn a_rule_is_hit_by_what_it_lets_through_alone_or_with_others() {
    let audit = audit();
    // The database knows the web servers by name, and nothing else lets them in.
    let mysql = of(&audit, "sgr-0a1b2c3d4e5fa0007");
    assert_eq!((mysql.connections, mysql.alone), (3, 3));
    assert!(mysql.seen.unwrap().0 < mysql.seen.unwrap().1 && mysql.bytes > 0);
    // The web servers leave by their own open rule and by that of `base`.
    let open = of(&audit, "sgr-0a1b2c3d4e5fa0006");
    assert!(open.connections > 20);
    assert_eq!(open.alone, 0);
    // Nobody carries the old group.
    assert_eq!(*of(&audit, "sgr-0a1b2c3d4e5fa0026"), Hits::default());
}

/// Every connection that a gate let through hit at least one of its rules.
#[test]
fn nothing_passes_without_a_hit() {
    let audit = audit();
    let alone: u64 = audit.hits.iter().flatten().map(|hits| hits.alone).sum();
    let all: u64 = audit
        .hits
        .iter()
        .flatten()
        .map(|hits| hits.connections)
        .sum();
    assert!(alone < all);
    let through = audit.connections.iter().filter(|c| c.is_accepted());
    let gates: u64 = through
        .map(|c| {
            u64::from(c.initiator.interface().is_some())
                + u64::from(c.responder.interface().is_some())
        })
        .sum();
    assert!(all >= gates);
}

#[test]
fn a_rule_that_another_covers_is_shadowed() {
    let groups = r#"{"SecurityGroups":[{"GroupId":"sg-1","VpcId":"v","IpPermissions":[
        {"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"10.1.0.0/16"}]},
        {"IpProtocol":"tcp","FromPort":20,"ToPort":30,"IpRanges":[{"CidrIp":"10.0.0.0/8"}]},
        {"IpProtocol":"udp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"10.1.0.0/16"}]},
        {"IpProtocol":"icmp","FromPort":8,"ToPort":0,"IpRanges":[{"CidrIp":"10.0.0.0/8"}]},
        {"IpProtocol":"icmp","FromPort":-1,"ToPort":-1,"IpRanges":[{"CidrIp":"10.0.0.0/8"}]}]}]}"#;
    let interfaces = r#"{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","VpcId":"v"}]}"#;
    let inventory = closegate::inventory::Inventory::from_files([
        ("a", groups.as_bytes()),
        ("b", interfaces.as_bytes()),
    ])
    .unwrap();
    let rules = &inventory.groups()[0].rules;
    let covered: Vec<String> = rules
        .iter()
        .filter(|rule| {
            rules
                .iter()
                .any(|other| other != *rule && other.covers(rule))
        })
        .map(|rule| format!("{} {}", rule.services(), rule.target))
        .collect();
    assert_eq!(covered, ["icmp/8/0 10.0.0.0/8", "tcp/22 10.1.0.0/16"]);
}
