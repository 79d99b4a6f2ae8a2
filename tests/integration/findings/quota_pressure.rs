//! `quota-pressure`

use closegate::suggest::KeptOpenBecause;

use super::{audit, near_misses, of_kind};

/// A hundred private addresses in as many networks, which no level gathers: no rule is written, and the open egress stays.
#[test]
fn says_which_group_and_how_many() {
    let audit = audit("quota-pressure", "positive");
    let findings = of_kind(&audit, "quota-pressure");
    assert_eq!(findings.len(), 1);
    let detail = &findings[0].found.detail;
    for words in [
        "app",
        "egress rules; AWS takes 60",
        "none is written, and its interfaces keep their open egress",
    ] {
        assert!(detail.contains(words), "{words}: {detail}");
    }
    assert!(audit.replay.lost.is_empty(), "what serves today stays");
    assert_eq!(audit.additions(), 0);
    assert!(audit.rules.revocations.is_empty());
    let [kept] = &audit.rules.kept_open[..] else {
        panic!("one group has open egress");
    };
    assert_eq!(kept.because, KeptOpenBecause::OverQuota);
}

/// Fifty are fine.
#[test]
fn passes_over_near_misses() {
    near_misses("quota-pressure");
}
