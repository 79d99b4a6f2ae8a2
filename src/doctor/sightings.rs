//! Which interfaces have records, without folding them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::ingest::{Interval, Row, Sink};
use crate::net::HashMap;

/// What an interface recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Records of accepted traffic.
    pub accepted: u64,
    /// Records of rejected traffic.
    pub rejected: u64,
    /// Intervals without traffic, and those in which AWS skipped records.
    pub without_traffic: u64,
}

impl Sighting {
    /// Records of traffic.
    pub const fn records(&self) -> u64 {
        self.accepted + self.rejected
    }

    /// Adds what another worker, or another source, saw of the same interface.
    pub const fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.without_traffic += other.without_traffic;
    }
}

/// By interface, as the rows name it, what it recorded. Workers add to it when they are done.
#[derive(Debug, Default)]
pub struct Sightings(Mutex<BTreeMap<Vec<u8>, Sighting>>);

impl Sightings {
    /// What one worker sees.
    pub fn sink(&self) -> SightingSink<'_> {
        SightingSink {
            all: self,
            own: HashMap::default(),
        }
    }

    /// Everything, by name.
    pub fn finish(self) -> BTreeMap<String, Sighting> {
        let all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut named: BTreeMap<String, Sighting> = BTreeMap::new();
        for (name, sighting) in all {
            let name = String::from_utf8_lossy(&name).into_owned();
            named.entry(name).or_default().add(sighting);
        }
        named
    }
}

/// One worker's part.
#[derive(Debug)]
pub struct SightingSink<'a> {
    all: &'a Sightings,
    own: HashMap<Vec<u8>, Sighting>,
}

impl SightingSink<'_> {
    fn of(&mut self, interface: &[u8]) -> &mut Sighting {
        if !self.own.contains_key(interface) {
            self.own.insert(interface.to_vec(), Sighting::default());
        }
        self.own.get_mut(interface).expect("it was just put there")
    }
}

impl Sink for SightingSink<'_> {
    fn row(&mut self, row: Row<'_>) {
        let sighting = self.of(row.interface);
        if row.accepted {
            sighting.accepted += 1;
        } else {
            sighting.rejected += 1;
        }
    }

    fn duplicate(&mut self, _: Row<'_>) {}

    fn no_data(&mut self, interval: Interval<'_>) {
        self.of(interval.interface).without_traffic += 1;
    }

    fn skip_data(&mut self, interval: Interval<'_>) {
        self.of(interval.interface).without_traffic += 1;
    }

    fn finish(self) {
        let own: BTreeMap<Vec<u8>, Sighting> = self.own.into_iter().collect();
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, sighting) in own {
            all.entry(name).or_default().add(sighting);
        }
    }
}
