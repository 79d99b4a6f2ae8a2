//! Damage never becomes evidence: what a container did not verify counts for nothing, and what it cost is told.
//!
//! The rule over seeded damage, by what can be known. A container with checksums (gzip, bzip2, zstd, zip, the pages of
//! Parquet that are compressed with gzip): every row is a row of the clean file. Text without checksums (JSON, CSV), in
//! which another digit can't be told from the right one: as many rows at most that the clean file lacks as there are
//! damaged places, and a file that was cut gives rows of the clean file only. Never a panic.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

use closegate::ingest::{self, Intake, Interval, Row, Settings, Sink, Source};
use flate2::{Compression, GzBuilder};

use crate::common::{closegate, sample};
use crate::containers::{gzip, tar, zip};

type Rows = BTreeSet<String>;

struct Collect(Arc<Mutex<Rows>>);

impl Sink for Collect {
    fn row(&mut self, row: Row<'_>) {
        self.0.lock().unwrap().insert(format!("{row:?}"));
    }
    fn duplicate(&mut self, _: Row<'_>) {}
    fn no_data(&mut self, _: Interval<'_>) {}
    fn skip_data(&mut self, _: Interval<'_>) {}
    fn finish(self) {}
}

/// The rows that some content holds.
pub(crate) fn rows(content: &[u8]) -> (Rows, Intake) {
    let rows = Arc::new(Mutex::new(Rows::new()));
    let name = "1_vpcflowlogs_us-east-1_fl-1_20260101T0000Z_1.log";
    let sources = [Source::memory(name, content)];
    let sink = || Collect(Arc::clone(&rows));
    let intake = ingest::read(&sources, &Settings::default(), sink, |_| {});
    let rows = rows.lock().unwrap().clone();
    (rows, intake)
}

fn line(number: usize) -> String {
    let (third, fourth) = (number / 200, number % 200);
    format!(
        "2 123456789010 eni-0123456789abcdef{fourth:x} 10.0.{third}.{fourth} 10.1.{fourth}.9 {} 443 6 {} {} 1600000000 16000000{:02} ACCEPT OK",
        1024 + number,
        number + 1,
        number * 77 + 40,
        number % 60
    )
}

fn text(lines: std::ops::Range<usize>) -> String {
    let lines: Vec<String> = lines.map(line).collect();
    format!("{}\n{}\n", ingest::DEFAULT, lines.join("\n"))
}

fn members(text: &[u8], size: usize, encode: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    text.chunks(size).map(encode).collect()
}

/// A member as bgzip writes it: its length is in the header.
fn block(text: &[u8]) -> Vec<u8> {
    let extra = vec![b'B', b'C', 2, 0, 0, 0];
    let builder = GzBuilder::new().extra(extra);
    let mut out = builder.write(Vec::new(), Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    let mut out = zstd::Encoder::new(Vec::new(), 3).unwrap();
    out.include_checksum(true).unwrap();
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// A generator of numbers from a seed (xorshift).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flip,
    Cut,
    Insert,
    Delete,
    Zero,
    Swap,
}

const KINDS: [Kind; 6] = [
    Kind::Flip,
    Kind::Cut,
    Kind::Insert,
    Kind::Delete,
    Kind::Zero,
    Kind::Swap,
];

/// Damages content, and says how, and at which byte first.
fn damage(content: &[u8], seed: usize) -> (Vec<u8>, Kind, usize) {
    let mut seeded = Seeded(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0x2545_f491));
    for _ in 0..8 {
        seeded.below(2);
    }
    let kind = KINDS[seed % KINDS.len()];
    let mut bytes = content.to_vec();
    let at = seeded.below(bytes.len());
    let end = (at + 1 + seeded.below(40)).min(bytes.len());
    match kind {
        Kind::Flip => bytes[at] ^= 1 << seeded.below(8),
        Kind::Cut => bytes.truncate(at),
        Kind::Insert => {
            let new: Vec<u8> = (at..end)
                .map(|_| u8::try_from(seeded.below(256)).unwrap())
                .collect();
            bytes.splice(at..at, new);
        }
        Kind::Delete => drop(bytes.drain(at..end)),
        Kind::Zero => bytes[at..end].fill(0),
        Kind::Swap => {
            let other = seeded.below(bytes.len());
            bytes.swap(at, other);
        }
    }
    (bytes, kind, at)
}

#[test]
fn containers_with_checksums_give_rows_of_the_clean_file_only() {
    let text = text(0..300);
    let text = text.as_bytes();
    let (clean, intake) = rows(text);
    assert_eq!((clean.len(), intake.malformed), (300, 0));
    let (first, second) = text.split_at(text.len() / 2);
    for (name, content, is_one_member) in [
        ("gzip", gzip(text), true),
        ("gzip of members", members(text, 5000, gzip).concat(), false),
        (
            "bgzip",
            [members(text, 3000, block).concat(), block(b"")].concat(),
            false,
        ),
        ("bzip2", bzip2(text), true),
        (
            "bzip2 of streams",
            members(text, 9000, bzip2).concat(),
            false,
        ),
        ("zstd", zstd(text), true),
        ("zstd of frames", members(text, 6000, zstd).concat(), false),
        ("zip", zip(&[("a", text), ("b", second)]), false),
        (
            "tar of gzip",
            tar(&[("a", &gzip(text)), ("b", &gzip(first))]),
            false,
        ),
        ("gzip of tar", gzip(&tar(&[("a", text)])), true),
    ] {
        let (whole, intake) = rows(&content);
        assert!(clean.is_subset(&whole) && whole.len() == 300, "{name}");
        assert!(!name.contains("bgzip") || intake.malformed == 0);
        let mut kept = 0;
        for seed in 0..200 {
            let (damaged, kind, at) = damage(&content, seed);
            let (read, intake) = rows(&damaged);
            assert!(
                read.is_subset(&clean),
                "{name}, {kind:?} at {at}, seed {seed}"
            );
            // All of it or nothing, and what is missing is told; nothing is left of a file that was cut to nothing.
            let is_told = intake.malformed > 0 || damaged.is_empty();
            let is_whole = read == clean;
            assert!(
                !is_one_member || is_whole || (read.is_empty() && is_told),
                "{name}, {kind:?} at {at}, seed {seed}: {} rows, {:?}",
                read.len(),
                intake.samples
            );
            kept += usize::from(!read.is_empty() && !is_whole);
        }
        assert!(
            is_one_member || kept > 30,
            "{name}: good members are kept, {kept}"
        );
    }
}

/// A line that lies in two members is no line when one of them is damaged, and its two ends are not joined.
#[test]
fn lines_that_reach_into_a_hole_are_dropped() {
    const SIZE: usize = 1000;
    let text = text(0..90);
    let text = text.as_bytes();
    let whole: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    for encode in [gzip, block, bzip2, zstd] {
        let good = members(text, SIZE, encode);
        for hole in 1..good.len() {
            let mut content = good.clone();
            let end = content[hole].len();
            // In the checksum at the end, but for zstd's, which is shorter.
            content[hole][end - 3] ^= 0x10;
            let from = content[..hole].concat().len() + 1;
            let (read, intake) = rows(&content.concat());
            let (first, last) = (hole * SIZE, ((hole + 1) * SIZE).min(text.len()));
            let mut at = 0;
            let mut expected = Rows::new();
            for line in &whole {
                let is_before = at + line.len() <= first;
                let is_behind = text[last..].iter().position(|&byte| byte == b'\n');
                let is_behind = is_behind.is_some_and(|end| at > last + end);
                if (is_before || is_behind) && at > 0 {
                    expected.extend(rows(line).0);
                }
                at += line.len();
            }
            assert_eq!(read, expected, "hole {hole}");
            assert_eq!((intake.malformed, intake.samples[0].line), (1, 0));
            let reason = &intake.samples[0].reason;
            let from = format!("bytes {}", thousands(from));
            assert!(
                reason.contains("is damaged") && reason.contains(&from),
                "{reason} {from}"
            );
        }
    }
}

fn thousands(number: usize) -> String {
    match number {
        0..=999 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

/// Whole files one after the other, as `cat` makes them: each has its header, and one that is damaged costs no other.
#[test]
fn a_header_behind_a_hole_stays() {
    let other = "srcaddr dstaddr srcport dstport protocol action start interface-id\n10.0.0.1 10.0.0.2 1 2 17 REJECT 5 eni-1\n";
    let mut first = gzip(text(0..50).as_bytes());
    let middle = first.len() / 2;
    first[middle] ^= 1;
    let content = [first, gzip(other.as_bytes()), gzip(text(50..99).as_bytes())].concat();
    let (read, intake) = rows(&content);
    assert_eq!(
        (read.len(), intake.malformed),
        (1 + 49, 1),
        "{:?}",
        intake.samples
    );
}

/// Bytes behind the last member are no text, and zeros, as tapes leave them, are nothing.
#[test]
fn what_follows_the_last_member() {
    let good = gzip(text(0..50).as_bytes());
    let (read, intake) = rows(&[good.clone(), vec![0; 700]].concat());
    assert_eq!(
        (read.len(), intake.malformed),
        (50, 0),
        "{:?}",
        intake.samples
    );
    let (read, intake) = rows(&[good, line(99).into_bytes()].concat());
    assert_eq!(
        (read.len(), intake.malformed),
        (50, 1),
        "{:?}",
        intake.samples
    );
    // Two members of one length: the first is not taken for all of it.
    let same = text(50..100);
    let (read, intake) = rows(&[block(text(60..110).as_bytes()), block(same.as_bytes())].concat());
    assert_eq!(
        (read.len(), intake.malformed),
        (60, 0),
        "{:?}",
        intake.samples
    );
}

/// A member whose text is too long to be held is verified before its first row all the same.
#[test]
fn a_long_member_counts_once_it_is_verified() {
    const LINES: u64 = 800_000;
    let lines = format!("{}\n", line(7)).repeat(1000);
    let mut long = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..LINES / 1000 {
        long.write_all(lines.as_bytes()).unwrap();
    }
    let long = long.finish().unwrap();
    assert!(
        lines.len() as u64 * LINES / 1000 > 64 << 20,
        "more than is held"
    );
    let (_, intake) = rows(&long);
    assert_eq!(
        (intake.rows, intake.malformed),
        (LINES, 0),
        "{:?}",
        intake.samples
    );
    assert_eq!(
        intake.bytes,
        long.len() as u64,
        "read once, decompressed twice"
    );
    let (read, intake) = rows(&long[..long.len() - 9]);
    assert_eq!((read.len(), intake.malformed), (0, 1));
    let reason = &intake.samples[0].reason;
    assert!(
        reason.contains("ends too early") && reason.contains("nothing in it was used"),
        "{reason}"
    );
    let (read, intake) =
        rows(&[long[..long.len() - 9].to_vec(), gzip(text(0..9).as_bytes())].concat());
    assert_eq!(
        (read.len(), intake.malformed),
        (9, 1),
        "{:?}",
        intake.samples
    );
}

/// A tar archive that was cut: the number at the end of its last line is not the number that was there.
#[test]
fn a_cut_archive_has_no_last_line() {
    let log = "interface-id srcaddr dstaddr srcport protocol action start dstport\neni-1 10.0.0.1 10.0.0.2 1 6 ACCEPT 5 443\neni-1 10.0.0.1 10.0.0.3 1 6 ACCEPT 5 8443\n";
    let archive = tar(&[("a.log", log.as_bytes())]);
    assert_eq!(rows(&archive).0.len(), 2);
    let (read, intake) = rows(&archive[..512 + log.len() - 3]);
    assert_eq!(
        (read.len(), intake.malformed),
        (1, 1),
        "{:?}",
        intake.samples
    );
    assert!(
        intake.samples[0].reason.contains("ends too early"),
        "{:?}",
        intake.samples
    );
}

/// A page of `filter-log-events` on one line, records one to a line, and a table.
fn texts() -> Vec<(&'static str, String)> {
    let lines: Vec<String> = (0..120).map(line).collect();
    let names: Vec<&str> = ingest::DEFAULT.split(' ').collect();
    let records = lines.iter().map(|line| {
        let values = names.iter().zip(line.split(' '));
        let pairs: Vec<String> = values
            .map(|(name, value)| match value.parse::<u64>() {
                Ok(number) => format!("\"{name}\":{number}"),
                Err(_) => format!("\"{name}\":\"{value}\""),
            })
            .collect();
        format!("{{{}}}", pairs.join(","))
    });
    let records: Vec<String> = records.collect();
    let events: Vec<String> = lines
        .iter()
        .map(|line| format!("{{\"timestamp\":1,\"message\":\"{line}\"}}"))
        .collect();
    let quoted = |line: &str| format!("\"{}\"", line.replace(' ', "\",\""));
    let rows: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    let bare: Vec<String> = lines.iter().map(|line| line.replace(' ', ",")).collect();
    let header = ingest::DEFAULT.replace(' ', ",");
    vec![
        (
            "JSON page",
            format!("{{\"events\":[{}]}}", events.join(",")),
        ),
        ("JSON list", format!("[{}]", records.join(","))),
        ("JSON lines", records.join("\n") + "\n"),
        ("JSON lines of messages", events.join("\n") + "\n"),
        (
            "CSV",
            format!("{}\n{}\n", quoted(ingest::DEFAULT), rows.join("\n")),
        ),
        ("bare CSV", format!("{header}\n{}\n", bare.join("\n"))),
    ]
}

#[test]
fn damage_in_text_costs_the_records_that_it_lies_in() {
    for (name, content) in texts() {
        let (clean, intake) = rows(content.as_bytes());
        assert_eq!(
            (clean.len(), intake.malformed),
            (120, 0),
            "{name}: {:?}",
            intake.samples
        );
        // The key or the header that says what all of it is.
        let start = content.find(['\n', '[']).unwrap() + 1;
        let start = if name.starts_with("CSV") || name.starts_with("bare") || name.ends_with("page")
        {
            start
        } else {
            1
        };
        for seed in 0..200 {
            let (damaged, kind, at) = damage(&content.as_bytes()[start..], seed);
            let damaged = [&content.as_bytes()[..start], &damaged].concat();
            let (read, intake) = rows(&damaged);
            let case = format!(
                "{name}, {kind:?} at {}, seed {seed}: {:?}",
                start + at,
                intake.samples
            );
            let places = if kind == Kind::Swap { 2 } else { 1 };
            // A file that was cut in the last line's last word: what follows there can't be known.
            let new = read.difference(&clean).count();
            assert!(new <= places && (kind != Kind::Cut || new == 0), "{case}");
            let lost = clean.difference(&read).count();
            let most = match kind {
                Kind::Cut => 120,
                Kind::Swap => 6,
                _ => 3,
            };
            assert!(lost <= most, "{lost} lost: {case}");
        }
    }
}

/// Where the compressed bytes of Parquet's pages lie.
fn pages(file: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut pages = Vec::new();
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&file[at..], &[0x1f, 0x8b, 0x08]) {
        let begin = at + found;
        let mut decoder = flate2::bufread::GzDecoder::new(&file[begin..]);
        if decoder.read_to_end(&mut Vec::new()).is_ok() {
            let end = file.len() - decoder.into_inner().len();
            pages.push(begin + 10..end);
            at = end;
        } else {
            at = begin + 1;
        }
    }
    pages
}

#[test]
fn damaged_parquet_gives_rows_of_the_clean_file_only() {
    let lines: Vec<String> = (0..300).map(line).collect();
    let file = crate::parquet::of_lines(&lines, 100);
    let (clean, intake) = rows(&file);
    assert_eq!((clean.len(), intake.malformed), (300, 0));
    let pages = pages(&file);
    assert!(pages.len() >= 20);
    let (mut in_pages, mut kept) = (0, 0);
    for seed in 0..600 {
        let (damaged, kind, at) = damage(&file, seed);
        let (read, intake) = rows(&damaged);
        assert!(read.len() <= 300, "{kind:?} at {at}, seed {seed}");
        // What headers say has no checksum.
        if kind == Kind::Flip && pages.iter().any(|page| page.contains(&at)) {
            in_pages += 1;
            assert!(read.is_subset(&clean), "{kind:?} at {at}, seed {seed}");
            assert!(read == clean || intake.malformed > 0, "{kind:?} at {at}");
            kept += usize::from(!read.is_empty());
        }
    }
    assert!(
        in_pages > 20 && kept == in_pages,
        "other row groups are read: {in_pages}, {kept}"
    );
}

/// Through the program: a log with one wrong byte gives no connection, and the run says so.
#[test]
fn an_audit_of_a_damaged_log_has_no_connection_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("day-1.log.gz");
    let mut bytes = std::fs::read(sample().join("flows/custom/day-1.log.gz")).unwrap();
    let late = bytes.len() * 9 / 10;
    bytes[late] ^= 0x40;
    std::fs::write(&log, &bytes).unwrap();
    let good = sample().join("flows/custom/day-2.log.gz");
    let audit = |flows: &[&std::path::Path], out: &str| {
        let mut command = closegate();
        command.arg("audit").arg("--flows").args(flows);
        command.arg("--inventory").arg(sample().join("inventory"));
        command.arg("--out").arg(dir.path().join(out));
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), error)
    };
    let (code, error) = audit(&[&log], "alone");
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("this gzip file is damaged"), "{error}");
    assert_eq!(
        audit(&[&good, &log], "with").0,
        audit(&[&good], "without").0
    );
    let read = |out: &str, key: &str| {
        let text = std::fs::read(dir.path().join(out).join("audit.json")).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        json[key].take()
    };
    for key in ["connections", "rules", "revocations"] {
        assert_eq!(read("with", key), read("without", key), "{key}");
    }
    assert_eq!(read("with", "input")["records_malformed"], 1);

    // The same from standard input, and a store remembers it.
    let mut command = closegate();
    command.args(["audit", "--flows", "-", "--inventory"]);
    command.arg(sample().join("inventory"));
    command.arg("--out").arg(dir.path().join("stdin"));
    let done = command.write_stdin(bytes).assert().code(3);
    let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(error.contains("this gzip file is damaged"), "{error}");
    let mut command = closegate();
    command.arg("ingest").arg("--flows").args([&log, &good]);
    command.arg("--inventory").arg(sample().join("inventory"));
    command.arg("--store").arg(dir.path().join("store"));
    command.assert().success();
    let manifest = std::fs::read_to_string(dir.path().join("store/manifest.json")).unwrap();
    assert!(manifest.contains("this gzip file is damaged"), "{manifest}");
}
