//! `winrm-out`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/5985"),
    ("198.51.100.9", "tcp/5986"),
    ("2a00:dead::9", "tcp/5985"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("winrm-out", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("winrm-out");
}
