//! Whether the headers of a Parquet file take no longer to read than they are long.
//!
//! The library passes over fields that it doesn't know, and over collections in them element
//! by element, also where an element takes no byte: there six bytes that claim 2^31 truth values
//! take it seconds, and so does what lies behind the end of the file. Fuzzing found it. So
//! every header is walked here before the library gets it. The compact protocol is described in
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// A file whose headers are walked before they are read.
pub(super) struct Walked(pub(super) Bytes);

/// What a Parquet file ends with: the length of the footer before it, and `PAR1`.
const TRAILER: u64 = 8;

impl Length for Walked {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ChunkReader for Walked {
    type T = <Bytes as ChunkReader>::T;

    /// From here pages' headers are read, and the trailer.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let reader = self.0.get_read(start)?;
        if start + TRAILER != self.len() {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            walk(self.0.get(start..).unwrap_or_default())?;
        }
        Ok(reader)
    }

    /// From here pages are read, and the footer before the trailer.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.0.get_bytes(start, length)?;
        if start + length as u64 + TRAILER == self.len() {
            walk(&bytes)?;
        }
        Ok(bytes)
    }
}

fn walk(bytes: &[u8]) -> Result<(), ParquetError> {
    let mut walk = Walk { rest: bytes };
    walk.structure(DEEPEST)
        .ok_or_else(|| ParquetError::General("a header is damaged".to_owned()))
}

/// As deep as the library goes.
const DEEPEST: usize = 64;

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    /// `None` if it does not end where the bytes do, at the latest.
    fn structure(&mut self, depth: usize) -> Option<()> {
        loop {
            let head = self.byte()?;
            let (delta, kind) = (head >> 4, head & 15);
            if kind == 0 {
                return Some(());
            }
            if delta == 0 {
                self.number()?;
            }
            // A truth value is in the head of its field.
            if kind > 2 {
                self.value(kind, depth)?;
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            3 => self.pass(1),
            4..=6 => self.number().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.number()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let length = match head >> 4 {
                    15 => self.number()?,
                    few => u64::from(few),
                };
                self.elements(length, [head & 15], depth)
            }
            11 => {
                let length = self.number()?;
                if length == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                self.elements(length, [kinds >> 4, kinds & 15], depth)
            }
            12 => self.structure(depth),
            13 => self.pass(16),
            _ => None,
        }
    }

    /// Each takes a byte at least, so there are no more than there are bytes. Truth values,
    /// which take none in the library's eyes, are in no header of Parquet.
    fn elements<const N: usize>(
        &mut self,
        length: u64,
        kinds: [u8; N],
        depth: usize,
    ) -> Option<()> {
        for _ in 0..length {
            for kind in kinds {
                if kind <= 2 {
                    return None;
                }
                self.value(kind, depth)?;
            }
        }
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn pass(&mut self, length: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::walk;

    /// Fields of kinds that no record has, claiming what is not there.
    #[test]
    fn claims_are_not_believed() {
        const MANY: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
        let header = |field: &[u8]| [&[0x15, 0x02], field, &[0]].concat();
        assert!(walk(&header(&[])).is_ok(), "a number");
        assert!(walk(&header(&[0x19, 0x25, 2, 4])).is_ok(), "two of them");
        for (what, field) in [
            ("truth values", [&[0x19, 0xf1], &MANY[..]].concat()),
            (
                "structures without fields",
                [&[0x19, 0xfc], &MANY[..]].concat(),
            ),
            ("numbers", [&[0x19, 0xf7], &MANY[..]].concat()),
            ("entries of truth", [&[0x1b], &MANY[..], &[0x11]].concat()),
            ("text", [&[0x18], &MANY[..]].concat()),
            (
                "a list in a list",
                [&[0x19, 0xf9], &MANY[..], &[0x09; 90]].concat(),
            ),
        ] {
            assert!(walk(&header(&field)).is_err(), "{what}");
        }
        assert!(walk(&[0x1c; 1000]).is_err(), "structures in structures");
    }

    proptest! {
        /// Whatever it is, it ends; the last byte decides nothing that lies before it.
        #[test]
        fn every_walk_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if walk(&bytes).is_ok() {
                prop_assert!(walk(&[&bytes[..], &[0xff]].concat()).is_ok());
            }
        }
    }
}
