//! Reading sources in parallel and accounting for every line.

use rayon::prelude::*;

use super::Sink;
use super::format::{Format, FormatError};
use super::lines::{Found, Lines};
use super::row::{BadLine, Line, Row, parse_line};
use super::seen::Seen;
use super::source::Source;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--log-format`: for files without a header.
    pub format: Option<Format>,
    /// `LogFormat` by flow log id from the inventory: for files without a header.
    pub known_formats: Vec<(String, Format)>,
    /// Rows that end before this are outside the window; Unix seconds.
    pub since: Option<u64>,
    /// Rows that start at or after this are outside the window; Unix seconds.
    pub until: Option<u64>,
}

/// The account of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Distinct rows of traffic inside the window.
    pub rows: u64,
    /// NODATA rows.
    pub no_data: u64,
    /// SKIPDATA rows.
    pub skip_data: u64,
    /// Rows that were counted already.
    pub duplicates: u64,
    /// Rows outside the window.
    pub outside_window: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// By source, in name order.
    pub sources: Vec<SourceIntake>,
    /// The first few malformed lines.
    pub samples: Vec<MalformedSample>,
    /// Start of the first and end of the last row, Unix seconds.
    pub window: Option<(u64, u64)>,
}

/// One source's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceIntake {
    /// Its name.
    pub name: String,
    /// The format, or why there is none.
    pub format: String,
    /// Rows that parsed, duplicates included.
    pub records: u64,
    /// Lines that did not.
    pub malformed: u64,
}

/// A line that could not be read, or a source that could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedSample {
    /// The source.
    pub source: String,
    /// The line, from 1; 0 when the source as a whole could not be read.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Samples kept per source and in all.
const SAMPLES: usize = 20;

impl Intake {
    /// Distinct rows that parsed: what the report calls records read.
    pub fn records_read(&self) -> u64 {
        self.rows + self.no_data + self.skip_data
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.rows += other.rows;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.duplicates += other.duplicates;
        self.outside_window += other.outside_window;
        self.malformed += other.malformed;
        self.bytes += other.bytes;
        self.sources.append(&mut other.sources);
        self.samples.append(&mut other.samples);
        self.samples.truncate(SAMPLES);
        self.window = match (self.window, other.window) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self
    }
}

/// Reads all sources, as many at once as there are threads, each into a sink of
/// its own made by `sink`; `progress` is told of every chunk's size in bytes.
pub fn read<S: Sink>(
    sources: &[Source],
    settings: &Settings,
    sink: impl Fn() -> S + Sync,
    progress: impl Fn(u64) + Sync,
) -> (S, Intake) {
    let seen = may_overlap(sources).then(Seen::new);
    sources
        .par_iter()
        .map(|source| {
            let mut reading = Reading {
                source,
                settings,
                seen: seen.as_ref(),
                sink: sink(),
                intake: Intake::default(),
                format: None,
                line: 0,
                malformed: 0,
                records: 0,
            };
            reading.run(&progress);
            reading.finish()
        })
        .reduce(
            || (sink(), Intake::default()),
            |(sink_a, intake_a), (sink_b, intake_b)| {
                (sink_a.merge(sink_b), intake_a.merge(intake_b))
            },
        )
}

/// One flow log never delivers a row twice. So there is nothing to look for when
/// every source names the same flow log.
fn may_overlap(sources: &[Source]) -> bool {
    let mut ids = sources.iter().map(Source::flow_log_id);
    match ids.next() {
        Some(Some(first)) => ids.any(|id| id != Some(first)),
        _ => true,
    }
}

struct Reading<'a, S> {
    source: &'a Source,
    settings: &'a Settings,
    seen: Option<&'a Seen>,
    sink: S,
    intake: Intake,
    format: Option<Format>,
    line: u64,
    malformed: u64,
    records: u64,
}

impl<S: Sink> Reading<'_, S> {
    fn run(&mut self, progress: impl Fn(u64)) {
        let source = self.source;
        let bytes = std::cell::Cell::new(0);
        let counted = |count| {
            bytes.set(bytes.get() + count);
            progress(count);
        };
        match source.open(counted) {
            Ok(text) => self.lines(Lines::new(text)),
            Err(error) => self.reject(error.to_string()),
        }
        self.intake.bytes = bytes.get();
    }

    fn lines<R: std::io::Read>(&mut self, mut lines: Lines<R>) {
        loop {
            match lines.next() {
                Ok(None) => return,
                Ok(Some(found)) => {
                    self.line += 1;
                    let Found::Line(line) = found else {
                        self.reject(BadLine::TooLong.to_string());
                        continue;
                    };
                    if line.iter().all(u8::is_ascii_whitespace) {
                        continue;
                    }
                    if let Err(error) = self.one_line(line) {
                        // Without a format no later line can be read either.
                        self.reject(error.to_string());
                        return;
                    }
                }
                Err(error) => {
                    self.line += 1;
                    self.reject(format!("the rest can't be read: {error}"));
                    // What was decoded before the fault still counts.
                    if let Ok(Some(Found::Line(line))) = lines.next()
                        && let Some(format) = &self.format
                        && let Ok(parsed) = parse_line(format, line)
                    {
                        self.take(parsed);
                    }
                    return;
                }
            }
        }
    }

    fn one_line(&mut self, line: &[u8]) -> Result<(), FormatError> {
        if Format::is_header(line) {
            let text = String::from_utf8_lossy(line);
            self.format = Some(Format::from_header(&text)?);
            return Ok(());
        }
        let format = match self.format.take() {
            Some(format) => format,
            None if line.starts_with(TRANSIT_GATEWAY_ROW) => {
                return Err(FormatError::TransitGateway);
            }
            None => {
                if let Some(format) = self.format_without_header(line) {
                    format
                } else {
                    self.reject(NO_FORMAT.to_owned());
                    return Ok(());
                }
            }
        };
        match parse_line(&format, line) {
            Ok(parsed) => self.take(parsed),
            Err(reason) => self.reject(reason.to_string()),
        }
        self.format = Some(format);
        Ok(())
    }

    /// What was asked for, else what the inventory says of this flow log, else
    /// the default format if the line can be nothing else.
    fn format_without_header(&self, line: &[u8]) -> Option<Format> {
        let known = &self.settings.known_formats;
        let by_id = self
            .source
            .flow_log_id()
            .map(|id| known.iter().filter(move |(known, _)| known == id));
        let from_inventory = match by_id {
            Some(mut found) => found.next(),
            None if known.windows(2).all(|pair| pair[0].1 == pair[1].1) => known.first(),
            None => None,
        };
        self.settings
            .format
            .clone()
            .or_else(|| from_inventory.map(|(_, format)| format.clone()))
            .or_else(|| is_default_v2(line).then(Format::default_v2))
    }

    fn take(&mut self, line: Line<'_>) {
        self.records += 1;
        let (start, end) = match line {
            Line::Row(row) => (row.start, row.end),
            Line::NoData(i) | Line::SkipData(i) => (i.start, i.end),
        };
        if self.settings.since.is_some_and(|since| end < since)
            || self.settings.until.is_some_and(|until| start >= until)
        {
            self.intake.outside_window += 1;
            return;
        }
        match line {
            Line::Row(row) => {
                if let Some((packets, bytes)) = self.seen.and_then(|seen| seen.again(&row)) {
                    self.intake.duplicates += 1;
                    self.sink.again(&Row {
                        packets,
                        bytes,
                        ..row
                    });
                    return;
                }
                self.intake.rows += 1;
                self.sink.row(&row);
            }
            Line::NoData(interval) | Line::SkipData(interval) => {
                let skipped = matches!(line, Line::SkipData(_));
                if self
                    .seen
                    .is_some_and(|seen| seen.idle_again(interval, skipped))
                {
                    self.intake.duplicates += 1;
                    return;
                }
                if skipped {
                    self.intake.skip_data += 1;
                    self.sink.skip_data(interval);
                } else {
                    self.intake.no_data += 1;
                    self.sink.no_data(interval);
                }
            }
        }
        self.intake.window = Some(match self.intake.window {
            Some((a, b)) => (a.min(start), b.max(end)),
            None => (start, end),
        });
    }

    fn reject(&mut self, reason: String) {
        self.malformed += 1;
        if self.intake.samples.len() < SAMPLES {
            self.intake.samples.push(MalformedSample {
                source: self.source.name.clone(),
                line: self.line,
                reason,
            });
        }
    }

    fn finish(self) -> (S, Intake) {
        let mut intake = self.intake;
        intake.malformed = self.malformed;
        intake.sources.push(SourceIntake {
            name: self.source.name.clone(),
            format: self
                .format
                .map_or_else(|| "unreadable".to_owned(), |f| f.describe()),
            records: self.records,
            malformed: self.malformed,
        });
        (self.sink, intake)
    }
}

/// How a row of the default Transit Gateway format begins (tgw-flow-logs.html).
const TRANSIT_GATEWAY_ROW: &[u8] = b"6 TransitGateway";

const NO_FORMAT: &str = "no header and no known format; give --log-format, or add the output of `aws ec2 describe-flow-logs` to the inventory";

/// Whether a line can only be the default format: not by its number of values
/// alone, but because each of them is what that format has at its place.
fn is_default_v2(line: &[u8]) -> bool {
    let mut values = line
        .split(u8::is_ascii_whitespace)
        .filter(|v| !v.is_empty());
    let version = values.next() == Some(b"2");
    let account = values
        .next()
        .is_some_and(|a| a == b"unknown" || a == b"-" || a.iter().all(u8::is_ascii_digit));
    let interface = values
        .next()
        .is_some_and(|i| i == b"-" || i.starts_with(b"eni-"));
    version && account && interface && parse_line(&Format::default_v2(), line).is_ok()
}
