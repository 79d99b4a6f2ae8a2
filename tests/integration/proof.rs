//! What the change leaves open, and what an attacker reaches.

use closegate::audit::Audit;
use closegate::replay::Reach;

use crate::common::{audit_paths, fixtures, sample};

fn audit() -> Audit {
    audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    )
}

fn reach(audit: &Audit, group: &str) -> (Reach, Reach) {
    let found = audit
        .blast
        .iter()
        .find(|b| audit.inventory.group(b.group).name == group)
        .unwrap();
    (found.before, found.after)
}

/// Counted by hand on the picture in the sample data's README.
#[test]
fn the_blast_radius_of_the_shop() {
    let audit = audit();
    // Today a web server reaches both databases, the cache, the endpoint, reports and
    // prometheus; and, though it never did, the warehouse, which lets its subnet in,
    // and both ends of the load balancer, which let everybody in.
    let (before, after) = reach(&audit, "web");
    assert_eq!((before.addresses, before.one_hop), (1 << 32, 9));
    assert_eq!(after.one_hop, 6, "what it never used is gone");
    assert!(after.any_hops <= before.any_hops && after.any_port <= before.any_port);
    // Its own rules now open the payment provider's two addresses and S3.
    assert_eq!(after.addresses, 2 + (1 << 17) + (1 << 16));
    // The cache opens nothing at all any more.
    let (before, after) = reach(&audit, "cache");
    assert_eq!((before.addresses, after), (1 << 32, Reach::default()));
}

/// Nothing an attacker reaches is new, in any world of the shop's kind.
#[test]
fn the_blast_radius_never_grows() {
    for (flows, inventory) in [
        ("irc/positive.log", "inventory"),
        ("unpinned-internet/positive.log", "inventory"),
    ] {
        let audit = audit_paths(&[fixtures().join(flows)], &fixtures().join(inventory));
        for b in &audit.blast {
            assert!(b.after.one_hop <= b.before.one_hop && b.after.any_hops <= b.before.any_hops);
            assert!(
                b.after.any_port <= b.before.any_port && b.after.addresses <= b.before.addresses
            );
        }
    }
}

#[test]
fn what_is_suspicious_is_denied_or_the_rule_is_named() {
    assert!(audit().still_open.is_empty());
    // One port is open to the world; that rule stays, and DNS over HTTPS with it.
    let flows = fixtures().join("dns-over-https/positive.log");
    let audit = audit_paths(
        &[flows],
        &fixtures().join("open-egress-port/positive-inventory"),
    );
    let named: Vec<String> = audit
        .still_open
        .iter()
        .map(|open| {
            open.rule.as_ref().map_or(String::new(), |(_, rule)| {
                format!("{} to {}", rule.services(), rule.target)
            })
        })
        .collect();
    assert_eq!(named.len(), 2, "two of the three go by TCP");
    assert!(
        named.contains(&"tcp/443 to 0.0.0.0/0".to_owned())
            && named.contains(&"tcp/443 to ::/0".to_owned())
    );
}

/// The cache lets a subnet in; naming the web servers' group instead would let in
/// a web server that is started in another subnet tomorrow. The endpoint lets the
/// whole VPC in, and with it whoever joins.
#[test]
fn rules_that_newcomers_profit_from_are_named() {
    let audit = audit();
    let named: Vec<String> = audit
        .open_to_newcomers
        .iter()
        .map(|&r| &audit.rules.rules[r])
        .map(|r| {
            format!(
                "{} {} {}",
                audit.inventory.group(r.group).name,
                r.rule.direction.as_str(),
                r.rule.services()
            )
        })
        .collect();
    assert!(
        named.contains(&"cache ingress tcp/6379".to_owned()),
        "{named:?}"
    );
    assert!(
        !named
            .iter()
            .any(|n| n.starts_with("endpoints") || n.starts_with("db")),
        "{named:?}"
    );
}
