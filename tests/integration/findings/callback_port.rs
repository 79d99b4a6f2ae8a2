//! `callback-port`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/2222"),
    ("198.51.100.9", "tcp/50501"),
    ("198.51.100.9", "tcp/888"),
    ("198.51.100.9", "udp/51820"),
    ("2a00:dead::9", "tcp/4000"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("callback-port", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("callback-port");
}
