//! Every way a flow record can be written.

use closegate::audit;
use closegate::flow::FlowTable;
use closegate::ingest::{
    self, FIELDS, Format, FormatError, Intake, Line, Settings, Source, parse_line,
};

use crate::common::audit_text;

const V2: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";

fn read_with(files: &[(&str, String)], settings: &Settings) -> (FlowTable, Intake) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let sources: Vec<Source> = ingest::find(&[dir.path().display().to_string()]).unwrap();
    audit::read(&sources, settings, |_| {})
}

fn read(text: &str) -> (FlowTable, Intake) {
    read_with(&[("a.log", text.to_owned())], &Settings::default())
}

/// The examples of flow-logs-records-examples.html.
#[test]
fn reads_the_examples_of_the_documentation() {
    let nodata =
        "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA";
    let skipdata =
        "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA";
    let v6 = "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK";
    let (table, intake) = read(&format!("{V2}\n{nodata}\n{skipdata}\n{v6}\n"));
    assert_eq!(
        (
            intake.rows,
            intake.no_data,
            intake.skip_data,
            intake.malformed
        ),
        (2, 1, 1, 0)
    );
    assert_eq!(intake.records_read(), 4);
    assert_eq!(intake.window, Some((1_418_530_010, 1_477_913_820)));
    assert_eq!(table.flows.len(), 2);
    let flow = table.flows.iter().find(|f| f.key.src.is_ipv4()).unwrap();
    assert_eq!(
        (flow.key.src_port, flow.key.dst_port, flow.counters.bytes),
        (20641, 22, 4249)
    );
}

#[test]
fn a_header_names_the_columns_in_any_order_and_either_spelling() {
    let header = "end start action log_status dstport srcport protocol pkt_dstaddr pkt_srcaddr dstaddr srcaddr interface_id tcp_flags";
    let row = "20 10 ACCEPT OK 443 50000 6 198.51.100.1 10.0.0.9 10.0.0.99 10.0.0.1 eni-1 2";
    let (table, intake) = read(&format!("{header}\n{row}\n"));
    assert_eq!((intake.rows, intake.malformed), (1, 0));
    let flow = table.flows[0];
    assert_eq!(
        flow.key.src.to_string(),
        "10.0.0.9",
        "the packet's own address"
    );
    assert_eq!(flow.key.dst.to_string(), "198.51.100.1");
    assert!(
        flow.counters.flags.syn()
            && flow.counters.flags.src_rewritten()
            && flow.counters.flags.dst_rewritten()
    );
}

#[test]
fn spaces_crlf_repeated_headers_and_a_missing_last_newline_are_no_matter() {
    let header = ingest::DEFAULT;
    let odd = V2.replace(' ', "  ");
    let text = format!(
        "{header}\r\n{V2}\r\n\r\n{header}\r\n{}\r\n{}",
        odd.replace("20641", "20642"),
        V2.replace("20641", "20643")
    );
    let (table, intake) = read(&text);
    assert_eq!((intake.rows, intake.malformed), (3, 0));
    let [flow] = &table.flows[..] else {
        panic!("a client's ports are one flow: {:?}", table.flows)
    };
    assert_eq!(flow.counters.records, 3);
    assert_eq!(flow.counters.dropped.known(), [20641, 20642, 20643]);
}

/// A format may change inside one file: the last header counts.
#[test]
fn a_second_header_changes_the_columns() {
    let text = format!(
        "{}\n{V2}\nsrcaddr dstaddr srcport dstport protocol action start interface-id\n10.0.0.1 10.0.0.2 1 2 17 REJECT 5 eni-1\n",
        ingest::DEFAULT
    );
    let (table, intake) = read(&text);
    assert_eq!((intake.rows, intake.malformed), (2, 0));
    assert!(
        table
            .flows
            .iter()
            .any(|f| !f.key.accepted && f.key.dst_port == 2)
    );
}

#[test]
fn idle_rows_are_told_by_their_status_even_with_addresses_and_without_a_status_by_their_lack() {
    let with_addresses = "2 1 eni-1 10.0.0.1 10.0.0.2 - - - - - 10 20 - NODATA";
    assert_eq!(read(with_addresses).1.no_data, 1);
    let text = "interface-id srcaddr dstaddr srcport dstport protocol action start end\neni-1 - - - - - - 10 20\neni-1 10.0.0.1 10.0.0.2 1 2 6 ACCEPT 10 20\n";
    let intake = read(text).1;
    assert_eq!((intake.no_data, intake.rows, intake.malformed), (1, 1, 0));
}

