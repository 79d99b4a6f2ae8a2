//! Writes `src/inventory/aws-ranges.txt` from an ip-ranges.json
//! (aws-ip-syntax.html), given on standard input: the date it was made, then a line per service and
//! region with its prefixes as published: joining neighbours would change which is the longest.

#![expect(
    clippy::expect_used,
    reason = "a tool for maintainers: what is wrong with the file should stop it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ipnet::IpNet;
use serde_json::Value;

fn main() -> std::io::Result<()> {
    let file: Value = serde_json::from_reader(std::io::stdin().lock()).expect("an ip-ranges.json");
    let mut out = std::io::stdout().lock();
    let date: String = text(&file, "createDate").chars().take(10).collect();
    writeln!(out, "# {date}")?;
    let mut by_place: BTreeMap<(&str, &str), BTreeSet<IpNet>> = BTreeMap::new();
    for (key, field) in [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")] {
        for entry in file[key].as_array().expect("a list of prefixes") {
            let place = by_place
                .entry((text(entry, "service"), text(entry, "region")))
                .or_default();
            place.insert(text(entry, field).parse().expect("a prefix"));
        }
    }
    for ((service, region), prefixes) in by_place {
        write!(out, "{service} {region}")?;
        for prefix in prefixes {
            write!(out, " {prefix}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}
