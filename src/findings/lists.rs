//! Lists of suspicious addresses, in the formats in which they are published.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::net::AddressSet;

/// A list, under the name that a finding shows.
#[derive(Clone, Debug)]
pub struct Blocklist {
    /// What the user calls it.
    pub name: String,
    /// Its addresses.
    pub addresses: AddressSet,
    /// Entries that were read.
    pub entries: usize,
    /// Lines that are neither an address nor a comment.
    pub unreadable: usize,
}

impl Blocklist {
    /// Reads a list: lines with an address or a prefix each, CSV with one in any column, STIX 2.1, or MISP. A line that can't be
    /// read is counted.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut prefixes = Vec::new();
        let mut unreadable = 0;
        if text.trim_start().starts_with(['{', '[']) {
            for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
                match document {
                    Ok(document) => of_json(&document, &mut prefixes),
                    Err(_) => unreadable += 1,
                }
            }
        } else {
            for line in text.lines() {
                let content = line.split(['#', ';']).next().unwrap_or_default().trim();
                if content.is_empty() || content.starts_with("//") {
                    continue;
                }
                let before = prefixes.len();
                let words = content
                    .split([',', '\t', ' ', '"', '|'])
                    .filter(|word| !word.is_empty());
                prefixes.extend(words.filter_map(prefix).take(1));
                unreadable += usize::from(prefixes.len() == before);
            }
        }
        Self {
            name: name.to_owned(),
            addresses: AddressSet::new(&prefixes),
            entries: prefixes.len(),
            unreadable,
        }
    }
}

/// An address or a prefix.
fn prefix(text: &str) -> Option<IpNet> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(|| address(text))
}

/// STIX 2.1: `ipv4-addr` objects, and indicators with patterns such as `[ipv4-addr:value = '192.0.2.1']`. MISP: attributes of a type
/// with `ip` in it, whose value may have a port behind a bar.
fn of_json(value: &Value, prefixes: &mut Vec<IpNet>) {
    match value {
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
            let kind = text("type");
            if kind == "indicator" {
                prefixes.extend(
                    text("pattern")
                        .split('\'')
                        .skip(1)
                        .step_by(2)
                        .filter_map(prefix),
                );
            } else if kind
                .split(['-', '|'])
                .any(|word| matches!(word, "ip" | "ipv4" | "ipv6"))
            {
                prefixes.extend(text("value").split('|').filter_map(prefix));
            }
            object.values().for_each(|value| of_json(value, prefixes));
        }
        Value::Array(list) => list.iter().for_each(|value| of_json(value, prefixes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<&'static str>, usize) {
        let list = Blocklist::parse("x", text);
        let known = ["192.0.2.1", "198.51.100.77", "2001:db8::1", "203.0.113.5"];
        let found = known
            .into_iter()
            .filter(|address| list.addresses.contains(address.parse().unwrap()));
        (found.collect(), list.unreadable)
    }

    #[test]
    fn every_form_that_lists_are_published_in() {
        assert_eq!(
            read("# a comment\n192.0.2.1\n198.51.100.0/24 ; SBL1\n\nnonsense\n2001:db8::/32\n"),
            (vec!["192.0.2.1", "198.51.100.77", "2001:db8::1"], 1)
        );
        assert_eq!(
            read("first_seen,dst_ip,port\n\"2026-11-01\",\"192.0.2.1\",\"443\"\n"),
            (vec!["192.0.2.1"], 1)
        );
        let stix = r#"{"type":"bundle","id":"bundle--1","objects":[
            {"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.1'] OR [ipv6-addr:value ISSUBSET '2001:db8::/64'] OR [domain-name:value = 'x.example']"},
            {"type":"ipv4-addr","value":"203.0.113.5"}]}"#;
        assert_eq!(
            read(stix),
            (vec!["192.0.2.1", "2001:db8::1", "203.0.113.5"], 0)
        );
        let misp = r#"{"response":[{"Event":{"info":"x","Attribute":[{"type":"ip-dst","value":"192.0.2.1"},{"type":"md5","value":"203.0.113.5"}],
            "Object":[{"Attribute":[{"type":"ip-dst|port","value":"198.51.100.77|4444"}]}]}}]}"#;
        assert_eq!(read(misp), (vec!["192.0.2.1", "198.51.100.77"], 0));
        assert_eq!(read("{\"type\":"), (vec![], 1));
    }
}