#[test]
fn milliseconds_are_seconds_times_a_thousand() {
    let row = V2.replace("1418530010 1418530070", "1418530010123 1418530070456");
    assert_eq!(read(&row).1.window, Some((1_418_530_010, 1_418_530_070)));
}

#[test]
fn bad_lines_are_counted_sampled_and_never_stop_the_run() {
    let bad = [
        ("too few values", V2.rsplit_once(' ').unwrap().0.to_owned()),
        ("too many values", format!("{V2} more")),
        (
            "not an address",
            V2.replace("172.31.16.21", "172.31.16.256"),
        ),
        ("not an address", V2.replace("172.31.16.21", "2001:db8::1")),
        ("not a number", V2.replace("20641", "99999")),
        ("neither ACCEPT nor REJECT", V2.replace("ACCEPT", "MAYBE")),
        ("log-status", V2.replace(" OK", " FINE")),
        (
            "end lies before start",
            V2.replace("1418530070", "1418530000"),
        ),
        ("not a number", V2.replace(" 6 ", " 256 ")),
        (
            "not a number",
            V2.replace("4249", "99999999999999999999999"),
        ),
        ("longer than any record", "x".repeat(3 << 20)),
        ("too few values", "\u{0}\u{ff}\u{202e}".to_owned()),
    ];
    let lines: Vec<String> = bad.iter().map(|(_, line)| line.clone()).collect();
    let (table, intake) = read(&format!(
        "{V2}\n{}\n{}",
        lines.join("\n"),
        V2.replace("20641", "1")
    ));
    assert_eq!(
        (intake.rows, intake.malformed, table.flows.len()),
        (2, 12, 2)
    );
    for ((reason, _), (number, sample)) in bad.iter().zip((2..).zip(&intake.samples)) {
        assert!(
            sample.reason.contains(reason),
            "line {number}: {}",
            sample.reason
        );
        assert_eq!(sample.line, number);
        assert!(sample.source.ends_with("a.log"));
    }
}

/// Counting the values of a line says nothing: these have fourteen too.
#[test]
fn the_default_format_is_taken_only_where_a_line_can_be_nothing_else() {
    assert_eq!(read(V2).1.rows, 1);
    let other = "5 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK 123456789010";
    let intake = read(other).1;
    assert_eq!((intake.rows, intake.malformed), (0, 1));
    assert!(intake.samples[0].reason.contains("--log-format"));
    let settings = Settings {
        format: Some(Format::parse("${version} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${account-id}").unwrap()),
        ..Settings::default()
    };
    assert_eq!(
        read_with(&[("a.log", other.to_owned())], &settings).1.rows,
        1
    );
}

/// The name of an S3 object says which flow log it is from.
#[test]
fn the_inventorys_format_is_used_for_its_flow_log() {
    let short = Format::parse("interface-id srcaddr dstaddr srcport dstport protocol action start")
        .unwrap();
    let settings = Settings {
        known_formats: vec![
            ("fl-1".to_owned(), short),
            ("fl-2".to_owned(), Format::default_v2()),
        ],
        ..Settings::default()
    };
    let files = [
        (
            "1_vpcflowlogs_us-east-1_fl-1_20261102T0000Z_a.log",
            "eni-1 10.0.0.1 10.0.0.2 1 2 6 ACCEPT 7\n".to_owned(),
        ),
        (
            "1_vpcflowlogs_us-east-1_fl-2_20261102T0000Z_b.log",
            format!("{V2}\n"),
        ),
        (
            "unnamed.log",
            "eni-1 10.0.0.1 10.0.0.2 1 2 6 ACCEPT 7\n".to_owned(),
        ),
    ];
    let intake = read_with(&files, &settings).1;
    assert_eq!(
        (intake.rows, intake.malformed),
        (2, 1),
        "two formats are known, so an unnamed log could be either"
    );
}

