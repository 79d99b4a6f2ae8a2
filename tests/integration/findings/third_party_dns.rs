//! `third-party-dns`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/53"),
    ("198.51.100.9", "udp/53"),
    ("2a00:dead::9", "tcp/53"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("third-party-dns", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("third-party-dns");
}
