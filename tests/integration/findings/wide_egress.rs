//! `wide-egress`

use super::{audit, near_misses, of_kind};

#[test]
fn halves_and_lists_add_up() {
    let audit = audit("wide-egress", "positive");
    let findings = of_kind(&audit, "wide-egress");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].evidence.len(), 2, "what leaves by either half");
    assert!(of_kind(&audit, "open-egress").is_empty());
}

/// Private ranges, a sixty-fourth of the internet at most, and half of it on one port.
#[test]
fn passes_over_near_misses() {
    near_misses("wide-egress");
}
