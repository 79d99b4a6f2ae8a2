//! Every JSON that closegate writes, in one of three layouts. What a terminal would obey or hide is written as `\u…`,
//! so that a parser reads the same text back and a terminal shows what is there.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::text::is_invisible;

/// Levels that [`rows`] indents: the document's keys, and the rows of its lists.
const ROWS: usize = 2;

/// What is written at a time: a file of many megabytes goes through a cache that holds this. A buffer of this
/// size behind another lets through what that one has gathered, without a copy.
pub(crate) const BUFFER: usize = 64 << 10;

/// Writes a file that people can read and `diff` can compare: the outer levels indented, and every row of a list on a
/// line of its own.
pub(crate) fn rows(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    // With a buffer of its own, a piece of text is a copy and not a virtual call.
    let mut to = BufWriter::with_capacity(BUFFER, to);
    value.serialize(&mut Serializer::with_formatter(&mut to, Layout::new(ROWS)))?;
    to.write_all(b"\n")?;
    to.flush()
}

/// A document with every level indented, and a line end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    text(value, usize::MAX) + "\n"
}

/// A document in one line, without a line end.
pub(crate) fn line(value: &impl Serialize) -> String {
    text(value, 0)
}

fn text(value: &impl Serialize, indented: usize) -> String {
    let mut bytes = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(
            &mut bytes,
            Layout::new(indented),
        ))
        .expect("keys are texts, and memory takes everything");
    String::from_utf8(bytes).expect("JSON of texts is text")
}

struct Layout {
    indented: usize,
    depth: usize,
    pretty: PrettyFormatter<'static>,
}

impl Layout {
    fn new(indented: usize) -> Self {
        Self {
            indented,
            depth: 0,
            pretty: PrettyFormatter::new(),
        }
    }
}

/// Hands every call to the one of two formatters that the depth asks for.
macro_rules! by_depth {
    ($($name:ident($($argument:ident: $kind:ty)?), $opens:literal, $closes:literal;)*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)?) -> io::Result<()> {
            self.depth += $opens;
            let result = if self.depth <= self.indented {
                self.pretty.$name(writer $(, $argument)?)
            } else {
                CompactFormatter.$name(writer $(, $argument)?)
            };
            self.depth -= $closes;
            result
        }
    )*};
}

impl Formatter for Layout {
    by_depth! {
        begin_array(), 1, 0;
        end_array(), 0, 1;
        begin_array_value(first: bool), 0, 0;
        end_array_value(), 0, 0;
        begin_object(), 1, 0;
        end_object(), 0, 1;
        begin_object_key(first: bool), 0, 0;
        begin_object_value(), 0, 0;
        end_object_value(), 0, 0;
    }

    /// Texts come without the controls that JSON forbids; `serde_json` has escaped those.
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly every text is plain ASCII, and the largest byte of one is found many bytes at a time.
        if fragment.bytes().fold(0, u8::max) < 0x7f {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((before, c)) = rest.char_indices().find(|&(_, c)| is_invisible(c)) {
            writer.write_all(&rest.as_bytes()[..before])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[before + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
