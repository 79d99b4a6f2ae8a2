//! Sources → a table for each day.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directory::{Encoded, records};
use super::error::StoreError;
use super::joined::JoinedTable;
use super::layout;
use crate::flow::{DAY, FlowTable, FlowTableBuilder, Folder};
use crate::ingest::{self, Intake, Interval, Row, Settings, Sink, Source};
use crate::net::HashMap;

/// Days of a batch that have a fold each. An empty fold takes some 20 KB, and a hostile log may name each of the 49,710
/// days until 2106, so further days share one.
const FOLDS: usize = 512;

/// Digits of a day in front of an interface's name, in the fold that several days share.
const DIGITS: usize = 20;

/// The rows of a batch by the day in which they start.
pub(super) struct Folded {
    own: BTreeMap<u64, FlowTableBuilder>,
    /// Days that shared a fold.
    shared: BTreeMap<u64, FlowTable>,
}

/// Folds sources, as many as memory allows. Also says how many of them were read.
pub(super) fn by_day(
    sources: &[Source],
    settings: &Settings,
    held: usize,
    progress: &(impl Fn(u64) + Sync),
) -> (Folded, Intake, usize) {
    let days = Days::default();
    let full = || days.capacity() >= held;
    let sink = || DaySink {
        days: &days,
        folders: HashMap::default(),
        shared: days.shared.folder(),
        services: BTreeMap::new(),
        name: Vec::new(),
    };
    let (intake, taken) = ingest::read_until(sources, settings, sink, progress, full);
    let Days {
        own,
        shared,
        services,
    } = days;
    let builder =
        |fold: Arc<FlowTableBuilder>| Arc::into_inner(fold).expect("every worker is done");
    let own = own.into_inner().unwrap_or_else(PoisonError::into_inner);
    let services = services
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let folded = Folded {
        own: own
            .into_iter()
            .map(|(day, fold)| (day, builder(fold)))
            .collect(),
        shared: apart(builder(shared).finish_as_folded(), services),
    };
    (folded, intake, taken)
}

impl Folded {
    /// The tables, in the layout of a store that holds nothing else.
    pub(super) fn encode(self) -> Result<Vec<Encoded>, StoreError> {
        let mut waiting = self.shared;
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        let mut encoded = Vec::new();
        for (day, builder) in self.own {
            let table = builder.finish_as_folded();
            let count = records(&table);
            // A large table is not kept in memory until all days are there.
            if layout::is_alone(count) {
                counts.insert(day, count);
                encoded.push(Encoded::new(BTreeMap::from([(day, table)]))?);
            } else {
                waiting.insert(day, table);
            }
        }
        counts.extend(waiting.iter().map(|(&day, table)| (day, records(table))));
        for group in layout::groups(&counts) {
            let tables = group
                .into_iter()
                .filter_map(|day| Some((day, waiting.remove(&day)?)));
            let tables: BTreeMap<u64, FlowTable> = tables.collect();
            // Else it is the group of one large table.
            if !tables.is_empty() {
                encoded.push(Encoded::new(tables)?);
            }
        }
        Ok(encoded)
    }
}

/// The tables of the days that shared a fold, with the services that their rows named.
fn apart(table: FlowTable, services: BTreeMap<u64, FlowTable>) -> BTreeMap<u64, FlowTable> {
    let mut joined = JoinedTable {
        table,
        ..JoinedTable::default()
    };
    for name in &mut joined.table.observers {
        let interface = name.split_off(DIGITS);
        let day: u64 = name.parse().expect("closegate wrote the digits");
        joined.days.push(day);
        *name = interface;
    }
    let mut tables = joined.apart().expect("its services are kept elsewhere");
    for (day, named) in services {
        add(tables.entry(day).or_default(), named);
    }
    tables
}

/// Adds a table to another of the same day.
fn add(to: &mut FlowTable, table: FlowTable) {
    *to = FlowTable::merged(vec![std::mem::take(to), table]);
}

