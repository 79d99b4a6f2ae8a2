//! CSV: results of Athena, and what Insights exports.

use std::io::Read;

use super::fields::{Column, column};
use super::json::Texts;
use super::reading::Item;
use super::row::read_cells;

/// The column of CloudWatch Logs Insights that holds the whole record.
pub(super) const MESSAGE: &str = "@message";

/// Reads a table whose first row names its columns; each record comes with its line.
pub(super) fn records(reader: impl Read, mut take: impl FnMut(u64, Item<'_>)) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let names = match reader.headers() {
        Ok(names) => names.clone(),
        Err(error) => {
            take(0, Item::Unreadable(error.to_string()));
            return;
        }
    };
    let message = names.iter().position(|name| name == MESSAGE);
    let columns: Vec<Option<Column>> = names
        .iter()
        .map(|name| column(name.trim_start_matches('\u{feff}')))
        .collect();
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                if let Some(message) = message.and_then(|position| record.get(position)) {
                    take(line, Item::Line(message));
                    continue;
                }
                let mut texts = Texts::default();
                for (column, value) in columns.iter().zip(&record) {
                    if let Some(column) = column {
                        let value = String::from_utf8_lossy(value).into_owned();
                        texts.set(*column, (!value.is_empty()).then_some(value));
                    }
                }
                take(line, Item::Record(read_cells(&texts.cells())));
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                take(line, Item::Unreadable(error.to_string()));
                if error.is_io_error() {
                    return;
                }
            }
        }
    }
}
