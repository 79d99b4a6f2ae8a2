//! Whole lines out of a reader, many at a time.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use super::damage::goes_on;
use super::row::LONGEST_LINE;

const CHUNK: usize = 1 << 20;

/// Reads blocks of lines; the last line needs no end.
///
/// Where reading fails, the line that is cut there is dropped, and so is the rest of the line behind the hole: put
/// together they might make a false record.
pub(super) struct Blocks<R> {
    reader: R,
    /// Which line is whole although it may lie behind a hole: a header.
    is_header: fn(&[u8]) -> bool,
    /// What was read behind the last block's last line.
    rest: Vec<u8>,
    /// What reading gave after that.
    failed: Option<io::Error>,
    /// The next line may lack its beginning.
    is_cut: bool,
    done: bool,
}

/// Some lines, or the place where one too long to hold was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Whole lines.
    Lines(Vec<u8>),
    /// One line that is longer than any record.
    TooLong,
}

impl<R: Read> Blocks<R> {
    pub(super) const fn new(reader: R, is_header: fn(&[u8]) -> bool) -> Self {
        Self {
            reader,
            is_header,
            rest: Vec::new(),
            failed: None,
            is_cut: false,
            done: false,
        }
    }

    /// The next block, or `None` at the end of the input. Lines that were read whole before an error come before it,
    /// and those behind a hole after it.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        loop {
            if let Some(error) = self.failed.take() {
                self.rest.clear();
                self.is_cut = goes_on(&error);
                self.done = !self.is_cut;
                return Err(error);
            }
            let mut block = std::mem::take(&mut self.rest);
            let mut searched = 0;
            loop {
                if let Some(end) = memrchr(b'\n', &block[searched..]) {
                    self.rest.extend_from_slice(&block[searched + end + 1..]);
                    block.truncate(searched + end + 1);
                    break;
                }
                if block.len() >= LONGEST_LINE {
                    self.skip_line();
                    self.is_cut = false;
                    return Ok(Some(Block::TooLong));
                }
                if self.failed.is_some() {
                    block.clear();
                    break;
                }
                if self.done {
                    break;
                }
                searched = block.len();
                self.fill(&mut block);
            }
            if std::mem::take(&mut self.is_cut) {
                self.drop_rest_of_line(&mut block);
            }
            if !block.is_empty() {
                return Ok(Some(Block::Lines(block)));
            }
            if self.done && self.failed.is_none() && self.rest.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Drops a first line that may lack its beginning.
    fn drop_rest_of_line(&self, block: &mut Vec<u8>) {
        let end = memchr(b'\n', block).map_or(block.len(), |end| end + 1);
        if !(self.is_header)(block[..end].trim_ascii_end()) {
            block.drain(..end);
        }
    }

    /// Reads a chunk behind what is there. What was read before an error stays in the block.
    fn fill(&mut self, block: &mut Vec<u8>) {
        let before = block.len();
        let mut chunk = self.reader.by_ref().take(CHUNK as u64);
        match chunk.read_to_end(block) {
            Ok(_) => self.done = block.len() - before < CHUNK,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Reads on to the end of a line without keeping it.
    fn skip_line(&mut self) {
        let mut chunk = Vec::new();
        while !self.done && self.failed.is_none() {
            chunk.clear();
            self.fill(&mut chunk);
            if let Some(end) = memchr(b'\n', &chunk) {
                self.rest.extend_from_slice(&chunk[end + 1..]);
                return;
            }
        }
    }
}
