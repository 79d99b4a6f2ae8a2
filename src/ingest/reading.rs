//! One source: what it is by its content, and its records out of whatever holds them.

use std::io::{Cursor, Read};
use std::mem;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memrchr};

use super::Sink;
use super::blocks::{Block, Blocks};
use super::container::{self, Content, Held, MEMBERS_AT_MOST, Peeked};
use super::format::{Format, FormatError};
use super::gaps::Gaps;
use super::read::{At, Task, Worker};
use super::row::{self, BadLine, LONGEST_LINE, parse_line};
use super::scan::DefaultFormat;
use super::words::Line;
use super::{csv_table, json, parquet};

/// A source while it is read.
pub(super) struct Reading<'w, 'a, S> {
    worker: &'w mut Worker<'a, S>,
    source: usize,
    share: Share,
    /// No later line of this content can be read either.
    hopeless: bool,
}

/// What goes along with lines that another worker reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    /// What samples call it: the source, and the file inside it.
    name: String,
    format: Option<Format>,
    /// The line that was read last, from 1.
    line: u64,
}

impl<'w, 'a, S: Sink> Reading<'w, 'a, S> {
    pub(super) fn new(worker: &'w mut Worker<'a, S>, source: usize) -> Self {
        let name = worker.work.sources[source].name.clone();
        Self {
            worker,
            source,
            share: Share {
                name,
                ..Share::default()
            },
            hopeless: false,
        }
    }

    /// Reads lines that somebody else came across.
    pub(super) fn resume(worker: &'w mut Worker<'a, S>, task: Task) {
        let mut reading = Self {
            worker,
            source: task.source,
            share: task.share,
            hopeless: false,
        };
        reading.lines(&task.lines);
    }

    /// Reads the whole source; `progress` is told of every byte before decompression.
    pub(super) fn source(mut self, progress: &(impl Fn(u64) + Sync)) {
        let source = &self.worker.work.sources[self.source];
        let bytes = std::cell::Cell::new(0);
        let counted = |count| {
            bytes.set(bytes.get() + count);
            progress(count);
        };
        match source.open(counted) {
            Ok(reader) => self.content(reader, 0),
            Err(error) => self.reject(error.to_string()),
        }
        self.worker.tally.bytes += bytes.get();
    }

