//! `host-sweep`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_accepted_and_refused_ones() {
    let audit = audit("host-sweep", "positive");
    let found: Vec<(String, usize)> = of_kind(&audit, "host-sweep")
        .iter()
        .map(|f| (f.found.service.unwrap().to_string(), f.evidence.len()))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.contains(&("tcp/22".to_owned(), 100)) && found.contains(&("tcp/445".to_owned(), 120)),
        "{found:?}"
    );
}

/// Ninety-nine addresses; a crawler; and six addresses an hour.
#[test]
fn passes_over_near_misses() {
    near_misses("host-sweep");
}
