//! `proxy-out`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/1080"),
    ("198.51.100.9", "tcp/3128"),
    ("198.51.100.9", "tcp/8080"),
    ("2a00:dead::9", "tcp/1080"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("proxy-out", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("proxy-out");
}
