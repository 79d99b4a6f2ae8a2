//! CSV: results of Athena, and what Insights exports.
//!
//! A record is a line: no value of a flow log has a line end in it. So a quote that was lost costs its own line only.

use std::io::Read;

use super::blocks::{Block, Blocks};
use super::container::{BYTE_ORDER_MARK, is_csv_header};
use super::fields::{self, COLUMNS, Column, MESSAGE};
use super::format::{self, LogFormatError};
use super::item::Item;
use super::row::BadLine;
use super::texts::Texts;

/// Reads a table whose first line names its columns; each record comes with its line. A table that can't be one of
/// records is an error.
pub(super) fn records(
    reader: impl Read,
    mut take: impl FnMut(u64, Item<'_>),
) -> Result<(), LogFormatError> {
    let mut blocks = Blocks::new(reader, is_csv_header);
    let mut table: Option<Table> = None;
    let mut cells = Vec::new();
    let mut number = 0;
    loop {
        let lines = match blocks.next() {
            Ok(None) => return Ok(()),
            Ok(Some(Block::Lines(lines))) => lines,
            Ok(Some(Block::TooLong)) => {
                number += 1;
                take(number, Item::Unreadable(BadLine::TooLong.to_string()));
                continue;
            }
            Err(error) => {
                take(0, Item::Failed(error));
                continue;
            }
        };
        for line in lines
            .strip_suffix(b"\n")
            .unwrap_or(&lines)
            .split(|&byte| byte == b'\n')
        {
            number += 1;
            let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            let line = line.trim_ascii_end();
            if line.is_empty() {
                continue;
            }
            let is_split = split(line, &mut cells).is_ok();
            let record = match &table {
                Some(table) if is_split => table.record(&cells),
                Some(_) => Err(BadLine::Quotes),
                None => {
                    table = Some(Table::of(&cells)?);
                    continue;
                }
            };
            let item = match &record {
                Ok(Record::Line(line)) => Item::Line(line),
                Ok(Record::Texts(texts)) => Item::Record(texts.line()),
                Err(reason) => Item::Record(Err(*reason)),
            };
            // Tables that were put together have a header each.
            if matches!(item, Item::Record(Err(_))) && is_split && is_csv_header(line) {
                table = Some(Table::of(&cells)?);
            } else {
                take(number, item);
            }
        }
    }
}

/// What a header says.
struct Table {
    columns: Vec<Option<Column>>,
    /// The column that holds whole records.
    message: Option<usize>,
}

enum Record<'c> {
    Line(&'c [u8]),
    Texts(Box<Texts>),
}

impl Table {
    fn of(names: &[Vec<u8>]) -> Result<Self, LogFormatError> {
        let mut table = Self {
            columns: Vec::new(),
            message: None,
        };
        let mut known = [false; COLUMNS];
        for (position, name) in names.iter().enumerate() {
            let name = String::from_utf8_lossy(name.trim_ascii());
            let column = fields::column(&name);
            let is_again = match column {
                Some(column) => std::mem::replace(&mut known[column as usize], true),
                None => name == MESSAGE && table.message.replace(position).is_some(),
            };
            if is_again {
                return Err(LogFormatError::Twice(name.into_owned()));
            }
            table.columns.push(column);
        }
        if table.message.is_none() {
            let names: Vec<_> = names
                .iter()
                .map(|name| String::from_utf8_lossy(name.trim_ascii()))
                .collect();
            let names = names.iter().map(AsRef::as_ref);
            format::complete_table(|column| known[column as usize], names)?;
        }
        Ok(table)
    }

    fn record<'c>(&self, cells: &'c [Vec<u8>]) -> Result<Record<'c>, BadLine> {
        if cells.len() < self.columns.len() {
            return Err(BadLine::TooFew);
        }
        if cells.len() > self.columns.len() {
            return Err(BadLine::TooMany);
        }
        if let Some(message) = self.message {
            return Ok(Record::Line(&cells[message]));
        }
        let mut texts = Box::<Texts>::default();
        for (column, value) in self.columns.iter().zip(cells) {
            if let Some(column) = column {
                let value = String::from_utf8_lossy(value).into_owned();
                texts.set(*column, Ok((!value.is_empty()).then_some(value)));
            }
        }
        Ok(Record::Texts(texts))
    }
}

/// Splits a line into cells, and takes quotes off.
fn split(line: &[u8], cells: &mut Vec<Vec<u8>>) -> Result<(), BadLine> {
    let mut rest = Some(line);
    let mut count = 0;
    while let Some(cell) = rest {
        if cells.len() == count {
            cells.push(Vec::new());
        }
        let text = &mut cells[count];
        text.clear();
        count += 1;
        let mut end = cell;
        if let Some(mut quoted) = cell.strip_prefix(b"\"") {
            end = loop {
                let at = memchr::memchr(b'"', quoted).ok_or(BadLine::Quotes)?;
                text.extend_from_slice(&quoted[..at]);
                match quoted[at + 1..].strip_prefix(b"\"") {
                    // Two stand for one.
                    Some(behind) => {
                        text.push(b'"');
                        quoted = behind;
                    }
                    None => break &quoted[at + 1..],
                }
            };
        }
        let comma = memchr::memchr(b',', end);
        let behind = &end[..comma.unwrap_or(end.len())];
        if text.is_empty() && cell.first() != Some(&b'"') {
            text.extend_from_slice(behind);
        } else if !behind.is_empty() {
            return Err(BadLine::Quotes);
        }
        rest = comma.map(|at| &end[at + 1..]);
    }
    cells.truncate(count);
    Ok(())
}
