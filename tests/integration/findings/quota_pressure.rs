//! `quota-pressure`

use super::{audit, near_misses, of_kind};

/// A hundred private addresses in as many networks, which no level gathers.
#[test]
fn says_which_group_and_how_many() {
    let audit = audit("quota-pressure", "positive");
    let findings = of_kind(&audit, "quota-pressure");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].found.detail.contains("app") && findings[0].found.detail.contains("60"),
        "{}",
        findings[0].found.detail
    );
    assert!(audit.replay.lost.is_empty(), "the rules are still complete");
}

/// Fifty are fine.
#[test]
fn passes_over_near_misses() {
    near_misses("quota-pressure");
}
