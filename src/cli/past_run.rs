//! A run, read back from its directory.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::anyhow;
use polars::prelude::{Column, ParquetReader, PolarsResult, SerReader};
use serde::de::DeserializeOwned;

use super::exit::Failure;
use super::trouble::Trouble;
use crate::documents::{
    self, AuditDocument, ChangeDocument, ConnectionRow, DocumentError, Outcome, RuleRow,
    VerdictTerm,
};
use crate::findings::Baseline;
use crate::net::plural;
use crate::platform;

/// A run's `audit.json`.
pub(super) fn load(run: &Path) -> Result<AuditDocument<'static>, Failure> {
    file(run, "audit.json")
}

/// What a run knew, for the runs after it.
pub(super) fn baseline(run: &Path) -> Result<Baseline, Failure> {
    let audit = load(run).map_err(|failure| failure.of_option("--baseline"))?;
    Ok(Baseline::new(&platform::portable(run), audit))
}

/// Whether no rule of a run's change is one that the run's own proof says would permit what was denied. A run of a version that
/// left none of them out may have some.
pub(super) fn holds_up(run: &Path, change: &ChangeDocument) -> Result<(), Failure> {
    let proof = load(run)?.proof;
    if proof.wider.len() as u64 == change.left_out {
        return Ok(());
    }
    Err(Failure::usage(anyhow!(
        "`{}` has {} that would permit what was denied when the run was made: see proof.wider in its audit.json. Run the audit again",
        run.display(),
        plural(proof.wider.len() as u64, "rule")
    ))
    .about(Trouble::Run))
}

/// A JSON file of a run.
pub(super) fn file<T: DeserializeOwned>(run: &Path, name: &str) -> Result<T, Failure> {
    with_file(run, name, |bytes| Ok(documents::read(bytes)?))
}

/// What a file of a run holds.
pub(super) fn with_file<T>(
    run: &Path,
    name: &str,
    read: impl FnOnce(&[u8]) -> anyhow::Result<T>,
) -> Result<T, Failure> {
    let path = run.join(name);
    let content = fs::read(&path)
        .map_err(anyhow::Error::new)
        .and_then(|bytes| read(&bytes));
    content.map_err(|error| {
        // Another directory does not help where only the version is another.
        let advice = match error.downcast_ref() {
            Some(DocumentError::Version(_)) => "",
            _ => "; name an audit's --out directory",
        };
        Failure::usage(anyhow!(
            "`{}` can't be read as a file of a run: {error:#}{advice}",
            path.display()
        ))
        .about(Trouble::Run)
    })
}

/// The row of a connection in a run's `connections.parquet`: names of columns, and values. Nothing, if the table has no such row.
pub(super) fn table_row(run: &Path, id: &str) -> Result<Option<Vec<(String, String)>>, Failure> {
    with_file(run, "connections.parquet", |bytes| {
        let frame = ParquetReader::new(Cursor::new(bytes)).finish()?;
        let found = frame
            .column("id")?
            .str()?
            .iter()
            .position(|known| known == Some(id));
        let value = |position: usize, column: &Column| -> PolarsResult<(String, String)> {
            let value = column.get(position)?;
            let text = match value.get_str() {
                Some(text) => text.to_owned(),
                None if value.is_null() => String::new(),
                None => value.to_string(),
            };
            Ok((column.name().to_string(), text))
        };
        let row = |position| frame.columns().iter().map(|c| value(position, c)).collect();
        Ok(found.map(row).transpose()?)
    })
}

/// A rule in words.
pub(super) fn rule_in_words(rule: &RuleRow) -> String {
    format!(
        "{} ({}): {}",
        rule.group_name, rule.group_id, rule.permission
    )
}

/// A connection in one line.
pub(super) fn connection_in_words(c: &ConnectionRow<'_>) -> String {
    format!(
        "{}: {} to {} {}, {}, {}, direction {} from {}, {}",
        c.id,
        c.initiator.address,
        c.responder.address,
        service(c),
        plural(c.records, "record"),
        plural(c.bytes, "byte"),
        c.direction_confidence.as_str(),
        c.direction_basis,
        verdict_in_words(c),
    )
}

/// `tcp/443`, `icmp`.
pub(super) fn service(c: &ConnectionRow<'_>) -> String {
    let port = c.port.map(|port| format!("/{port}"));
    format!("{}{}", c.protocol, port.unwrap_or_default())
}

/// The verdict with its reason.
pub(super) fn verdict_in_words(c: &ConnectionRow<'_>) -> String {
    let word = c.verdict.as_str();
    let reason = match (c.verdict, c.reason.as_deref()) {
        (VerdictTerm::Unattributed, Some("forwarded")) => {
            "what a NAT gateway or transit interface forwards"
        }
        (VerdictTerm::Unattributed, Some("no-local-end")) => {
            "neither end is an interface of the inventory"
        }
        (_, Some(reason)) => reason,
        (_, None) => return word.to_owned(),
    };
    format!("{word}: {reason}")
}

/// What the change does with the connections of a finding.
pub(super) const fn outcome_in_words(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Denied) => "the change denies its connections",
        Some(Outcome::RuleWritten) => "a rule to add permits its connections",
        Some(Outcome::StillOpen) => "a rule that stays permits its connections",
        Some(Outcome::NotJudged) => {
            "no group of the inventory judges its connections, so the change does not stop them"
        }
        None => "none: it rests on no connection",
    }
}
