//! `rpc`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/111"),
    ("198.51.100.9", "tcp/135"),
    ("2a00:dead::9", "tcp/135"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("rpc", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("rpc");
}
