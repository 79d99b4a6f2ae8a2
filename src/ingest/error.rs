//! Why flow sources cannot be read.

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
