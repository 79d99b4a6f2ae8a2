//! The fast path: plain lines of text into rows, many bytes at a time.
//!
//! [`Delimiters`] finds where values and lines end, sixty-four bytes in one step; [`fast_row`] then reads a line's
//! values, eight and sixteen bytes in one step. Whatever is unusual, it leaves to [`parse_line`](super::row::parse_line),
//! which decides every case. Nothing outside this folder knows about vectors of bytes.

mod delimiters;
mod rows;
mod values;

pub(super) use delimiters::Delimiters;
pub(super) use rows::{ColumnPositions, DefaultFormat, PreviousRow, fast_row};
pub(super) use values::{ShortLine, Text};
