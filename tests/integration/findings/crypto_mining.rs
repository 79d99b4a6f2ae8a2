//! `crypto-mining`

use super::{destinations, listed, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/14444"),
    ("198.51.100.9", "tcp/3333"),
    ("198.51.100.9", "tcp/4444"),
    ("2a00:dead::9", "tcp/3333"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("crypto-mining", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("crypto-mining");
}

/// An address of the list is a proof on any port; the port alone stays a hint.
#[test]
fn a_list_of_that_name_makes_it_a_proof() {
    listed("crypto-mining", "tcp/14444");
}
