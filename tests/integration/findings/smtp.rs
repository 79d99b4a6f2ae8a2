//! `smtp`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/25"),
    ("198.51.100.9", "tcp/26"),
    ("2a00:dead::9", "tcp/25"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("smtp", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("smtp");
}
