//! `open-through-another-group`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_the_narrow_group_and_names_the_open_one() {
    let audit = audit("open-through-another-group", "positive");
    let findings = of_kind(&audit, "open-through-another-group");
    assert_eq!(findings.len(), 1);
    let detail = &findings[0].found.detail;
    assert!(
        detail.contains("1 of 2 interfaces of group narrow") && detail.contains("carry wide"),
        "{detail}"
    );
}

/// Groups on interfaces of their own, and two that are both open.
#[test]
fn passes_over_near_misses() {
    near_misses("open-through-another-group");
}
