//! How sources are read, and the account of what was read.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use super::format::LogFormat;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--log-format`: for files without a header.
    pub format: Option<LogFormat>,
    /// `LogFormat` by flow log id from the inventory: for files without a header.
    pub known_formats: Vec<(String, LogFormat)>,
    /// Ids of Transit Gateway flow logs in the inventory, whose files are refused.
    pub transit_gateways: Vec<String>,
    /// Rows that end before this are outside the window; Unix seconds.
    pub since: Option<u64>,
    /// Rows that start at or after this are outside the window; Unix seconds.
    pub until: Option<u64>,
}

/// The account of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Distinct rows of traffic inside the window.
    pub rows: u64,
    /// NODATA rows.
    pub no_data: u64,
    /// SKIPDATA rows.
    pub skip_data: u64,
    /// Rows that were counted already.
    pub duplicates: u64,
    /// Rows outside the window.
    pub outside_window: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// By source, in name order.
    pub sources: Vec<SourceIntake>,
    /// The first few malformed lines.
    pub samples: Vec<MalformedSample>,
    /// Start of the first and end of the last row, Unix seconds.
    pub window: Option<(u64, u64)>,
    /// The same of the rows outside the window.
    pub outside: Option<(u64, u64)>,
}

/// One source's part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceIntake {
    /// Its name.
    pub name: String,
    /// The format, or why there is none.
    pub format: String,
    /// Rows that parsed, duplicates included.
    pub records: u64,
    /// Lines that did not.
    pub malformed: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// Start of the first and end of the last row, Unix seconds.
    pub window: Option<(u64, u64)>,
    /// Its first few malformed lines.
    pub samples: Vec<MalformedSample>,
}

/// A line that could not be read, or a source that could not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MalformedSample {
    /// The source.
    pub source: String,
    /// The line, from 1; 0 when the source as a whole could not be read.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Samples kept per source and in all.
pub(super) const SAMPLES: usize = 20;

impl Intake {
    /// Distinct rows that parsed: what the report calls records read.
    pub fn records_read(&self) -> u64 {
        self.rows + self.no_data + self.skip_data
    }

    /// The account that goes with some sources, but for what was counted over all of
    /// them: rows, idle intervals, duplicates, and what lies outside the window.
    pub fn of(sources: Vec<SourceIntake>) -> Self {
        let mut samples: Vec<MalformedSample> = sources
            .iter()
            .flat_map(|source| source.samples.iter().cloned())
            .collect();
        samples.sort();
        samples.truncate(SAMPLES);
        Self {
            malformed: sources.iter().map(|source| source.malformed).sum(),
            bytes: sources.iter().map(|source| source.bytes).sum(),
            window: sources
                .iter()
                .fold(None, |all, source| wider(all, source.window)),
            samples,
            sources,
            ..Self::default()
        }
    }

    /// Adds what was counted elsewhere over the same sources.
    pub(super) fn count(&mut self, other: &Self) {
        self.rows += other.rows;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.duplicates += other.duplicates;
        self.outside_window += other.outside_window;
        self.outside = wider(self.outside, other.outside);
    }

    /// Adds the account of other sources.
    pub fn add(&mut self, mut other: Self) {
        let mut sources = std::mem::take(&mut self.sources);
        sources.append(&mut other.sources);
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        let mut all = Self::of(sources);
        all.count(self);
        all.count(&other);
        *self = all;
    }
}

/// The window that holds both.
#[inline(always)]
pub(super) fn wider(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Adds what another worker read of the same source.
pub(super) fn join(all: &mut SourceIntake, mut own: SourceIntake) {
    all.records += own.records;
    all.malformed += own.malformed;
    all.bytes += own.bytes;
    all.window = wider(all.window, own.window);
    all.samples.append(&mut own.samples);
    // Should workers differ, the first by name.
    if all.format.is_empty() || (!own.format.is_empty() && own.format < all.format) {
        all.format = own.format;
    }
}
