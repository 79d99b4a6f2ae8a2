//! The same records out of everything that may hold them.

use std::io::{Cursor, Write as _};

use closegate::audit;
use closegate::flow::FlowTable;
use closegate::ingest::{self, Format, Intake, Settings};
use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};

/// Three records and an idle interval, as AWS writes them.
const LINES: [&str; 4] = [
    "2 111122223333 eni-0a 10.0.0.1 10.0.0.2 40000 443 6 7 900 1600000000 1600000058 ACCEPT OK",
    "2 111122223333 eni-0a 10.0.0.2 10.0.0.1 443 40000 6 5 800 1600000000 1600000058 ACCEPT OK",
    "2 111122223333 eni-0a 10.0.0.1 203.0.113.9 51000 6667 6 1 40 1600000060 1600000118 REJECT OK",
    "2 111122223333 eni-0b - - - - - - - 1600000000 1600000058 - NODATA",
];

fn text() -> String {
    format!("{}\n{}\n", ingest::DEFAULT, LINES.join("\n"))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, Cursor::new(bytes))
            .unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn read(bytes: &[u8]) -> (FlowTable, Intake) {
    read_with(bytes, &Settings::default())
}

fn read_with(bytes: &[u8], settings: &Settings) -> (FlowTable, Intake) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("what"), bytes).unwrap();
    let sources = ingest::find(&[dir.path().display().to_string()]).unwrap();
    audit::read(&sources, settings, |_| {})
}

/// The content holds the records of [`LINES`] and nothing else.
fn same(name: &str, content: &[u8]) {
    let (plain, _) = read(text().as_bytes());
    let (table, intake) = read(content);
    assert_eq!(intake.samples, [], "{name}");
    assert_eq!(
        (intake.rows, intake.no_data, intake.malformed),
        (3, 1, 0),
        "{name}"
    );
    assert_eq!(table.flows, plain.flows, "{name}");
    assert_eq!(table.coverage, plain.coverage, "{name}");
    assert_eq!(
        intake.window,
        Some((1_600_000_000, 1_600_000_118)),
        "{name}"
    );
}

#[test]
fn compressed_and_archived() {
    let text = text();
    let text = text.as_bytes();
    let (head, tail) = text.split_at(300);
    let bzip2 = |bytes: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    same("gzip", &gzip(text));
    same("gzip of two members", &[gzip(head), gzip(tail)].concat());
    same("zstd", &zstd(text));
    same("zstd of two frames", &[zstd(head), zstd(tail)].concat());
    same("bzip2", &bzip2(text));
    same("bzip2 of two streams", &[bzip2(head), bzip2(tail)].concat());
    let (first, second) = (
        format!("{}\n{}\n", ingest::DEFAULT, LINES[..2].join("\n")),
        format!("{}\n{}\n", ingest::DEFAULT, LINES[2..].join("\n")),
    );
    let members = [
        ("a.log.gz", &*gzip(first.as_bytes())),
        ("b.log", second.as_bytes()),
    ];
    same("tar", &tar(&members));
    same("tar.gz", &gzip(&tar(&members)));
    same("zip", &zip(&members));
    same("zip in gzip", &gzip(&zip(&members)));
}

/// Formats may differ between the files of an archive, and samples name the file.
#[test]
fn a_file_of_an_archive_has_its_own_format_and_name() {
    let other = "start end action srcaddr dstaddr srcport dstport protocol\n1 2 ACCEPT 10.0.0.1 10.0.0.2 1 2 6\nwhat\n";
    let archive = tar(&[("logs/a", text().as_bytes()), ("logs/b", other.as_bytes())]);
    let (_, intake) = read(&archive);
    assert_eq!((intake.rows, intake.malformed), (4, 1));
    let sample = &intake.samples[0];
    assert!(sample.source.ends_with("/what/logs/b"), "{}", sample.source);
    assert_eq!(sample.line, 3);
}

