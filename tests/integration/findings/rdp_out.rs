//! `rdp-out`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/3389"),
    ("198.51.100.9", "udp/3389"),
    ("2a00:dead::9", "tcp/3389"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("rdp-out", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("rdp-out");
}
