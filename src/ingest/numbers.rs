//! A column of numbers of a Parquet file: each value is converted exactly, or is none that a field can have.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use super::row::{TIMES_BELOW, whole};

/// In a row without a value. No field has a number near it.
pub(super) const NONE: i64 = i64::MIN;

/// A value that is no number that a field can have; any other negative number is none either.
const IMPOSSIBLE: i64 = -1;

/// A column of numbers.
pub(super) struct Numbers {
    reader: ColumnReader,
    conversion: Conversion,
    /// The definition level of a value that is there; 0 if all are.
    there: i16,
    levels: Vec<i16>,
    /// By row: [`NONE`] where there is none, and negative where it is impossible.
    pub(super) values: Vec<i64>,
}

/// What the stored numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    AsStored,
    /// Thirty-two bits without a sign, stored in a type with one.
    Unsigned,
    /// A time in parts of a second, so many of them.
    Parts(i64),
    /// So many digits are behind the point.
    Digits(i32),
    /// A date, a time of day, or anything else that no field is.
    Never,
}

impl Conversion {
    fn of(column: &ColumnDescriptor, is_time: bool) -> Self {
        let time = |parts| {
            if is_time {
                Self::Parts(parts)
            } else {
                Self::Never
            }
        };
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Integer(kind)), _) if kind.is_signed => Self::AsStored,
            (Some(LogicalType::Integer(_)), _) => Self::Unsigned,
            (Some(LogicalType::Decimal(kind)), _) => Self::Digits(kind.scale),
            (Some(LogicalType::Timestamp(kind)), _) => time(match kind.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            }),
            (Some(LogicalType::Unknown), _) => Self::AsStored,
            (Some(_), _) => Self::Never,
            (None, ConvertedType::TIMESTAMP_MILLIS) => time(1_000),
            (None, ConvertedType::TIMESTAMP_MICROS) => time(1_000_000),
            (None, ConvertedType::DECIMAL) => Self::Digits(column.type_scale()),
            (
                None,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Self::Unsigned,
            (
                None,
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64,
            ) => match column.physical_type() {
                // A legacy timestamp.
                Type::INT96 => time(1),
                Type::FIXED_LEN_BYTE_ARRAY | Type::BOOLEAN => Self::Never,
                _ => Self::AsStored,
            },
            (None, _) => Self::Never,
        }
    }

    /// What a stored number says; negative if it says nothing.
    fn number(self, stored: i128) -> i64 {
        let number = match self {
            Self::AsStored | Self::Unsigned => Some(stored),
            Self::Parts(parts) => {
                let seconds = stored.div_euclid(i128::from(parts));
                Some(seconds).filter(|&seconds| seconds < i128::from(TIMES_BELOW))
            }
            Self::Digits(digits) => {
                let power = u32::try_from(digits).ok();
                let power = power.and_then(|digits| 10_i128.checked_pow(digits));
                power
                    .filter(|power| stored % power == 0)
                    .map(|power| stored / power)
            }
            Self::Never => None,
        };
        let number = number.and_then(|number| i64::try_from(number).ok());
        number.filter(|&number| number >= 0).unwrap_or(IMPOSSIBLE)
    }
}

/// Whether a column holds texts rather than numbers.
pub(super) fn is_text(column: &ColumnDescriptor) -> bool {
    column.physical_type() == Type::BYTE_ARRAY
        && !matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
        && column.converted_type() != ConvertedType::DECIMAL
}

