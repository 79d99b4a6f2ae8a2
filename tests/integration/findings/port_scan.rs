//! `port-scan`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_uncommon_ports_and_very_many() {
    let audit = audit("port-scan", "positive");
    let found: Vec<(String, usize)> = of_kind(&audit, "port-scan")
        .iter()
        .map(|f| (f.found.remote.unwrap().to_string(), f.evidence.len()))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.contains(&("198.51.100.9".to_owned(), 12))
            && found.contains(&("10.0.0.20".to_owned(), 60)),
        "{found:?}"
    );
}

/// Nine ports; ports that all answer; one port an hour; and a client that uses many ports of its own.
#[test]
fn passes_over_near_misses() {
    near_misses("port-scan");
}
