//! `irc`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/6665"),
    ("198.51.100.9", "tcp/6669"),
    ("198.51.100.9", "tcp/6697"),
    ("2a00:dead::9", "tcp/6665"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("irc", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("irc");
}
