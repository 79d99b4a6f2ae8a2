//! The columns of a Parquet file, a thousand rows at a time.
//!
//! Texts are read as positions in a dictionary, as nearly every writer stores them, so that an address is read once
//! and not in every row.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType as ArrowType, Field, Fields};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;

use super::numbers::{self, NONE, Numbers};
use super::pages::Chunks;
use super::row::{self, BadLine};
use super::thrift::Walked;

/// Rows that are read at a time.
const BATCH: usize = 1024;

/// A file.
pub(super) struct File {
    bytes: Arc<Walked>,
    metadata: Arc<ParquetMetaData>,
    /// Its columns, with every text a position in a dictionary.
    fields: Fields,
}

impl File {
    pub(super) fn open(bytes: Bytes) -> Result<Self, ParquetError> {
        let bytes = Walked(bytes);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes)?;
        let schema = parquet_to_arrow_schema(metadata.file_metadata().schema_descr(), None)?;
        Ok(Self {
            bytes: Arc::new(bytes),
            fields: by_dictionary(schema.fields()),
            metadata: Arc::new(metadata),
        })
    }

    pub(super) fn schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    pub(super) fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// How many rows a group should have.
    pub(super) fn rows(&self, group: usize) -> u64 {
        let rows = self.metadata.row_group(group).num_rows();
        u64::try_from(rows).unwrap_or_default()
    }
}

/// The same fields, with every text a position in a dictionary.
fn by_dictionary(fields: &Fields) -> Fields {
    let same = |field: &Arc<Field>| {
        let of = |kind: ArrowType| Arc::new(field.as_ref().clone().with_data_type(kind));
        match field.data_type() {
            kind @ (ArrowType::Utf8 | ArrowType::Binary) => {
                let kind = Box::new(kind.clone());
                of(ArrowType::Dictionary(Box::new(ArrowType::Int32), kind))
            }
            ArrowType::Struct(inner) => of(ArrowType::Struct(by_dictionary(inner))),
            _ => Arc::clone(field),
        }
    };
    fields.iter().map(same).collect()
}

/// What a column holds, as far as it is read in a way of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Addresses,
    Times,
    Others,
}

/// The columns of a row group, a thousand rows at a time.
pub(super) struct RowGroup {
    columns: Vec<Content>,
    /// Nothing, if no column is text.
    texts: Option<ParquetRecordBatchReader>,
}

impl RowGroup {
    /// The columns at some positions among the file's, and what each holds.
    pub(super) fn open(
        file: &File,
        number: usize,
        wanted: impl Iterator<Item = (usize, Holds)>,
    ) -> Result<Self, ParquetError> {
        let chunks = Chunks {
            file: Arc::clone(&file.bytes),
            metadata: Arc::clone(&file.metadata),
            group: number,
        };
        let schema = file.schema();
        let (mut columns, mut texts) = (Vec::new(), Vec::new());
        for (at, holds) in wanted {
            let column = schema.column(at);
            columns.push(if numbers::is_text(&column) {
                texts.push(at);
                Content::Texts(Texts {
                    path: column.path().parts().to_vec(),
                    has_addresses: holds == Holds::Addresses,
                    keys: Vec::new(),
                    dictionary: None,
                    addresses: Vec::new(),
                })
            } else {
                let is_time = holds == Holds::Times;
                let numbers = Numbers::new(&column, chunks.pages(at)?, is_time);
                Content::Numbers(Box::new(numbers))
            });
        }
        let read = |texts: Vec<usize>| {
            let texts = ProjectionMask::leaves(schema, texts);
            let levels = parquet_to_arrow_field_levels(schema, texts, Some(&file.fields))?;
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, BATCH, None)
        };
        let texts = (!texts.is_empty()).then(|| read(texts)).transpose()?;
        Ok(Self { columns, texts })
    }

    /// Reads the next rows, and says how many there are: of each column as many, or the file is damaged.
    pub(super) fn fill(&mut self) -> Result<usize, ParquetError> {
        let batch = self.texts.as_mut().and_then(Iterator::next).transpose()?;
        let of_texts = batch.as_ref().map_or(0, RecordBatch::num_rows);
        let mut rows = self.texts.is_some().then_some(of_texts);
        for column in &mut self.columns {
            match column {
                Content::Texts(texts) => texts.fill(batch.as_ref()),
                Content::Numbers(numbers) => {
                    let own = numbers.fill(BATCH)?;
                    if *rows.get_or_insert(own) != own {
                        let reason = "its columns are of different lengths".to_owned();
                        return Err(ParquetError::General(reason));
                    }
                }
            }
        }
        Ok(rows.unwrap_or_default())
    }

    /// What the columns say of those rows.
    pub(super) fn values(&self) -> Vec<Values<'_>> {
        self.columns.iter().map(Content::values).collect()
    }
}

/// A column.
enum Content {
    Numbers(Box<Numbers>),
    Texts(Texts),
}

impl Content {
    fn values(&self) -> Values<'_> {
        match self {
            Self::Numbers(numbers) => Values::Numbers(&numbers.values),
            Self::Texts(texts) => texts.values(),
        }
    }
}

/// A column of texts.
struct Texts {
    /// Its name, and those of what it is in, the outermost first.
    path: Vec<String>,
    has_addresses: bool,
    /// By row, the position in the dictionary; [`NO_TEXT`] if there is none.
    keys: Vec<u32>,
    dictionary: Option<ArrayRef>,
    /// By position, the text as an address, where it should be one.
    addresses: Vec<Result<IpAddr, BadLine>>,
}

const NO_TEXT: u32 = u32::MAX;

