//! Parquet: flow logs that AWS delivers, and OCSF Network Activity of Security Lake.
//!
//! Columns are read by name; types differ between the tables in use, so any integer is
//! taken for a number and texts are taken as they come, null or `-` for none.

use std::io::Cursor;

use polars::prelude::{
    Column as Series, DataFrame, DataType, ParquetReader, PolarsError, SerReader,
};

use super::fields::{self, COLUMNS, Column, FIELDS};
use super::ocsf;
use super::row::{BadLine, Cells, Line, NONE, number_or_none, read_cells};

/// A row group that claims more rows than this is not read: a file of a few bytes may claim
/// any number, and all of them would have to be held.
const ROWS_OF_A_GROUP: usize = 1 << 23;

/// Reads every record of a file, one row group after the other, and hands it out with its
/// number, from 1. Returns what the report calls the format.
pub(super) fn records(
    bytes: &[u8],
    mut take: impl FnMut(u64, Result<Line<'_>, BadLine>),
) -> Result<String, String> {
    // Fuzzing found damaged files that the library panics over instead of refusing them.
    let guarded = |read: &mut dyn FnMut() -> Result<(), PolarsError>| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("not readable as Parquet: {error}")),
            Err(_) => Err("not readable as Parquet: it is damaged".to_owned()),
        }
    };
    let mut file = None;
    guarded(&mut || {
        file = File::open(bytes)?;
        Ok(())
    })?;
    let Some(file) = file else {
        return Err("this Parquet file has no columns of flow logs".to_owned());
    };
    let mut first = 0;
    for &rows in &file.groups {
        if rows > ROWS_OF_A_GROUP {
            return Err(format!(
                "a row group claims {rows} rows, more than {ROWS_OF_A_GROUP}; write it again with smaller ones"
            ));
        }
        let mut table = None;
        guarded(&mut || {
            table = Some(file.read(bytes, (first, rows))?);
            Ok(())
        })?;
        if let Some((table, height)) = table {
            table.read(height, first as u64, &mut take);
        }
        first += rows;
    }
    Ok(file.describe())
}

/// What a file's table of contents says.
struct File {
    /// How many columns it has.
    width: usize,
    /// The columns to read.
    wanted: Vec<String>,
    is_ocsf: bool,
    /// Rows of each row group.
    groups: Vec<usize>,
}

impl File {
    /// `None` if the file is about something else.
    fn open(bytes: &[u8]) -> Result<Option<Self>, PolarsError> {
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let schema = reader.schema()?;
        let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        let is_ocsf = names.iter().any(|name| name == "src_endpoint");
        let wanted: Vec<String> = if is_ocsf {
            let used = ocsf::PATHS.iter().flat_map(|(_, paths)| *paths);
            let used = used.chain(&ocsf::INTERFACES).chain([&ocsf::DIRECTION]);
            let mut roots: Vec<&str> = used.map(|path| path[0]).collect();
            roots.extend(ocsf::ACTIONS.iter().map(|(name, ..)| *name));
            let read = |name: &&String| roots.contains(&name.as_str());
            names.iter().filter(read).cloned().collect()
        } else {
            let read = |name: &&String| fields::column(name).is_some();
            names.iter().filter(read).cloned().collect()
        };
        let mut groups = Vec::new();
        for group in &reader.get_metadata()?.row_groups {
            groups.push(group.num_rows());
        }
        Ok((wanted.len() >= 2).then_some(Self {
            width: names.len(),
            wanted,
            is_ocsf,
            groups,
        }))
    }

    /// The table of some rows, and how many they are.
    fn read(&self, bytes: &[u8], rows: (usize, usize)) -> Result<(Table, usize), PolarsError> {
        let frame = ParquetReader::new(Cursor::new(bytes))
            .with_columns(Some(self.wanted.clone()))
            .with_slice(Some(rows))
            .finish()?;
        let table = if self.is_ocsf {
            Table::of_events(&frame)?
        } else {
            Table::of_records(&frame)?
        };
        Ok((table, frame.height()))
    }

    fn describe(&self) -> String {
        if self.is_ocsf {
            "Parquet, OCSF network activity".to_owned()
        } else {
            format!("Parquet, {} fields", FIELDS.len().min(self.width))
        }
    }
}

/// Values of one column, one after the other.
enum Values {
    Texts(polars::prelude::StringChunked),
    Numbers(polars::prelude::Int64Chunked),
}

impl Values {
    fn of(series: &Series) -> Result<Self, PolarsError> {
        let series = series.as_materialized_series();
        Ok(match series.dtype() {
            DataType::String => Self::Texts(series.rechunk().str()?.clone()),
            DataType::Null => Self::Texts(series.cast(&DataType::String)?.str()?.clone()),
            _ => Self::Numbers(series.cast(&DataType::Int64)?.rechunk().i64()?.clone()),
        })
    }
}

/// The columns that are there.
struct Table {
    columns: Vec<(Column, Values)>,
    /// OCSF says some things by number, or in several places.
    event: Option<Event>,
}

struct Event {
    direction: Option<Values>,
    actions: Vec<(Values, u64, u64)>,
    interfaces: [Option<Values>; 2],
}

impl Table {
    fn of_records(frame: &DataFrame) -> Result<Self, PolarsError> {
        let mut columns = Vec::new();
        for series in frame.columns() {
            if let Some(column) = fields::column(series.name()) {
                columns.push((column, Values::of(series)?));
            }
        }
        Ok(Self {
            columns,
            event: None,
        })
    }

