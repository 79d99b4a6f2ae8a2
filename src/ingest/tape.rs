//! A reader that can be taken back.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write as _};

/// What is kept in memory; what exceeds it goes to a temporary file without a name.
const IN_MEMORY: usize = 64 << 20;

const CHUNK: usize = 64 << 10;

/// Keeps everything from a mark on. Positions count the bytes of the input from 0.
pub(super) struct Tape<R> {
    reader: R,
    /// Where the first byte that is kept was.
    base: u64,
    mark: u64,
    at: u64,
    /// The end of what was read so far.
    end: u64,
    /// What is kept, unless it is in the file.
    memory: Vec<u8>,
    file: Option<File>,
    /// A part of the file, and where it begins.
    window: (u64, Vec<u8>),
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("what is held in memory can be counted")
}

impl<R: Read> Tape<R> {
    /// `start` was read from the reader already.
    pub(super) const fn new(start: Vec<u8>, reader: R) -> Self {
        Self {
            reader,
            base: 0,
            mark: 0,
            at: 0,
            end: start.len() as u64,
            memory: start,
            file: None,
            window: (0, Vec::new()),
        }
    }

    pub(super) const fn position(&self) -> u64 {
        self.at
    }

    /// From now on [`Self::rewind`] comes back here.
    pub(super) const fn mark(&mut self) {
        self.mark = self.at;
    }

    pub(super) const fn rewind(&mut self) {
        self.at = self.mark;
    }

    /// The next bytes, as far as there are as many, without passing them.
    pub(super) fn peek<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let at = self.at;
        let mut bytes = [0; N];
        let result = self.read_exact(&mut bytes);
        self.at = at;
        match result {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a chunk behind what is kept.
    fn read_more(&mut self) -> io::Result<()> {
        self.forget()?;
        let mut chunk = vec![0; CHUNK];
        let count = loop {
            match self.reader.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        chunk.truncate(count);
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(self.end - self.base))?;
            file.write_all(&chunk)?;
            self.window = (self.end, chunk);
        } else {
            self.memory.extend_from_slice(&chunk);
            if self.memory.len() > IN_MEMORY {
                let mut file = tempfile::tempfile()?;
                file.write_all(&self.memory)?;
                self.memory = Vec::new();
                self.file = Some(file);
            }
        }
        self.end += count as u64;
        Ok(())
    }

    /// Lets go of what lies before the mark, where that is worth the copy of the rest.
    fn forget(&mut self) -> io::Result<()> {
        let rest = self.end - self.mark;
        if let Some(file) = &mut self.file {
            if rest <= CHUNK as u64 {
                file.seek(SeekFrom::Start(self.mark - self.base))?;
                self.memory.resize(index(rest), 0);
                file.read_exact(&mut self.memory)?;
                self.file = None;
                self.window = (0, Vec::new());
                self.base = self.mark;
            }
        } else if self.mark - self.base >= rest.max(CHUNK as u64) {
            self.memory.drain(..index(self.mark - self.base));
            self.base = self.mark;
        }
        Ok(())
    }
}

impl<R: Read> BufRead for Tape<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end {
            self.read_more()?;
        }
        let Some(file) = &mut self.file else {
            return Ok(&self.memory[index(self.at - self.base)..]);
        };
        let (from, window) = &mut self.window;
        let held = *from..*from + window.len() as u64;
        if !held.contains(&self.at) {
            let length = (self.end - self.at).min(CHUNK as u64);
            file.seek(SeekFrom::Start(self.at - self.base))?;
            window.resize(index(length), 0);
            file.read_exact(window)?;
            *from = self.at;
        }
        Ok(&window[index(self.at - *from)..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count as u64;
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
