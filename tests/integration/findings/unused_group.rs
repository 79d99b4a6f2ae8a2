//! `unused-group`

use super::{audit, near_misses, of_kind};

#[test]
fn names_the_group() {
    let audit = audit("unused-group", "positive");
    let findings = of_kind(&audit, "unused-group");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].found.detail.contains("forgotten"),
        "{}",
        findings[0].found.detail
    );
}

/// One that another group names, and a default group, which cannot be deleted.
#[test]
fn passes_over_near_misses() {
    near_misses("unused-group");
}
