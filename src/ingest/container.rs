//! What content is, told by its first bytes: file names lie, and get lost.

use std::cell::Cell;
use std::io::{self, Cursor, Read};

use super::fields;

/// How deep containers may lie in one another.
pub(super) const MEMBERS_AT_MOST: usize = 4;

/// Compressed files smaller than this are decompressed in one piece.
pub(super) const WHOLE_UP_TO: u64 = 64 << 20;

/// What has to be held in memory to be read may be this large: Parquet and zip have
/// their tables of contents at the end.
pub(super) const IN_MEMORY_UP_TO: u64 = 1 << 30;

/// What may lie between two records of a document.
const RECORD_UP_TO: u64 = 64 << 20;

/// Enough to see a tar header and the first line of most things.
const PEEK: usize = 16 << 10;

/// A reader whose first bytes are known.
pub(super) struct Peeked<R> {
    start: Vec<u8>,
    reader: R,
}

impl<R: Read> Peeked<R> {
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
        let mut start = Vec::with_capacity(PEEK);
        // A fault that comes this early may leave something to read all the same.
        match (&mut reader).take(PEEK as u64).read_to_end(&mut start) {
            Err(error) if start.is_empty() => Err(error),
            _ => Ok(Self { start, reader }),
        }
    }

    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    pub(super) fn into_reader(self) -> io::Chain<Cursor<Vec<u8>>, R> {
        Cursor::new(self.start).chain(self.reader)
    }
}

/// Bytes that were read since the last record, which a reader of documents may have to hold
/// all of.
#[derive(Default)]
pub(super) struct Held(Cell<u64>);

impl Held {
    /// The reader, as long as a record comes often enough.
    pub(super) fn bounded<'h>(&'h self, mut reader: impl Read + 'h) -> impl Read + 'h {
        ReadWith(move |buffer: &mut [u8]| {
            if self.0.get() > RECORD_UP_TO {
                let limit = RECORD_UP_TO >> 20;
                return Err(io::Error::other(format!("no record in {limit} MiB")));
            }
            let count = reader.read(buffer)?;
            self.0.set(self.0.get() + count as u64);
            Ok(count)
        })
    }

    /// A record came.
    pub(super) fn let_go(&self) {
        self.0.set(0);
    }
}

struct ReadWith<F>(F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for ReadWith<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)(buffer)
    }
}

/// What content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Gzip,
    Zstd,
    Bzip2,
    Tar,
    Zip,
    Parquet,
    Json {
        /// Every line is a document; else they follow one another anyhow.
        by_line: bool,
    },
    Csv,
    Text,
}

/// First bytes → container.
const MAGIC: &[(&[u8], Content)] = &[
    (&[0x1f, 0x8b], Content::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Content::Zstd),
    (b"BZh", Content::Bzip2),
    (b"PK\x03\x04", Content::Zip),
    (b"PK\x05\x06", Content::Zip),
    (b"PAR1", Content::Parquet),
];

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
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let text = text.trim_ascii_start();
        let (line, whole) = match memchr::memchr(b'\n', text) {
            Some(end) => (&text[..end], true),
            None => (text, false),
        };
        if matches!(text.first(), Some(b'{' | b'[')) {
            let document = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
            return Self::Json {
                by_line: whole && document,
            };
        }
        if is_csv_header(line) {
            Self::Csv
        } else {
            Self::Text
        }
    }
}

/// A line of names between commas, at least two of them of fields, or one of them the
/// message of CloudWatch Logs.
fn is_csv_header(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let names = || line.split(',').map(|name| name.trim().trim_matches('"'));
    let known = names()
        .filter(|name| fields::column(name).is_some() || fields::field(name).is_some())
        .count();
    names().count() > 1 && (known > 1 || names().any(|name| name == super::csv_table::MESSAGE))
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

/// Whether what could be another member's header stands anywhere: magic, deflate, no
/// flags but a name, a compression level and a system that exist. By chance that happens
/// once in a few million files, and then they are read the slower way.
fn has_several_members(compressed: &[u8]) -> bool {
    memchr::memmem::find_iter(compressed, &[0x1f, 0x8b, 0x08])
        .skip(1)
        .any(|at| {
            let header = compressed.get(at + 3..at + 10);
            header.is_some_and(|header| {
                matches!(header[0], 0 | 8)
                    && matches!(header[5], 0 | 2 | 4)
                    && matches!(header[6], 0..=13 | 255)
            })
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
