//! Stage 2: flow records out of files.
//!
//! Sources in; every readable row handed to a [`Sink`], and an [`Intake`] that
//! accounts for every line: rows + NODATA + SKIPDATA + duplicates + malformed +
//! outside the window = data lines. Bad input is counted and sampled, never fatal.

mod blocks;
mod columns;
mod container;
mod csv_table;
mod damage;
mod elements;
mod fields;
mod format;
mod gaps;
mod json;
mod lines;
mod members;
mod numbers;
mod ocsf;
mod pages;
mod parquet;
mod read;
mod reading;
mod row;
mod scan;
mod seen;
mod source;
mod tape;
mod thrift;
mod utf16;
mod words;

pub use fields::{Column, DEFAULT, FIELDS, Field, field};
pub use format::{Format, FormatError};
pub use read::{Intake, MalformedSample, Settings, SourceIntake, read, read_until};
pub use row::{BadLine, Interval, Line, Row, Way, parse_line};
pub use source::{ObjectCopy, Remote, Source, find, flow_log_id, is_remote, slot, without_copies};

/// Where rows go. One sink per worker; what they make may not depend on which row went
/// to which.
pub trait Sink: Send {
    /// A row of traffic.
    fn row(&mut self, row: Row<'_>);
    /// A row that was counted already, from a flow log whose format may say more:
    /// its packets and bytes are what it has beyond the rows before it.
    fn again(&mut self, row: Row<'_>);
    /// An interval without traffic.
    fn no_data(&mut self, interval: Interval<'_>);
    /// An interval in which AWS dropped records.
    fn skip_data(&mut self, interval: Interval<'_>);
    /// The worker has read its last row.
    fn finish(self);
}

/// Why the sources as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No such file.
    #[error(
        "flow source `{0}` does not exist; name a file, a directory, a quoted glob, or - for standard input"
    )]
    NotFound(String),
    /// A glob without a match.
    #[error(
        "flow source `{0}` matches no file; check the pattern, and quote it so that the shell leaves it alone"
    )]
    NoMatch(String),
    /// A glob that is none.
    #[error(
        "flow source `{pattern}` is not a glob: {reason}; quote special characters with [brackets]"
    )]
    Pattern {
        /// What was typed.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory without files.
    #[error("flow source `{0}` is an empty directory; name the one that holds the log files")]
    EmptyDirectory(String),
    /// A directory that cannot be listed.
    #[error("flow source `{path}` can't be listed: {reason}; make it readable")]
    Directory {
        /// The directory.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A source in AWS.
    #[error(
        "flow source `{0}` is in AWS, and this program was built without the feature `aws`; build it with it, or copy the logs first, for example with `aws s3 sync`"
    )]
    Remote(String),
}
