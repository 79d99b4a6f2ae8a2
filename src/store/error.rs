//! Why a store cannot be used.

use std::io;
use std::path::PathBuf;

/// What is wrong with a file that the manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// Its content is not what closegate wrote.
    Damaged,
}

impl Fault {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
        }
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("store `{}`: {source}; name a directory that can be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A flow source could not be read again.
    #[error("flow source `{name}`: {source}; make it readable")]
    Source {
        /// The source.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A table can't be written as Parquet.
    #[error("the store's tables can't be written as Parquet: {0}; please report this")]
    Encode(String),
    /// A directory that closegate did not make.
    #[error("`{}` is not a store: it holds `{name}`, which closegate did not write there; name a new directory", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        name: String,
    },
    /// A manifest that closegate does not know, or a damaged one.
    #[error("`{}` is not a store, or its manifest.json is damaged: {what}; name another directory, or delete the store and run `closegate ingest` on all of its logs", dir.display())]
    StoreManifest {
        /// The store.
        dir: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file is missing, or its content is not what closegate wrote.
    #[error("`{}` is {}; delete the store `{}` and run `closegate ingest` on all of its logs", path.display(), fault.as_str(), dir.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
        /// The store.
        dir: PathBuf,
    },
    /// A file that closegate wrote does not fit the others.
    #[error("`{}` can't be used: {what}; delete the store `{}` and run `closegate ingest` on all of its logs", path.display(), dir.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The store.
        dir: PathBuf,
    },
    /// No manifest.
    #[error("`{}` is not a store; make one with `closegate ingest --store`", .0.display())]
    None(PathBuf),
    /// Another run writes to it.
    #[error("store `{}` is being written by another run; wait for it to end", .0.display())]
    Busy(PathBuf),
    /// A pipe or a device: it can't be read again to know its content.
    #[error(
        "flow source `{0}` is a pipe or a device, and a store remembers its sources by name and content; save it to a file first"
    )]
    NotAFile(String),
    /// A source that could not be fetched.
    #[error("flow source `{name}`: {reason}; run it again, what was read before is in the store")]
    Unfetched {
        /// The source.
        name: String,
        /// Why.
        reason: String,
    },
    /// A source that is not what it was.
    #[error(
        "flow source `{0}` was read before and has another size now; flow log files never change, so give it another name"
    )]
    Changed(String),
    /// Rows that several flow logs may have delivered.
    #[error(
        "flow source `{name}` comes too late: the store holds that time of other flow logs already, and rows that several of them delivered can't be told any more; make the store again from all files"
    )]
    Late {
        /// The source.
        name: String,
    },
    /// Two stores that overlap.
    #[error(
        "stores `{}` and `{}` both hold `{name}`, of different content; merge stores of different files", a.display(), b.display()
    )]
    Conflict {
        /// One store.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// A source of both.
        name: String,
    },
}
