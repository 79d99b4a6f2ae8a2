//! The flow sources: what they are, and as many of their records as are enough to say so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::slice;

use crate::cli::args::RemoteArgs;
use crate::cli::commands::audit::nothing_read;
use crate::cli::exit::Failure;
use crate::cli::{progress, settings};
use crate::doctor::{Sighting, Sightings, format_version, missing_fields};
use crate::documents::{DoctorFormatRow, DoctorSourceRow, MalformedRow, MissingFieldRow, Window};
use crate::ingest::{
    self, Intake, MalformedSample, SampleLimits, Settings, Source, SourceSample, described_fields,
};
use crate::net::thousands;

/// Lines of a source after which no further file of it is read.
const ENOUGH: u64 = 1_000_000;

/// Of one large file.
const LIMITS: SampleLimits = SampleLimits {
    whole: 16 << 20,
    lines: 1_000_000,
    bytes: 256 << 20,
};

/// Malformed lines that are shown of a source.
const SAMPLES: usize = 5;

/// Why an engine is not asked.
const ENGINE: &str =
    "doctor doesn't query engines, which cost by what they scan; closegate audit does";

/// What was seen of all sources.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) rows: Vec<DoctorSourceRow>,
    /// By interface, as the records name it.
    pub(super) seen: BTreeMap<String, Sighting>,
    /// The time of the records, Unix seconds.
    pub(super) window: Option<(u64, u64)>,
    /// Whether a format lacks fields that are worth another flow log.
    pub(super) lacks_fields: bool,
    /// The account of all that was read, for an error.
    intake: Intake,
    /// What AWS refused.
    refused: Option<String>,
    /// Whether there was anything to read.
    has_logs: bool,
}

impl Looked {
    /// Looks at each source.
    pub(super) fn at(
        flows: &[String],
        remote: &RemoteArgs,
        reading: &Settings,
    ) -> Result<Self, Failure> {
        let mut looked = Self::default();
        let mut known = BTreeSet::new();
        for flow in flows {
            let mut row = DoctorSourceRow {
                name: flow.clone(),
                ..DoctorSourceRow::default()
            };
            if is_engine(flow) {
                row.not_read = Some(ENGINE.to_owned());
                looked.rows.push(row);
                continue;
            }
            looked.has_logs = true;
            let window = (reading.since, reading.until);
            match settings::sources(slice::from_ref(flow), remote, window, false) {
                Ok(mut found) => {
                    found.retain(|source| known.insert(source.name.clone()));
                    looked.source(&mut row, found, reading);
                }
                Err(failure) if failure.is_of_aws() => {
                    let said = failure.to_string();
                    row.not_read = Some(said.clone());
                    looked.refused.get_or_insert(said);
                }
                Err(failure) => return Err(failure),
            }
            looked.rows.push(row);
        }
        Ok(looked)
    }

    /// Why the exit code is not 0, if there were logs and nothing could be read of them.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.has_logs || self.intake.records_read() > 0 {
            return None;
        }
        Some(match &self.refused {
            Some(said) => Failure::aws(said.clone()),
            None => nothing_read(&self.intake),
        })
    }

    /// Whether records of traffic could be read.
    pub(super) fn has_records(&self) -> bool {
        self.intake.rows > 0
    }

    /// Whether any source is an engine, which an audit asks.
    pub(super) fn has_engines(&self) -> bool {
        self.rows.iter().any(|row| is_engine(&row.name))
    }

    /// Looks at the files of one source.
    fn source(&mut self, row: &mut DoctorSourceRow, mut found: Vec<Source>, reading: &Settings) {
        found.sort_by_cached_key(|source| (source.slot().map(str::to_owned), source.name.clone()));
        row.files = found.len() as u64;
        if found.is_empty() {
            row.not_read = Some("it holds no files that no source before it holds".to_owned());
            return;
        }
        let bar = progress::reading(0);
        let sightings = Sightings::default();
        let mut formats = Formats::default();
        let (mut window, mut read) = (None, 0);
        for position in spread(found.len()) {
            if read >= ENOUGH {
                break;
            }
            let source = &found[position];
            row.files_read += 1;
            let sample = match ingest::sample(source, LIMITS) {
                Ok(sample) => sample,
                Err(error) => {
                    // What AWS refuses once it refuses for every object.
                    if let Some(reason) = source.failure() {
                        let said = format!("AWS: {reason}");
                        row.not_read = Some(said.clone());
                        self.refused.get_or_insert(said);
                        break;
                    }
                    self.unread(row, source, &error.to_string());
                    continue;
                }
            };
            if sample.is_cut {
                row.files_cut.push(source.name.clone());
            }
            let files = slice::from_ref(&sample.source);
            let intake = ingest::read(files, reading, || sightings.sink(), |bytes| bar.inc(bytes));
            read += intake
                .sources
                .iter()
                .map(|file| file.records + file.malformed)
                .sum::<u64>();
            formats.add(&sample, &intake);
            window = union(window, intake.window);
            row.count(&intake);
            self.count(&intake);
        }
        bar.finish_and_clear();
        row.files_cut.sort();
        if row.files_read < row.files && row.not_read.is_none() {
            row.not_read = Some(format!(
                "closegate read files from all of its time, until it had read {} lines",
                thousands(ENOUGH)
            ));
        }
        let (rows, lacks_fields) = formats.rows();
        row.formats = rows;
        row.window = window.map(|(start, end)| Window { start, end });
        self.lacks_fields |= lacks_fields;
        self.window = union(self.window, window);
        for (name, sighting) in sightings.finish() {
            row.records_rejected += sighting.rejected;
            self.seen.entry(name).or_default().add(sighting);
        }
    }

    /// Accounts for a file that could not be read.
    fn unread(&mut self, row: &mut DoctorSourceRow, source: &Source, reason: &str) {
        let sample = MalformedSample {
            source: source.name.clone(),
            line: 0,
            reason: reason.to_owned(),
        };
        let intake = Intake {
            malformed: 1,
            samples: vec![sample],
            ..Intake::default()
        };
        row.count(&intake);
        self.count(&intake);
    }

    fn count(&mut self, intake: &Intake) {
        let all = &mut self.intake;
        all.rows += intake.rows;
        all.no_data += intake.no_data;
        all.skip_data += intake.skip_data;
        all.outside_window += intake.outside_window;
        all.outside = union(all.outside, intake.outside);
        all.malformed += intake.malformed;
        if all.samples.is_empty() {
            all.samples.extend(intake.samples.first().cloned());
        }
    }
}

