//! `large-upload`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_what_went_out_in_one_day_and_in_several() {
    let audit = audit("large-upload", "positive");
    let mut found: Vec<String> = of_kind(&audit, "large-upload")
        .iter()
        .map(|f| f.found.remote.unwrap().to_string())
        .collect();
    found.sort();
    assert_eq!(found, ["198.51.100.9", "2a00:dead::9"]);
}

/// A byte less; as much came back; over three days; served to somebody; to a private address; to a service of AWS.
#[test]
fn passes_over_near_misses() {
    near_misses("large-upload");
}

/// A tenth is enough for a group that is known to have moved very little; others are judged as ever.
#[test]
fn a_groups_own_history_counts() {
    let audit = audit("large-upload", "growth");
    let found: Vec<String> = of_kind(&audit, "large-upload")
        .iter()
        .map(|f| f.found.local.unwrap().to_string())
        .collect();
    assert_eq!(found, ["10.0.0.10"]);
}
