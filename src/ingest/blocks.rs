//! Whole lines out of a reader, many at a time.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

/// No record comes near this; a longer line is passed over without being held.
const LONGEST_LINE: usize = 1 << 20;

const CHUNK: usize = 1 << 20;

/// Reads blocks of lines; a last line without an end is taken as it comes.
pub(super) struct Blocks<R> {
    reader: R,
    /// What was read behind the last block's last line.
    rest: Vec<u8>,
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
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            rest: Vec::new(),
            done: false,
        }
    }

    /// The next block, or `None` at the end of the input. After an error what was read
    /// before it is still there.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        let mut block = std::mem::take(&mut self.rest);
        let mut failed = None;
        while !self.done {
            let searched = block.len();
            if let Err(error) = self.fill(&mut block) {
                self.done = true;
                failed = Some(error);
            }
            if let Some(end) = memrchr(b'\n', &block[searched..]) {
                self.rest.extend_from_slice(&block[searched + end + 1..]);
                block.truncate(searched + end + 1);
                if let Some(error) = failed {
                    return self.put_back(block, error);
                }
                return Ok(Some(Block::Lines(block)));
            }
            if block.len() >= LONGEST_LINE {
                self.skip_line();
                return Ok(Some(Block::TooLong));
            }
        }
        match failed {
            Some(error) => self.put_back(block, error),
            None if block.is_empty() => Ok(None),
            None => Ok(Some(Block::Lines(block))),
        }
    }

    fn put_back(&mut self, mut block: Vec<u8>, error: io::Error) -> io::Result<Option<Block>> {
        block.append(&mut self.rest);
        self.rest = block;
        Err(error)
    }

    /// Reads a chunk behind what is there.
    fn fill(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        let before = block.len();
        let mut chunk = self.reader.by_ref().take(CHUNK as u64);
        // What was read before an error stays in the block.
        let result = chunk.read_to_end(block);
        self.done = result.is_ok() && block.len() - before < CHUNK;
        result.map(drop)
    }

    /// Reads on to the end of a line without keeping it.
    fn skip_line(&mut self) {
        let mut chunk = Vec::new();
        while !self.done {
            chunk.clear();
            self.done |= self.fill(&mut chunk).is_err();
            if let Some(end) = memchr(b'\n', &chunk) {
                self.rest.extend_from_slice(&chunk[end + 1..]);
                return;
            }
        }
    }
}
