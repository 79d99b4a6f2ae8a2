//! Properties over generated input.

use std::net::IpAddr;

use closegate::audit;
use closegate::ingest::{self, Line, LogFormat, Settings, parse_line};
use closegate::inventory::Inventory;
use closegate::net::{
    AddressSet, IntervalSet, PortRange, aws_description, identifier, prefix_of, visible,
};
use ipnet::IpNet;
use proptest::prelude::*;

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from)
    ]
}

fn small_set() -> impl Strategy<Value = Vec<(u128, u128)>> {
    prop::collection::vec((0u128..64, 0u128..64), 0..6)
}

fn holds(set: &[(u128, u128)], value: u128) -> bool {
    set.iter().any(|&(a, b)| a <= value && value <= b)
}

/// Prefixes that nest, with a service each, in a small part of the address space.
fn published() -> impl Strategy<Value = Vec<(u8, u8, &'static str)>> {
    let service = prop::sample::select(vec!["AMAZON", "EC2", "S3", "DYNAMODB"]);
    prop::collection::vec((any::<u8>(), 24u8..=32, service), 1..12)
}

proptest! {
    /// The longest prefix that says more than AMAZON, of equals the most specific.
    #[test]
    fn services_of_nested_ranges(ranges in published()) {
        let prefix = |&(last, length, _): &(u8, u8, &str)| prefix_of(IpAddr::from([10, 9, 8, last]), length);
        let prefixes: Vec<_> = ranges.iter().map(|r| serde_json::json!({"ip_prefix": prefix(r).to_string(), "service": r.2, "region": "r"})).collect();
        let files = [
            ("g", r#"{"SecurityGroups":[{"GroupId":"sg-1"}],"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1"}]}"#.to_owned()),
            ("r", serde_json::json!({"prefixes": prefixes}).to_string()),
        ];
        let inventory = Inventory::from_files(files.iter().map(|(name, text)| (*name, text.as_bytes()))).unwrap();
        for last in 0..=255u8 {
            let address = IpAddr::from([10, 9, 8, last]);
            let rank = |service: &str| ["AMAZON", "EC2"].iter().position(|&s| s == service).unwrap_or(2);
            let best = ranges.iter().filter(|r| prefix(r).contains(&address))
                .max_by_key(|r| (r.2 != "AMAZON", r.1, rank(r.2), std::cmp::Reverse(r.2)));
            prop_assert_eq!(inventory.service_of(address), best.map(|r| r.2), "{}", address);
        }
    }

    /// Every line of a file is read once, whatever stands around it, and each as it would be
    /// read alone.
    #[test]
    fn every_line_is_read_once(lines in prop::collection::vec((0usize..9, 1u64..1000), 1..900), header: bool, last_end: bool) {
        let text = |(kind, packets): &(usize, u64)| match kind {
            0 => format!("2 1 eni-1 2001:db8::1 2001:db8::2 40000 443 6 {packets} 900 1600000000 1600000058 ACCEPT OK"),
            1 => "2 1 eni-1 - - - - - - - 1600000000 1600000058 - NODATA".to_owned(),
            2 => format!("2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 {packets} 900 1600000000 1600000058 ACCEPT"),
            3 => format!("2 1 eni-1  10.0.0.1 10.0.0.2 40000 443 6 {packets} 900 1600000000 1600000058 ACCEPT OK\r"),
            4 => String::new(),
            _ => format!("2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 {packets} 900 1600000000 1600000058 ACCEPT OK"),
        };
        let lines: Vec<String> = std::iter::once(&(8, 1)).chain(&lines).map(text).collect();
        let (mut rows, mut packets, mut idle, mut bad) = (0, 0, 0, 0);
        for line in lines.iter().filter(|line| !line.is_empty()) {
            match parse_line(&LogFormat::default_v2(), line.trim_end().as_bytes()) {
                Ok(Line::Row(row)) => { rows += 1; packets += row.packets; }
                Ok(_) => idle += 1,
                Err(_) => bad += 1,
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1_vpcflowlogs_us-east-1_fl-1_20260101T0000Z_1.log");
        let head = if header { format!("{}\n", ingest::DEFAULT) } else { String::new() };
        std::fs::write(&path, head + &lines.join("\n") + if last_end { "\n" } else { "" }).unwrap();
        let sources = ingest::find(&[path.display().to_string()]).unwrap();
        let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
        prop_assert_eq!((intake.rows, intake.no_data, intake.malformed), (rows, idle, bad));
        prop_assert_eq!(table.flows.iter().map(|f| f.counters.packets).sum::<u64>(), packets);
    }

    /// Whatever is written into a line comes out of it again.
    #[test]
    fn a_line_reads_back(src in address(), dst in address(), ports: (u16, u16), protocol: u8, packets: u64, bytes: u64,
                         start in 0u64..4_294_967_000, length in 0u64..290, accepted: bool, gap in " {1,3}") {
        let action = if accepted { "ACCEPT" } else { "REJECT" };
        let end = start + length;
        let values = ["2", "123456789010", "eni-1", &src.to_string(), &dst.to_string(), &ports.0.to_string(), &ports.1.to_string(),
                      &protocol.to_string(), &packets.to_string(), &bytes.to_string(), &start.to_string(), &end.to_string(), action, "OK"].join(&gap);
        let parsed = parse_line(&LogFormat::default_v2(), values.as_bytes());
        if src.is_ipv4() != dst.is_ipv4() {
            prop_assert!(parsed.is_err());
            return Ok(());
        }
        let Ok(Line::Row(row)) = parsed else { panic!("{values}: {parsed:?}") };
        prop_assert_eq!((row.src, row.dst, row.protocol.0), (src, dst, protocol));
        prop_assert_eq!((row.packets, row.bytes, row.start, row.end, row.accepted), (packets, bytes, start, end, accepted));
        let expected = if row.protocol.has_ports() { ports } else { (0, 0) };
        prop_assert_eq!((row.src_port, row.dst_port), expected);
    }

    /// No bytes make the parser panic, and what it accepts has the right width.
    #[test]
    fn any_bytes_are_a_row_or_an_error(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let format = LogFormat::default_v2();
        if parse_line(&format, &line).is_ok() {
            let count = line.split(|b| matches!(b, b' ' | b'\t')).filter(|v| !v.is_empty()).count();
            prop_assert_eq!(count, 14);
        }
        let _ = LogFormat::from_header(&String::from_utf8_lossy(&line));
        let _ = LogFormat::is_header(&line);
    }

    /// One character changed in a valid row is still a row or an error, never a panic.
    #[test]
    fn a_damaged_row_is_a_row_or_an_error(position in 0usize..120, byte: u8) {
        let mut line = b"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK".to_vec();
        let length = line.len();
        line[position % length] = byte;
        let _ = parse_line(&LogFormat::default_v2(), &line);
    }

    /// Interval arithmetic agrees with arithmetic on single values.
    #[test]
    fn interval_sets_are_sets(a in small_set(), b in small_set()) {
        let (left, right) = (IntervalSet::new(a.clone()), IntervalSet::new(b.clone()));
        let (union, difference) = (left.union(&right), left.difference(&right));
        for value in 0..70 {
            prop_assert_eq!(left.contains(value), holds(&a, value));
            prop_assert_eq!(union.contains(value), holds(&a, value) || holds(&b, value));
            prop_assert_eq!(difference.contains(value), holds(&a, value) && !holds(&b, value));
        }
        let subset = (0..70).all(|v| !holds(&b, v) || holds(&a, v));
        prop_assert_eq!(left.contains_set(&right), subset);
        prop_assert_eq!(left.count(), (0..70).filter(|&v| holds(&a, v)).count() as u128);
        for pair in union.intervals().windows(2) {
            prop_assert!(pair[0].1 + 1 < pair[1].0, "sorted, and neither touching nor overlapping");
        }
    }

    /// An address set holds what its prefixes hold, and families never mix.
    #[test]
    fn address_sets_hold_their_prefixes(prefixes in prop::collection::vec((address(), 0u8..=128), 0..5), probe in address()) {
        let nets: Vec<IpNet> = prefixes.iter().map(|&(a, length)| prefix_of(a, length)).collect();
        let set = AddressSet::new(&nets);
        prop_assert_eq!(set.contains(probe), nets.iter().any(|net| net.contains(&probe)));
        for net in &nets {
            prop_assert!(set.contains(net.network()) && set.contains(net.broadcast()));
            prop_assert!(set.contains_set(&AddressSet::new([net])));
        }
    }

    #[test]
    fn port_ranges_hold_what_lies_between(a: u16, b: u16, port: u16) {
        match PortRange::new(a, b) {
            Some(range) => {
                prop_assert_eq!(range.contains(port), a <= port && port <= b);
                prop_assert_eq!(range.count(), u32::from(b) - u32::from(a) + 1);
            }
            None => prop_assert!(a > b),
        }
    }

    /// Text of strangers: one visible line, AWS's own characters, a plain identifier.
    #[test]
    fn hostile_text_is_tamed(text in any::<String>()) {
        let shown = visible(&text, 80);
        let clean = !shown.chars().any(char::is_control) && !shown.contains(['\u{202e}', '\u{200b}', '\u{2028}']);
        prop_assert!(clean);
        let description = aws_description(&text);
        let allowed = !description.contains(['"', '<', '>', '|', '%', '?', '&', '\\', '`', '\'']);
        prop_assert!(allowed && description.len() <= 255);
        let name = identifier(&text);
        prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()));
        prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }
}
