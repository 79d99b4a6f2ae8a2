//! Stage 9: the files of a run.
//!
//! One format, one file, a pure function of the [`Audit`]. The shapes on disk are
//! types of their own, so that they can stay while the domain changes.

mod audit_json;
mod connection_table;
mod graph_files;
mod hcl;
mod json;
mod report_md;
mod rules_json;
mod schema;
mod shell;
mod targets;
mod terraform;

pub use connection_table::connection_table;
pub use schema::{SCHEMAS, schema};

use std::io::{self, BufWriter, Write};

use polars::prelude::PolarsError;
use rayon::prelude::*;

use crate::audit::Audit;
use json::json;

/// The version that every JSON file carries.
pub const SCHEMA_VERSION: u32 = 1;

/// What writes a file.
type Maker = fn(&Audit, &mut dyn Write) -> Result<(), EmitError>;

/// Every file of a run: path below the run's directory, and what writes it; the longest first.
const FILES: &[(&str, Maker)] = &[
    ("audit.json", |audit, to| {
        Ok(json(&audit_json::document(audit), to)?)
    }),
    ("connections.parquet", connection_table),
    ("graph.dot", |audit, to| {
        Ok(to.write_all(graph_files::dot(audit).as_bytes())?)
    }),
    ("graph.json", |audit, to| {
        Ok(json(&graph_files::document(audit), to)?)
    }),
    ("report.md", |audit, to| {
        Ok(to.write_all(report_md::render(audit).as_bytes())?)
    }),
    ("rules/apply.sh", |audit, to| {
        Ok(to.write_all(shell::apply(audit).as_bytes())?)
    }),
    ("rules/rollback.sh", |audit, to| {
        Ok(to.write_all(shell::rollback(audit).as_bytes())?)
    }),
    ("rules/mutual.tf", |audit, to| {
        let names = terraform::Names::new(audit);
        Ok(to.write_all(terraform::mutual(audit, &names).as_bytes())?)
    }),
    ("rules/other.tf", |audit, to| {
        let names = terraform::Names::new(audit);
        Ok(to.write_all(terraform::other(audit, &names).as_bytes())?)
    }),
    ("rules/rules.json", |audit, to| {
        Ok(json(&rules_json::document(audit), to)?)
    }),
];

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// Polars refused.
    #[error(
        "the connection table can't be written as Parquet: {0}; please report this with the audit.json of the run"
    )]
    Parquet(#[from] PolarsError),
    /// There is no room, or no permission.
    #[error("a file can't be written: {0}")]
    Io(#[from] io::Error),
}

/// Writes every file of a run; `create` is told its path below the run's directory.
pub fn write<W: Write>(
    audit: &Audit,
    create: impl Fn(&str) -> io::Result<W> + Sync,
) -> Result<(), EmitError> {
    const BUFFER: usize = 1 << 20;
    FILES.par_iter().try_for_each(|&(path, make)| {
        let mut file = BufWriter::with_capacity(BUFFER, create(path)?);
        make(audit, &mut file)?;
        Ok(file.flush()?)
    })
}

/// Every file of a run: path below the run's directory, and content.
pub fn files(audit: &Audit) -> Result<Vec<(&'static str, Vec<u8>)>, EmitError> {
    let content = |&(path, make): &(&'static str, Maker)| {
        let mut bytes = Vec::new();
        make(audit, &mut bytes).map(|()| (path, bytes))
    };
    FILES.par_iter().map(content).collect()
}

/// A length of time as people say it.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        (1, _) => format!("1 day {hours} h"),
        _ => format!("{days} days {hours} h"),
    }
}
