//! Files of the inventory that closegate can't use, named with the reason.

use std::path::Path;

use serde_json::Value;

use super::Note;
use crate::net::visible;
use crate::platform;

/// How many files are named before the rest is counted, and how many keys of a file.
const NAMED: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Unread {
    /// File, and what it holds.
    files: Vec<(String, String)>,
}

impl Unread {
    pub(super) fn add(&mut self, name: &Path, why: &str) {
        self.files.push((platform::portable(name), why.to_owned()));
    }

    /// A page without anything that is known.
    pub(super) fn add_value(&mut self, name: &Path, value: &Value) {
        let keys = |value: &Value| {
            let members = value.as_object()?;
            let named: Vec<&str> = members.keys().take(NAMED).map(String::as_str).collect();
            (!named.is_empty()).then(|| visible(&named.join(", "), 120))
        };
        let why = match value {
            Value::Array(list) if list.is_empty() => "an empty list".to_owned(),
            Value::Array(list) => match list.iter().find_map(keys) {
                Some(keys) => format!("a list of {keys}"),
                None => "a list of other things than objects".to_owned(),
            },
            Value::Object(_) => keys(value).unwrap_or_else(|| "an empty object".to_owned()),
            _ => "neither an object nor a list".to_owned(),
        };
        self.add(name, &why);
    }

    /// The files in words, if there are any.
    pub(super) fn list(&self) -> Option<String> {
        let named = self.files.iter().take(NAMED);
        let mut named: Vec<String> = named
            .map(|(file, why)| format!("`{file}` ({why})"))
            .collect();
        match self.files.len().saturating_sub(NAMED) {
            0 => {}
            1 => named.push("1 more file".to_owned()),
            more => named.push(format!("{more} more files")),
        }
        (!named.is_empty()).then(|| named.join(", "))
    }

    pub(super) fn note(&self) -> Option<Note> {
        let list = self.list()?;
        Some(Note::new(format!(
            "closegate uses nothing of {list}: it holds nothing that closegate reads"
        )))
    }
}
