//! JSON Schemas, made from the types that are written.

use schemars::{Schema, schema_for};

use crate::documents::{
    AuditDocument, ChangeDocument, DoctorDocument, DriftDocument, ForAccountDocument,
    GraphDocument, ReportDocument,
};

/// What `closegate schema` can print: name, and the file it describes.
pub const SCHEMAS: &[(&str, &str)] = &[
    ("audit", "audit.json"),
    ("doctor", "what `closegate doctor --json` prints"),
    ("drift", "what `closegate drift --format json` prints"),
    ("for-account", "rules/for-account-….json"),
    ("graph", "graph.json"),
    ("report", "report.json"),
    ("rules", "rules/rules.json"),
];

/// The schema of one kind of file.
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        "audit" => Some(schema_for!(AuditDocument<'_>)),
        "doctor" => Some(schema_for!(DoctorDocument)),
        "drift" => Some(schema_for!(DriftDocument)),
        "for-account" => Some(schema_for!(ForAccountDocument)),
        "graph" => Some(schema_for!(GraphDocument)),
        "report" => Some(schema_for!(ReportDocument)),
        "rules" => Some(schema_for!(ChangeDocument)),
        _ => None,
    }
}
