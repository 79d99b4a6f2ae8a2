//! `smb`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/139"),
    ("198.51.100.9", "tcp/445"),
    ("198.51.100.9", "udp/137"),
    ("198.51.100.9", "udp/138"),
    ("2a00:dead::9", "tcp/139"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("smb", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("smb");
}
