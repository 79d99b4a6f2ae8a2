//! Records whose values are texts of their own: of JSON and of CSV.

use serde_json::Value;

use super::fields::{COLUMNS, Column};
use super::row::{BadLine, Cells, Line, NONE, number_or_none, read_cells, whole};

/// A value as a flow log writes it.
pub(super) fn text(value: &Value) -> Result<Option<String>, BadLine> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().and_then(whole).ok_or(BadLine::Number)?;
            Ok(Some(whole.to_string()))
        }
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(BadLine::Kind),
    }
}

/// The values of a record as texts of its own.
#[derive(Debug, Default)]
pub(super) struct Texts {
    values: [Option<String>; COLUMNS],
    columns: [bool; COLUMNS],
    /// How many columns of a record were there.
    pub(super) present: usize,
    /// A value that no field can have.
    fault: Option<BadLine>,
}

impl Texts {
    pub(super) fn set(&mut self, column: Column, value: Result<Option<String>, BadLine>) {
        let is_known = std::mem::replace(&mut self.columns[column as usize], true);
        self.present += usize::from(!is_known);
        match value {
            // Nothing is no second value.
            Ok(None) => {}
            Ok(value) if is_known && self.values[column as usize].is_some() => {
                if value != self.values[column as usize] {
                    self.fault = Some(BadLine::Twice);
                }
            }
            Ok(value) => self.values[column as usize] = value,
            // What is called `status` need not be a field of a flow record at all.
            Err(_) if column == Column::OtherStatus => {}
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Reads the record.
    pub(super) fn line(&self) -> Result<Line<'_>, BadLine> {
        match self.fault {
            Some(fault) => Err(fault),
            None => read_cells(&TextCells(self)),
        }
    }
}

/// The same, to read a record from.
struct TextCells<'a>(&'a Texts);

impl<'a> Cells<'a> for TextCells<'a> {
    fn text(&self, column: Column) -> Result<&'a [u8], BadLine> {
        let value = &self.0.values[column as usize];
        Ok(value.as_deref().map_or(NONE, str::as_bytes))
    }

    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        number_or_none(self.text(column)?)
    }

    fn has(&self, column: Column) -> bool {
        self.0.columns[column as usize]
    }
}
