//! A run, read back from its directory.

use std::fs;
use std::path::Path;

use anyhow::anyhow;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exit::Failure;
use crate::documents::{self, DocumentError};
use crate::findings::Baseline;

/// The lists that every `audit.json` has.
const LISTS: &[&str] = &["connections", "findings", "rules", "revocations"];

/// A run's `audit.json`.
pub(super) fn load(run: &Path) -> Result<Value, Failure> {
    with_file(run, "audit.json", |bytes| {
        let audit: Value = documents::read(bytes)?;
        let is_list = |list: &&str| {
            let rows = audit[*list].as_array();
            rows.is_some_and(|rows| rows.iter().all(Value::is_object))
        };
        match LISTS.iter().find(|list| !is_list(list)) {
            Some(list) => Err(anyhow!("its `{list}` is not a list of objects")),
            None => Ok(audit),
        }
    })
}

/// What a run knew, for the runs after it.
pub(super) fn baseline(run: &Path) -> Result<Baseline, Failure> {
    with_file(run, "audit.json", |bytes| {
        Ok(Baseline::parse(&run.display().to_string(), bytes)?)
    })
    .map_err(|failure| match failure {
        Failure::Usage(error) => Failure::Usage(error.context("--baseline")),
        failure => failure,
    })
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
    })
}

/// A text of a document; what is not there is empty.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// A rule in words.
pub(super) fn sentence(rule: &Value) -> String {
    let target = rule["target"]
        .as_object()
        .and_then(|target| target.values().next())
        .and_then(Value::as_str);
    let ports = match (rule["from_port"].as_u64(), rule["to_port"].as_u64()) {
        (Some(from), Some(to)) if from == to => format!("/{from}"),
        (Some(from), Some(to)) => format!("/{from}-{to}"),
        _ => String::new(),
    };
    let word = if text(rule, "direction") == "egress" {
        "to"
    } else {
        "from"
    };
    format!(
        "{} of {} ({}), {}{ports} {word} {}",
        text(rule, "direction"),
        text(rule, "group_name"),
        text(rule, "group_id"),
        text(rule, "protocol"),
        target.unwrap_or_default()
    )
}

/// A connection in one line.
pub(super) fn one_line(c: &Value) -> String {
    let port = c["port"]
        .as_u64()
        .map_or(String::new(), |port| format!("/{port}"));
    format!(
        "{}: {} to {} {}{port}, {} records, {} bytes, direction {} from {}, {}",
        text(c, "id"),
        text(&c["initiator"], "address"),
        text(&c["responder"], "address"),
        text(c, "protocol"),
        c["records"],
        c["bytes"],
        text(c, "direction_confidence"),
        text(c, "direction_basis"),
        text(c, "verdict"),
    )
}
