//! The fold.

use std::net::IpAddr;

use super::{Coverage, Days};
use crate::ingest::{Interval, Row, Sink, Way};
use crate::net::{HashMap, Protocol};

/// A recording interface, as the rows name it; positions follow the names' order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObserverIx(u32);

impl ObserverIx {
    /// The position in [`FlowTable::observers`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What rows of one flow have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The interface that recorded them.
    pub observer: ObserverIx,
    /// Sender of the packets.
    pub src: IpAddr,
    /// Receiver of the packets.
    pub dst: IpAddr,
    /// Sender's port.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// ACCEPT, as opposed to REJECT.
    pub accepted: bool,
}

/// What rows of one flow add up to. Sums, minima, maxima and bit-ors only, so
/// that any order of merging gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is or-ed over rows on its own, like the flags it comes from"
)]
pub struct Counters {
    /// Rows.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Earliest start, Unix seconds.
    pub first: u64,
    /// Latest end, Unix seconds.
    pub last: u64,
    /// Days on which rows lie.
    pub days: Days,
    /// A row whose flags say that its sender opens connections: SYN without ACK.
    pub syn: bool,
    /// A row whose flags say that its sender answers them: SYN with ACK.
    pub syn_ack: bool,
    /// A row that left the interface.
    pub egress: bool,
    /// A row that came in.
    pub ingress: bool,
    /// A row whose sender stood behind the address that the interface shows.
    pub src_rewritten: bool,
    /// A row whose receiver did.
    pub dst_rewritten: bool,
}

/// SYN and ACK of `tcp-flags`; together they are a SYN-ACK (flow-log-records.html).
const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

impl Counters {
    fn of(row: &Row<'_>) -> Self {
        Self {
            records: 1,
            packets: row.packets,
            bytes: row.bytes,
            first: row.start,
            last: row.end,
            days: Days::of(row.start, row.end),
            syn: row.tcp_flags & SYN_ACK == SYN,
            syn_ack: row.tcp_flags & SYN_ACK == SYN_ACK,
            egress: row.way == Way::Egress,
            ingress: row.way == Way::Ingress,
            src_rewritten: row.src_rewritten,
            dst_rewritten: row.dst_rewritten,
        }
    }

    /// Adds what another set of rows of the same flow adds up to. Counters hold
    /// whatever a hostile log claims, so they saturate.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.days.join(other.days);
        self.syn |= other.syn;
        self.syn_ack |= other.syn_ack;
        self.egress |= other.egress;
        self.ingress |= other.ingress;
        self.src_rewritten |= other.src_rewritten;
        self.dst_rewritten |= other.dst_rewritten;
    }
}

/// One folded flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What the rows have in common.
    pub key: FlowKey,
    /// What they add up to.
    pub counters: Counters,
}

/// Every flow of the window, in key order: the same for any order of input.
#[derive(Clone, Debug, Default)]
pub struct FlowTable {
    /// Interface names as the rows have them, in order.
    pub observers: Vec<String>,
    /// By observer.
    pub coverage: Vec<Coverage>,
    /// The flows, in key order.
    pub flows: Vec<Flow>,
    /// AWS service of public addresses, as `pkt-*-aws-service` names it; the
    /// first by name where rows disagree (on overlap AWS shows one of several).
    pub services: HashMap<IpAddr, String>,
}

impl FlowTable {
    /// What is known of an interface by its id; nothing if it recorded no row at all,
    /// not even that it was idle.
    pub fn coverage_of(&self, interface: &str) -> Option<&Coverage> {
        let position = self
            .observers
            .binary_search_by(|name| name.as_str().cmp(interface));
        position.ok().map(|position| &self.coverage[position])
    }
}

/// A fold in progress.
#[derive(Debug, Default)]
pub struct FlowTableBuilder {
    names: HashMap<Box<[u8]>, ObserverIx>,
    coverage: Vec<Coverage>,
    flows: HashMap<FlowKey, Counters>,
    services: HashMap<IpAddr, String>,
    /// The observer of the last row: most rows have the same one.
    last: Option<(Box<[u8]>, ObserverIx)>,
}

