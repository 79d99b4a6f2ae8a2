//! Parquet says the same however it is encoded, and in whatever types.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use closegate::ingest;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use proptest::prelude::*;

use crate::containers::read;

const TEXTS: [&str; 5] = ["interface_id", "srcaddr", "dstaddr", "action", "log_status"];

/// Values of [`ingest::DEFAULT`], but for the version and the account; none where there is a dash.
type Values = [Option<String>; 12];

const NAMES: [&str; 12] = [
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log_status",
];

/// A row of traffic, an idle interval, or one that can't be read.
fn values() -> impl Strategy<Value = Values> {
    let row = (0..9u8, 0..60u8, 0..200u8, 1024..9000u16, 0..900u32);
    (row, 0..12u8).prop_map(|((interface, src, dst, port, time), fault)| {
        let some = |text: String| Some(text);
        let mut values: Values = [
            some(format!("eni-{interface:017}")),
            some(format!("10.0.{interface}.{src}")),
            some(format!("10.1.0.{dst}")),
            some(port.to_string()),
            some("443".to_owned()),
            some("6".to_owned()),
            some("7".to_owned()),
            some("800".to_owned()),
            some((1_600_000_000 + time).to_string()),
            some((1_600_000_060 + time).to_string()),
            some(if dst % 5 == 0 { "REJECT" } else { "ACCEPT" }.to_owned()),
            some("OK".to_owned()),
        ];
        match fault {
            0 => {
                values[1..8].fill(None);
                values[10] = None;
                values[11] = some("NODATA".to_owned());
            }
            1 => values[1] = None,
            2 => values[2] = some("10.1.0.256".to_owned()),
            3 => values[1] = some(format!("2001:db8::{src:x}")),
            4 => values[0] = None,
            _ => {}
        }
        values
    })
}

fn text(rows: &[Values]) -> String {
    let mut text = format!("{}\n", ingest::DEFAULT);
    for row in rows {
        let words = row.iter().map(|value| value.as_deref().unwrap_or("-"));
        let words: Vec<&str> = words.collect();
        writeln!(text, "2 1 {}", words.join(" ")).unwrap();
    }
    text
}

/// Lines of the default format as AWS delivers them in Parquet, with so many rows in a group.
pub(crate) fn of_lines(lines: &[String], rows: usize) -> Vec<u8> {
    let values = |line: &String| -> Values {
        let mut values = line.split(' ').skip(2).map(ToOwned::to_owned);
        std::array::from_fn(|_| values.next())
    };
    let values: Vec<Values> = lines.iter().map(values).collect();
    let gzip = Compression::GZIP(GzipLevel::default());
    let properties = WriterProperties::builder().set_compression(gzip);
    file_of(
        &values,
        false,
        properties.set_max_row_group_row_count(Some(rows)),
    )
}

/// The rows as a file of some row groups, texts as such or as bytes.
fn file(rows: &[Values], bytes: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
    file_of(
        rows,
        bytes,
        properties.set_max_row_group_row_count(Some(1500)),
    )
}

fn file_of(rows: &[Values], bytes: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let columns = NAMES.iter().enumerate().map(|(at, name)| {
        let values = rows.iter().map(|row| row[at].as_deref());
        let column: ArrayRef = if !TEXTS.contains(name) {
            let numbers = values.map(|value| value.map(|value| value.parse::<i64>().unwrap()));
            Arc::new(numbers.collect::<Int64Array>())
        } else if bytes {
            let values = values.map(|value| value.map(str::as_bytes));
            Arc::new(values.collect::<BinaryArray>())
        } else {
            Arc::new(values.collect::<StringArray>())
        };
        (*name, column, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut file = Vec::new();
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), properties).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// Two rows, of which some columns are as given and others are added.
fn with(columns: &[(&str, ArrayRef)]) -> (usize, u64, Vec<String>) {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; 2])) };
    let number = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value; 2])) };
    let mut all = vec![
        ("interface_id", text("eni-1")),
        ("srcaddr", text("10.0.0.1")),
        ("dstaddr", text("10.0.0.2")),
        (
            "srcport",
            Arc::new(Int64Array::from(vec![40_000, 40_001])) as ArrayRef,
        ),
        ("dstport", number(443)),
        ("protocol", number(6)),
        ("packets", number(7)),
        ("bytes", number(900)),
        ("start", number(1_600_000_000)),
        ("end", number(1_600_000_060)),
        ("action", text("ACCEPT")),
    ];
    for (name, column) in columns {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(column),
            None => all.push((*name, Arc::clone(column))),
        }
    }
    let columns = all.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (rows, intake) = crate::damaged_input::rows(&file);
    let reasons = intake.samples.into_iter().map(|sample| sample.reason);
    let (plain, _) = crate::damaged_input::rows(
        b"interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action\neni-1 10.0.0.1 10.0.0.2 40000 443 6 7 900 1600000000 1600000060 ACCEPT\neni-1 10.0.0.1 10.0.0.2 40001 443 6 7 900 1600000000 1600000060 ACCEPT\n",
    );
    assert!(rows.is_subset(&plain), "{rows:?}");
    (rows.len(), intake.malformed, reasons.collect())
}

