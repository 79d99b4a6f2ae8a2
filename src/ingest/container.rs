//! What content is, told by its first bytes: file names lie, and get lost.

use std::io::{self, Cursor, Read};

use super::damage::goes_on;
use super::fields;
use super::members::{Compression, is_gzip_header};
use super::utf16::ByteOrder;

/// How deep containers may lie in one another.
pub(super) const MEMBERS_AT_MOST: usize = 4;

/// Compressed files smaller than this are decompressed in one piece.
pub(super) const WHOLE_UP_TO: u64 = 64 << 20;

/// What has to be held in memory to be read may be this large: Parquet and zip have
/// their tables of contents at the end.
pub(super) const IN_MEMORY_UP_TO: u64 = 1 << 30;

/// Enough to see a tar header and the first line of most things.
const PEEK: usize = 16 << 10;

/// A reader whose first bytes are known.
pub(super) struct Peeked<R> {
    /// What reading gave before them, and behind them.
    before: Option<io::Error>,
    start: Vec<u8>,
    behind: Option<io::Error>,
    reader: R,
}

impl<R: Read> Peeked<R> {
    pub(super) fn new(mut reader: R) -> Self {
        let mut start = Vec::with_capacity(PEEK);
        let mut peek = |start: &mut Vec<u8>| {
            let mut first = (&mut reader).take(PEEK as u64);
            first.read_to_end(start).err()
        };
        let (mut before, mut behind) = (None, peek(&mut start));
        if start.is_empty() && behind.is_some() {
            before = behind.take();
            if before.as_ref().is_some_and(goes_on) {
                behind = peek(&mut start);
            }
        }
        Self {
            before,
            start,
            behind,
            reader,
        }
    }

    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// All of it.
    pub(super) fn into_reader(self) -> impl Read {
        let start = FailingFirst {
            failed: self.before,
            reader: Cursor::new(self.start),
        };
        start.chain(FailingFirst {
            failed: self.behind,
            reader: self.reader,
        })
    }

    /// The same without what some programs put before text.
    pub(super) fn into_text(mut self) -> impl Read {
        if self.start.starts_with(BYTE_ORDER_MARK) {
            self.start.drain(..BYTE_ORDER_MARK.len());
        }
        self.into_reader()
    }
}

/// A reader that begins with an error, if there is one.
pub(super) struct FailingFirst<R> {
    pub(super) failed: Option<io::Error>,
    pub(super) reader: R,
}

impl<R: Read> Read for FailingFirst<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.reader.read(buffer),
        }
    }
}

/// What content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Compressed(Compression),
    Tar,
    Zip,
    Parquet,
    Utf16(ByteOrder),
    Json,
    Csv,
    Text,
}

/// First bytes → container.
const MAGIC: &[(&[u8], Content)] = &[
    (&[0x1f, 0x8b], Content::Compressed(Compression::Gzip)),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        Content::Compressed(Compression::Zstd),
    ),
    (b"BZh", Content::Compressed(Compression::Bzip2)),
    (b"PK\x03\x04", Content::Zip),
    (b"PK\x05\x06", Content::Zip),
    (b"PAR1", Content::Parquet),
];

/// What some programs put before text in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a tar header says that it is one.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

impl Content {
    pub(super) fn of(start: &[u8]) -> Self {
        if let Some((_, found)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            return *found;
        }
        let (offset, magic) = TAR_MAGIC;
        if start.get(offset..).is_some_and(|at| at.starts_with(magic)) {
            return Self::Tar;
        }
        if let Some(order) = ByteOrder::of(start) {
            return Self::Utf16(order);
        }
        let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
        let text = text.trim_ascii_start();
        if matches!(text.first(), Some(b'{' | b'[')) {
            return Self::Json;
        }
        let line = memchr::memchr(b'\n', text).map_or(text, |end| &text[..end]);
        if is_csv_header(line) {
            Self::Csv
        } else {
            Self::Text
        }
    }
}

/// A line of names between commas, at least two of them of fields, or one of them the
/// message of CloudWatch Logs.
pub(super) fn is_csv_header(line: &[u8]) -> bool {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let names = || line.split(',').map(|name| name.trim().trim_matches('"'));
    let known = names()
        .filter(|name| fields::column(name).is_some() || fields::field(name).is_some())
        .count();
    names().count() > 1 && (known > 1 || names().any(|name| name == fields::MESSAGE))
}

/// The text of a gzip file, if it is whole, of one member, and not too large.
///
/// libdeflate does 1.75 times as much as zlib-rs on such files (`benches/README.md`), but needs
/// to know how large the text will be. The last four bytes say so, modulo 2³²
/// (RFC 1952), of the last member. `text` is where it goes, and may be used again.
pub(super) fn gunzip_whole<'t>(compressed: &[u8], text: &'t mut Vec<u8>) -> Option<&'t [u8]> {
    /// Deflate says at most 258 bytes in two bits, so no text is larger than this many times what it was made to.
    const AT_MOST: u64 = 1032;
    let size = u32::from_le_bytes(*compressed.last_chunk()?);
    let is_possible = u64::from(size) <= WHOLE_UP_TO.min(compressed.len() as u64 * AT_MOST);
    if !is_possible || has_several_members(compressed) {
        return None;
    }
    let size = size as usize;
    if text.len() < size {
        text.resize(size, 0);
    }
    let text = &mut text[..size];
    let mut decompressor = libdeflater::Decompressor::new();
    match decompressor.gzip_decompress(compressed, text) {
        Ok(length) if length == text.len() => Some(text),
        _ => None,
    }
}

/// Whether what could be another member's header stands anywhere. By chance that happens
/// once in a few hundred thousand files, and then they are read the slower way.
fn has_several_members(compressed: &[u8]) -> bool {
    memchr::memmem::find_iter(compressed, &[0x1f, 0x8b, 0x08])
        .skip(1)
        .any(|at| {
            compressed[at..]
                .first_chunk()
                .is_some_and(|&start| is_gzip_header(start))
        })
}

/// The record behind the time that an export of CloudWatch Logs puts in front of it:
/// `2025-02-25T12:25:04.000Z 2 …` (`API_CreateExportTask.html`).
pub(super) fn behind_a_time(line: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', line)?;
    let time = &line[..end];
    let date = time.len() >= 20
        && time[4] == b'-'
        && time[7] == b'-'
        && time[10] == b'T'
        && time.ends_with(b"Z");
    date.then(|| &line[end + 1..])
}
