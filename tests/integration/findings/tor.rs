//! `tor`

use super::{destinations, listed, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/9001"),
    ("198.51.100.9", "tcp/9030"),
    ("2a00:dead::9", "tcp/9001"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("tor", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("tor");
}

/// An address of the list is a proof on any port; the port alone stays a hint.
#[test]
fn a_list_of_that_name_makes_it_a_proof() {
    listed("tor", "tcp/9001");
}
