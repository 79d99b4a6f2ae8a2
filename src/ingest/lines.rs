//! Lines out of a reader: one reused buffer, a limit on how long a line may be.

use std::io::{self, Read};

use memchr::memchr;

/// No record comes near this; a longer line is passed over without being held.
const LONGEST_LINE: usize = 1 << 20;

const CHUNK: usize = 1 << 18;

/// Reads lines; CRLF and a last line without an end are taken as they come.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Inside a line that is too long: drop everything up to its end.
    skipping: bool,
    done: bool,
}

/// One line, or the place where one too long to hold was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Line(&'a [u8]),
    TooLong,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            skipping: false,
            done: false,
        }
    }

    /// The next line without its end, or `None` at the end of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        let mut searched = self.start;
        loop {
            if let Some(found) = memchr(b'\n', &self.buffer[searched..self.end]) {
                let line = self.start..searched + found;
                self.start = line.end + 1;
                if std::mem::take(&mut self.skipping) {
                    return Ok(Some(Found::TooLong));
                }
                return Ok(Some(Found::Line(without_cr(&self.buffer[line]))));
            }
            searched = self.end;
            if self.done {
                return Ok(self.last_line());
            }
            if self.end - self.start >= LONGEST_LINE {
                self.skipping = true;
                self.start = self.end;
            }
            searched -= self.start;
            self.fill()?;
        }
    }

    /// Moves what is left to the front and reads more behind it; the line that is
    /// being looked for then starts at 0.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.done = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // What was decoded stays readable: the error ends the input.
                    self.done = true;
                    return Err(error);
                }
            }
            return Ok(());
        }
    }

    fn last_line(&mut self) -> Option<Found<'_>> {
        let line = self.start..self.end;
        self.start = self.end;
        if std::mem::take(&mut self.skipping) {
            return Some(Found::TooLong);
        }
        let line = without_cr(&self.buffer[line]);
        (!line.is_empty()).then_some(Found::Line(line))
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