#[test]
fn a_row_that_two_flow_logs_delivered_counts_once() {
    let twice = [
        ("a.log", format!("{V2}\n")),
        (
            "b.log",
            format!("{}\n{V2}\n{}\n", ingest::DEFAULT, V2.replace("20641", "1")),
        ),
    ];
    let (table, intake) = read_with(&twice, &Settings::default());
    assert_eq!(
        (intake.rows, intake.duplicates, intake.records_read()),
        (2, 1, 2)
    );
    assert_eq!(
        table.flows.iter().map(|f| f.counters.records).sum::<u64>(),
        2
    );
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    std::fs::write(&path, V2).unwrap();
    let arguments = [
        path.display().to_string(),
        dir.path().display().to_string(),
        format!("{}/*.log", dir.path().display()),
    ];
    assert_eq!(ingest::find(&arguments).unwrap().len(), 1);
}

/// Section 1.1 of the documentation: 14 + 7 + 4 + 4 + 10 + 1 + 1 + 1 + 12 fields.
#[test]
fn the_table_of_fields_is_complete() {
    let count = |version| FIELDS.iter().filter(|f| f.version == version).count();
    assert_eq!(
        [2, 3, 4, 5, 7, 8, 9, 10, 11].map(count),
        [14, 7, 4, 4, 10, 1, 1, 1, 12]
    );
    let mut names: Vec<&str> = FIELDS.iter().map(|f| f.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 54);
    let all: Vec<&str> = FIELDS.iter().map(|f| f.name).collect();
    Format::parse(&all.join(" ")).unwrap();
    Format::from_header(&all.join(" ").replace('-', "_")).unwrap();
}

#[test]
fn a_format_says_what_is_wrong_with_it() {
    assert_eq!(
        Format::parse("${version} ${nope}"),
        Err(FormatError::UnknownField("nope".to_owned()))
    );
    assert_eq!(
        Format::parse("${srcaddr} ${srcaddr}"),
        Err(FormatError::Twice("srcaddr".to_owned()))
    );
    assert_eq!(
        Format::parse("${version}"),
        Err(FormatError::Missing("srcaddr"))
    );
    assert_eq!(
        Format::parse("${version} ${tgw-id}"),
        Err(FormatError::TransitGateway)
    );
    let newer = format!("{} field-of-version-12", ingest::DEFAULT);
    let format = Format::from_header(&newer).unwrap();
    assert!(matches!(
        parse_line(&format, format!("{V2} what").as_bytes()),
        Ok(Line::Row(_))
    ));
}

/// A tag may be named like a field; a row is still a row.
#[test]
fn a_row_with_a_field_name_in_it_is_not_a_header() {
    assert!(Format::is_header(ingest::DEFAULT.as_bytes()));
    assert!(!Format::is_header(V2.as_bytes()));
    assert!(!Format::is_header(
        b"srcaddr 10.0.0.1 10.0.0.2 1 2 6 ACCEPT 7"
    ));
}

/// Numbers that a hostile log claims add up without wrapping.
#[test]
fn counters_saturate() {
    let row = V2.replace("20 4249", &format!("{} {}", u64::MAX, u64::MAX));
    let log = format!("{row}\n{}\n", row.replace("1418530070", "1418530071"));
    let audit = audit_text(&log, &crate::common::fixtures().join("inventory"));
    assert_eq!(audit.connections[0].totals.bytes, u64::MAX);
}

/// The same row from a format without counts and from one with them, in either
/// order: the counts are there once.
#[test]
fn a_duplicate_adds_what_the_first_row_lacked() {
    let bare = "interface-id srcaddr dstaddr srcport dstport protocol start end action\neni-1 10.0.0.1 10.0.0.2 1 2 6 10 20 ACCEPT\n".to_owned();
    let full = "interface-id srcaddr dstaddr srcport dstport protocol start end action packets bytes tcp-flags\neni-1 10.0.0.1 10.0.0.2 1 2 6 10 20 ACCEPT 7 900 2\n".to_owned();
    for files in [
        [("a.log", bare.clone()), ("b.log", full.clone())],
        [("a.log", full), ("b.log", bare)],
    ] {
        let (table, intake) = read_with(&files, &Settings::default());
        assert_eq!(
            (intake.rows, intake.duplicates, table.flows.len()),
            (1, 1, 1)
        );
        let counters = table.flows[0].counters;
        assert_eq!(
            (
                counters.records,
                counters.packets,
                counters.bytes,
                counters.flags.syn()
            ),
            (1, 7, 900, true)
        );
    }
}
