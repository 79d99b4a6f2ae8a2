//! `short-window`

use super::{audit, near_misses, of_kind};

#[test]
fn says_how_long_the_window_is() {
    let audit = audit("short-window", "positive");
    let findings = of_kind(&audit, "short-window");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].found.detail.contains("13.9 days"),
        "{}",
        findings[0].found.detail
    );
}

/// A fortnight and a minute.
#[test]
fn passes_over_near_misses() {
    near_misses("short-window");
}
