//! `ftp`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[("198.51.100.9", "tcp/21"), ("2a00:dead::9", "tcp/21")];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("ftp", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("ftp");
}
