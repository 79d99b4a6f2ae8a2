//! Parquet says the same however it is encoded.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
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

/// The rows as a file of some row groups, texts as such or as bytes.
fn file(rows: &[Values], bytes: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
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
    let properties = properties.set_max_row_group_row_count(Some(1500)).build();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
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
