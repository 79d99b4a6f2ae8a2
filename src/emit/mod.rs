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
mod targets;
mod terraform;

pub use connection_table::{EmitError, connection_table};
pub use schema::{SCHEMAS, schema};

use rayon::prelude::*;

use crate::audit::Audit;
use json::json;

/// The version that every JSON file carries.
pub const SCHEMA_VERSION: u32 = 1;

/// What makes a file.
type Maker = fn(&Audit) -> Result<Vec<u8>, EmitError>;

/// Every file of a run: path below the run's directory, and how it is made.
const FILES: &[(&str, Maker)] = &[
    ("audit.json", |audit| Ok(json(&audit_json::document(audit)))),
    ("connections.parquet", connection_table),
    (
        "graph.dot",
        |audit| Ok(graph_files::dot(audit).into_bytes()),
    ),
    ("graph.json", |audit| {
        Ok(json(&graph_files::document(audit)))
    }),
    ("report.md", |audit| {
        Ok(report_md::render(audit).into_bytes())
    }),
    ("rules/mutual.tf", |audit| {
        let names = terraform::Names::new(audit);
        Ok(terraform::mutual(audit, &names).into_bytes())
    }),
    ("rules/other.tf", |audit| {
        let names = terraform::Names::new(audit);
        Ok(terraform::other(audit, &names).into_bytes())
    }),
    ("rules/rules.json", |audit| {
        Ok(json(&rules_json::document(audit)))
    }),
];

/// Every file of a run: path below the run's directory, and content.
pub fn files(audit: &Audit) -> Result<Vec<(&'static str, Vec<u8>)>, EmitError> {
    FILES
        .par_iter()
        .map(|&(path, make)| Ok((path, make(audit)?)))
        .collect()
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
