//! What the readers of containers hand out.

use std::io;

use super::row::{self, BadLine};

/// What a container held.
pub(super) enum Item<'a> {
    /// A record with its fields apart.
    Record(Result<row::Line<'a>, BadLine>),
    /// A record as a line.
    Line(&'a [u8]),
    /// Something else, and what.
    Unreadable(String),
    /// Reading failed.
    Failed(io::Error),
}
