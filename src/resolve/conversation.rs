//! Flows of one conversation: both directions, at every interface that saw it.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

use rayon::iter::Either;
use rayon::prelude::*;

use super::ends::{End, Place, Placed, Placer, Vantage};
use crate::flow::{Dropped, Flow, FlowKey, FlowTable, ObserverIx, Ports, prefetched_map};
use crate::inventory::{BalancerIx, InterfaceIx};
use crate::net::{Protocol, Service};

/// An end and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Socket {
    pub(super) end: End,
    /// The port; where it stands for several, the smallest of them.
    pub(super) port: u16,
    /// Whether it stands for several (see [`crate::flow::Dropped`]).
    pub(super) several: bool,
}

impl Hash for Socket {
    /// Most sockets are one number: sets of them are asked about every conversation, several times.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let port = u64::from(self.port) << 1 | u64::from(self.several);
        match pack_end(self.end) {
            Some(end) => state.write_u128(u128::from(end) << 64 | u128::from(port)),
            None => (self.end, port).hash(state),
        }
    }
}

impl Socket {
    const fn new(end: End, port: u16, several: bool) -> Self {
        Self { end, port, several }
    }

    /// The same end with one port.
    pub(super) const fn at(self, port: u16) -> Self {
        Self::new(self.end, port, false)
    }
}

/// The unordered pair of sockets that all rows of a conversation share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SocketPair {
    pub(super) a: Socket,
    pub(super) b: Socket,
    pub(super) protocol: Protocol,
}

impl SocketPair {
    /// The side's own socket.
    pub(super) const fn socket(&self, side: Side) -> Socket {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// What `side` offers if it is the responder.
    pub(super) const fn service(&self, side: Side) -> Service {
        Service::new(self.protocol, self.socket(side).port)
    }
}

/// One of the two sockets of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// One flow's part in a conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Position in the flow table.
    pub(super) flow: usize,
    pub(super) sender: Side,
    pub(super) vantage: Vantage,
}

impl Part {
    /// The side at which it was recorded; nothing between the two.
    pub(super) const fn recorder(&self) -> Option<Side> {
        match self.vantage {
            Vantage::Source => Some(self.sender),
            Vantage::Destination => Some(self.sender.other()),
            Vantage::Between => None,
        }
    }
}

/// A conversation with its parts, or several between the same ends of which one port
/// differs.
#[derive(Debug)]
pub(super) struct Conversation<'p> {
    pub(super) pair: SocketPair,
    parts: Parts<'p>,
    /// The ports of the side whose port stands for several.
    pub(super) ports: Ports,
}

/// As they were sorted.
#[derive(Debug)]
enum Parts<'p> {
    Packed(&'p [(PackedPair, Part)]),
    Others(&'p [(SocketPair, Part)]),
}

impl Conversation<'_> {
    /// The parts, in the order of the flow table.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        match self.parts {
            Parts::Packed(parts) => Either::Left(parts.iter().map(|(_, part)| part)),
            Parts::Others(parts) => Either::Right(parts.iter().map(|(_, part)| part)),
        }
    }

    /// A side's socket, to put it right.
    pub(super) const fn socket_mut(&mut self, side: Side) -> &mut Socket {
        match side {
            Side::A => &mut self.pair.a,
            Side::B => &mut self.pair.b,
        }
    }

    /// The sockets of a side: one, or as many as are known of several.
    pub(super) fn sockets(&self, side: Side) -> impl Iterator<Item = Socket> + '_ {
        let socket = self.pair.socket(side);
        let several = if socket.several {
            self.ports.known()
        } else {
            &[]
        };
        let single = (!socket.several).then_some(socket);
        single
            .into_iter()
            .chain(several.iter().map(move |&port| socket.at(port)))
    }

    /// How many conversations these are, at least.
    pub(super) fn count(&self) -> u32 {
        self.ports.at_least().max(1)
    }
}

/// A pair of IPv4 sockets in three numbers: sorting flows by them takes a third of the time
/// that sorting by the pair takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackedPair {
    a: u64,
    b: u64,
    /// Port and whether it stands for several, of both; the protocol.
    rest: u64,
}

