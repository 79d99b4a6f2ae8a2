//! `vnc-out`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/5800"),
    ("198.51.100.9", "tcp/5810"),
    ("198.51.100.9", "tcp/5900"),
    ("198.51.100.9", "tcp/5910"),
    ("2a00:dead::9", "tcp/5800"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("vnc-out", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("vnc-out");
}