impl DoctorSourceRow {
    fn count(&mut self, intake: &Intake) {
        self.records += intake.rows;
        self.records_no_data += intake.no_data;
        self.records_skip_data += intake.skip_data;
        self.records_duplicate += intake.duplicates;
        self.records_outside += intake.outside_window;
        self.malformed += intake.malformed;
        let room = SAMPLES.saturating_sub(self.malformed_samples.len());
        let samples = intake.samples.iter().take(room).map(|sample| MalformedRow {
            source: sample.source.clone(),
            line: sample.line,
            reason: sample.reason.clone(),
        });
        self.malformed_samples.extend(samples);
    }
}

/// By container and format.
#[derive(Default)]
struct Formats(BTreeMap<(String, String), FilesAlike>);

/// Files of one container and format.
#[derive(Default)]
struct FilesAlike {
    files: u64,
    /// The fields that all have of which any are known.
    fields: Option<Vec<&'static str>>,
}

impl Formats {
    fn add(&mut self, sample: &SourceSample, intake: &Intake) {
        let format = intake.sources.first().map(|source| source.format.clone());
        let format = format.unwrap_or_default();
        let fields = described_fields(&format).or_else(|| sample.fields.clone());
        let key = (sample.layers.join(", "), format);
        let known = self.0.entry(key).or_default();
        known.files += 1;
        // Of tables that differ, what all have.
        known.fields = match (known.fields.take(), fields) {
            (Some(mut all), Some(fields)) => {
                all.retain(|field| fields.contains(field));
                Some(all)
            }
            (all, fields) => all.or(fields),
        };
    }

    /// The formats, and whether one lacks fields that are worth another flow log.
    fn rows(self) -> (Vec<DoctorFormatRow>, bool) {
        let mut lacks_fields = false;
        let mut rows: Vec<DoctorFormatRow> = Vec::new();
        for ((container, format), FilesAlike { files, fields }) in self.0 {
            let missing = fields.as_deref().map(missing_fields).unwrap_or_default();
            lacks_fields |= missing.iter().any(|missing| missing.is_recommended);
            rows.push(DoctorFormatRow {
                container,
                format,
                files,
                version: fields.as_deref().and_then(format_version),
                fields: fields.as_deref().map(owned),
                missing: missing
                    .iter()
                    .map(|missing| MissingFieldRow {
                        fields: owned(&missing.fields),
                        cost: missing.cost.to_owned(),
                    })
                    .collect(),
            });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.files));
        (rows, lacks_fields)
    }
}

fn owned(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|&field| field.to_owned()).collect()
}

/// Whether a source is an engine, or what one answered.
fn is_engine(flow: &str) -> bool {
    let engines = ["athena:", "insights:", "answers:"];
    engines.iter().any(|engine| flow.starts_with(engine))
}

/// Positions in a list, so that however many are taken, they lie spread over all of it: both ends, the middle, and so on.
fn spread(count: usize) -> Vec<usize> {
    let Some(last) = count.checked_sub(1) else {
        return Vec::new();
    };
    let mut order = vec![0];
    if last > 0 {
        order.push(last);
    }
    let mut gaps = VecDeque::from([(0, last)]);
    while let Some((from, to)) = gaps.pop_front() {
        if to - from > 1 {
            let middle = from + (to - from) / 2;
            order.push(middle);
            gaps.extend([(from, middle), (middle, to)]);
        }
    }
    order
}

/// The time that holds both.
fn union(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_takes_every_position_once_and_both_ends_first() {
        for count in 0..100 {
            let order = spread(count);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        }
        assert_eq!(spread(5), [0, 4, 2, 1, 3]);
    }
}