impl Texts {
    /// Takes the next rows.
    fn fill(&mut self, batch: Option<&RecordBatch>) {
        self.keys.clear();
        let column = batch.and_then(|batch| column(batch, &self.path));
        let Some(rows) = column.and_then(|column| column.as_dictionary_opt::<Int32Type>()) else {
            return;
        };
        let keys = rows.keys().values().iter();
        self.keys
            .extend(keys.map(|&key| u32::try_from(key).unwrap_or(NO_TEXT)));
        if let Some(nulls) = rows.nulls() {
            for (key, is_there) in self.keys.iter_mut().zip(nulls) {
                *key = if is_there { *key } else { NO_TEXT };
            }
        }
        // A row group has one dictionary, as a rule.
        let known = self.dictionary.as_ref();
        if known.is_some_and(|known| Arc::ptr_eq(known, rows.values())) {
            return;
        }
        self.dictionary = Some(Arc::clone(rows.values()));
        self.addresses.clear();
        if let Some(texts) = dictionary(rows.values()).filter(|_| self.has_addresses) {
            let texts = (0..rows.values().len()).map(|at| texts.get(at));
            let addresses = texts.map(|text| row::address(text.unwrap_or_default()));
            self.addresses.extend(addresses);
        }
    }

    fn values(&self) -> Values<'_> {
        let texts = self.dictionary.as_ref().and_then(dictionary);
        Values::Texts(DictionaryKeys {
            keys: &self.keys,
            texts: texts.unwrap_or_default(),
            addresses: &self.addresses,
        })
    }
}

/// The column at a path.
fn column<'b>(batch: &'b RecordBatch, path: &[String]) -> Option<&'b ArrayRef> {
    let (first, inner) = path.split_first()?;
    let mut column = batch.column_by_name(first)?;
    for name in inner {
        let group: &StructArray = column.as_struct_opt()?;
        column = group.column_by_name(name)?;
    }
    Some(column)
}

/// The texts of a dictionary.
fn dictionary(values: &ArrayRef) -> Option<Dictionary<'_>> {
    let texts = values.as_string_opt::<i32>();
    let texts = texts.map(|texts| (texts.value_offsets(), texts.value_data()));
    let bytes = values.as_binary_opt::<i32>();
    let bytes = bytes.map(|bytes| (bytes.value_offsets(), bytes.value_data()));
    let (offsets, data) = texts.or(bytes)?;
    Some(Dictionary { offsets, data })
}

/// Texts, one behind the other.
#[derive(Clone, Copy, Default)]
struct Dictionary<'a> {
    offsets: &'a [i32],
    data: &'a [u8],
}

impl<'a> Dictionary<'a> {
    #[inline(always)]
    fn get(&self, at: usize) -> Option<&'a [u8]> {
        let &[from, to] = self.offsets.get(at..)?.first_chunk()?;
        self.data
            .get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    }
}

/// What a column says, by row.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    /// The file has no such column.
    None,
    /// [`NONE`] where there is none, and negative where it is impossible.
    Numbers(&'a [i64]),
    Texts(DictionaryKeys<'a>),
}

/// Texts by their positions in a dictionary.
#[derive(Clone, Copy)]
pub(super) struct DictionaryKeys<'a> {
    keys: &'a [u32],
    texts: Dictionary<'a>,
    addresses: &'a [Result<IpAddr, BadLine>],
}

impl<'a> DictionaryKeys<'a> {
    /// [`NO_TEXT`] if there is none.
    #[inline(always)]
    fn position(&self, row: usize) -> usize {
        self.keys.get(row).copied().unwrap_or(NO_TEXT) as usize
    }

    #[inline(always)]
    pub(super) fn text(&self, row: usize) -> Option<&'a [u8]> {
        let text = self.texts.get(self.position(row));
        text.filter(|text| !text.is_empty())
    }

    #[inline(always)]
    pub(super) fn address(&self, row: usize) -> Result<IpAddr, BadLine> {
        let address = self.addresses.get(self.position(row));
        address.copied().unwrap_or(Err(BadLine::Address))
    }
}

pub(super) enum ColumnValue<'a> {
    Text(&'a [u8]),
    Number(u64),
    None,
    /// A value that no field can have.
    Impossible,
}

impl<'a> Values<'a> {
    #[inline(always)]
    pub(super) fn cell(&self, row: usize) -> ColumnValue<'a> {
        match self {
            Self::Numbers(numbers) => match numbers.get(row) {
                None | Some(&NONE) => ColumnValue::None,
                Some(&number) => {
                    u64::try_from(number).map_or(ColumnValue::Impossible, ColumnValue::Number)
                }
            },
            Self::Texts(positions) => match positions.text(row) {
                Some(text) => ColumnValue::Text(text),
                None => ColumnValue::None,
            },
            Self::None => ColumnValue::None,
        }
    }

    /// A value that has to be a text, if there is one.
    #[inline(always)]
    pub(super) fn text(&self, row: usize) -> Result<Option<&'a [u8]>, BadLine> {
        match self {
            Self::Texts(texts) => Ok(texts.text(row)),
            Self::None => Ok(None),
            Self::Numbers(numbers) => match numbers.get(row) {
                None | Some(&NONE) => Ok(None),
                Some(_) => Err(BadLine::Kind),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Texts, Values};

    /// A column that is there is not taken for one that is not, though a damaged file has no rows of it.
    #[test]
    fn a_column_without_rows_is_one() {
        let mut texts = Texts {
            path: vec!["log_status".to_owned()],
            has_addresses: false,
            keys: Vec::new(),
            dictionary: None,
            addresses: Vec::new(),
        };
        texts.fill(None);
        assert!(matches!(texts.values(), Values::Texts(_)));
    }
}
