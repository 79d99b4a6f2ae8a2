//! JSON Schemas, made from the types that are written.

use schemars::{Schema, schema_for};

use super::audit_json;
use super::brief::Brief;
use super::change::ChangeDocument;
use super::graph_files::GraphDocument;

/// What `closegate schema` can print: name, and the file it describes.
pub const SCHEMAS: &[(&str, &str)] = &[
    ("audit", "audit.json"),
    ("graph", "graph.json"),
    ("report", "report.json"),
    ("rules", "rules/rules.json"),
];

/// The schema of one kind of file.
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        "audit" => Some(schema_for!(audit_json::Document<'_>)),
        "graph" => Some(schema_for!(GraphDocument)),
        "report" => Some(schema_for!(Brief)),
        "rules" => Some(schema_for!(ChangeDocument)),
        _ => None,
    }
}
