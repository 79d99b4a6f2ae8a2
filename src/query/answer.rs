//! What an engine answered to `connections`, in a file: Parquet, or CSV with a header.

use std::borrow::Cow;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::partial::{Partials, Unreadable};

/// Why a file is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It lacks a column.
    #[error("has no column `{0}`; keep every column of what `closegate query connections` prints")]
    Missing(&'static str),
    /// A column is of a type that no number and no text has.
    #[error("has a column `{0}` that holds neither texts nor whole numbers")]
    Kind(&'static str),
    /// It is damaged as a whole.
    #[error("can't be read: {0}")]
    Damaged(String),
}

/// Adds a file, which is Parquet or CSV, gzip or not. A row that can't be read is counted as malformed. `name` is what samples
/// of those call the file.
pub fn add_answer(partials: &mut Partials, name: &str, file: Bytes) -> Result<(), AnswerError> {
    if file.starts_with(b"PAR1") {
        return each_row(file, partials, |row, added, partials| {
            if let Err(reason) = added {
                partials.reject(name, row, &reason.to_string());
            }
            Ok(())
        });
    }
    if file.starts_with(b"\x1f\x8b") {
        return csv_table(MultiGzDecoder::new(&*file), name, partials);
    }
    csv_table(&*file, name, partials)
}

/// Adds a Parquet file in which every row has to be readable.
pub fn add_whole_answer(partials: &mut Partials, file: Bytes) -> Result<(), AnswerError> {
    each_row(file, partials, |_, added, _| {
        added.map_err(|reason| AnswerError::Damaged(reason.to_string()))
    })
}

/// Adds each row of a Parquet file; `take` gets its number, from 1, and what adding it gave.
fn each_row(
    file: Bytes,
    partials: &mut Partials,
    mut take: impl FnMut(u64, Result<(), Unreadable>, &mut Partials) -> Result<(), AnswerError>,
) -> Result<(), AnswerError> {
    // Types as Parquet has them: writers may note others, such as dictionaries.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let mut reader =
        guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?.build())?;
    let mut row = 0;
    while let Some(batch) = guarded(|| reader.next().transpose())? {
        let columns = columns(&batch)?;
        for at in 0..batch.num_rows() {
            row += 1;
            let value = |wanted: &str| {
                let (_, texts) = columns.iter().find(|(name, _)| *name == wanted)?;
                texts.get(at)?.as_deref()
            };
            let added = partials.add(value);
            take(row, added, partials)?;
        }
    }
    Ok(())
}

/// Runs the library, which panics over some damaged files instead of refusing them.
fn guarded<T, E: std::fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, AnswerError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| AnswerError::Damaged(error.to_string())),
        Err(_) => Err(AnswerError::Damaged("its decoder panicked".to_owned())),
    }
}

/// A column's values as texts.
type Values<'b> = Vec<Option<Cow<'b, str>>>;

/// The columns of an answer.
fn columns(batch: &RecordBatch) -> Result<Vec<(&'static str, Values<'_>)>, AnswerError> {
    Partials::COLUMNS
        .into_iter()
        .map(|name| {
            let column = batch
                .column_by_name(name)
                .ok_or(AnswerError::Missing(name))?;
            Ok((name, texts(column).ok_or(AnswerError::Kind(name))?))
        })
        .collect()
}

/// A column's values as texts; `None` for a type that an answer has not.
fn texts(column: &ArrayRef) -> Option<Values<'_>> {
    Some(match column.data_type() {
        DataType::Null => vec![None; column.len()],
        DataType::Utf8 => borrowed(column.as_string::<i32>().iter()),
        DataType::LargeUtf8 => borrowed(column.as_string::<i64>().iter()),
        DataType::Binary => lossy(column.as_binary::<i32>().iter()),
        DataType::LargeBinary => lossy(column.as_binary::<i64>().iter()),
        DataType::Int8 => numbers::<Int8Type>(column),
        DataType::Int16 => numbers::<Int16Type>(column),
        DataType::Int32 => numbers::<Int32Type>(column),
        DataType::Int64 => numbers::<Int64Type>(column),
        DataType::UInt8 => numbers::<UInt8Type>(column),
        DataType::UInt16 => numbers::<UInt16Type>(column),
        DataType::UInt32 => numbers::<UInt32Type>(column),
        DataType::UInt64 => numbers::<UInt64Type>(column),
        DataType::Float32 => numbers::<Float32Type>(column),
        DataType::Float64 => numbers::<Float64Type>(column),
        DataType::Decimal128(_, 0) => numbers::<Decimal128Type>(column),
        _ => return None,
    })
}

fn borrowed<'b>(texts: impl Iterator<Item = Option<&'b str>>) -> Values<'b> {
    texts.map(|text| text.map(Cow::Borrowed)).collect()
}

fn lossy<'b>(texts: impl Iterator<Item = Option<&'b [u8]>>) -> Values<'b> {
    texts
        .map(|text| text.map(String::from_utf8_lossy))
        .collect()
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Values<'_>
where
    T::Native: ToString,
{
    let numbers = column.as_primitive::<T>().iter();
    numbers
        .map(|number| number.map(|number| Cow::Owned(number.to_string())))
        .collect()
}

/// Adds each row of a CSV table; nothing, or `\N` as `ClickHouse` writes it, stands for no value.
fn csv_table(table: impl Read, name: &str, partials: &mut Partials) -> Result<(), AnswerError> {
    let damaged = |error: csv::Error| AnswerError::Damaged(error.to_string());
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table);
    let header = reader.byte_headers().map_err(damaged)?.clone();
    let place = |wanted: &'static str| {
        let mut names = header.iter();
        let place = names.position(|name| name.trim_ascii() == wanted.as_bytes());
        place
            .map(|place| (wanted, place))
            .ok_or(AnswerError::Missing(wanted))
    };
    let places: Vec<(&str, usize)> = Partials::COLUMNS
        .into_iter()
        .map(place)
        .collect::<Result<_, AnswerError>>()?;
    for (record, row) in reader.byte_records().zip(1..) {
        let record = record.map_err(damaged)?;
        if record.len() != header.len() {
            partials.reject(name, row, "it has more or fewer values than the header");
            continue;
        }
        let texts: Vec<(&str, Cow<'_, str>)> = places
            .iter()
            .map(|&(name, place)| (name, String::from_utf8_lossy(&record[place])))
            .collect();
        let value = |wanted: &str| {
            let (_, text) = texts.iter().find(|(name, _)| *name == wanted)?;
            Some(&**text).filter(|text| *text != r"\N")
        };
        if let Err(reason) = partials.add(value) {
            partials.reject(name, row, &reason.to_string());
        }
    }
    Ok(())
}
