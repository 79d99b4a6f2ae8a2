//! Lines of text: records, headers, and what is wrapped around them.

use std::io::Read;
use std::mem;

use memchr::{memchr, memchr_iter, memrchr};

use super::blocks::{Block, Blocks};
use super::container::{self, BYTE_ORDER_MARK};
use super::format::{LogFormat, LogFormatError};
use super::reading::Reading;
use super::row::{BadLine, LONGEST_LINE, parse_line};
use super::simd::{DefaultFormat, Delimiters, ShortLine};
use super::sink::Sink;
use super::worker::{At, Task};

impl<S: Sink> Reading<'_, '_, S> {
    /// Text that is there as a whole, in pieces that others can help with.
    pub(super) fn held_text(&mut self, text: &[u8]) {
        const PIECE: usize = 4 << 20;
        let mut rest = text;
        while !rest.is_empty() && !self.hopeless {
            let far = rest.get(PIECE..).and_then(|far| memchr(b'\n', far));
            let piece;
            (piece, rest) = rest.split_at(far.map_or(rest.len(), |end| PIECE + end + 1));
            self.lines_or_hand_out(piece);
        }
    }

    pub(super) fn text(&mut self, reader: impl Read) {
        let mut blocks = Blocks::new(reader, is_whole_header);
        loop {
            match blocks.next() {
                Ok(None) => return,
                Ok(Some(Block::TooLong)) => {
                    self.context.line += 1;
                    self.reject(BadLine::TooLong.to_string());
                }
                Ok(Some(Block::Lines(lines))) => {
                    self.lines_or_hand_out(&lines);
                    if self.hopeless {
                        return;
                    }
                }
                Err(error) => self.reject_source(&error),
            }
        }
    }

    /// Hands lines to a worker that waits, if they can be read on their own: their format is known and no header is among
    /// them.
    fn lines_or_hand_out(&mut self, lines: &[u8]) {
        if self.context.format.is_some() && self.worker.work.somebody_waits() {
            let low = |at: usize| lines.get(at).is_some_and(u8::is_ascii_lowercase);
            let mut ends = memchr_iter(b'\n', lines);
            if !low(0) && !ends.any(|end| low(end + 1)) {
                let task = || Task {
                    source: self.source,
                    context: self.context.clone(),
                    lines: lines.to_vec(),
                };
                if self.worker.work.hand_out(task) {
                    self.context.line += memchr_iter(b'\n', lines).count() as u64;
                    return;
                }
            }
        }
        self.lines(lines);
    }

    /// Reads whole lines, some thousand bytes at a time, so that they are still in the L1 cache when their values are read.
    pub(super) fn lines(&mut self, mut rest: &[u8]) {
        const AT_A_TIME: usize = 32 << 10;
        let mut delimiters = mem::take(&mut self.worker.delimiters);
        while !rest.is_empty() && !self.hopeless {
            let near = &rest[..rest.len().min(AT_A_TIME)];
            let some;
            if let Some(end) = memrchr(b'\n', near) {
                let all = rest;
                (some, rest) = rest.split_at(end + 1);
                if delimiters.find(some) {
                    self.some_lines(all, &delimiters);
                } else {
                    self.slow_lines(some);
                }
            } else {
                // One line, and longer than any that is usual; or the last.
                let end = memchr(b'\n', rest);
                (some, rest) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                self.context.line += 1;
                self.line(some.strip_suffix(b"\n").unwrap_or(some));
            }
        }
        self.worker.delimiters = delimiters;
    }

    /// Reads lines whose delimiters are known: plain records on the fast path, others one by one. `text` begins with them.
    fn some_lines(&mut self, text: &[u8], delimiters: &Delimiters) {
        let mut at = At::default();
        loop {
            match &self.context.format {
                Some(format) if format.is_default() => {
                    let line = |start, end| ShortLine::of(text, start, end);
                    self.worker
                        .fast_lines(&DefaultFormat, line, delimiters, &mut at);
                }
                Some(format) => {
                    self.worker
                        .fast_lines(format, |_, _| Some(text), delimiters, &mut at);
                }
                None => {}
            }
            self.context.line += mem::take(&mut at.read);
            let Some(&end) = delimiters.lines().get(at.line) else {
                return;
            };
            self.context.line += 1;
            self.line(&text[at.start..end as usize]);
            if self.hopeless {
                return;
            }
            at.pass(delimiters.behind(at.value_end, end), end);
        }
    }

