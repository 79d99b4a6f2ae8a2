//! Text as programs write it: byte order marks, UTF-16, JSON with faults in it, tables.

use closegate::ingest;

use crate::containers::gzip;
use crate::damaged_input::rows;

const NAMES: &str = "interface-id srcaddr dstaddr srcport dstport protocol start end action";

fn values(port: u16) -> String {
    format!("eni-1 10.0.0.1 10.0.0.2 40000 {port} 6 1600000000 1600000060 ACCEPT")
}

fn record(port: &str) -> String {
    format!(
        r#"{{"interface-id":"eni-1","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","srcport":40000,"dstport":{port},"protocol":6,"start":1600000000,"end":1600000060,"action":"ACCEPT"}}"#
    )
}

/// How many rows and malformed records there are; each row's port is another one.
fn counts(content: &[u8]) -> (usize, u64) {
    let (rows, intake) = rows(content);
    (rows.len(), intake.malformed)
}

fn reason(content: &[u8]) -> (u64, String) {
    let (_, intake) = rows(content);
    let sample = intake.samples.first().unwrap();
    (sample.line, sample.reason.clone())
}

fn all() -> Vec<(&'static str, String)> {
    let ports = [443, 80, 22];
    let text = ports.map(values).join("\r\n");
    let json = ports.map(|port| record(&port.to_string())).join(",\n");
    let csv = ports.map(|port| values(port).replace(' ', ",")).join("\n");
    vec![
        ("text", format!("{NAMES}\r\n{text}\r\n")),
        ("JSON", format!("[{json}]")),
        ("CSV", format!("{}\n{csv}\n", NAMES.replace(' ', ","))),
    ]
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    for (name, text) in all() {
        let marked = format!("\u{feff}{text}");
        assert_eq!(counts(marked.as_bytes()), (3, 0), "{name}");
        assert_eq!(counts(&gzip(marked.as_bytes())), (3, 0), "{name} in gzip");
        let (plain, _) = rows(text.as_bytes());
        assert_eq!(rows(marked.as_bytes()).0, plain, "{name}");
    }
    let (text, csv) = (&all()[0].1, &all()[2].1);
    // Put together, each with its own.
    let twice = format!("\u{feff}{text}\u{feff}{}", text.replace("443", "444"));
    assert_eq!(counts(twice.as_bytes()), (4, 0));
    let twice = format!("\u{feff}{csv}\u{feff}{}", csv.replace("443", "444"));
    assert_eq!(counts(twice.as_bytes()), (4, 0));
}

#[test]
fn utf_16_is_decoded() {
    for (name, text) in all() {
        let long = text.clone() + &" ".repeat(200_000);
        for text in [&text, &long] {
            let units =
                |mark: &str| -> Vec<u16> { format!("{mark}{text}").encode_utf16().collect() };
            for mark in ["\u{feff}", ""] {
                let low: Vec<u8> = units(mark)
                    .iter()
                    .flat_map(|unit| unit.to_le_bytes())
                    .collect();
                let high: Vec<u8> = units(mark)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes())
                    .collect();
                assert_eq!(counts(&low), (3, 0), "{name}, low byte first");
                assert_eq!(counts(&high), (3, 0), "{name}, high byte first");
                assert_eq!(counts(&gzip(&low)), (3, 0), "{name} in gzip");
            }
        }
    }
    // A text that ends inside a character was cut: its last line is not whole.
    let text = &all()[0].1;
    let units = text.trim_end().encode_utf16();
    let mut bytes: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(units.flat_map(u16::to_le_bytes))
        .collect();
    bytes.pop();
    assert_eq!(counts(&bytes), (2, 1));
    assert!(reason(&bytes).1.contains("inside a character"));
}

