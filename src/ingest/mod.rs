//! Stage 2: flow records out of files.
//!
//! Sources in; every readable row handed to a [`Sink`], and an [`Intake`] that
//! accounts for every line: rows + NODATA + SKIPDATA + duplicates + malformed +
//! outside the window = data lines. Bad input is counted and sampled, never fatal.

mod blocks;
mod columns;
mod container;
mod csv_table;
mod damage;
mod deduplication;
mod elements;
mod error;
mod fields;
mod format;
mod intake;
mod item;
mod json;
mod lines;
mod members;
mod numbers;
mod ocsf;
mod pages;
mod parquet;
mod read;
mod reading;
mod row;
mod sample;
mod simd;
mod sink;
mod source;
mod tape;
mod texts;
mod thrift;
mod utf16;
mod worker;

pub use error::IngestError;
pub use fields::{Column, DEFAULT, FIELDS, Field, field};
pub use format::{LogFormat, LogFormatError};
pub use intake::{Intake, MalformedSample, Settings, SourceIntake};
pub use lines::NO_FORMAT;
pub use read::{read, read_until};
pub use row::{BadLine, Handshake, Interval, Line, PacketDirection, Row, parse_line};
pub use sample::{SampleLimits, SourceSample, described_fields, sample};
pub use sink::Sink;
pub use source::{
    ObjectCopy, Remote, Source, find, flow_log_id, is_remote, object_name, slot, without_copies,
};