    /// The slow path: lines one by one.
    fn slow_lines(&mut self, text: &[u8]) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            self.context.line += 1;
            self.line(line);
            if self.hopeless {
                return;
            }
        }
    }

    /// Reads a line without its end.
    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Files that were put together have one each.
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        if line.len() > LONGEST_LINE {
            self.reject(BadLine::TooLong.to_string());
            return;
        }
        if let Some(format) = &self.context.format
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

    fn one_line(&mut self, line: &[u8]) -> Result<(), LogFormatError> {
        if LogFormat::is_header(line) {
            let text = String::from_utf8_lossy(line);
            let format = LogFormat::from_header(&text)?;
            self.describe(format.describe());
            self.context.format = Some(format);
            return Ok(());
        }
        if let Some(record) = container::behind_a_time(line) {
            self.wrapped_line(record);
            return Ok(());
        }
        if self.context.format.is_none() {
            if line.starts_with(TRANSIT_GATEWAY_ROW) || self.is_of_transit_gateway() {
                return Err(LogFormatError::TransitGateway);
            }
            let Some(format) = self.format_without_header(line) else {
                self.reject(NO_FORMAT.to_owned());
                return Ok(());
            };
            self.describe(format.describe());
            self.context.format = Some(format);
        }
        if let Some(format) = &self.context.format {
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
    pub(super) fn wrapped_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(CONTROL_MESSAGE) {
            return;
        }
        let failed = match self.context.format.as_ref().map(|f| parse_line(f, line)) {
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
            .chain(is_default_v2(line).then(LogFormat::default_v2))
            .find(|format| parse_line(format, line).is_ok());
        let Some(format) = found else {
            self.reject(match failed {
                _ if line.starts_with(TRANSIT_GATEWAY_ROW) => {
                    LogFormatError::TransitGateway.to_string()
                }
                Some(reason) => reason.to_string(),
                None => NO_FORMAT.to_owned(),
            });
            return;
        };
        if let Ok(parsed) = parse_line(&format, line) {
            self.worker.take(&parsed);
        }
        self.describe(format.describe());
        self.context.format = Some(format);
    }

    /// Whether the inventory says that the source is of a Transit Gateway's flow log.
    fn is_of_transit_gateway(&self) -> bool {
        let id = self.worker.work.sources[self.source].flow_log_id();
        let known = &self.worker.work.settings.transit_gateways;
        id.is_some_and(|id| known.iter().any(|known| known == id))
    }

    /// What was asked for, else what the inventory says of this flow log, else
    /// the default format if the line can be nothing else.
    fn format_without_header(&self, line: &[u8]) -> Option<LogFormat> {
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
            .or_else(|| is_default_v2(line).then(LogFormat::default_v2))
    }
}

/// Whether a line behind a hole is a header: no row looks so, and the end of one either lacks what connections need
/// or makes every row too long.
fn is_whole_header(line: &[u8]) -> bool {
    let text = std::str::from_utf8(line);
    LogFormat::is_header(line) && text.is_ok_and(|text| LogFormat::from_header(text).is_ok())
}

/// How a row of the default Transit Gateway format begins (tgw-flow-logs.html).
const TRANSIT_GATEWAY_ROW: &[u8] = b"6 TransitGateway";

/// What CloudWatch Logs sends to test a subscription.
const CONTROL_MESSAGE: &[u8] = b"CWL CONTROL MESSAGE";

/// The reason of a [`MalformedSample`](super::MalformedSample) where nothing says which columns a line has.
pub const NO_FORMAT: &str = "no header and no known format; give --log-format, or add the output of `aws ec2 describe-flow-logs` to the inventory";

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
    version && account && interface && parse_line(&LogFormat::default_v2(), line).is_ok()
}
