//! `unused-egress-rule`

use super::{audit, near_misses, of_kind};

#[test]
fn names_the_rule() {
    let audit = audit("unused-egress-rule", "positive");
    let findings = of_kind(&audit, "unused-egress-rule");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].found.detail.contains("tcp/5432 to 10.9.0.0/16"),
        "{}",
        findings[0].found.detail
    );
}

/// The only other rule is in use.
#[test]
fn passes_over_near_misses() {
    near_misses("unused-egress-rule");
}