/// Reads files with these columns, each of which leaves so many of the two rows.
fn leave(cases: Vec<(usize, (&str, ArrayRef))>) {
    for (good, (name, column)) in cases {
        let kind = column.data_type().clone();
        let (rows, malformed, reasons) = with(&[(name, column)]);
        let expected = (good, 2 - good as u64);
        assert_eq!((rows, malformed), expected, "{name} as {kind}: {reasons:?}");
    }
}

/// A value of another type is the same value, or the row is malformed: never another value, and never none.
#[test]
fn numbers_of_other_types_are_exact_or_malformed() {
    let port = |value: ArrayRef| ("dstport", value);
    let doubles = |values: [f64; 2]| port(Arc::new(Float64Array::from(values.to_vec())));
    let longs = |values: [i64; 2]| port(Arc::new(Int64Array::from(values.to_vec())));
    let decimal = |value: i128, digits| {
        let values = Decimal128Array::from(vec![value; 2]);
        port(Arc::new(
            values.with_precision_and_scale(digits, 2).unwrap(),
        ))
    };
    let keys = Int32Array::from(vec![0, 0]);
    let of_texts = DictionaryArray::new(keys.clone(), Arc::new(StringArray::from(vec!["443"])));
    let of_numbers = DictionaryArray::new(keys, Arc::new(UInt16Array::from(vec![443])));
    leave(vec![
        (2, doubles([443.0; 2])),
        (1, doubles([443.0, 443.5])),
        (1, doubles([f64::NAN, 443.0])),
        (1, doubles([-443.0, 443.0])),
        (1, doubles([f64::INFINITY, 443.0])),
        (2, port(Arc::new(Float32Array::from(vec![443.0; 2])))),
        (1, longs([-1, 443])),
        (1, longs([i64::MIN, 443])),
        (1, port(Arc::new(Int32Array::from(vec![-443, 443])))),
        (1, port(Arc::new(Int32Array::from(vec![Some(443), None])))),
        (2, port(Arc::new(UInt16Array::from(vec![443; 2])))),
        (1, port(Arc::new(UInt32Array::from(vec![443, u32::MAX])))),
        (1, port(Arc::new(UInt64Array::from(vec![u64::MAX, 443])))),
        (2, decimal(44_300, 9)),
        (2, decimal(44_300, 18)),
        (2, decimal(44_300, 30)),
        (0, decimal(44_350, 18)),
        (0, decimal(-44_300, 18)),
        (2, port(Arc::new(of_texts))),
        (2, port(Arc::new(of_numbers))),
        (2, port(Arc::new(StringArray::from(vec!["443"; 2])))),
        (1, port(Arc::new(StringArray::from(vec!["443.0", "443"])))),
        (0, port(Arc::new(BooleanArray::from(vec![true; 2])))),
        (0, port(Arc::new(Date32Array::from(vec![443; 2])))),
        (
            0,
            port(Arc::new(TimestampMillisecondArray::from(vec![443; 2]))),
        ),
        (1, ("protocol", Arc::new(Int64Array::from(vec![-6, 6])))),
        (1, ("bytes", Arc::new(Int64Array::from(vec![-900, 900])))),
    ]);
}

