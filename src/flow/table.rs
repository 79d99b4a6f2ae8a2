//! What the fold makes.

use std::net::IpAddr;

use rayon::prelude::*;

use super::{Contacts, Coverage, Days, Dropped, Ports};
use crate::ingest::{Handshake, PacketDirection, Row};
use crate::net::{HashMap, Protocol, Service};

/// A recording interface, as the rows name it; positions follow the names' order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObserverIx(pub(super) u32);

impl ObserverIx {
    /// The interface at a position of [`FlowTable::observers`].
    pub fn new(position: usize) -> Self {
        Self(u32::try_from(position).expect("fewer than 2^32 interfaces"))
    }

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
    /// Sender's port; 0 if it is the one that stands for several.
    pub src_port: u16,
    /// Receiver's port; 0 if it is the one that stands for several.
    pub dst_port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// ACCEPT, as opposed to REJECT.
    pub accepted: bool,
    /// Which port stands for several; those are in [`Counters::dropped`].
    pub dropped: Dropped,
}

impl FlowKey {
    /// The key of all calls of a client to a service, accepted or rejected.
    pub const fn of_calls(
        observer: ObserverIx,
        client: IpAddr,
        server: IpAddr,
        service: Service,
    ) -> Self {
        Self {
            observer,
            src: client,
            dst: server,
            src_port: 0,
            dst_port: service.port,
            protocol: service.protocol,
            accepted: true,
            dropped: Dropped::Src,
        }
    }
}

/// What rows of one flow add up to. Sums, minima, maxima and bit-ors only, so
/// that any order of merging gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What any of the rows said.
    pub flags: FlowFlags,
    /// The ports of the end whose port is not in the key.
    pub dropped: Ports,
}

impl Counters {
    /// Adds what another set of rows of the same flow adds up to. Counters hold
    /// whatever a hostile log claims, so they saturate.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.days.join(other.days);
        self.flags.join(other.flags);
        self.dropped.join(&other.dropped);
    }
}

/// TCP flags, directions and rewritten addresses of the rows: one bit each, or-ed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowFlags(u8);

impl FlowFlags {
    const SYN: u8 = 1;
    const SYN_ACK: u8 = 2;
    const EGRESS: u8 = 4;
    const INGRESS: u8 = 8;
    const SRC_REWRITTEN: u8 = 16;
    const DST_REWRITTEN: u8 = 32;

    /// Nothing.
    pub(super) const NONE: Self = Self(0);

    /// Takes over what another set of rows said.
    pub(super) const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn of(row: &Row<'_>) -> Self {
        let mut flags = match Handshake::of(row.tcp_flags) {
            Handshake::Opens => Self::SYN,
            Handshake::Answers => Self::SYN_ACK,
            Handshake::Neither => 0,
        };
        flags |= match row.way {
            PacketDirection::Egress => Self::EGRESS,
            PacketDirection::Ingress => Self::INGRESS,
            PacketDirection::Unknown => 0,
        };
        flags |= u8::from(row.src_rewritten) * Self::SRC_REWRITTEN;
        flags |= u8::from(row.dst_rewritten) * Self::DST_REWRITTEN;
        Self(flags)
    }

    /// From what rows said: SYN, SYN-ACK, egress, ingress, sender rewritten, receiver rewritten.
    pub fn of_parts(parts: [bool; 6]) -> Self {
        let bits = parts
            .iter()
            .rev()
            .fold(0, |bits, &part| bits << 1 | u8::from(part));
        Self(bits)
    }

    /// The flags of a row say that its sender opens connections: SYN without ACK.
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }

    /// The flags of a row say that its sender answers them: SYN with ACK.
    pub const fn syn_ack(self) -> bool {
        self.0 & Self::SYN_ACK != 0
    }

    /// A row left the interface.
    pub const fn egress(self) -> bool {
        self.0 & Self::EGRESS != 0
    }

    /// A row came in.
    pub const fn ingress(self) -> bool {
        self.0 & Self::INGRESS != 0
    }

    /// A row's sender is behind the address that the interface shows.
    pub const fn src_rewritten(self) -> bool {
        self.0 & Self::SRC_REWRITTEN != 0
    }

    /// A row's receiver is.
    pub const fn dst_rewritten(self) -> bool {
        self.0 & Self::DST_REWRITTEN != 0
    }

    /// The bits, for a store; their meaning is this type's own.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From [`Self::bits`].
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
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
    /// The flows, in key order; those with one key, which [`super::Cuts`] keep apart, in order of time.
    pub flows: Vec<Flow>,
    /// AWS service of public addresses, as `pkt-*-aws-service` names it; the
    /// first by name where rows disagree (on overlap AWS shows one of several).
    pub services: HashMap<IpAddr, String>,
    /// When clients called addresses on the internet, by the flow with the client's port dropped, in key order.
    pub contacts: Vec<(FlowKey, Contacts)>,
}

