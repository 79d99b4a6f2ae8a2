//! Why a file of a run can't be written.

use std::io;

use polars::prelude::PolarsError;

use super::formats::RuleFormatError;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// Polars refused.
    #[error(
        "the connection table can't be written as Parquet: {0}; please report this with the audit.json of the run"
    )]
    Parquet(#[from] PolarsError),
    /// A table refused.
    #[error(transparent)]
    Table(#[from] RuleFormatError),
    /// There is no room, or no permission.
    #[error("a file can't be written: {0}")]
    Io(#[from] io::Error),
}
