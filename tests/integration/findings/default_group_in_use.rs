//! `default-group-in-use`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_the_default_group_that_interfaces_carry() {
    let audit = audit("default-group-in-use", "positive");
    let findings = of_kind(&audit, "default-group-in-use");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]
            .found
            .detail
            .contains("is carried by 1 interface and has ")
    );
}

/// A default group without a rule, and one that nothing carries.
#[test]
fn passes_over_near_misses() {
    near_misses("default-group-in-use");
}
