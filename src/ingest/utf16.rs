//! UTF-16, which `PowerShell` writes by default, as UTF-8.

use std::io::{self, Read};

use super::damage::Damage;

/// Which byte of two is the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    LowFirst,
    HighFirst,
}

/// How many bytes have to look like UTF-16 without a mark to be taken for it: a few might by chance.
const UNMISTAKABLE: usize = 16;

impl ByteOrder {
    /// What the first bytes of content say. Without a mark: every second byte is zero, and the others are ASCII.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(&[0xff, 0xfe]) {
            return Some(Self::LowFirst);
        }
        if start.starts_with(&[0xfe, 0xff]) {
            return Some(Self::HighFirst);
        }
        let (pairs, _) = start.get(..UNMISTAKABLE)?.as_chunks::<2>();
        let all = |high: usize| {
            let text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
            pairs
                .iter()
                .all(|pair| pair[high] == 0 && text(pair[1 - high]))
        };
        match (all(1), all(0)) {
            (true, _) => Some(Self::LowFirst),
            (_, true) => Some(Self::HighFirst),
            _ => None,
        }
    }
}

/// The text in UTF-8, without its mark.
pub(super) struct Utf16<R> {
    reader: R,
    order: ByteOrder,
    /// Bytes that were read and not decoded: half a unit, or the first unit of two.
    raw: Vec<u8>,
    text: Vec<u8>,
    read: usize,
    /// Bytes that were decoded.
    at: u64,
    /// What reading gave behind the text.
    failed: Option<io::Error>,
    done: bool,
}

impl<R: Read> Utf16<R> {
    pub(super) const fn new(reader: R, order: ByteOrder) -> Self {
        Self {
            reader,
            order,
            raw: Vec::new(),
            text: Vec::new(),
            read: 0,
            at: 0,
            failed: None,
            done: false,
        }
    }

    fn decode(&mut self) -> io::Result<()> {
        const CHUNK: u64 = 64 << 10;
        if let Some(error) = self.failed.take() {
            // What lies behind a hole continues nothing.
            self.raw.clear();
            return Err(error);
        }
        let before = self.raw.len();
        let mut chunk = self.reader.by_ref().take(CHUNK);
        self.failed = chunk.read_to_end(&mut self.raw).err();
        self.done = self.failed.is_none() && self.raw.len() == before;
        let (pairs, half) = self.raw.as_chunks::<2>();
        let unit = |pair: &[u8; 2]| match self.order {
            ByteOrder::LowFirst => u16::from_le_bytes(*pair),
            ByteOrder::HighFirst => u16::from_be_bytes(*pair),
        };
        // The first of two units waits for the second.
        let waits = pairs
            .last()
            .is_some_and(|pair| !self.done && (0xd800..0xdc00).contains(&unit(pair)));
        let pairs = &pairs[..pairs.len() - usize::from(waits)];
        self.text.clear();
        self.read = 0;
        for decoded in char::decode_utf16(pairs.iter().map(unit)) {
            let decoded = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
            let is_mark = decoded == '\u{feff}' && self.at == 0 && self.text.is_empty();
            if !is_mark {
                let mut bytes = [0; 4];
                self.text
                    .extend_from_slice(decoded.encode_utf8(&mut bytes).as_bytes());
            }
        }
        let decoded = pairs.len() * 2;
        let is_cut = self.done && !half.is_empty();
        self.at += decoded as u64;
        self.raw.drain(..decoded);
        if is_cut {
            return Err(Damage {
                container: "UTF-16 text",
                reason: "it ends inside a character".to_owned(),
                from: self.at,
                to: None,
            }
            .into());
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.text.len() && !self.done && !buffer.is_empty() {
            self.decode()?;
        }
        let mut rest = &self.text[self.read..];
        let count = rest.read(buffer)?;
        self.read += count;
        Ok(count)
    }
}
