//! `unresolved-interface`

use super::{audit, near_misses, of_kind};

#[test]
fn names_the_interface() {
    let audit = audit("unresolved-interface", "positive");
    let findings = of_kind(&audit, "unresolved-interface");
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].found.interface.as_deref(),
        Some("eni-0000000000000dead")
    );
}

#[test]
fn passes_over_near_misses() {
    near_misses("unresolved-interface");
}
