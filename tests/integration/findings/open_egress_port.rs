//! `open-egress-port`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_each_rule() {
    let audit = audit("open-egress-port", "positive");
    let ports: Vec<_> = of_kind(&audit, "open-egress-port")
        .iter()
        .map(|f| (f.found.rule_ports.clone().unwrap(), f.evidence.len()))
        .collect();
    assert_eq!(ports.len(), 2, "one per address family");
    assert!(ports.iter().all(|(ports, _)| ports == "tcp/443"));
    assert_eq!(
        ports.iter().map(|p| p.1).sum::<usize>(),
        1,
        "the connection is IPv4"
    );
}

/// A public range, another group, and ICMP to everybody.
#[test]
fn passes_over_near_misses() {
    near_misses("open-egress-port");
}
