//! Sources → a table for each day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::flow::{DAY, FlowTableBuilder, Folder};
use crate::ingest::{self, Intake, Interval, Row, Settings, Sink, Source};
use crate::net::HashMap;

/// Folds sources, as many as memory allows, one fold per day, by the day in which a row starts.
pub(super) fn by_day(
    sources: &[Source],
    settings: &Settings,
    held: usize,
    progress: &(impl Fn(u64) + Sync),
) -> (BTreeMap<u64, FlowTableBuilder>, Intake, usize) {
    let days = Days::default();
    let full = || days.capacity() >= held;
    let sink = || DaySink {
        days: &days,
        folders: HashMap::default(),
    };
    let (intake, taken) = ingest::read_until(sources, settings, sink, progress, full);
    let builders = days.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let builders = builders.into_iter().map(|(day, builder)| {
        let builder = Arc::into_inner(builder).expect("every worker is done");
        (day, builder)
    });
    (builders.collect(), intake, taken)
}

/// One fold per day.
#[derive(Default)]
struct Days(Mutex<BTreeMap<u64, Arc<FlowTableBuilder>>>);

impl Days {
    /// How many flows there is room for so far.
    fn capacity(&self) -> usize {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.values().map(|builder| builder.capacity()).sum()
    }
}

/// A worker's ways into them.
struct DaySink<'a> {
    days: &'a Days,
    folders: HashMap<u64, Folder>,
}

impl DaySink<'_> {
    fn of(&mut self, start: u64) -> &mut Folder {
        let day = start / DAY;
        self.folders.entry(day).or_insert_with(|| {
            let mut days = self.days.0.lock().unwrap_or_else(PoisonError::into_inner);
            days.entry(day).or_default().folder()
        })
    }
}

impl Sink for DaySink<'_> {
    fn row(&mut self, row: Row<'_>) {
        self.of(row.start).row(row);
    }

    fn duplicate(&mut self, row: Row<'_>) {
        self.of(row.start).duplicate(row);
    }

    fn no_data(&mut self, interval: Interval<'_>) {
        self.of(interval.start).no_data(interval);
    }

    fn skip_data(&mut self, interval: Interval<'_>) {
        self.of(interval.start).skip_data(interval);
    }

    fn finish(self) {
        for folder in self.folders.into_values() {
            folder.finish();
        }
    }
}
