//! `unpinned-internet`

use closegate::suggest::Reason;

use super::{audit, near_misses, of_kind};

/// Forty addresses all over the internet on 443: one rule, and it says so.
#[test]
fn one_open_port_stands_for_too_many_addresses() {
    let audit = audit("unpinned-internet", "positive");
    let findings = of_kind(&audit, "unpinned-internet");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].evidence.len(), 40);
    let [rule] = &audit.rules.rules[..] else {
        panic!("{:#?}", audit.rules.rules)
    };
    assert_eq!(
        (rule.reason, rule.rule.target.to_string().as_str()),
        (Reason::Unpinned, "0.0.0.0/0")
    );
    assert_eq!(rule.rule.port_pair(), Some((443, 443)));
    assert!(audit.replay.lost.is_empty());
}

/// A hundred addresses of one network: its prefix, not the world.
#[test]
fn passes_over_near_misses() {
    near_misses("unpinned-internet");
    let [rule] = &audit("unpinned-internet", "near-miss").rules.rules[..] else {
        panic!("one prefix")
    };
    assert_eq!(rule.reason, Reason::Covered);
}
