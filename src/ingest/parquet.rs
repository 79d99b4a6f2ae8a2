//! Parquet: flow logs that AWS delivers, and OCSF Network Activity of Security Lake.
//!
//! Columns are read by name, some thousand rows at a time, so that a file may claim any
//! number of rows; types differ between the tables in use, so any integer is taken for a
//! number and texts are taken as they come, null or `-` for none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;

use super::fields::{self, COLUMNS, Column, FIELDS};
use super::ocsf;
use super::row::{BadLine, Cells, Line, NONE, number_or_none, read_cells};
use super::thrift::Walked;

/// Rows that are read at a time.
const BATCH: usize = 4096;

/// Reads every record of a file and hands it out with its number, from 1. Returns what the
/// report calls the format.
pub(super) fn records(
    file: Bytes,
    mut take: impl FnMut(u64, Result<Line<'_>, BadLine>),
) -> Result<String, String> {
    let reader = guarded(|| SerializedFileReader::new(Walked(file)))?;
    let shape = Shape::of(reader.metadata().file_metadata().schema_descr());
    let Some(shape) = shape else {
        return Err("this Parquet file has no columns of flow logs".to_owned());
    };
    let mut by_field = [None; COLUMNS];
    for (position, (role, _)) in shape.leaves.iter().enumerate() {
        if let Role::Field(column) = role {
            by_field[*column as usize] = Some(position);
        }
    }
    let mut number = 0;
    for group in 0..reader.num_row_groups() {
        let mut leaves = guarded(|| {
            let group = reader.get_row_group(group)?;
            let leaves = shape.leaves.iter();
            leaves
                .map(|&(role, leaf)| Leaf::new(role, &*group, leaf))
                .collect::<Result<Vec<Leaf>, _>>()
        })?;
        loop {
            let rows = guarded(|| {
                let mut rows = 0;
                for leaf in &mut leaves {
                    rows = rows.max(leaf.fill()?);
                }
                Ok(rows)
            })?;
            if rows == 0 {
                break;
            }
            for row in 0..rows {
                number += 1;
                let said = shape.is_ocsf.then(|| Said::of(&leaves, row));
                let record = Record {
                    leaves: &leaves,
                    by_field: &by_field,
                    row,
                    said: said.unwrap_or_default(),
                };
                take(number, read_cells(&record));
            }
        }
    }
    Ok(shape.describe())
}

/// Runs the library. Fuzzing found damaged files that such libraries panic over instead of
/// refusing them.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| format!("not readable as Parquet: {error}")),
        Err(_) => Err("not readable as Parquet: it is damaged".to_owned()),
    }
}

/// What a column of the file is for.
#[derive(Clone, Copy)]
enum Role {
    /// The field itself.
    Field(Column),
    /// OCSF says some things by number, or in several places.
    Direction,
    /// A number that says whether it was let through, and the values that mean yes and no.
    Verdict(u64, u64),
    /// The interface at the receiver or at the sender.
    Interface(usize),
}

/// What is read of a file.
struct Shape {
    /// Positions among the file's columns.
    leaves: Vec<(Role, usize)>,
    /// How many columns it has.
    width: usize,
    is_ocsf: bool,
}

