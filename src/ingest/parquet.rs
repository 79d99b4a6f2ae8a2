//! Parquet: flow logs that AWS delivers, and OCSF Network Activity of Security Lake.
//!
//! Columns are read by name, some thousand rows at a time, so that a file may claim any
//! number of rows; types differ between the tables in use, so any integer is taken for a
//! number and texts are taken as they come, null or `-` for none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;

use super::fields::{self, COLUMNS, Column, FIELDS};
use super::ocsf;
use super::row::{BadLine, Cells, Line, NONE, number_or_none, read_cells};

/// Rows that are read at a time.
const BATCH: usize = 4096;

/// Reads every record of a file and hands it out with its number, from 1. Returns what the
/// report calls the format.
pub(super) fn records<R: ChunkReader + 'static>(
    file: R,
    mut take: impl FnMut(u64, Result<Line<'_>, BadLine>),
) -> Result<String, String> {
    let reader = guarded(|| SerializedFileReader::new(file))?;
    let shape = Shape::of(reader.metadata().file_metadata().schema_descr());
    let Some(shape) = shape else {
        return Err("this Parquet file has no columns of flow logs".to_owned());
    };
    let mut has = [false; COLUMNS];
    for (role, _) in &shape.leaves {
        if let Role::Field(column) = role {
            has[*column as usize] = true;
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
            for _ in 0..rows {
                number += 1;
                take(number, record(&mut leaves, &has, shape.is_ocsf));
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
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
    /// The next row, and the next value.
    row: usize,
    value: usize,
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
            row: 0,
            value: 0,
        })
    }

    /// Reads the next rows, and says how many there are.
    fn fill(&mut self) -> Result<usize, ParquetError> {
        self.levels.clear();
        self.texts.clear();
        self.numbers.clear();
        (self.row, self.value) = (0, 0);
        let levels = &mut self.levels;
        match &mut self.reader {
            ColumnReader::ByteArrayColumnReader(reader) => read(reader, levels, &mut self.texts),
            ColumnReader::Int64ColumnReader(reader) => read(reader, levels, &mut self.numbers),
            ColumnReader::Int32ColumnReader(reader) => {
                let mut values = Vec::with_capacity(BATCH);
                let rows = read(reader, levels, &mut values)?;
                self.numbers.extend(values.into_iter().map(i64::from));
                Ok(rows)
            }
            ColumnReader::BoolColumnReader(reader) => {
                let mut values = Vec::new();
                let rows = read(reader, levels, &mut values)?;
                self.numbers.extend(values.into_iter().map(i64::from));
                Ok(rows)
            }
            // No field is of any other type.
            ColumnReader::Int96ColumnReader(_)
            | ColumnReader::FloatColumnReader(_)
            | ColumnReader::DoubleColumnReader(_)
            | ColumnReader::FixedLenByteArrayColumnReader(_) => Ok(0),
        }
    }

    #[inline]
    fn next(&mut self) -> Cell<'_> {
        let row = self.row;
        self.row += 1;
        if self.there > 0 && self.levels.get(row) != Some(&self.there) {
            return Cell::None;
        }
        let value = self.value;
        self.value += 1;
        if let Some(&number) = self.numbers.get(value) {
            return u64::try_from(number).map_or(Cell::None, Cell::Number);
        }
        match self.texts.get(value).map(ByteArray::data) {
            Some(text) if !text.is_empty() => Cell::Text(text),
            _ => Cell::None,
        }
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

/// The next row.
fn record<'a>(
    leaves: &'a mut [Leaf],
    has: &[bool; COLUMNS],
    is_ocsf: bool,
) -> Result<Line<'a>, BadLine> {
    let mut cells = Typed {
        texts: [NONE; COLUMNS],
        numbers: [None; COLUMNS],
        has,
    };
    let (mut direction, mut verdict, mut ends) = (None, None, [None; 2]);
    for leaf in leaves {
        match (leaf.role, leaf.next()) {
            (_, Cell::None) => {}
            (Role::Field(column), Cell::Text(text)) => cells.texts[column as usize] = text,
            (Role::Field(column), Cell::Number(n)) => cells.numbers[column as usize] = Some(n),
            (Role::Direction, Cell::Number(number)) => direction = Some(number),
            (Role::Verdict(yes, no), Cell::Number(number)) => {
                verdict = verdict.or(ocsf::verdict(number, yes, no));
            }
            (Role::Interface(end), Cell::Text(text)) => ends[end] = Some(text),
            (Role::Direction | Role::Verdict(..), Cell::Text(_))
            | (Role::Interface(_), Cell::Number(_)) => {}
        }
    }
    if is_ocsf {
        if let Some(way) = ocsf::way(direction) {
            cells.texts[Column::FlowDirection as usize] = way.as_bytes();
        }
        if let Some(verdict) = verdict {
            cells.texts[Column::Action as usize] = verdict.as_bytes();
        }
        let interface = if direction == Some(2) {
            ends[1].or(ends[0])
        } else {
            ends[0].or(ends[1])
        };
        if let Some(interface) = interface {
            cells.texts[Column::InterfaceId as usize] = interface;
        }
    }
    read_cells(&cells)
}

/// One record, some of it as numbers already.
struct Typed<'a, 'h> {
    texts: [&'a [u8]; COLUMNS],
    numbers: [Option<u64>; COLUMNS],
    has: &'h [bool; COLUMNS],
}

impl<'a> Cells<'a> for Typed<'a, '_> {
    fn text(&self, column: Column) -> &'a [u8] {
        self.texts[column as usize]
    }

    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        match self.numbers[column as usize] {
            None => number_or_none(self.text(column)),
            number => Ok(number),
        }
    }

    fn has(&self, column: Column) -> bool {
        self.has[column as usize]
    }
}