/// Bits of a position among interfaces.
const POSITION: u32 = 30;

fn pack_end(end: End) -> Option<u64> {
    let IpAddr::V4(address) = end.address else {
        return None;
    };
    let (kind, position) = match end.place {
        Place::Outside => (0, 0),
        Place::Local(ix) => (1, ix.index()),
        Place::Unlisted(ix) => (2, ix.index()),
        Place::Balanced(ix) => (3, ix.index()),
    };
    let fits = position >> POSITION == 0;
    let place = kind << POSITION | position as u64;
    fits.then_some(place << 32 | u64::from(address.to_bits()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each field is cut out of the number"
)]
fn unpack_end(packed: u64) -> End {
    let position = (packed >> 32) as usize & ((1 << POSITION) - 1);
    End {
        place: match packed >> 32 >> POSITION {
            0 => Place::Outside,
            1 => Place::Local(InterfaceIx::new(position)),
            2 => Place::Unlisted(ObserverIx::new(position)),
            _ => Place::Balanced(BalancerIx::new(position)),
        },
        address: IpAddr::V4(Ipv4Addr::from_bits(packed as u32)),
    }
}

impl Placer<'_> {
    /// Whether all of a table's flows are between ends that [`pack_end`] takes.
    fn all_pack(&self, table: &FlowTable) -> bool {
        let has_room = table.observers.len().max(self.interfaces()) >> POSITION == 0;
        let are_short = |flow: &Flow| flow.key.src.is_ipv4() && flow.key.dst.is_ipv4();
        has_room && table.flows.par_iter().all(are_short)
    }
}

impl PackedPair {
    fn of(pair: &SocketPair) -> Option<Self> {
        let port = |socket: Socket| u64::from(socket.port) << 1 | u64::from(socket.several);
        Some(Self {
            a: pack_end(pair.a.end)?,
            b: pack_end(pair.b.end)?,
            rest: port(pair.a) << 32 | port(pair.b) << 8 | u64::from(pair.protocol.0),
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is cut out of the number"
    )]
    fn unpack(self) -> SocketPair {
        let socket =
            |end: u64, port: u64| Socket::new(unpack_end(end), (port >> 1) as u16, port & 1 == 1);
        SocketPair {
            a: socket(self.a, self.rest >> 32),
            b: socket(self.b, self.rest >> 8 & 0x1_ffff),
            protocol: Protocol(self.rest as u8),
        }
    }
}

/// What flows are sorted by.
pub(super) trait PairKey: Copy + PartialEq + Send + Sync {
    /// The pair.
    fn unpack(self) -> SocketPair;

    /// Whether both are between the same ends; those that are stand side by side.
    fn same_ends(&self, other: &Self) -> bool;
}

impl PairKey for PackedPair {
    fn unpack(self) -> SocketPair {
        self.unpack()
    }

    fn same_ends(&self, other: &Self) -> bool {
        (self.a, self.b) == (other.a, other.b)
    }
}

impl PairKey for SocketPair {
    fn unpack(self) -> SocketPair {
        self
    }

    fn same_ends(&self, other: &Self) -> bool {
        (self.a.end, self.b.end) == (other.a.end, other.b.end)
    }
}

/// Flows with what they are sorted by.
pub(super) type Keyed<P> = Vec<(P, Part)>;

/// Every flow, beside the others of its conversation.
pub(super) struct Sorted {
    pub(super) packed: Keyed<PackedPair>,
    pub(super) others: Keyed<SocketPair>,
}

impl Sorted {
    pub(super) fn new(table: &FlowTable, placer: &Placer<'_>) -> Self {
        let place = |(position, flow)| {
            let (pair, part) = placed_part(position, flow, placer);
            match PackedPair::of(&pair) {
                Some(packed) => Either::Left((packed, part)),
                None => Either::Right((pair, part)),
            }
        };
        let flows = table.flows.par_iter().enumerate();
        let (mut packed, mut others): (Keyed<PackedPair>, Keyed<SocketPair>) =
            if placer.all_pack(table) {
                // Put down once, where they belong.
                let pack = |placed: Either<_, (SocketPair, Part)>| placed.left().expect("all pack");
                (flows.map(|flow| pack(place(flow))).collect(), Vec::new())
            } else {
                flows.partition_map(place)
            };
        packed.par_sort_unstable_by_key(|(pair, part)| (*pair, part.flow));
        others.par_sort_unstable_by_key(|(pair, part)| (pair.a.end, pair.b.end, *pair, part.flow));
        Self { packed, others }
    }

