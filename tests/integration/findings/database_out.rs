//! `database-out`

use super::{destinations, near_misses};

const FOUND: &[(&str, &str)] = &[
    ("198.51.100.9", "tcp/11211"),
    ("198.51.100.9", "tcp/1433"),
    ("198.51.100.9", "tcp/1521"),
    ("198.51.100.9", "tcp/27017"),
    ("198.51.100.9", "tcp/27019"),
    ("198.51.100.9", "tcp/3306"),
    ("198.51.100.9", "tcp/5432"),
    ("198.51.100.9", "tcp/6379"),
    ("198.51.100.9", "tcp/9042"),
    ("2a00:dead::9", "tcp/1433"),
];

#[test]
fn finds_every_service_of_the_kind() {
    destinations("database-out", FOUND, false);
}

#[test]
fn passes_over_near_misses() {
    near_misses("database-out");
}
