//! `dns-over-https`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("1.1.1.1", "udp/443"),
    ("2606:4700:4700::1111", "tcp/443"),
    ("8.8.8.8", "tcp/443"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("dns-over-https", FOUND, true);
}

#[test]
fn passes_over_near_misses() {
    near_misses("dns-over-https");
}
