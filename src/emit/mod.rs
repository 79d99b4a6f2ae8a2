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

use crate::audit::Audit;
use json::json;

/// The version that every JSON file carries.
pub const SCHEMA_VERSION: u32 = 1;

/// Every file of a run: path below the run's directory, and content.
pub fn files(audit: &Audit) -> Result<Vec<(&'static str, Vec<u8>)>, EmitError> {
    let document = audit_json::document(audit);
    let names = terraform::Names::new(audit);
    Ok(vec![
        ("audit.json", json(&document)),
        ("connections.parquet", connection_table(audit)?),
        ("graph.dot", graph_files::dot(audit).into_bytes()),
        ("graph.json", json(&graph_files::document(audit))),
        ("report.md", report_md::render(audit).into_bytes()),
        (
            "rules/mutual.tf",
            terraform::mutual(audit, &names).into_bytes(),
        ),
        (
            "rules/other.tf",
            terraform::other(audit, &names).into_bytes(),
        ),
        ("rules/rules.json", json(&rules_json::document(audit))),
    ])
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
