//! `blocklisted-address`

use super::{destinations, near_misses};

#[test]
fn finds_every_address_of_the_list() {
    destinations(
        "blocklisted-address",
        &[
            ("198.51.100.9", "tcp/443"),
            ("198.51.100.9", "tcp/8443"),
            ("203.0.113.7", "udp/53"),
            ("2a00:dead::9", "tcp/443"),
        ],
        true,
    );
}

/// Beside the list, called by the list, refused, and our own.
#[test]
fn passes_over_near_misses() {
    near_misses("blocklisted-address");
}
