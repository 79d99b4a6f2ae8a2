//! JSON as a person can read it, `diff` can compare it, and a disk can hold it: the outer
//! levels indented, and every row of a list on a line of its own.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Levels that are indented: the document's keys, and the rows of its lists.
const INDENTED: usize = 2;

/// What is written at a time: a file of many megabytes goes through a cache that holds this. A buffer of this
/// size behind another lets through what that one has gathered, without a copy.
pub(super) const BUFFER: usize = 64 << 10;

/// Writes a file.
pub(super) fn json(value: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    // Of its own, for then a piece of text is a copy, and no call to somebody who is only known at run time.
    let mut to = BufWriter::with_capacity(BUFFER, to);
    let formatter = Rows {
        pretty: PrettyFormatter::new(),
        depth: 0,
    };
    value.serialize(&mut Serializer::with_formatter(&mut to, formatter))?;
    to.write_all(b"\n")?;
    to.flush()
}

struct Rows {
    pretty: PrettyFormatter<'static>,
    depth: usize,
}

/// Hands every call to the one of two formatters that the depth asks for.
macro_rules! by_depth {
    ($($name:ident($($argument:ident: $kind:ty)?), $opens:literal, $closes:literal;)*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)?) -> io::Result<()> {
            self.depth += $opens;
            let result = if self.depth <= INDENTED {
                self.pretty.$name(writer $(, $argument)?)
            } else {
                CompactFormatter.$name(writer $(, $argument)?)
            };
            self.depth -= $closes;
            result
        }
    )*};
}

impl Formatter for Rows {
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
}
