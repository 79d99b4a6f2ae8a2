//! `one-sided`

use super::{audit, near_misses, of_kind};

use closegate::resolve::Verdict;

#[test]
fn finds_what_nobody_answered_and_writes_its_rule() {
    let audit = audit("one-sided", "positive");
    let findings = of_kind(&audit, "one-sided");
    assert_eq!(findings.len(), 2);
    for finding in findings {
        let connection = &audit.connections[finding.evidence[0]];
        assert_eq!(connection.verdict, Verdict::Accepted);
        assert!(
            audit
                .rules
                .rules
                .iter()
                .any(|rule| rule.evidence.contains(&finding.evidence[0]))
        );
    }
}

/// Answered; a protocol that need not answer; refused; and between two interfaces of ours.
#[test]
fn passes_over_near_misses() {
    near_misses("one-sided");
}