    /// Reads content of any kind; `depth` is how many containers it came out of.
    fn content<'r>(&mut self, reader: Box<dyn Read + 'r>, depth: usize) {
        if depth > MEMBERS_AT_MOST {
            self.reject(format!(
                "containers inside containers, more than {MEMBERS_AT_MOST} deep"
            ));
            return;
        }
        let peeked = match Peeked::new(reader) {
            Ok(peeked) => peeked,
            Err(error) => {
                self.reject(error.to_string());
                return;
            }
        };
        match Content::of(peeked.start()) {
            Content::Gzip => self.gzip(peeked, depth),
            Content::Zstd => match zstd::Decoder::new(peeked.into_reader()) {
                Ok(decoder) => self.content(Box::new(decoder), depth + 1),
                Err(error) => self.reject(error.to_string()),
            },
            Content::Bzip2 => {
                let decoder = bzip2::read::MultiBzDecoder::new(peeked.into_reader());
                self.content(Box::new(decoder), depth + 1);
            }
            Content::Tar => self.tar(peeked.into_reader(), depth),
            Content::Zip => self.zip(peeked.into_reader(), depth),
            Content::Parquet => self.parquet(peeked.into_reader()),
            Content::Json { by_line } => self.json(peeked.into_reader(), by_line),
            Content::Csv => self.csv(peeked.into_reader()),
            Content::Text => self.text(peeked.into_reader()),
        }
    }

    /// Files of usual size are decompressed in one piece, which is twice as fast; what
    /// is larger, has several members or is damaged goes piece by piece.
    fn gzip(&mut self, peeked: Peeked<impl Read>, depth: usize) {
        let mut reader = peeked.into_reader();
        let mut compressed = mem::take(&mut self.worker.compressed);
        compressed.clear();
        // As much as a file has, instead of twice as much as was read so far, again and again.
        if depth == 0 {
            let size = self.worker.work.sources[self.source].size;
            let size = size.min(container::WHOLE_UP_TO);
            compressed.reserve_exact(usize::try_from(size).unwrap_or_default());
        }
        let held = (&mut reader)
            .take(container::WHOLE_UP_TO)
            .read_to_end(&mut compressed);
        if let Err(error) = held {
            self.reject(format!("the rest can't be read: {error}"));
        }
        if (compressed.len() as u64) < container::WHOLE_UP_TO {
            let mut held = mem::take(&mut self.worker.text);
            let text = container::gunzip_whole(&compressed, &mut held);
            let whole = text.is_some();
            if let Some(text) = text {
                if Content::of(text) == Content::Text {
                    self.held_text(text);
                } else {
                    self.content(Box::new(text), depth + 1);
                }
            }
            self.worker.text = held;
            if whole {
                self.worker.compressed = compressed;
                return;
            }
        }
        let decoder = MultiGzDecoder::new(Cursor::new(&compressed).chain(reader));
        self.content(Box::new(decoder), depth + 1);
        self.worker.compressed = compressed;
    }

    fn tar(&mut self, reader: impl Read, depth: usize) {
        let mut archive = tar::Archive::new(reader);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => {
                self.reject(error.to_string());
                return;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.header().entry_type().is_file() => {
                    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                    self.member(&name, Box::new(entry), depth);
                }
                Ok(_) => {}
                Err(error) => {
                    self.reject(format!("the rest can't be read: {error}"));
                    return;
                }
            }
        }
    }

    fn zip(&mut self, reader: impl Read, depth: usize) {
        let Some(bytes) = self.in_memory(reader) else {
            return;
        };
        let mut archive = match zip::ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                self.reject(error.to_string());
                return;
            }
        };
        for position in 0..archive.len() {
            match archive.by_index(position) {
                Ok(entry) if entry.is_file() => {
                    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
                    self.member(&name, Box::new(entry), depth);
                }
                Ok(_) => {}
                Err(error) => self.reject(error.to_string()),
            }
        }
    }

    /// One file of an archive: it has its own lines and may have its own format.
    fn member<'r>(&mut self, name: &str, reader: Box<dyn Read + 'r>, depth: usize) {
        let source = &self.worker.work.sources[self.source].name;
        let own = Share {
            name: format!("{source}/{name}"),
            ..Share::default()
        };
        let outer = mem::replace(&mut self.share, own);
        self.content(reader, depth + 1);
        self.share = outer;
        self.hopeless = false;
    }

    /// Everything, for what can only be read with its end at hand.
    fn in_memory(&mut self, reader: impl Read) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match reader
            .take(container::IN_MEMORY_UP_TO)
            .read_to_end(&mut bytes)
        {
            Ok(_) if (bytes.len() as u64) < container::IN_MEMORY_UP_TO => Some(bytes),
            Ok(_) => {
                self.reject(format!(
                    "larger than {} MiB, which this kind of file is read up to; split it",
                    container::IN_MEMORY_UP_TO >> 20
                ));
                None
            }
            Err(error) => {
                self.reject(error.to_string());
                None
            }
        }
    }

    fn parquet(&mut self, reader: impl Read) {
        let Some(bytes) = self.in_memory(reader) else {
            return;
        };
        let result = parquet::records(Bytes::from(bytes), |number, record| {
            self.share.line = number;
            match record {
                Ok(line) => self.worker.take(&line),
                Err(reason) => self.reject(reason.to_string()),
            }
        });
        match result {
            Ok(described) => self.describe(described),
            Err(reason) => {
                self.share.line = 0;
                self.reject(reason);
            }
        }
    }

    fn csv(&mut self, reader: impl Read) {
        self.describe("CSV".to_owned());
        let held = Held::default();
        csv_table::records(held.bounded(reader), |line, item| {
            held.let_go();
            self.share.line = line;
            self.item(item);
        });
    }

    fn json(&mut self, reader: impl Read, by_line: bool) {
        self.describe("JSON".to_owned());
        if !by_line {
            let held = Held::default();
            json::records(held.bounded(reader), |item| {
                held.let_go();
                self.share.line += 1;
                self.item(item);
            });
            return;
        }
        let mut blocks = Blocks::new(reader);
        loop {
            match blocks.next() {
                Ok(None) => return,
                Ok(Some(Block::TooLong)) => {
                    self.share.line += 1;
                    self.reject(BadLine::TooLong.to_string());
                }
                Ok(Some(Block::Lines(lines))) => {
                    for line in lines.split(|&byte| byte == b'\n') {
                        self.share.line += 1;
                        if !line.trim_ascii().is_empty() {
                            json::records(line, |item| self.item(item));
                        }
                    }
                    // The end of the last line begins no other.
                    self.share.line -= u64::from(lines.ends_with(b"\n"));
                }
                Err(error) => self.reject(format!("the rest can't be read: {error}")),
            }
        }
    }

    /// A record, a line that something else was wrapped around, or neither.
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Record(Ok(line)) => self.worker.take(&line),
            Item::Record(Err(reason)) => self.reject(reason.to_string()),
            Item::Line(line) => self.wrapped_line(line),
            Item::Unreadable(reason) => self.reject(reason),
        }
    }

    /// Text that is there as a whole, in pieces that others can help with.
    fn held_text(&mut self, text: &[u8]) {
        const PIECE: usize = 4 << 20;
        let mut rest = text;
        while !rest.is_empty() && !self.hopeless {
            let far = rest.get(PIECE..).and_then(|far| memchr(b'\n', far));
            let piece;
            (piece, rest) = rest.split_at(far.map_or(rest.len(), |end| PIECE + end + 1));
            self.lines_or_hand_out(piece);
        }
    }

    fn text(&mut self, reader: impl Read) {
        let mut blocks = Blocks::new(reader);
        loop {
            match blocks.next() {
                Ok(None) => return,
                Ok(Some(Block::TooLong)) => {
                    self.share.line += 1;
                    self.reject(BadLine::TooLong.to_string());
                }
                Ok(Some(Block::Lines(lines))) => {
                    self.lines_or_hand_out(&lines);
                    if self.hopeless {
                        return;
                    }
                }
                Err(error) => {
                    // What was decoded before the fault comes with the next block.
                    self.share.line += 1;
                    self.reject(format!("the rest can't be read: {error}"));
                    self.share.line -= 1;
                }
            }
        }
    }

    /// Gives lines away if somebody waits and they can be read without what comes
    /// before them: their format is known and no header is among them.
    fn lines_or_hand_out(&mut self, lines: &[u8]) {
        if self.share.format.is_some() && self.worker.work.somebody_waits() {
            let low = |at: usize| lines.get(at).is_some_and(u8::is_ascii_lowercase);
            let mut ends = memchr_iter(b'\n', lines);
            if !low(0) && !ends.any(|end| low(end + 1)) {
                let task = || Task {
                    source: self.source,
                    share: self.share.clone(),
                    lines: lines.to_vec(),
                };
                if self.worker.work.hand_out(task) {
                    self.share.line += memchr_iter(b'\n', lines).count() as u64;
                    return;
                }
            }
        }
        self.lines(lines);
    }

    /// Reads whole lines, some thousand bytes of them at a time, so that these are still in the
    /// processor's cache when their values are read.
    fn lines(&mut self, mut rest: &[u8]) {
        const AT_A_TIME: usize = 32 << 10;
        let mut gaps = mem::take(&mut self.worker.gaps);
        while !rest.is_empty() && !self.hopeless {
            let near = &rest[..rest.len().min(AT_A_TIME)];
            let some;
            if let Some(end) = memrchr(b'\n', near) {
                let all = rest;
                (some, rest) = rest.split_at(end + 1);
                if gaps.find(some) {
                    self.some_lines(all, &gaps);
                } else {
                    self.unusual_lines(some);
                }
            } else {
                // One line, and longer than any that is usual; or the last.
                let end = memchr(b'\n', rest);
                (some, rest) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                self.share.line += 1;
                self.line(some.strip_suffix(b"\n").unwrap_or(some));
            }
        }
        self.worker.gaps = gaps;
    }

    /// Most lines are usual records of a format that is known; `text` begins with them.
    fn some_lines(&mut self, text: &[u8], gaps: &Gaps) {
        let mut at = At::default();
        loop {
            match &self.share.format {
                Some(format) if format.is_default() => {
                    let line = |start, end| Line::of(text, start, end);
                    self.worker.usual_lines(&DefaultFormat, line, gaps, &mut at);
                }
                Some(format) => self
                    .worker
                    .usual_lines(format, |_, _| Some(text), gaps, &mut at),
                None => {}
            }
            self.share.line += mem::take(&mut at.read);
            let Some(&end) = gaps.lines().get(at.line) else {
                return;
            };
            self.share.line += 1;
            self.line(&text[at.start..end as usize]);
            if self.hopeless {
                return;
            }
            at.pass(gaps.behind(at.gap, end), end);
        }
    }

    /// Lines one by one.
    fn unusual_lines(&mut self, text: &[u8]) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            self.share.line += 1;
            self.line(line);
            if self.hopeless {
                return;
            }
        }
    }

    /// Reads a line without its end.
    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LONGEST_LINE {
            self.reject(BadLine::TooLong.to_string());
            return;
        }
        if let Some(format) = &self.share.format
            && !line.first().is_some_and(u8::is_ascii_lowercase)
            && let Ok(parsed) = parse_line(format, line)
        {
            self.worker.take(&parsed);
            return;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if let Err(error) = self.one_line(line) {
            // Without a format no later line can be read either.
            self.reject(error.to_string());
            self.hopeless = true;
        }
    }

    fn one_line(&mut self, line: &[u8]) -> Result<(), FormatError> {
        if Format::is_header(line) {
            let text = String::from_utf8_lossy(line);
            let format = Format::from_header(&text)?;
            self.describe(format.describe());
            self.share.format = Some(format);
            return Ok(());
        }
        if let Some(record) = container::behind_a_time(line) {
            self.wrapped_line(record);
            return Ok(());
        }
        if self.share.format.is_none() {
            if line.starts_with(TRANSIT_GATEWAY_ROW) {
                return Err(FormatError::TransitGateway);
            }
            let Some(format) = self.format_without_header(line) else {
                self.reject(NO_FORMAT.to_owned());
                return Ok(());
            };
            self.describe(format.describe());
            self.share.format = Some(format);
        }
        if let Some(format) = &self.share.format {
            match parse_line(format, line) {
                Ok(parsed) => self.worker.take(&parsed),
                Err(reason) => self.reject(reason.to_string()),
            }
        }
        Ok(())
    }

    /// A record that CloudWatch Logs or Firehose has wrapped: several flow logs may write
    /// to one stream, each in its own format (flow-logs-cwl.html), so a line that
    /// does not fit the last format is tried against the others.
    fn wrapped_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(CONTROL_MESSAGE) {
            return;
        }
        let failed = match self.share.format.as_ref().map(|f| parse_line(f, line)) {
            Some(Ok(parsed)) => {
                self.worker.take(&parsed);
                return;
            }
            Some(Err(reason)) => Some(reason),
            None => None,
        };
        let settings = self.worker.work.settings;
        let known = settings.known_formats.iter().map(|(_, format)| format);
        let candidates = settings.format.iter().chain(known);
        let found = candidates
            .cloned()
            .chain(is_default_v2(line).then(Format::default_v2))
            .find(|format| parse_line(format, line).is_ok());
        let Some(format) = found else {
            let reason = failed.map_or_else(|| NO_FORMAT.to_owned(), |reason| reason.to_string());
            self.reject(reason);
            return;
        };
        if let Ok(parsed) = parse_line(&format, line) {
            self.worker.take(&parsed);
        }
        self.describe(format.describe());
        self.share.format = Some(format);
    }

    /// What was asked for, else what the inventory says of this flow log, else
    /// the default format if the line can be nothing else.
    fn format_without_header(&self, line: &[u8]) -> Option<Format> {
        let settings = self.worker.work.settings;
        let known = &settings.known_formats;
        let by_id = self.worker.work.sources[self.source]
            .flow_log_id()
            .map(|id| known.iter().filter(move |(known, _)| known == id));
        let from_inventory = match by_id {
            Some(mut found) => found.next(),
            None if known.windows(2).all(|pair| pair[0].1 == pair[1].1) => known.first(),
            None => None,
        };
        settings
            .format
            .clone()
            .or_else(|| from_inventory.map(|(_, format)| format.clone()))
            .or_else(|| is_default_v2(line).then(Format::default_v2))
    }

    /// What the report calls the format; the last one of several.
    fn describe(&mut self, format: String) {
        self.worker.tally.format = format;
    }

    fn reject(&mut self, reason: String) {
        let Share { name, line, .. } = &self.share;
        self.worker.reject(name, *line, reason);
    }
}

/// What a container held.
pub(super) enum Item<'a> {
    /// A record with its fields apart.
    Record(Result<row::Line<'a>, BadLine>),
    /// A record as a line.
    Line(&'a [u8]),
    /// Something else, and what.
    Unreadable(String),
}

/// How a row of the default Transit Gateway format begins (tgw-flow-logs.html).
const TRANSIT_GATEWAY_ROW: &[u8] = b"6 TransitGateway";

/// What CloudWatch Logs sends to see whether anybody listens.
const CONTROL_MESSAGE: &[u8] = b"CWL CONTROL MESSAGE";

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
