//! Parquet: flow logs that AWS delivers, and OCSF Network Activity of Security Lake.
//!
//! Columns are read by name, a thousand rows at a time, so that a file may claim any
//! number of rows; types differ between the tables in use, so any number is taken that is exactly one
//! of the field, and texts are taken as they come, null or `-` for none.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;

use super::columns::{ColumnValue, File, Holds, RowGroup, Values};
use super::fields::{self, COLUMNS, Column, FIELDS};
use super::format::{self, LogFormatError};
use super::item::Item;
use super::ocsf;
use super::row::{BadLine, Cells, Line, NONE, number_or_none, read_cells};
use crate::net::{plural, thousands};

/// Reads every record of a file and hands it out with its number, from 1. Returns what the
/// report calls the format.
pub(super) fn records(file: Bytes, mut take: impl FnMut(u64, Item<'_>)) -> Result<String, String> {
    let file = guarded(|| File::open(file))
        .map_err(|reason| format!("not readable as Parquet: {reason}"))?;
    let shape = Shape::of(file.schema())?;
    let mut before = 0;
    for number in 0..file.groups() {
        let rows = file.rows(number);
        let mut read = 0;
        let result = group(&file, &shape, number, |row, line| {
            read = row;
            take(before + row, Item::Record(line));
        });
        let missing = (read < rows).then(|| "it has fewer rows than it says".to_owned());
        if let Some(reason) = result.err().or(missing) {
            let (group, groups) = (number + 1, file.groups());
            let (read, rows) = (thousands(read), plural(rows, "row"));
            take(
                0,
                Item::Unreadable(format!(
                    "row group {group} of {groups} is damaged ({reason}): {read} of its {rows} were used"
                )),
            );
        }
        before += rows;
    }
    Ok(shape.describe())
}

/// The fields that a file's columns hold, sorted; nothing where it is not one of flow logs.
pub(super) fn field_names(file: Bytes) -> Option<Vec<&'static str>> {
    let file = guarded(|| File::open(file)).ok()?;
    let shape = Shape::of(file.schema()).ok()?;
    let used = shape.leaves.iter().map(|(role, _)| match role {
        Role::Field(column) => column.name(),
        Role::Direction => Column::FlowDirection.name(),
        Role::Verdict(..) => Column::Action.name(),
        Role::Interface(_) => Column::InterfaceId.name(),
    });
    // OCSF has columns of other meanings under the same names.
    let columns = file.schema().columns().iter().filter(|_| !shape.is_ocsf);
    let skipped = columns.filter_map(|column| fields::field(column.name()));
    let mut names: Vec<&'static str> = used.chain(skipped.map(|field| field.name)).collect();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// Reads the records of a row group, as far as its pages can be decoded, and hands them out with their numbers in it.
fn group(
    file: &File,
    shape: &Shape,
    number: usize,
    mut take: impl FnMut(u64, Result<Line<'_>, BadLine>),
) -> Result<(), String> {
    let wanted = shape
        .leaves
        .iter()
        .map(|&(role, leaf)| (leaf, role.holds()));
    let mut group = guarded(|| RowGroup::open(file, number, wanted))?;
    let mut number = 0;
    loop {
        let rows = guarded(|| group.fill())?;
        if rows == 0 {
            return Ok(());
        }
        let columns = group.values();
        let mut fields = [Values::None; COLUMNS];
        for ((role, _), values) in shape.leaves.iter().zip(&columns) {
            if let Role::Field(column) = *role {
                fields[column as usize] = *values;
            }
        }
        for row in 0..rows {
            number += 1;
            let record = Record {
                fields: &fields,
                row,
            };
            if shape.is_ocsf {
                let said = Said::of(shape, &columns, row);
                take(number, read_cells(&Ocsf { record, said }));
            } else {
                take(number, read_cells(&record));
            }
        }
    }
}

/// Runs the library. Fuzzing found damaged files that such libraries panic over instead of
/// refusing them.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("its decoder panicked".to_owned()),
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

impl Role {
    const fn holds(self) -> Holds {
        use Column::{DstAddr, End, PktDstAddr, PktSrcAddr, SrcAddr, Start};
        match self {
            Self::Field(SrcAddr | DstAddr | PktSrcAddr | PktDstAddr) => Holds::Addresses,
            Self::Field(Start | End) => Holds::Times,
            _ => Holds::Others,
        }
    }
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
    /// An error if the file is about something else, or can't be one of records.
    fn of(schema: &SchemaDescriptor) -> Result<Self, String> {
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
        if leaves.len() < 2 {
            return Err("this Parquet file has no columns of flow logs".to_owned());
        }
        let mut known = [false; COLUMNS];
        for &(role, leaf) in &leaves {
            if let Role::Field(column) = role
                && std::mem::replace(&mut known[column as usize], true)
            {
                let name = columns[leaf].path().string();
                return Err(LogFormatError::Twice(name).to_string());
            }
        }
        // OCSF says in several ways whether a row was accepted.
        let has_verdict = leaves
            .iter()
            .any(|(role, _)| matches!(role, Role::Verdict(..)));
        let has = |column| known[column as usize] || (column == Column::Action && has_verdict);
        let names = columns.iter().map(|column| column.name());
        format::complete_table(has, names).map_err(|error| error.to_string())?;
        Ok(Self {
            leaves,
            width: columns.len(),
            is_ocsf,
        })
    }

    fn describe(&self) -> String {
        if self.is_ocsf {
            "Parquet, OCSF network activity".to_owned()
        } else {
            format!(
                "Parquet, {}",
                plural(FIELDS.len().min(self.width) as u64, "field")
            )
        }
    }
}

/// One record, in its columns.
#[derive(Clone, Copy)]
struct Record<'a, 'b> {
    fields: &'b [Values<'a>; COLUMNS],
    row: usize,
}

/// A record of OCSF.
struct Ocsf<'a, 'b> {
    record: Record<'a, 'b>,
    said: Said<'a>,
}

/// What OCSF says in other ways than by a field.
struct Said<'a> {
    way: Option<&'static str>,
    verdict: Option<&'static str>,
    interface: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    fn of(shape: &Shape, columns: &[Values<'a>], row: usize) -> Self {
        let (mut direction, mut verdict, mut ends) = (None, None, [None; 2]);
        for ((role, _), values) in shape.leaves.iter().zip(columns) {
            match (*role, values.cell(row)) {
                (Role::Direction, ColumnValue::Number(number)) => direction = Some(number),
                (Role::Verdict(yes, no), ColumnValue::Number(number)) => {
                    verdict = verdict.or(ocsf::verdict(number, yes, no));
                }
                (Role::Interface(end), ColumnValue::Text(text)) => ends[end] = Some(text),
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

impl<'a> Cells<'a> for Record<'a, '_> {
    #[inline(always)]
    fn text(&self, column: Column) -> Result<&'a [u8], BadLine> {
        let text = self.fields[column as usize].text(self.row)?;
        Ok(text.unwrap_or(NONE))
    }

    #[inline(always)]
    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        match self.fields[column as usize].cell(self.row) {
            ColumnValue::Number(number) => Ok(Some(number)),
            ColumnValue::Text(text) => number_or_none(text),
            ColumnValue::None => Ok(None),
            ColumnValue::Impossible => Err(BadLine::Number),
        }
    }

    #[inline(always)]
    fn address(&self, column: Column) -> Result<IpAddr, BadLine> {
        match &self.fields[column as usize] {
            Values::Texts(texts) => texts.address(self.row),
            Values::Numbers(_) | Values::None => Err(BadLine::Address),
        }
    }

    #[inline]
    fn has(&self, column: Column) -> bool {
        !matches!(self.fields[column as usize], Values::None)
    }
}

impl<'a> Cells<'a> for Ocsf<'a, '_> {
    fn text(&self, column: Column) -> Result<&'a [u8], BadLine> {
        let said = match column {
            Column::FlowDirection => self.said.way.map(str::as_bytes),
            Column::Action => self.said.verdict.map(str::as_bytes),
            Column::InterfaceId => self.said.interface,
            _ => None,
        };
        said.map_or_else(|| self.record.text(column), Ok)
    }

    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        self.record.number(column)
    }

    fn address(&self, column: Column) -> Result<IpAddr, BadLine> {
        self.record.address(column)
    }

    fn has(&self, column: Column) -> bool {
        self.record.has(column)
    }
}
