//! `stale-reference`

use super::{audit, near_misses, of_kind};

#[test]
fn names_the_missing_group() {
    let audit = audit("stale-reference", "positive");
    let findings = of_kind(&audit, "stale-reference");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].found.detail.contains("sg-00000000000000bad"),
        "{}",
        findings[0].found.detail
    );
}

/// The group it names is there, though nothing carries it.
#[test]
fn passes_over_near_misses() {
    near_misses("stale-reference");
}
