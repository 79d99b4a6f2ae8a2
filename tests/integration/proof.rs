//! What the change leaves open, and what an attacker reaches.

use closegate::audit::Audit;
use closegate::inventory::{Direction, Gates, Rule, Target};
use closegate::proof::{self, Reach};
use closegate::replay::RulesAfter;

use crate::common::{audit_paths, fixtures, sample};

fn audit() -> Audit {
    audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    )
}

fn reach(audit: &Audit, group: &str) -> (Reach, Reach) {
    let found = audit
        .proof
        .blast_radius
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
        for b in &audit.proof.blast_radius {
            assert!(b.after.one_hop <= b.before.one_hop && b.after.any_hops <= b.before.any_hops);
            assert!(
                b.after.any_port <= b.before.any_port && b.after.addresses <= b.before.addresses
            );
        }
    }
}

#[test]
fn what_is_suspicious_is_denied_or_the_rule_is_named() {
    assert_eq!(audit().still_open().next(), None);
    // One port is open to the world; that rule stays, and DNS over HTTPS with it.
    let flows = fixtures().join("dns-over-https/positive.log");
    let audit = audit_paths(
        &[flows],
        &fixtures().join("open-egress-port/positive-inventory"),
    );
    let named: Vec<String> = audit
        .still_open()
        .map(|open| {
            let place = audit.after[open].egress.expect("a rule permits it");
            let rule = audit.rules_after.rule(place);
            format!("{} to {}", rule.services(), rule.target)
        })
        .collect();
    assert_eq!(named.len(), 2, "two of the three go by TCP");
    assert!(
        named.contains(&"tcp/443 to 0.0.0.0/0".to_owned())
            && named.contains(&"tcp/443 to ::/0".to_owned())
    );
}

/// The shop's rules after the change, with one more.
fn widened_by(
    group: &str,
    protocol: &str,
    ports: (i64, i64),
    direction: Direction,
    target: Target,
) -> Vec<String> {
    let audit = audit();
    let inventory = &audit.inventory;
    let mut change = audit.rules.change();
    let at = inventory
        .group_indexes()
        .find(|&g| inventory.group(g).name == group)
        .unwrap();
    let rule = Rule::from_parts(direction, protocol, Some(ports.0), Some(ports.1), target).unwrap();
    change.additions.push((at, rule));
    let after = RulesAfter::new(inventory, &change);
    proof::wider(inventory, &Gates::today(inventory), &after)
        .into_iter()
        .map(|w| {
            format!(
                "{} {} {}",
                inventory.group(w.group).name,
                w.peer,
                w.services
            )
        })
        .collect()
}

#[test]
fn nothing_of_the_shop_is_wider() {
    assert!(audit().proof.left_out.is_empty());
}

/// Today everything may leave, so no egress rule is wider; an ingress rule is wider on
/// the ports and from the addresses that today's do not let in.
#[test]
fn a_rule_that_widens_is_named_with_a_case() {
    let group = |name: &str| {
        let audit = audit();
        let mut groups = audit.inventory.groups().iter();
        Target::Group(groups.find(|g| g.name == name).unwrap().id.clone())
    };
    let anyone = || Target::cidr("0.0.0.0/0").unwrap();
    let none = [""; 0];
    assert_eq!(
        widened_by("web", "-1", (-1, -1), Direction::Egress, anyone()),
        none
    );
    // The database lets the web servers in on 3306 alone.
    let db = |ports| widened_by("db", "tcp", ports, Direction::Ingress, anyone());
    assert_eq!(db((3306, 3306)), ["db 0.0.0.0 tcp/3306"]);
    let web = |ports| widened_by("db", "tcp", ports, Direction::Ingress, group("web"));
    assert_eq!(web((3306, 3306)), none, "it stands today");
    // The web servers' egress will be closed on every other port by then.
    assert_eq!(web((3307, 3400)), none);
    // It says more than today's rules, and the port is open on the other side.
    let both = widened_by("db", "tcp", (443, 443), Direction::Ingress, group("base"));
    assert!(both.len() <= 1, "{both:?}");
}

/// The cache lets a subnet in; naming the web servers' group instead would let in
/// a web server that is started in another subnet tomorrow. The endpoint lets the
/// whole VPC in, and with it whoever joins.
#[test]
fn rules_that_newcomers_profit_from_are_named() {
    let audit = audit();
    let named: Vec<String> = audit
        .proof
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
