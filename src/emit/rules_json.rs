//! `rules/rules.json`: the change alone.

use schemars::JsonSchema;
use serde::Serialize;

use super::SCHEMA_VERSION;
use super::targets::{RevocationRow, RuleRow, rows};
use crate::audit::Audit;

/// After the change a group's rules are: today's − `revocations` + `rules` with
/// status `add`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    schema_version: u32,
    rules: Vec<RuleRow>,
    revocations: Vec<RevocationRow>,
}

pub(super) fn document(audit: &Audit) -> Document {
    let (rules, revocations) = rows(audit);
    Document {
        schema_version: SCHEMA_VERSION,
        rules,
        revocations,
    }
}