    fn of_events(frame: &DataFrame) -> Result<Self, PolarsError> {
        let at = |path: &[&str]| -> Result<Option<Values>, PolarsError> {
            let Ok(root) = frame.column(path[0]) else {
                return Ok(None);
            };
            let Some(field) = path.get(1) else {
                return Values::of(root).map(Some);
            };
            let parts = root.as_materialized_series().struct_()?;
            match parts.field_by_name(field) {
                Ok(series) => Values::of(&series.into()).map(Some),
                Err(_) => Ok(None),
            }
        };
        let mut columns = Vec::new();
        for (column, paths) in ocsf::PATHS {
            for path in *paths {
                if let Some(values) = at(path)? {
                    columns.push((*column, values));
                    break;
                }
            }
        }
        let mut actions = Vec::new();
        for &(name, yes, no) in ocsf::ACTIONS {
            if let Some(values) = at(&[name])? {
                actions.push((values, yes, no));
            }
        }
        Ok(Self {
            columns,
            event: Some(Event {
                direction: at(ocsf::DIRECTION)?,
                actions,
                interfaces: [at(ocsf::INTERFACES[0])?, at(ocsf::INTERFACES[1])?],
            }),
        })
    }

    /// Hands out every row with its number in the file; `before` is how many came before.
    fn read(
        &self,
        height: usize,
        before: u64,
        take: &mut impl FnMut(u64, Result<Line<'_>, BadLine>),
    ) {
        let mut cursors: Vec<(Column, Run<'_>)> = self
            .columns
            .iter()
            .map(|(column, values)| (*column, Run::new(values)))
            .collect();
        let mut event = self.event.as_ref().map(EventCursors::new);
        let mut has = [false; COLUMNS];
        for (column, _) in &cursors {
            has[*column as usize] = true;
        }
        for number in 0..height {
            let mut cells = Typed {
                texts: [NONE; COLUMNS],
                numbers: [None; COLUMNS],
                has: &has,
            };
            for (column, cursor) in &mut cursors {
                match cursor.next() {
                    Cell::Text(text) => cells.texts[*column as usize] = text,
                    Cell::Number(value) => cells.numbers[*column as usize] = Some(value),
                    Cell::None => {}
                }
            }
            if let Some(event) = &mut event {
                event.next(&mut cells);
            }
            take(before + number as u64 + 1, read_cells(&cells));
        }
    }
}

enum Cell<'a> {
    Text(&'a [u8]),
    Number(u64),
    None,
}

/// A place in a column of one piece.
struct Run<'a> {
    values: &'a Values,
    /// Numbers, if none is missing.
    numbers: Option<&'a [i64]>,
    at: usize,
}

impl<'a> Run<'a> {
    fn new(values: &'a Values) -> Self {
        let numbers = match values {
            Values::Texts(_) => None,
            Values::Numbers(numbers) => numbers.cont_slice().ok(),
        };
        Self {
            values,
            numbers,
            at: 0,
        }
    }

    #[inline]
    fn next(&mut self) -> Cell<'a> {
        let at = self.at;
        self.at += 1;
        let number = |value: i64| u64::try_from(value).map_or(Cell::None, Cell::Number);
        if let Some(numbers) = self.numbers {
            return numbers.get(at).map_or(Cell::None, |&value| number(value));
        }
        match self.values {
            Values::Texts(texts) => match texts.get(at) {
                Some(text) if !text.is_empty() => Cell::Text(text.as_bytes()),
                _ => Cell::None,
            },
            Values::Numbers(numbers) => numbers.get(at).map_or(Cell::None, number),
        }
    }
}

struct EventCursors<'a> {
    direction: Option<Run<'a>>,
    actions: Vec<(Run<'a>, u64, u64)>,
    interfaces: [Option<Run<'a>>; 2],
}

impl<'a> EventCursors<'a> {
    fn new(event: &'a Event) -> Self {
        let actions = event.actions.iter();
        Self {
            direction: event.direction.as_ref().map(Run::new),
            actions: actions
                .map(|(values, yes, no)| (Run::new(values), *yes, *no))
                .collect(),
            interfaces: [0, 1].map(|end| event.interfaces[end].as_ref().map(Run::new)),
        }
    }

    fn next(&mut self, cells: &mut Typed<'a, '_>) {
        let number = |cell| match cell {
            Cell::Number(value) => Some(value),
            _ => None,
        };
        let direction = self.direction.as_mut().and_then(|c| number(c.next()));
        if let Some(way) = ocsf::way(direction) {
            cells.texts[Column::FlowDirection as usize] = way.as_bytes();
        }
        let mut verdicts = self.actions.iter_mut().map(|(cursor, yes, no)| {
            let value = number(cursor.next())?;
            ocsf::verdict(value, *yes, *no)
        });
        // Every column has to move on, so all are asked.
        let verdict = verdicts.by_ref().fold(None, Option::or);
        if let Some(verdict) = verdict {
            cells.texts[Column::Action as usize] = verdict.as_bytes();
        }
        let ends = self.interfaces.each_mut().map(|end| match end {
            Some(cursor) => match cursor.next() {
                Cell::Text(text) => Some(text),
                _ => None,
            },
            None => None,
        });
        let interface = if direction == Some(2) {
            ends[1].or(ends[0])
        } else {
            ends[0].or(ends[1])
        };
        if let Some(interface) = interface {
            cells.texts[Column::InterfaceId as usize] = interface;
        }
    }
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