impl FlowTableBuilder {
    fn observer(&mut self, name: &[u8]) -> ObserverIx {
        if let Some((last, ix)) = &self.last
            && **last == *name
        {
            return *ix;
        }
        let ix = if let Some(&ix) = self.names.get(name) {
            ix
        } else {
            let ix =
                ObserverIx(u32::try_from(self.coverage.len()).expect("fewer than 2^32 interfaces"));
            self.names.insert(name.into(), ix);
            self.coverage.push(Coverage::default());
            ix
        };
        self.last = Some((name.into(), ix));
        ix
    }

    fn fold(&mut self, observer: ObserverIx, row: &Row<'_>, counters: Counters) {
        self.service(row.src, row.src_service);
        self.service(row.dst, row.dst_service);
        let key = FlowKey {
            observer,
            src: row.src,
            dst: row.dst,
            src_port: row.src_port,
            dst_port: row.dst_port,
            protocol: row.protocol,
            accepted: row.accepted,
        };
        self.flows
            .entry(key)
            .and_modify(|known| known.add(&counters))
            .or_insert(counters);
    }

    fn service(&mut self, address: IpAddr, name: &[u8]) {
        if name.is_empty() {
            return;
        }
        let name = String::from_utf8_lossy(name);
        note_service(&mut self.services, address, &name);
    }

    /// Puts everything in order.
    pub fn finish(self) -> FlowTable {
        let mut named: Vec<(Box<[u8]>, ObserverIx)> = self.names.into_iter().collect();
        named.sort();
        let mut renumbered = vec![ObserverIx(0); named.len()];
        for (new, (_, old)) in (0u32..).zip(&named) {
            renumbered[old.index()] = ObserverIx(new);
        }
        let mut flows: Vec<Flow> = self
            .flows
            .into_iter()
            .map(|(key, counters)| Flow {
                key: FlowKey {
                    observer: renumbered[key.observer.index()],
                    ..key
                },
                counters,
            })
            .collect();
        flows.sort_unstable_by_key(|flow| flow.key);
        FlowTable {
            coverage: named
                .iter()
                .map(|(_, old)| self.coverage[old.index()])
                .collect(),
            observers: named
                .iter()
                .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
                .collect(),
            flows,
            services: self.services,
        }
    }
}

fn note_service(services: &mut HashMap<IpAddr, String>, address: IpAddr, name: &str) {
    let known = services.entry(address).or_default();
    if known.is_empty() || name < known.as_str() {
        name.clone_into(known);
    }
}

impl Sink for FlowTableBuilder {
    fn row(&mut self, row: &Row<'_>) {
        let observer = self.observer(row.interface);
        let coverage = &mut self.coverage[observer.index()];
        coverage.rows += 1;
        coverage.days.join(Days::of(row.start, row.end));
        self.fold(observer, row, Counters::of(row));
    }

    fn again(&mut self, row: &Row<'_>) {
        let observer = self.observer(row.interface);
        let counters = Counters {
            records: 0,
            ..Counters::of(row)
        };
        self.fold(observer, row, counters);
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

    fn merge(mut self, other: Self) -> Self {
        // The larger table takes over the smaller one; the outcome is the same.
        if self.flows.len() < other.flows.len() {
            return other.merge(self);
        }
        let mut renumbered = vec![ObserverIx(0); other.coverage.len()];
        let mut names: Vec<_> = other.names.into_iter().collect();
        names.sort();
        for (name, old) in names {
            let new = self.observer(&name);
            renumbered[old.index()] = new;
            self.coverage[new.index()].merge(&other.coverage[old.index()]);
        }
        #[expect(clippy::iter_over_hash_type, reason = "addition is commutative")]
        for (key, counters) in other.flows {
            let key = FlowKey {
                observer: renumbered[key.observer.index()],
                ..key
            };
            self.flows
                .entry(key)
                .and_modify(|known| known.add(&counters))
                .or_insert(counters);
        }
        #[expect(clippy::iter_over_hash_type, reason = "the minimum is commutative")]
        for (address, name) in &other.services {
            note_service(&mut self.services, *address, name);
        }
        self
    }
}