#[test]
fn a_fault_in_json_costs_its_own_element() {
    let [a, b, c] = ["443", "80", "22"].map(record);
    let line = format!(
        "2 1 {} 3 300 1600000000 1600000060 ACCEPT OK",
        "eni-1 10.0.0.1 10.0.0.2 40000 25 6"
    );
    for (name, text, malformed) in [
        ("a number", format!("[{a},5,{b},{c}]"), 1),
        ("words", format!("[{a},true,NaN,{b},null,{c}]"), 2),
        (
            "half a surrogate",
            format!(r#"[{a},{{"x":"\ud800"}},{b},"\udc00",{c}]"#),
            2,
        ),
        ("a stray line", format!("{a}\nwhat is this\n{b}\n{c}\n"), 1),
        (
            "a stray line in a list",
            format!("[{a},\nwhat \"is\" this\n{b},{c}]"),
            3,
        ),
        (
            "a quote too few",
            format!(r#"[{a},{{"x":"y,"z":1}},{b},{c}]"#),
            1,
        ),
        (
            "a bracket too few",
            format!("{a}\n{{\"x\":1\n{b}\n{c}\n"),
            1,
        ),
        ("a bracket too many", format!("{a}\n}}\n{b}\n{c}\n"), 1),
        (
            "a number that is too large",
            format!("[{a},{},{b},{c}]", record("1e999")),
            1,
        ),
        (
            "a key twice",
            format!("[{a},{},{b},{c}]", record("443,\"dstport\":80")),
            1,
        ),
        (
            "two spellings of a key",
            format!("[{a},{},{b},{c}]", record("443,\"dstPort\":81")),
            1,
        ),
        (
            "a truth value",
            format!("[{a},{},{b},{c}]", record("true")),
            1,
        ),
        ("a list", format!("[{a},{},{b},{c}]", record("[444]")), 1),
        (
            "a fraction",
            format!("[{a},{},{b},{c}]", record("443.5")),
            1,
        ),
        (
            "a negative number",
            format!("[{a},{},{b},{c}]", record("-1")),
            1,
        ),
        ("no port", format!("[{a},{},{b},{c}]", record("null")), 1),
        (
            "deep",
            format!(
                "[{a},{{\"x\":{}{}}},{b},{c}]",
                "[".repeat(9000),
                "]".repeat(9000)
            ),
            1,
        ),
        (
            "an element that is too long",
            format!("[{a},{{\"x\":\"{}\"}},{b},{c}]", "y".repeat(3 << 20)),
            1,
        ),
        (
            "lists in lists",
            format!("{a}\n{b}\n{c}\n{}", "[".repeat(99_999)),
            1,
        ),
    ] {
        let (read, intake) = rows(text.as_bytes());
        assert_eq!(
            (read.len(), intake.malformed),
            (3, malformed),
            "{name}: {:?}",
            intake.samples
        );
    }
    // Lines in a list, of which one is no text.
    let lines = format!(r#"["{line}", 5, "{}"]"#, line.replace(" 25 ", " 26 "));
    assert_eq!(counts(lines.as_bytes()), (2, 1));
    assert_eq!(
        counts(record("443.0").as_bytes()),
        (1, 0),
        "a whole number is one"
    );
}

/// A row of Insights of which a field can't be read is none, not one without that field.
#[test]
fn a_row_of_insights_is_whole_or_none() {
    let row = |port: &str, action: &str| {
        let names = NAMES.split(' ').zip(
            values(0)
                .split(' ')
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>(),
        );
        let pairs = names.map(|(name, value)| match name {
            "dstport" => format!(r#"{{"field":"dstport","value":"{port}"}}"#),
            "action" => action.to_owned(),
            _ => format!(r#"{{"field":"{name}","value":"{value}"}}"#),
        });
        format!("[{}]", pairs.collect::<Vec<_>>().join(","))
    };
    let action = r#"{"field":"action","value":"ACCEPT"}"#;
    let page = |rows: [String; 3]| format!(r#"{{"results":[{}]}}"#, rows.join(","));
    let good = page([row("1", action), row("2", action), row("3", action)]);
    assert_eq!(counts(good.as_bytes()), (3, 0));
    let twice = format!(r#"{action},{{"field":"pkt-srcaddr","value":"\ud800"}}"#);
    let cut = format!(r#"{action},{{"field":"pkt-srcaddr,"value":"10.0.0.9"}}"#);
    for bad in [twice, cut, format!("{action},7")] {
        let page = page([row("1", action), row("2", &bad), row("3", action)]);
        assert_eq!(counts(page.as_bytes()), (2, 1), "{bad}");
    }
}

#[test]
fn a_fault_in_json_is_told_with_its_place() {
    let [a, b] = ["443", "80"].map(record);
    let (line, why) = reason(format!("{a}\n{b}\nwhat is this\n{a}\n").as_bytes());
    let byte = a.len() + b.len() + 3;
    assert_eq!((line, why), (3, format!("not JSON at byte {byte}")));
    let text = format!("[{a},{b},{}", &a[..30]);
    let (line, why) = reason(text.as_bytes());
    let begin = a.len() + b.len() + 4;
    assert_eq!(line, 1);
    assert_eq!(
        why,
        format!(
            "the JSON ends after {} bytes, inside what begins at byte {begin}",
            text.len()
        )
    );
    let (_, why) = reason(format!("[{a},5,{b}]").as_bytes());
    assert!(why.ends_with(&format!("at byte {}", a.len() + 3)), "{why}");
}

#[test]
fn a_table_that_is_ambiguous_or_lacks_a_column_is_refused() {
    let row = values(443).replace(' ', ",");
    let header = NAMES.replace(' ', ",");
    for (what, text) in [
        (
            "`srcaddr` twice",
            format!("{header},srcaddr\n{row},10.0.0.9\n{row},10.0.0.9\n"),
        ),
        (
            "`srcAddr` twice",
            format!("{header},srcAddr\n{row},10.0.0.9\n"),
        ),
        (
            "no `dstport`",
            format!("{}\n{row}\n", header.replace("dstport", "other")),
        ),
        (
            "no `action`",
            format!("{}\n{row}\n", header.replace("action", "other")),
        ),
    ] {
        assert_eq!(counts(text.as_bytes()), (0, 1), "{what}");
        assert!(
            reason(text.as_bytes()).1.contains(what),
            "{:?}",
            reason(text.as_bytes())
        );
    }
    let text = format!("{header},x,x\n{row},1,2\n");
    assert_eq!(
        counts(text.as_bytes()),
        (1, 0),
        "what is not read may be there twice"
    );
}

#[test]
fn a_record_of_a_table_is_a_line() {
    let [a, b, c] = [443, 80, 22].map(|port| values(port).replace(' ', ","));
    let header = NAMES.replace(' ', ",");
    for (name, damaged) in [
        ("a quote", format!("\"{b}")),
        ("a quote at the end", format!("{b}\"")),
        ("a value less", b.rsplit_once(',').unwrap().0.to_owned()),
        ("a value more", format!("{b},7")),
        (
            "text behind a quote",
            b.replace("10.0.0.1", "\"10.0.0.1\"1"),
        ),
    ] {
        let text = format!("{header}\n{a}\n{damaged}\n{c}\n");
        assert_eq!(counts(text.as_bytes()), (2, 1), "{name}");
        assert_eq!(reason(text.as_bytes()).0, 3, "{name}");
    }
    let quoted = b.replace("eni-1", "\"eni \"\"x\"\", 1\"");
    assert_eq!(
        counts(format!("{header}\n{a}\n{quoted}\n{c}\n").as_bytes()),
        (3, 0)
    );
}

/// What TCP and UDP can't be without is not taken for port 0; a ping has no port.
#[test]
fn no_port_is_not_port_0() {
    let header = ingest::DEFAULT;
    let line = |ports: &str, protocol: u8| {
        format!(
            "2 1 eni-1 10.0.0.1 10.0.0.2 {ports} {protocol} 7 900 1600000000 1600000058 ACCEPT OK\n"
        )
    };
    for (ports, protocol, expected) in [
        ("- -", 6, (0, 1)),
        ("40000 -", 17, (0, 1)),
        ("- 443", 6, (0, 1)),
        ("0 0", 6, (1, 0)),
        ("- -", 1, (1, 0)),
        ("- -", 58, (1, 0)),
    ] {
        let text = format!("{header}\n{}", line(ports, protocol));
        assert_eq!(counts(text.as_bytes()), expected, "{text}");
        let csv = text.replace(' ', ",").replace("-,", ",");
        assert_eq!(counts(csv.as_bytes()), expected, "{csv}");
    }
}
