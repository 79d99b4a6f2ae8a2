//! `unusual-protocol`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "protocol 47"),
    ("198.51.100.9", "protocol 50"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("unusual-protocol", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("unusual-protocol");
}
