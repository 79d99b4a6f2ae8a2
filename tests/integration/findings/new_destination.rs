//! `new-destination`

use super::{audit, near_misses, of_kind};

#[test]
fn finds_addresses_and_ports_that_the_group_did_not_use() {
    let audit = audit("new-destination", "positive");
    let mut found: Vec<String> = of_kind(&audit, "new-destination")
        .iter()
        .map(|f| format!("{} {}", f.found.remote.unwrap(), f.found.service.unwrap()))
        .collect();
    found.sort();
    assert_eq!(found, ["198.51.100.10 tcp/443", "198.51.100.9 tcp/8443"]);
}

/// What another interface of the group did before; between our own; and who called us.
#[test]
fn passes_over_near_misses() {
    near_misses("new-destination");
}
