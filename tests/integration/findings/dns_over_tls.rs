//! `dns-over-tls`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/853"),
    ("198.51.100.9", "udp/853"),
    ("2a00:dead::9", "tcp/853"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("dns-over-tls", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("dns-over-tls");
}