#[test]
fn what_cloudwatch_and_firehose_wrap() {
    let quoted = LINES.map(|line| serde_json::to_string(line).unwrap());
    let joined = |before: &str, after: &str, between: &str| {
        quoted
            .clone()
            .map(|line| format!("{before}{line}{after}"))
            .join(between)
    };
    let events = joined(
        r#"{"logStreamName":"eni-0a-all","timestamp":1600000000000,"eventId":"1","message":"#,
        "}",
        ",",
    );
    let page = format!(r#"{{"events":[{events}],"searchedLogStreams":[],"nextToken":"x"}}"#);
    same("filter-log-events", page.as_bytes());
    let pretty: serde_json::Value = serde_json::from_str(&page).unwrap();
    same("pretty", format!("{pretty:#}").as_bytes());
    let payload = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{events}]}}"#
    );
    let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}"#;
    same("subscription", &gzip(payload.as_bytes()));
    same(
        "subscription after a control message",
        format!("{control}{payload}").as_bytes(),
    );
    same("Firehose", joined(r#"{"message":"#, "}", "").as_bytes());
    same(
        "Firehose by line",
        joined(r#"{"message":"#, "}", "\n").as_bytes(),
    );
    let export = LINES.map(|line| format!("2020-09-13T12:26:40.000Z {line}\n"));
    same("export", export.concat().as_bytes());
    let results = quoted
        .map(|line| {
            format!(r#"[{{"field":"@message","value":{line}}},{{"field":"@ptr","value":"x"}}]"#)
        })
        .join(",");
    same(
        "Insights",
        format!(r#"{{"results":[{results}],"status":"Complete"}}"#).as_bytes(),
    );
}

/// Flow logs of different formats may write to one stream.
#[test]
fn formats_may_change_inside_a_stream() {
    let other = Format::parse("${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${start} ${end} ${action} ${tcp-flags}").unwrap();
    let lines = [
        LINES[0],
        "eni-0a 10.0.0.1 10.0.0.3 40001 443 6 1600000000 1600000058 ACCEPT 2",
        LINES[1],
        "eni-0a 10.0.0.1 10.0.0.4 40001 443 6 1600000000 1600000058 ACCEPT 2",
        LINES[3],
    ];
    let stream = lines
        .map(|line| format!(r#"{{"message":"{line}"}}"#))
        .concat();
    let settings = Settings {
        known_formats: vec![("fl-1".to_owned(), other)],
        ..Settings::default()
    };
    let (_, intake) = read_with(stream.as_bytes(), &settings);
    assert_eq!((intake.rows, intake.no_data, intake.malformed), (4, 1, 0));
}

/// The fields of the lines as a table: column names and rows.
fn columns(underscores: bool) -> (Vec<String>, Vec<Vec<&'static str>>) {
    let names = ingest::DEFAULT.split(' ').map(|name| {
        if underscores {
            name.replace('-', "_")
        } else {
            name.to_owned()
        }
    });
    let rows = LINES.map(|line| line.split(' ').collect()).to_vec();
    (names.collect(), rows)
}

#[test]
fn records_with_their_fields_apart() {
    for underscores in [false, true] {
        let (names, rows) = columns(underscores);
        let objects: Vec<String> = rows
            .iter()
            .map(|row| {
                let pairs = names.iter().zip(row).map(|(name, value)| {
                    let number = value.parse::<u64>().is_ok() && name != "account-id";
                    let value = if number {
                        (*value).to_owned()
                    } else {
                        format!("{value:?}")
                    };
                    format!("{name:?}:{value}")
                });
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            })
            .collect();
        same("JSON lines", objects.join("\n").as_bytes());
        same(
            "JSON array",
            format!("[{}]", objects.join(",\n")).as_bytes(),
        );
        let quoted = |cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|c| format!("\"{c}\"")).collect();
            cells.join(",")
        };
        let mut csv = vec![quoted(names.clone())];
        for row in &rows {
            let cells = row.iter().map(|value| {
                if *value == "-" {
                    String::new()
                } else {
                    (*value).to_owned()
                }
            });
            csv.push(quoted(cells.collect()));
        }
        same("CSV of Athena", csv.join("\r\n").as_bytes());
    }
    let insights = "@timestamp,interfaceId,srcAddr,dstAddr,srcPort,dstPort,protocol,packets,bytes,startTime,endTime,action,logStatus\n".to_owned()
        + &LINES.map(|line| {
            let values: Vec<&str> = line.split(' ').collect();
            format!("2020-09-13 12:26:40.000,{}\n", values[2..].join(","))
        }).concat();
    same("CSV of Insights", insights.as_bytes());
    let messages = "@timestamp,@message\n".to_owned()
        + &LINES
            .map(|line| format!("2020-09-13 12:26:40.000,{line}\n"))
            .concat();
    same("messages of Insights", messages.as_bytes());
}

/// Times in milliseconds, as old tools wrote them.
#[test]
fn milliseconds_are_recognised() {
    let text = text().replace("1600000000", "1600000000000");
    let text = text
        .replace("1600000058", "1600000058000")
        .replace("1600000060", "1600000060999");
    same(
        "milliseconds",
        text.replace("1600000118", "1600000118000").as_bytes(),
    );
}

fn parquet(columns: Vec<Column>) -> Vec<u8> {
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

/// Typed columns, names with underscores, and null or `-` for nothing.
#[test]
fn parquet_as_aws_delivers_it() {
    let (names, rows) = columns(true);
    for dashes in [false, true] {
        let columns = names.iter().enumerate().map(|(position, name)| {
            let values = rows.iter().map(|row| row[position]);
            let texts = [
                "interface_id",
                "srcaddr",
                "dstaddr",
                "action",
                "log_status",
                "account_id",
            ];
            let series = if texts.contains(&name.as_str()) {
                let kept = |value: &'static str| (dashes || value != "-").then_some(value);
                Series::new(name.as_str().into(), values.map(kept).collect::<Vec<_>>())
            } else if name == "protocol" || name.ends_with("port") {
                let numbers = values.map(|value| value.parse::<i32>().ok());
                Series::new(name.as_str().into(), numbers.collect::<Vec<_>>())
            } else {
                let numbers = values.map(|value| value.parse::<i64>().ok());
                Series::new(name.as_str().into(), numbers.collect::<Vec<_>>())
            };
            series.into()
        });
        let bytes = parquet(columns.collect());
        same("Parquet", &bytes);
        same("Parquet in gzip", &gzip(&bytes));
    }
}

/// One event of Security Lake per line of [`LINES`] that is no idle interval.
fn events(rc2: bool) -> Vec<serde_json::Value> {
    LINES[..3]
        .iter()
        .map(|line| {
            let v: Vec<&str> = line.split(' ').collect();
            let number = |position: usize| v[position].parse::<u64>().unwrap();
            let out = v[3] == "10.0.0.1";
            let mut event = serde_json::json!({
                "class_uid": 4001, "activity_id": if v[12] == "ACCEPT" { 6 } else { 5 },
                "src_endpoint": {"ip": v[3], "port": number(5), "svc_name": "-", "intermediate_ips": []},
                "dst_endpoint": {"ip": v[4], "port": number(6), "svc_name": "-"},
                "connection_info": {"protocol_num": number(7), "tcp_flags": 0, "direction_id": if out { 2 } else { 1 }},
                "traffic": {"packets": number(8), "bytes": number(9)},
                "time": number(10) * 1000, "start_time": number(10) * 1000, "end_time": number(11) * 1000, "status_code": "OK",
            });
            event[if out { "src_endpoint" } else { "dst_endpoint" }]["interface_uid"] = v[2].into();
            if rc2 {
                event["disposition_id"] = if v[12] == "ACCEPT" { 1 } else { 2 }.into();
            } else {
                event["action_id"] = if v[12] == "ACCEPT" { 1 } else { 2 }.into();
                event["start_time_dt"] = "2020-09-13T12:26:40Z".into();
            }
            event
        })
        .collect()
}

#[test]
fn events_of_security_lake() {
    let (plain, _) = read(text().as_bytes());
    for rc2 in [false, true] {
        let lines: Vec<String> = events(rc2).iter().map(ToString::to_string).collect();
        let (table, intake) = read(lines.join("\n").as_bytes());
        assert_eq!(
            (intake.rows, intake.malformed),
            (3, 0),
            "{:?}",
            intake.samples
        );
        for (a, b) in table.flows.iter().zip(&plain.flows) {
            assert_eq!(
                (a.key.src, a.key.dst, a.key.accepted),
                (b.key.src, b.key.dst, b.key.accepted)
            );
            assert_eq!(
                (a.counters.records, a.counters.bytes, a.counters.last),
                (b.counters.records, b.counters.bytes, b.counters.last)
            );
            assert!(
                a.counters.flags.egress() != a.counters.flags.ingress(),
                "the direction is known"
            );
        }
    }
}

/// The same with nested columns.
#[test]
fn parquet_of_security_lake() {
    use polars::prelude::{IntoSeries as _, StructChunked};
    let events = events(false);
    let at = |event: &serde_json::Value, path: &[&str]| {
        path.iter()
            .fold(event.clone(), |value, key| value[*key].clone())
    };
    let texts = |name: &str, path: &[&str]| {
        let values: Vec<Option<String>> = events
            .iter()
            .map(|e| at(e, path).as_str().map(ToOwned::to_owned))
            .collect();
        Series::new(name.into(), values)
    };
    let numbers = |name: &str, path: &[&str]| {
        let values: Vec<Option<i64>> = events.iter().map(|e| at(e, path).as_i64()).collect();
        Series::new(name.into(), values)
    };
    let group = |name: &str, fields: Vec<Series>| {
        StructChunked::from_series(name.into(), events.len(), fields.iter())
            .unwrap()
            .into_series()
    };
    let endpoint = |name: &str| {
        group(
            name,
            vec![
                texts("ip", &[name, "ip"]),
                numbers("port", &[name, "port"]),
                texts("interface_uid", &[name, "interface_uid"]),
            ],
        )
    };
    let info = ["protocol_num", "tcp_flags", "direction_id"];
    let columns = vec![
        numbers("class_uid", &["class_uid"]).into(),
        numbers("action_id", &["action_id"]).into(),
        numbers("time", &["time"]).into(),
        numbers("end_time", &["end_time"]).into(),
        texts("status_code", &["status_code"]).into(),
        endpoint("src_endpoint").into(),
        endpoint("dst_endpoint").into(),
        group(
            "connection_info",
            info.map(|name| numbers(name, &["connection_info", name]))
                .to_vec(),
        )
        .into(),
        group(
            "traffic",
            ["packets", "bytes"]
                .map(|name| numbers(name, &["traffic", name]))
                .to_vec(),
        )
        .into(),
    ];
    let (from_parquet, intake) = read(&parquet(columns));
    assert_eq!(
        (intake.rows, intake.malformed),
        (3, 0),
        "{:?}",
        intake.samples
    );
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    let (from_json, _) = read(lines.join("\n").as_bytes());
    assert_eq!(from_parquet.flows, from_json.flows);
    assert_eq!(from_parquet.observers, from_json.observers);
}

/// What is broken is counted with a reason, and what comes before it is kept.
#[test]
fn broken_containers() {
    let whole = gzip(text().as_bytes());
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0x55;
    let deep = (0..9).fold(text().into_bytes(), |bytes, _| gzip(&bytes));
    let long = format!(
        "{}{}\n{}\n",
        text(),
        "x".repeat(100 << 20),
        LINES[0].replace("40000", "40009")
    );
    for (name, bytes, least) in [
        ("cut gzip", whole[..whole.len() - 20].to_vec(), 0),
        ("corrupt gzip", corrupt, 0),
        ("gzip of gzip of gzip …", deep, 0),
        ("cut zip", zip(&[("a", text().as_bytes())])[..60].to_vec(), 0),
        ("cut JSON", br#"{"events":[{"message":"2 1 eni-0a 10.0.0.1 10.0.0.2 40000 443 6 7 900 1 2 ACCEPT OK"},{"mess"#.to_vec(), 1),
        // Found by fuzzing: a library panicked over the first, asked for 2⁶¹ bytes over the second, and counted to 2³¹ over the third.
        ("damaged Parquet", include_bytes!("../fixtures/damaged.parquet").to_vec(), 0),
        ("enormous Parquet", include_bytes!("../fixtures/enormous.parquet").to_vec(), 0),
        ("endless Parquet", include_bytes!("../fixtures/endless.parquet").to_vec(), 0),
        ("JSON of something else", br#"{"Reservations": 1}"#.to_vec(), 0),
        ("a line of 100 MiB", long.into_bytes(), 4),
        ("NUL bytes and no UTF-8", [text().as_bytes(), b"\0\0\0\n\xff\xfe\n"].concat(), 3),
    ] {
        let (_, intake) = read(&bytes);
        assert!(intake.malformed > 0, "{name}");
        assert!(intake.rows >= least, "{name}: {}", intake.rows);
    }
}

/// Decompression bombs: whatever they hold, it is passed over or bounded, and never held.
#[test]
fn decompression_bombs() {
    let endless = |start: &str| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(start.as_bytes()).unwrap();
        let piece = vec![b'a'; 1 << 20];
        for _ in 0..300 {
            out.write_all(&piece).unwrap();
        }
        out.finish().unwrap()
    };
    for (start, reason) in [
        ("", "longer than any record"),
        (
            "{\"events\":\n[{\"message\":\"",
            "inside what begins at byte 13",
        ),
        (
            "interface_id,srcaddr,dstaddr,srcport,dstport,protocol,start,action\n\"",
            "longer than any record",
        ),
    ] {
        let bytes = endless(start);
        assert!(bytes.len() < 4 << 20, "{start}: {}", bytes.len());
        let (_, intake) = read(&bytes);
        assert_eq!(intake.malformed, 1, "{start}: {:?}", intake.samples);
        let sample = &intake.samples[0].reason;
        assert!(sample.contains(reason), "{start}: {sample}");
    }
}

/// A directory of very many small files, of which some are links in a circle, links to
/// nothing, and directories that are named like files.
#[test]
fn a_directory_of_many_files() {
    const FILES: u64 = 3000;
    let dir = tempfile::tempdir().unwrap();
    for number in 0..FILES {
        let below = dir.path().join(format!("{}", number % 7));
        std::fs::create_dir_all(&below).unwrap();
        let line = LINES[0].replace("40000", &(40000 + number).to_string());
        std::fs::write(below.join(format!("{number}.log")), line).unwrap();
    }
    let link = |to: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    };
    link(dir.path(), "circle");
    link(&dir.path().join("nothing"), "gone.log");
    std::fs::create_dir(dir.path().join("empty.log.gz")).unwrap();
    let sources = ingest::find(&[dir.path().display().to_string()]).unwrap();
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    assert_eq!(
        (intake.rows, intake.malformed),
        (FILES, 1),
        "{:?}",
        intake.samples
    );
    assert!(
        intake.samples[0].source.ends_with("gone.log"),
        "{:?}",
        intake.samples
    );
    assert_eq!(intake.sources.len() as u64, FILES + 1);
    assert_eq!(
        table.flows.iter().map(|f| f.counters.records).sum::<u64>(),
        FILES
    );
}

/// A file that grows while it is read is read as it was when it was opened.
#[test]
fn a_file_that_grows() {
    const ROWS: usize = 40_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("growing.log");
    let line = format!("{}\n", LINES[0]);
    std::fs::write(&path, line.repeat(ROWS)).unwrap();
    let sources = ingest::find(&[path.display().to_string()]).unwrap();
    let grow = |_| {
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    };
    let (_, intake) = audit::read(&sources, &Settings::default(), grow);
    assert_eq!(intake.rows + intake.duplicates, ROWS as u64);
    assert!(std::fs::metadata(&path).unwrap().len() > (ROWS * line.len()) as u64);
    assert_eq!(intake.malformed, 0, "{:?}", intake.samples);
}
