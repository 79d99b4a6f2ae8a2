//! What the fold makes.

use std::net::IpAddr;

use super::{Coverage, Days, Dropped, Ports};
use crate::ingest::{Row, Way};
use crate::net::{HashMap, Protocol};

/// A recording interface, as the rows name it; positions follow the names' order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObserverIx(pub(super) u32);

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
    /// The ports of the end whose port is not in the key.
    pub dropped: Ports,
}

/// SYN and ACK of `tcp-flags`; together they are a SYN-ACK (flow-log-records.html).
const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

impl Counters {
    pub(super) fn of(row: &Row<'_>) -> Self {
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
            dropped: Ports::default(),
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
        self.dropped.join(&other.dropped);
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
