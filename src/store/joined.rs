//! Tables of several days in one, and apart again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::flow::{FlowKey, FlowTable, ObserverIx};

/// Tables of several days in one.
#[derive(Debug, Default)]
pub(super) struct JoinedTable {
    /// Without services. An interface has an entry for each day on which it recorded, the entries of a day side by side.
    pub(super) table: FlowTable,
    /// By such an entry: its day.
    pub(super) days: Vec<u64>,
    /// The services of each day, in order.
    pub(super) services: Vec<(u64, IpAddr, String)>,
}

impl JoinedTable {
    /// Joins tables.
    pub(super) fn of(tables: BTreeMap<u64, FlowTable>) -> Self {
        let mut all = Self::default();
        for (day, mut own) in tables {
            let before = all.days.len();
            all.days.resize(before + own.observers.len(), day);
            let services = std::mem::take(&mut own.services).into_iter();
            let services = services.map(|(address, name)| (day, address, name));
            all.services.extend(services);
            if before == 0 {
                all.table = own;
            } else {
                append(&mut all.table, own);
            }
        }
        all.services.sort();
        all
    }

    /// The table of each day; `None` if a service is of a day without an interface.
    pub(super) fn apart(self) -> Option<BTreeMap<u64, FlowTable>> {
        let Self {
            table,
            days,
            services,
        } = self;
        let mut apart: BTreeMap<u64, FlowTable> = BTreeMap::new();
        let first = days.first().copied();
        if let Some(only) = first.filter(|first| days.iter().all(|day| day == first)) {
            apart.insert(only, table);
        } else {
            let mut places = Vec::with_capacity(days.len());
            for ((day, name), coverage) in days.into_iter().zip(table.observers).zip(table.coverage)
            {
                let own = apart.entry(day).or_default();
                places.push((day, ObserverIx::new(own.observers.len())));
                own.observers.push(name);
                own.coverage.push(coverage);
            }
            for mut flow in table.flows {
                let (day, observer) = places[flow.key.observer.index()];
                flow.key.observer = observer;
                apart.entry(day).or_default().flows.push(flow);
            }
            for (mut key, contacts) in table.contacts {
                let (day, observer) = places[key.observer.index()];
                key.observer = observer;
                apart.entry(day).or_default().contacts.push((key, contacts));
            }
        }
        for (day, address, name) in services {
            apart.get_mut(&day)?.services.insert(address, name);
        }
        Some(apart)
    }
}

/// Adds another table's interfaces behind those of a table.
fn append(to: &mut FlowTable, mut own: FlowTable) {
    let before = to.observers.len();
    let moved = |key: FlowKey| FlowKey {
        observer: ObserverIx::new(before + key.observer.index()),
        ..key
    };
    for flow in &mut own.flows {
        flow.key = moved(flow.key);
    }
    for (key, _) in &mut own.contacts {
        *key = moved(*key);
    }
    to.observers.append(&mut own.observers);
    to.coverage.append(&mut own.coverage);
    to.flows.append(&mut own.flows);
    to.contacts.append(&mut own.contacts);
}