impl Shape {
    /// `None` if the file is about something else.
    fn of(schema: &SchemaDescriptor) -> Option<Self> {
        let columns = schema.columns();
        // What is repeated is no part of a record.
        let single = |&leaf: &usize| columns[leaf].max_rep_level() == 0;
        let at = |path: &[&str]| {
            let found = columns
                .iter()
                .position(|column| column.path().parts() == path);
            found.filter(single)
        };
        let is_ocsf = columns
            .iter()
            .any(|column| column.path().parts()[0] == "src_endpoint");
        let mut leaves = Vec::new();
        if is_ocsf {
            for &(column, paths) in ocsf::PATHS {
                let found = paths.iter().find_map(|path| at(path));
                leaves.extend(found.map(|leaf| (Role::Field(column), leaf)));
            }
            leaves.extend(at(ocsf::DIRECTION).map(|leaf| (Role::Direction, leaf)));
            for &(name, yes, no) in ocsf::ACTIONS {
                leaves.extend(at(&[name]).map(|leaf| (Role::Verdict(yes, no), leaf)));
            }
            for (end, path) in ocsf::INTERFACES.iter().enumerate() {
                leaves.extend(at(path).map(|leaf| (Role::Interface(end), leaf)));
            }
        } else {
            for leaf in (0..columns.len()).filter(single) {
                if let [name] = columns[leaf].path().parts() {
                    let column = fields::column(name);
                    leaves.extend(column.map(|column| (Role::Field(column), leaf)));
                }
            }
        }
        (leaves.len() >= 2).then_some(Self {
            leaves,
            width: columns.len(),
            is_ocsf,
        })
    }

    fn describe(&self) -> String {
        if self.is_ocsf {
            "Parquet, OCSF network activity".to_owned()
        } else {
            format!("Parquet, {} fields", FIELDS.len().min(self.width))
        }
    }
}

/// One column of a row group, some thousand values at a time.
struct Leaf {
    role: Role,
    reader: ColumnReader,
    /// The definition level of a value that is there; 0 if all are.
    there: i16,
    levels: Vec<i16>,
    /// By row: empty where there is none.
    texts: Vec<ByteArray>,
    /// By row: negative where there is none.
    numbers: Vec<i64>,
}

enum Cell<'a> {
    Text(&'a [u8]),
    Number(u64),
    None,
}