impl FlowTable {
    /// One table of several, as [`super::FlowTableBuilder::finish_as_folded`] gives them. Each
    /// is in order, so they are merged, which takes a fraction of the time of a fold.
    pub fn merged(tables: Vec<Self>) -> Self {
        let names = tables.iter().flat_map(|table| &table.observers);
        let mut observers: Vec<String> = names.cloned().collect();
        observers.sort();
        observers.dedup();
        let mut all = Self {
            coverage: vec![Coverage::default(); observers.len()],
            observers,
            ..Self::default()
        };
        for table in tables {
            // Names in order keep their order.
            let places: Vec<ObserverIx> = table
                .observers
                .iter()
                .map(|name| all.observers.binary_search(name).expect("all are there"))
                .map(ObserverIx::new)
                .collect();
            for (place, own) in places.iter().zip(&table.coverage) {
                all.coverage[place.index()].merge(own);
            }
            all.flows.extend(table.flows.into_iter().map(|flow| {
                let observer = places[flow.key.observer.index()];
                let key = FlowKey {
                    observer,
                    ..flow.key
                };
                Flow { key, ..flow }
            }));
            #[expect(clippy::iter_over_hash_type, reason = "the minimum is commutative")]
            for (address, name) in &table.services {
                note_service(&mut all.services, *address, name.as_bytes());
            }
            let renumbered = table.contacts.into_iter().map(|(key, contacts)| {
                let observer = places[key.observer.index()];
                (FlowKey { observer, ..key }, contacts)
            });
            all.contacts.extend(renumbered);
        }
        // Stable sorting finds the runs that are in order already.
        all.flows.sort_by_key(|flow| flow.key);
        all.add_up(|_, _| true);
        all.contacts.sort_by_key(|(key, _)| *key);
        all.contacts.dedup_by(|(later, more), (first, contacts)| {
            let same = later == first;
            if same {
                contacts.join(more);
            }
            same
        });
        all
    }

    /// What one interface recorded.
    pub fn flows_of(&self, observer: ObserverIx) -> &[Flow] {
        let from = self
            .flows
            .partition_point(|flow| flow.key.observer < observer);
        let to = self
            .flows
            .partition_point(|flow| flow.key.observer <= observer);
        &self.flows[from..to]
    }

    /// Makes one flow of neighbours with the same key, if they belong together.
    pub(super) fn add_up(&mut self, together: impl Fn(&Flow, &Flow) -> bool) {
        let neighbours = self.flows.par_windows(2);
        if !neighbours.any(|two| two[0].key == two[1].key) {
            return;
        }
        self.flows.dedup_by(|later, first| {
            let same = later.key == first.key && together(first, later);
            if same {
                first.counters.add(&later.counters);
            }
            same
        });
    }

    /// An address's service, as a row names it; nothing, if the name is empty.
    pub fn note_service(&mut self, address: IpAddr, name: &[u8]) {
        note_service(&mut self.services, address, name);
    }

    /// When a client called, as its own interface recorded it; `None` for too few calls.
    pub fn contacts_of(
        &self,
        interface: &str,
        client: IpAddr,
        server: IpAddr,
        service: Service,
    ) -> Option<&Contacts> {
        let position = self
            .observers
            .binary_search_by(|name| name.as_str().cmp(interface))
            .ok()?;
        let key = FlowKey::of_calls(ObserverIx::new(position), client, server, service);
        let found = self.contacts.binary_search_by(|(known, _)| known.cmp(&key));
        found.ok().map(|position| &self.contacts[position].1)
    }

    /// What is known of an interface by its id; nothing if it recorded no row at all,
    /// not even that it was idle.
    pub fn coverage_of(&self, interface: &str) -> Option<&Coverage> {
        let position = self
            .observers
            .binary_search_by(|name| name.as_str().cmp(interface));
        position.ok().map(|position| &self.coverage[position])
    }
}

/// AWS may show one of several services for an address; the first by name stands.
pub(super) fn note_service(services: &mut HashMap<IpAddr, String>, address: IpAddr, name: &[u8]) {
    if name.is_empty() {
        return;
    }
    let known = services.entry(address).or_default();
    if known.is_empty() || name < known.as_bytes() {
        *known = String::from_utf8_lossy(name).into_owned();
    }
}
