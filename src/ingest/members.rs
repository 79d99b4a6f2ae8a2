//! The text of compressed files, of those members alone that verify.
//!
//! A member of gzip, a stream of bzip2 and a frame of zstd say at their end whether their text is what was
//! compressed. So a member is decompressed to its end before any reader gets a byte of it. Its text is held up to
//! [`TEXT`]; a longer one is decompressed twice, the second time as it is read. For that [`Tape`] keeps its
//! compressed bytes, in memory up to as much again and in a temporary file beyond.

use std::io::{self, BufRead as _, Read};
use std::mem;

use memchr::memchr;

use super::damage::{Damage, guarded, why};
use super::tape::Tape;

/// The text that is held of a member.
const TEXT: usize = 64 << 20;

const PIECE: usize = 64 << 10;

/// What may be spent on what looks like a member behind damage and is none, in bytes read and made: beyond
/// it, nothing is looked for, so that a hostile file can't cost the square of its size.
const SEARCH: u64 = 1 << 30;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Bzip2,
    Zstd,
}

impl Compression {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip file",
            Self::Bzip2 => "bzip2 file",
            Self::Zstd => "zstd file",
        }
    }

    const fn first_byte(self) -> u8 {
        match self {
            Self::Gzip => 0x1f,
            Self::Bzip2 => b'B',
            Self::Zstd => 0x28,
        }
    }

    /// Whether a member could begin so.
    const fn begins(self, start: [u8; 10]) -> bool {
        match self {
            Self::Gzip => is_gzip_header(start),
            Self::Bzip2 => {
                matches!(
                    start,
                    [
                        b'B',
                        b'Z',
                        b'h',
                        b'1'..=b'9',
                        0x31,
                        0x41,
                        0x59,
                        0x26,
                        0x53,
                        0x59
                    ]
                )
            }
            Self::Zstd => matches!(start, [0x28, 0xb5, 0x2f, 0xfd, ..]),
        }
    }
}

/// Magic, deflate, no reserved flag, a compression level and a system that exist (RFC 1952).
pub(super) const fn is_gzip_header(start: [u8; 10]) -> bool {
    matches!(
        start,
        [0x1f, 0x8b, 8, 0..=0x1f, _, _, _, _, 0 | 2 | 4, 0..=13 | 255]
    )
}

/// The text of the members that verify. Where some don't, reading it gives [`Damage`] once, and goes on behind it.
pub(super) struct Members<R> {
    compression: Compression,
    state: State<R>,
    /// Begins with the text of a member.
    text: Vec<u8>,
    /// How long that is, and how much of it was read.
    held: usize,
    read: usize,
    /// What was spent on members that did not verify.
    spent: u64,
}

enum State<R> {
    /// Before a member, or at the end.
    Between(Tape<R>),
    /// In a member that verified and is too long to be held.
    Again(Decoder<R>),
    Done,
}

impl<R: Read> Members<R> {
    pub(super) const fn new(compression: Compression, tape: Tape<R>) -> Self {
        Self {
            compression,
            state: State::Between(tape),
            text: Vec::new(),
            held: 0,
            read: 0,
            spent: 0,
        }
    }

    /// Gets the next member that verifies ready to be read. Damage before it is an error.
    fn next(&mut self, mut tape: Tape<R>) -> io::Result<()> {
        tape.mark();
        let from = tape.position();
        let (reason, pass) = match tape.fill_buf().map(<[u8]>::is_empty) {
            Ok(true) => return Ok(()),
            Ok(false) => match self.member(tape) {
                Ok(()) => return Ok(()),
                Err((failed, reason)) => {
                    tape = failed;
                    (reason, 1)
                }
            },
            Err(error) => (why(&error), 0),
        };
        let mut damage = Damage {
            container: self.compression.name(),
            reason,
            from,
            to: None,
        };
        if from > 0 && is_padding(&mut tape) {
            return Ok(());
        }
        tape.rewind();
        tape.consume(pass);
        while self.spent <= SEARCH && matches!(self.find(&mut tape), Ok(true)) {
            tape.mark();
            let to = tape.position();
            match self.member(tape) {
                Ok(()) => {
                    damage.to = Some(to);
                    break;
                }
                Err((failed, _)) => {
                    tape = failed;
                    tape.consume(1);
                }
            }
        }
        Err(damage.into())
    }