impl Numbers {
    /// `is_time`: the field is a time, so that a timestamp is a value of it.
    pub(super) fn new(column: &ColumnDescPtr, pages: Box<dyn PageReader>, is_time: bool) -> Self {
        Self {
            conversion: Conversion::of(column, is_time),
            there: column.max_def_level(),
            reader: get_column_reader(column.clone(), pages),
            levels: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Reads the next rows, and says how many there are.
    pub(super) fn fill(&mut self, batch: usize) -> Result<usize, ParquetError> {
        self.levels.clear();
        self.values.clear();
        let (levels, values) = (&mut self.levels, &mut self.values);
        let conversion = self.conversion;
        let exact = |number: f64| {
            whole(number).map_or(IMPOSSIBLE, |number| conversion.number(number.into()))
        };
        let rows = match &mut self.reader {
            ColumnReader::Int64ColumnReader(reader) if conversion == Conversion::AsStored => {
                let (rows, ..) = reader.read_records(batch, Some(levels), None, values)?;
                for value in values.iter_mut() {
                    *value = (*value).max(IMPOSSIBLE);
                }
                rows
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let number = |stored: &i64| conversion.number((*stored).into());
                converted(reader, batch, levels, values, number)?
            }
            ColumnReader::Int32ColumnReader(reader) if conversion == Conversion::Unsigned => {
                let number = |stored: &i32| stored.cast_unsigned().into();
                converted(reader, batch, levels, values, number)?
            }
            ColumnReader::Int32ColumnReader(reader) if conversion == Conversion::AsStored => {
                converted(reader, batch, levels, values, |&stored| stored.into())?
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let number = |stored: &i32| conversion.number((*stored).into());
                converted(reader, batch, levels, values, number)?
            }
            ColumnReader::Int96ColumnReader(reader) => {
                converted(reader, batch, levels, values, |stored| {
                    conversion.number(stored.to_seconds().into())
                })?
            }
            ColumnReader::FloatColumnReader(reader) => {
                converted(reader, batch, levels, values, |&stored| {
                    exact(stored.into())
                })?
            }
            ColumnReader::DoubleColumnReader(reader) => {
                converted(reader, batch, levels, values, |&stored| exact(stored))?
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let number = |stored: &parquet::data_type::FixedLenByteArray| {
                    big_endian(stored.data()).map_or(IMPOSSIBLE, |stored| conversion.number(stored))
                };
                converted(reader, batch, levels, values, number)?
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let number = |stored: &parquet::data_type::ByteArray| {
                    big_endian(stored.data()).map_or(IMPOSSIBLE, |stored| conversion.number(stored))
                };
                converted(reader, batch, levels, values, number)?
            }
            ColumnReader::BoolColumnReader(reader) => {
                converted(reader, batch, levels, values, |_| IMPOSSIBLE)?
            }
        };
        if self.there > 0 {
            let there = |row: usize| self.levels.get(row) == Some(&self.there);
            spread(&mut self.values, rows, NONE, there);
        }
        Ok(rows)
    }
}

/// A number with a sign in as many bytes as it takes, the highest first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let significant = bytes.len().min(16);
    let (more, bytes) = bytes.split_at(bytes.len() - significant);
    let mut number = [sign; 16];
    number[16 - significant..].copy_from_slice(bytes);
    let number = i128::from_be_bytes(number);
    let fits = more.iter().all(|&byte| byte == sign) && (number < 0) == (sign != 0);
    fits.then_some(number)
}

fn converted<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    batch: usize,
    levels: &mut Vec<i16>,
    values: &mut Vec<i64>,
    number: impl Fn(&T::T) -> i64,
) -> Result<usize, ParquetError> {
    let mut stored = Vec::with_capacity(batch);
    let (rows, ..) = reader.read_records(batch, Some(levels), None, &mut stored)?;
    values.extend(stored.iter().map(number));
    Ok(rows)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Conversion, IMPOSSIBLE, big_endian, spread};

    #[test]
    fn numbers_are_exact_or_none() {
        assert_eq!(Conversion::Digits(2).number(44_300), 443);
        assert_eq!(Conversion::Digits(2).number(44_301), IMPOSSIBLE);
        assert_eq!(
            Conversion::Parts(1_000).number(1_600_000_000_999),
            1_600_000_000
        );
        assert_eq!(Conversion::Parts(1_000).number(-1), IMPOSSIBLE);
        assert_eq!(Conversion::Never.number(443), IMPOSSIBLE);
        assert_eq!(big_endian(&[0x01, 0xbb]), Some(443));
        assert_eq!(big_endian(&[0xff]), Some(-1));
        assert_eq!(big_endian(&[]), None);
        assert_eq!(
            big_endian(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
            Some(7)
        );
        assert_eq!(
            big_endian(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
            None
        );
    }

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
