//! `mail-submission`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/465"),
    ("198.51.100.9", "tcp/587"),
    ("2a00:dead::9", "tcp/465"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("mail-submission", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("mail-submission");
}
