//! Rows into the table, for one worker.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::net::IpAddr;
use std::sync::Arc;

use super::cache::{AT_ONCE, FoldedRow, ObserverNames, low, pack_row, seconds};
use super::fold::{FlowTableBuilder, PARTS, lock, part};
use super::presume::dropped;
use super::table::{FlowFlags, FlowKey, ObserverIx, note_service};
use super::{Coverage, Days, Dropped};
use crate::ingest::{Interval, Row, Sink};
use crate::net::{HashMap, Service, may_be_public};

impl FlowTableBuilder {
    /// A place to fold rows into the table, for one worker.
    pub fn folder(self: &Arc<Self>) -> Folder {
        Folder {
            table: Arc::clone(self),
            names: ObserverNames::default(),
            coverage: Vec::new(),
            services: HashMap::default(),
            gathered: vec![Vec::new(); PARTS],
            calls: vec![Vec::new(); PARTS],
            apart: HashMap::default(),
        }
    }
}

/// The sink of one worker.
#[derive(Debug)]
pub struct Folder {
    table: Arc<FlowTableBuilder>,
    names: ObserverNames,
    coverage: Vec<Coverage>,
    services: HashMap<IpAddr, String>,
    /// By part; nothing is taken for parts without rows, for a store has a folder for each day.
    gathered: Vec<Vec<FoldedRow>>,
    /// Keys of [`FlowKey::of_calls`], starts and clients' ports, by part.
    calls: Vec<Vec<(FlowKey, u32, u16)>>,
    /// Positions of interfaces from a time on.
    apart: HashMap<(ObserverIx, u64), ObserverIx>,
}

impl Folder {
    #[inline(always)]
    fn observer(&mut self, name: &[u8]) -> ObserverIx {
        match self.names.get(name) {
            Some(known) => known,
            None => self.new_observer(name),
        }
    }

    #[cold]
    fn new_observer(&mut self, name: &[u8]) -> ObserverIx {
        let ix = self.table.observer(name);
        self.names.insert(name, ix);
        if self.coverage.len() <= ix.index() {
            self.coverage.resize(ix.index() + 1, Coverage::default());
        }
        ix
    }

    #[inline(always)]
    fn fold(&mut self, observer: ObserverIx, row: Row<'_>, records: u8) {
        if !row.src_service.is_empty() || !row.dst_service.is_empty() {
            self.services(row);
        }
        let dropped = dropped(&row);
        if dropped != Dropped::Dst && row.protocol.has_ports() && may_be_public(&row.dst) {
            self.call(observer, row);
        }
        let observer = if self.table.cuts.is_some() {
            self.apart(observer, &row)
        } else {
            observer
        };
        let Some(key) = pack_row(observer, &row, dropped) else {
            self.table.add_row(observer, row, dropped, records);
            return;
        };
        let hash = self.table.hash_of_packed(key);
        let part = part(hash);
        let rows = &mut self.gathered[part];
        rows.push(FoldedRow {
            key,
            hash: low(hash),
            packets: row.packets,
            bytes: row.bytes,
            start: seconds(row.start),
            end: seconds(row.end),
            dropped: match dropped {
                Dropped::Src => row.src_port,
                Dropped::Dst => row.dst_port,
                Dropped::Neither => 0,
            },
            flags: FlowFlags::of(&row),
            records,
        });
        if rows.len() == AT_ONCE {
            self.table.fold(part, rows);
            rows.clear();
        }
    }
}

impl Folder {
    /// The position of an interface's rows of a time.
    #[inline(never)]
    fn apart(&mut self, observer: ObserverIx, row: &Row<'_>) -> ObserverIx {
        let cuts = self.table.cuts.as_ref();
        let time = cuts.map_or(0, |cuts| {
            cuts.before(row.interface, row.src, row.dst, row.start)
        });
        if time == 0 {
            return observer;
        }
        let table = &self.table;
        let known = self.apart.entry((observer, time));
        *known.or_insert_with(|| table.observer_from(observer, time))
    }

    /// Keeps the services that a row names for its addresses.
    #[inline(never)]
    fn services(&mut self, row: Row<'_>) {
        note_service(&mut self.services, row.src, row.src_service);
        note_service(&mut self.services, row.dst, row.dst_service);
    }

    /// Keeps when a client called an address on the internet.
    #[inline(never)]
    fn call(&mut self, observer: ObserverIx, row: Row<'_>) {
        let Ok(start) = u32::try_from(row.start) else {
            return;
        };
        let service = Service::new(row.protocol, row.dst_port);
        let key = FlowKey::of_calls(observer, row.src, row.dst, service);
        let part = part(self.table.hash_of(&key));
        let calls = &mut self.calls[part];
        calls.push((key, start, row.src_port));
        if calls.len() >= AT_ONCE {
            self.table.call(part, calls);
            calls.clear();
        }
    }
}

impl Sink for Folder {
    #[inline(always)]
    fn row(&mut self, row: Row<'_>) {
        let observer = self.observer(row.interface);
        self.fold(observer, row, 1);
    }

    fn duplicate(&mut self, row: Row<'_>) {
        let observer = self.observer(row.interface);
        self.fold(observer, row, 0);
    }

    fn no_data(&mut self, interval: Interval<'_>) {
        let observer = self.observer(interval.interface);
        let coverage = &mut self.coverage[observer.index()];
        coverage.no_data += 1;
        coverage.days.join(Days::of(interval.start, interval.end));
    }

    fn skip_data(&mut self, interval: Interval<'_>) {
        let observer = self.observer(interval.interface);
        self.coverage[observer.index()].skip(interval.start, interval.end);
    }

    fn finish(self) {
        for (part, rows) in self.gathered.iter().enumerate() {
            self.table.fold(part, rows);
        }
        for (part, calls) in self.calls.iter().enumerate() {
            self.table.call(part, calls);
        }
        let mut shared = lock(&self.table.shared);
        if shared.coverage.len() < self.coverage.len() {
            let length = self.coverage.len();
            shared.coverage.resize(length, Coverage::default());
        }
        for (all, own) in shared.coverage.iter_mut().zip(&self.coverage) {
            all.merge(own);
        }
        #[expect(clippy::iter_over_hash_type, reason = "the minimum is commutative")]
        for (address, name) in self.services {
            note_service(&mut shared.services, address, name.as_bytes());
        }
    }
}