impl Leaf {
    fn new(role: Role, group: &dyn RowGroupReader, leaf: usize) -> Result<Self, ParquetError> {
        Ok(Self {
            role,
            reader: group.get_column_reader(leaf)?,
            there: group.metadata().schema_descr().column(leaf).max_def_level(),
            levels: Vec::new(),
            texts: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Reads the next rows, and says how many there are.
    fn fill(&mut self) -> Result<usize, ParquetError> {
        self.levels.clear();
        self.texts.clear();
        self.numbers.clear();
        let levels = &mut self.levels;
        let rows = match &mut self.reader {
            ColumnReader::ByteArrayColumnReader(reader) => read(reader, levels, &mut self.texts)?,
            ColumnReader::Int64ColumnReader(reader) => read(reader, levels, &mut self.numbers)?,
            ColumnReader::Int32ColumnReader(reader) => {
                let mut values = Vec::with_capacity(BATCH);
                let rows = read(reader, levels, &mut values)?;
                self.numbers.extend(values.into_iter().map(i64::from));
                rows
            }
            ColumnReader::BoolColumnReader(reader) => {
                let mut values = Vec::new();
                let rows = read(reader, levels, &mut values)?;
                self.numbers.extend(values.into_iter().map(i64::from));
                rows
            }
            // No field is of any other type.
            ColumnReader::Int96ColumnReader(_)
            | ColumnReader::FloatColumnReader(_)
            | ColumnReader::DoubleColumnReader(_)
            | ColumnReader::FixedLenByteArrayColumnReader(_) => 0,
        };
        if self.there > 0 {
            let there = |row: usize| self.levels.get(row) == Some(&self.there);
            spread(&mut self.texts, rows, ByteArray::from(Vec::new()), there);
            spread(&mut self.numbers, rows, -1, there);
        }
        Ok(rows)
    }

    #[inline]
    fn cell(&self, row: usize) -> Cell<'_> {
        if let Some(&number) = self.numbers.get(row) {
            return u64::try_from(number).map_or(Cell::None, Cell::Number);
        }
        match self.texts.get(row) {
            Some(text) if !text.is_empty() => Cell::Text(text.data()),
            _ => Cell::None,
        }
    }
}

/// Puts values where their rows are, the last first; a column without values is left alone.
fn spread<T: Clone>(values: &mut Vec<T>, rows: usize, none: T, there: impl Fn(usize) -> bool) {
    let mut left = values.len();
    if left == 0 || left >= rows {
        return;
    }
    values.resize(rows, none);
    for row in (0..rows).rev().filter(|&row| there(row)) {
        // A damaged file may claim more values than there are.
        let Some(value) = left.checked_sub(1) else {
            return;
        };
        values.swap(row, value);
        left = value;
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<usize, ParquetError> {
    let (records, ..) = reader.read_records(BATCH, Some(levels), None, values)?;
    Ok(records)
}

/// One record, in its columns.
struct Record<'a> {
    leaves: &'a [Leaf],
    /// By field, the position of its column.
    by_field: &'a [Option<usize>; COLUMNS],
    row: usize,
    /// What OCSF says in other ways.
    said: Said<'a>,
}

#[derive(Default)]
struct Said<'a> {
    way: Option<&'static str>,
    verdict: Option<&'static str>,
    interface: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    fn of(leaves: &'a [Leaf], row: usize) -> Self {
        let (mut direction, mut verdict, mut ends) = (None, None, [None; 2]);
        for leaf in leaves {
            match (leaf.role, leaf.cell(row)) {
                (Role::Direction, Cell::Number(number)) => direction = Some(number),
                (Role::Verdict(yes, no), Cell::Number(number)) => {
                    verdict = verdict.or(ocsf::verdict(number, yes, no));
                }
                (Role::Interface(end), Cell::Text(text)) => ends[end] = Some(text),
                _ => {}
            }
        }
        let interface = if direction == Some(2) {
            ends[1].or(ends[0])
        } else {
            ends[0].or(ends[1])
        };
        Self {
            way: ocsf::way(direction),
            verdict,
            interface,
        }
    }
}

impl<'a> Record<'a> {
    #[inline]
    fn cell(&self, field: Column) -> Cell<'a> {
        match self.by_field[field as usize] {
            Some(leaf) => self.leaves[leaf].cell(self.row),
            None => Cell::None,
        }
    }
}

impl<'a> Cells<'a> for Record<'a> {
    #[inline]
    fn text(&self, column: Column) -> &'a [u8] {
        let said = match column {
            Column::FlowDirection => self.said.way.map(str::as_bytes),
            Column::Action => self.said.verdict.map(str::as_bytes),
            Column::InterfaceId => self.said.interface,
            _ => None,
        };
        match (said, self.cell(column)) {
            (Some(said), _) => said,
            (None, Cell::Text(text)) => text,
            (None, Cell::Number(_) | Cell::None) => NONE,
        }
    }

    #[inline]
    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        match self.cell(column) {
            Cell::Number(number) => Ok(Some(number)),
            Cell::Text(text) => number_or_none(text),
            Cell::None => Ok(None),
        }
    }

    #[inline]
    fn has(&self, column: Column) -> bool {
        self.by_field[column as usize].is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::spread;

    proptest! {
        /// Every value ends in the row that it was left out for, or was read for; and what a damaged file
        /// claims besides changes nothing.
        #[test]
        fn values_go_to_their_rows(rows in prop::collection::vec(prop::option::of(0i64..9), 1..40), lost in 0usize..3) {
            let mut values: Vec<i64> = rows.iter().flatten().copied().collect();
            let there = |row: usize| rows[row].is_some();
            let complete: Vec<i64> = rows.iter().map(|value| value.unwrap_or(-1)).collect();
            values.drain(..lost.min(values.len()));
            let left = values.len();
            spread(&mut values, rows.len(), -1, there);
            let kept = rows.iter().rev().scan(left, |left, value| {
                let keep = value.is_some() && *left > 0;
                *left -= usize::from(keep);
                Some(if keep { value.unwrap_or(-1) } else { -1 })
            });
            let mut expected: Vec<i64> = kept.collect();
            expected.reverse();
            if left == 0 {
                prop_assert!(values.is_empty());
            } else {
                prop_assert_eq!(&values, &expected);
            }
            prop_assert!(lost > 0 || left == 0 || values == complete);
        }
    }
}
