//! `open-egress`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_the_group_once_and_revokes_both_families() {
    let audit = audit("open-egress", "positive");
    let findings = of_kind(&audit, "open-egress");
    assert_eq!(findings.len(), 1);
    let group = audit.inventory.group(findings[0].found.group.unwrap());
    assert_eq!(group.name, "app");
    assert!(
        findings[0].found.detail.contains("0.0.0.0/0") && findings[0].found.detail.contains("::/0")
    );
    assert_eq!(
        findings[0].evidence.len(),
        1,
        "the connection that leaves by it"
    );
    assert_eq!(audit.rules.revocations.len(), 2);
}

/// One open port, and every port to private networks, are something else.
#[test]
fn passes_over_near_misses() {
    near_misses("open-egress");
    assert!(
        audit("open-egress", "near-miss")
            .rules
            .revocations
            .is_empty()
    );
}

/// All of IPv6 alone is open as well.
#[test]
fn one_family_is_enough() {
    let audit = audit("open-egress", "only-v6");
    assert_eq!(of_kind(&audit, "open-egress").len(), 1);
}