/// The folds of a batch.
#[derive(Default)]
struct Days {
    /// One fold per day, of the first [`FOLDS`] days. Which these are is chance, and makes no difference.
    own: Mutex<BTreeMap<u64, Arc<FlowTableBuilder>>>,
    /// One for all further days; an interface's name begins with the day there.
    shared: Arc<FlowTableBuilder>,
    /// Services that rows of further days name: a fold has them by address alone.
    services: Mutex<BTreeMap<u64, FlowTable>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Days {
    /// How many flows there is room for so far.
    fn capacity(&self) -> usize {
        let own = lock(&self.own);
        let own: usize = own.values().map(|builder| builder.capacity()).sum();
        own + self.shared.capacity()
    }
}

/// A worker's ways into them.
struct DaySink<'a> {
    days: &'a Days,
    folders: HashMap<u64, Folder>,
    shared: Folder,
    services: BTreeMap<u64, FlowTable>,
    /// The day and the interface of the last row in the shared fold.
    name: Vec<u8>,
}

impl DaySink<'_> {
    /// The way into the fold of a time's day, if that day has its own.
    fn own(&mut self, start: u64) -> Option<&mut Folder> {
        match self.folders.entry(start / DAY) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(new) => {
                let day = *new.key();
                let mut own = lock(&self.days.own);
                if own.len() >= FOLDS && !own.contains_key(&day) {
                    return None;
                }
                Some(new.insert(own.entry(day).or_default().folder()))
            }
        }
    }

    /// Folds a row of a day that has no fold of its own.
    #[cold]
    fn share(&mut self, row: Row<'_>, fold: fn(&mut Folder, Row<'_>)) {
        let day = row.start / DAY;
        for (address, service) in [(row.src, row.src_service), (row.dst, row.dst_service)] {
            if !service.is_empty() {
                let named = self.services.entry(day).or_default();
                named.note_service(address, service);
            }
        }
        let interface = self.named(row.start, row.interface);
        let row = Row {
            interface: &interface,
            src_service: b"",
            dst_service: b"",
            ..row
        };
        fold(&mut self.shared, row);
        self.name = interface;
    }

    /// The same of an interval without rows.
    #[cold]
    fn share_interval(&mut self, interval: Interval<'_>, fold: fn(&mut Folder, Interval<'_>)) {
        let interface = self.named(interval.start, interval.interface);
        let interval = Interval {
            interface: &interface,
            ..interval
        };
        fold(&mut self.shared, interval);
        self.name = interface;
    }

    /// An interface's name in the shared fold, in the memory of the one before.
    fn named(&mut self, start: u64, interface: &[u8]) -> Vec<u8> {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        let day = start / DAY;
        name.extend_from_slice(format!("{day:0DIGITS$}").as_bytes());
        name.extend_from_slice(interface);
        name
    }
}

impl Sink for DaySink<'_> {
    fn row(&mut self, row: Row<'_>) {
        match self.own(row.start) {
            Some(folder) => folder.row(row),
            None => self.share(row, Folder::row),
        }
    }

    fn duplicate(&mut self, row: Row<'_>) {
        match self.own(row.start) {
            Some(folder) => folder.duplicate(row),
            None => self.share(row, Folder::duplicate),
        }
    }

    fn no_data(&mut self, interval: Interval<'_>) {
        match self.own(interval.start) {
            Some(folder) => folder.no_data(interval),
            None => self.share_interval(interval, Folder::no_data),
        }
    }

    fn skip_data(&mut self, interval: Interval<'_>) {
        match self.own(interval.start) {
            Some(folder) => folder.skip_data(interval),
            None => self.share_interval(interval, Folder::skip_data),
        }
    }

    fn finish(self) {
        for folder in self.folders.into_values() {
            folder.finish();
        }
        self.shared.finish();
        let mut services = lock(&self.days.services);
        for (day, named) in self.services {
            add(services.entry(day).or_default(), named);
        }
    }
}