    /// Tells of every flow's pair, and at which side it was recorded.
    pub(super) fn for_each_pair(&self, mut tell: impl FnMut(&SocketPair, Option<Side>)) {
        for (pair, part) in &self.packed {
            tell(&pair.unpack(), part.recorder());
        }
        for (pair, part) in &self.others {
            tell(pair, part.recorder());
        }
    }

    /// Every conversation, put right first, and what its flows say of it while they are at hand: those that pack, in the order of
    /// that, then the others.
    pub(super) fn conversations<'s, T: Send, U: Send>(
        &'s self,
        table: &FlowTable,
        put_right: impl Fn(&mut Conversation<'s>) + Sync,
        said: impl Fn(&Conversation<'s>) -> (T, U) + Sync,
    ) -> (Vec<Conversation<'s>>, (Vec<T>, Vec<U>)) {
        let chunks: Vec<_> = self.packed.par_chunk_by(|(a, _), (b, _)| a == b).collect();
        let packed = prefetched_map(
            &chunks,
            |chunk| prefetch(chunk, table),
            |chunk| join(chunk[0].0.unpack(), Parts::Packed(chunk), table),
        );
        let chunks: Vec<_> = self.others.par_chunk_by(|(a, _), (b, _)| a == b).collect();
        let others = prefetched_map(
            &chunks,
            |chunk| prefetch(chunk, table),
            |chunk| join(chunk[0].0, Parts::Others(chunk), table),
        );
        let all = packed.chain(others);
        all.map(|mut conversation| {
            put_right(&mut conversation);
            let said = said(&conversation);
            (conversation, said)
        })
        .unzip()
    }
}

/// Some number of each flow of a conversation.
fn prefetch<P>(parts: &[(P, Part)], table: &FlowTable) -> u64 {
    let of = |part: &Part| {
        let Flow { key, counters } = &table.flows[part.flow];
        counters.records ^ u64::from(key.src_port)
    };
    parts.iter().fold(0, |all, (_, part)| all ^ of(part))
}

fn placed_part(position: usize, flow: &Flow, placer: &Placer<'_>) -> (SocketPair, Part) {
    let Placed { src, dst, vantage } = placer.place(flow);
    let FlowKey {
        src_port,
        dst_port,
        dropped,
        ..
    } = flow.key;
    let sender = Socket::new(src, src_port, dropped == Dropped::Src);
    let receiver = Socket::new(dst, dst_port, dropped == Dropped::Dst);
    let (a, b, side) = if sender <= receiver {
        (sender, receiver, Side::A)
    } else {
        (receiver, sender, Side::B)
    };
    let pair = SocketPair {
        a,
        b,
        protocol: flow.key.protocol,
    };
    let part = Part {
        flow: position,
        sender: side,
        vantage,
    };
    (pair, part)
}

/// The conversation of flows with one pair.
fn join<'p>(pair: SocketPair, parts: Parts<'p>, table: &FlowTable) -> Conversation<'p> {
    let mut all = Conversation {
        pair,
        parts,
        ports: Ports::default(),
    };
    let mut ports = Ports::default();
    for part in all.parts() {
        ports.join(&table.flows[part.flow].counters.dropped);
    }
    for socket in [&mut all.pair.a, &mut all.pair.b] {
        if socket.several {
            socket.port = ports.known().first().copied().unwrap_or_default();
        }
    }
    all.ports = ports;
    all
}
