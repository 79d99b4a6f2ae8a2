//! `skipped-records`

use super::{audit, near_misses, of_kind};

#[test]
fn counts_the_gaps_of_an_interface() {
    let audit = audit("skipped-records", "positive");
    let findings = of_kind(&audit, "skipped-records");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].records, 2);
    assert_eq!(
        findings[0].found.interface.as_deref(),
        Some("eni-0000000000000000a")
    );
}

/// An idle interval is no gap.
#[test]
fn passes_over_near_misses() {
    near_misses("skipped-records");
}