/// The same of times, and of what is a text.
#[test]
fn times_and_texts_of_other_types_are_exact_or_malformed() {
    const SECONDS: i64 = 1_600_000_000;
    let start = |value: ArrayRef| ("start", value);
    let millis =
        |values: [i64; 2]| start(Arc::new(TimestampMillisecondArray::from(values.to_vec())));
    let micros = TimestampMicrosecondArray::from(vec![SECONDS * 1_000_000 + 1; 2]);
    let nanos = TimestampNanosecondArray::from(vec![SECONDS * 1_000_000_000; 2]);
    leave(vec![
        (0, start(Arc::new(Date32Array::from(vec![18_518; 2])))),
        (
            2,
            start(Arc::new(TimestampSecondArray::from(vec![SECONDS; 2]))),
        ),
        (2, millis([SECONDS * 1_000; 2])),
        (1, millis([-1, SECONDS * 1_000])),
        (2, start(Arc::new(micros))),
        (2, start(Arc::new(nanos))),
        (0, ("pkt_srcaddr", Arc::new(Int64Array::from(vec![7; 2])))),
        (0, ("interface_id", Arc::new(Int64Array::from(vec![7; 2])))),
        (
            2,
            ("pkt_srcaddr", Arc::new(Int64Array::from(vec![None; 2]))),
        ),
    ]);
}

/// Which of two columns counts can't be known, and what is no part of a connection is no flow log.
#[test]
fn a_file_that_is_ambiguous_or_lacks_a_column_is_refused() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["10.0.0.9"; 2]));
    let (rows, malformed, reasons) = with(&[("sourceaddress", texts)]);
    assert_eq!((rows, malformed), (0, 1));
    assert!(reasons[0].contains("`sourceaddress` twice"), "{reasons:?}");
    let columns: Vec<(&str, ArrayRef, bool)> = TEXTS
        .map(|name| {
            (
                name,
                Arc::new(StringArray::from(vec!["10.0.0.1"])) as ArrayRef,
                true,
            )
        })
        .to_vec();
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (_, intake) = read(&file);
    assert_eq!((intake.rows, intake.malformed), (0, 1));
    assert!(
        intake.samples[0].reason.contains("no `srcport`"),
        "{:?}",
        intake.samples
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Texts in a dictionary, plain, in a dictionary that got too large on the way, and by what they share with the one before;
    /// in pages of either version, however compressed: AWS's are by gzip.
    #[test]
    fn every_encoding_says_the_same(
        rows in prop::collection::vec(values(), 1..3500),
        bytes in any::<bool>(),
        compression in prop::sample::select(vec![
            Compression::GZIP(GzipLevel::default()),
            Compression::GZIP(GzipLevel::try_new(1).unwrap()),
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::ZSTD(ZstdLevel::default()),
        ]),
        version in prop::sample::select(vec![WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]),
    ) {
        let (wanted, of_text) = read(text(&rows).as_bytes());
        let properties = || WriterProperties::builder().set_compression(compression).set_writer_version(version);
        let plain = || properties().set_dictionary_enabled(false);
        let mut by_difference = plain();
        for name in TEXTS {
            by_difference = by_difference.set_column_encoding(name.into(), Encoding::DELTA_BYTE_ARRAY);
        }
        for (name, properties) in [
            ("in a dictionary", properties()),
            ("plain", plain()),
            ("too many", properties().set_dictionary_page_size_limit(64).set_write_batch_size(100)),
            ("by difference", by_difference),
        ] {
            let (table, intake) = read(&file(&rows, bytes, properties));
            prop_assert_eq!(&table.flows, &wanted.flows, "{}", name);
            prop_assert_eq!(&table.observers, &wanted.observers, "{}", name);
            prop_assert_eq!(&table.coverage, &wanted.coverage, "{}", name);
            prop_assert_eq!((intake.rows, intake.no_data, intake.malformed), (of_text.rows, of_text.no_data, of_text.malformed), "{}", name);
        }
    }
}