    /// Verifies the member that begins here; or else goes back to its beginning, and says what is wrong.
    fn member(&mut self, tape: Tape<R>) -> Result<(), (Tape<R>, String)> {
        let from = tape.position();
        let mut decoder =
            Decoder::new(self.compression, tape).map_err(|(tape, error)| (tape, why(&error)))?;
        (self.held, self.read) = (0, 0);
        let mut length = 0;
        let result = loop {
            if self.held > TEXT {
                self.held = 0;
            }
            let end = self.held + PIECE;
            if self.text.len() < end {
                self.text.resize(end, 0);
            }
            let piece = &mut self.text[self.held..end];
            let result = guarded(|| decoder.read(piece));
            let count = *result.as_ref().unwrap_or(&0);
            self.held += count;
            length += count as u64;
            if count == 0 {
                break result;
            }
        };
        let mut tape = decoder.into_tape();
        if let Err(error) = result {
            self.held = 0;
            self.spent += length + (tape.position() - from);
            tape.rewind();
            return Err((tape, why(&error)));
        }
        self.state = if length > TEXT as u64 {
            self.held = 0;
            tape.rewind();
            State::Again(
                Decoder::new(self.compression, tape)
                    .map_err(|(tape, error)| (tape, why(&error)))?,
            )
        } else {
            State::Between(tape)
        };
        Ok(())
    }

    /// Goes on to what could be the beginning of a member; says whether there is one.
    fn find(&self, tape: &mut Tape<R>) -> io::Result<bool> {
        loop {
            let chunk = tape.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let Some(at) = memchr(self.compression.first_byte(), chunk) else {
                let all = chunk.len();
                tape.consume(all);
                continue;
            };
            tape.consume(at);
            match tape.peek()? {
                Some(start) if self.compression.begins(start) => return Ok(true),
                Some(_) => tape.consume(1),
                None => return Ok(false),
            }
        }
    }
}

/// Whether nothing but zeros follows, as tapes and downloads in blocks leave them; gzip passes over them too.
fn is_padding(tape: &mut Tape<impl Read>) -> bool {
    loop {
        match tape.fill_buf() {
            Ok([]) => return true,
            Ok(chunk) if chunk.iter().all(|&byte| byte == 0) => {
                let all = chunk.len();
                tape.consume(all);
            }
            _ => return false,
        }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let mut rest = &self.text[self.read..self.held];
            let count = rest.read(buffer)?;
            if count > 0 {
                self.read += count;
                return Ok(count);
            }
            match mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Between(tape) => self.next(tape)?,
                State::Again(mut decoder) => match guarded(|| decoder.read(buffer))? {
                    0 => self.state = State::Between(decoder.into_tape()),
                    count => {
                        self.state = State::Again(decoder);
                        return Ok(count);
                    }
                },
            }
        }
    }
}

/// Decompresses one member, and gives the end of its text only if it verifies.
enum Decoder<R> {
    Gzip(Box<flate2::bufread::GzDecoder<Tape<R>>>),
    Bzip2(bzip2::bufread::BzDecoder<Tape<R>>),
    Zstd(zstd::Decoder<'static, Tape<R>>),
}

impl<R: Read> Decoder<R> {
    fn new(compression: Compression, tape: Tape<R>) -> Result<Self, (Tape<R>, io::Error)> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(flate2::bufread::GzDecoder::new(tape))),
            Compression::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(tape)),
            Compression::Zstd => Self::Zstd(zstd::Decoder::try_with_buffer(tape)?.single_frame()),
        })
    }

    fn into_tape(self) -> Tape<R> {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => match decoder.read(buffer)? {
                // The checksum comes behind the last of the text.
                0 => decoder.finish_frame().map(|()| 0),
                count => Ok(count),
            },
        }
    }
}
