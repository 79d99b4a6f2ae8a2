//! `expired-approval`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_what_goes_on_after_its_approval() {
    let audit = audit("expired-approval", "positive");
    let findings = of_kind(&audit, "expired-approval");
    assert_eq!(findings.len(), 1);
    assert!(findings[0].found.detail.contains("chat of the operators"));
    // What is approved still is no finding and gets its rule; what was is one again.
    let irc: Vec<_> = of_kind(&audit, "irc")
        .iter()
        .map(|f| f.found.remote.unwrap().to_string())
        .collect();
    assert_eq!(irc, ["198.51.100.9"]);
    assert_eq!(
        audit
            .rules
            .rules
            .iter()
            .filter(|rule| rule.rule.target.to_string() == "198.51.100.10/32")
            .count(),
        1
    );
}

/// An approval that lasts to the end of the day, and one for a group that did nothing.
#[test]
fn passes_over_near_misses() {
    near_misses("expired-approval");
}
