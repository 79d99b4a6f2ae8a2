//! Conversations folded into connections: the client's port is dropped.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use super::conversation::{Conversation, Side, SocketPair};
use super::direction::{Decision, DirectionBasis};
use super::ends::{End, Place, Vantage};
use super::evidence::{CurrentRules, peer_of};
use super::verdict::{Facts, Verdict, is_unfiltered, judge};
use crate::documents::{Confidence, RecordCounts};
use crate::flow::{Days, Flow, FlowTable};
use crate::inventory::{Direction, Inventory, Packet, Peer};
use crate::net::{ConnectionId, Service};

/// Initiator → responder, protocol and responder's port, over the window.
#[derive(Clone, Debug)]
pub struct Connection {
    /// From the ends and the service.
    pub id: ConnectionId,
    /// Who opened it.
    pub initiator: End,
    /// Who was asked.
    pub responder: End,
    /// What for.
    pub service: Service,
    /// How sure the direction is: of the best of its conversations.
    pub confidence: Confidence,
    /// What decided it there.
    pub basis: DirectionBasis,
    /// What its rows add up to. Rows are counted at every interface that saw
    /// them, replies included; bytes and packets at one end only.
    pub totals: Totals,
    /// What each gate did with the initiator's packets.
    pub seen: RecordCounts,
    /// What logs, today's rules and findings say about it.
    pub verdict: Verdict,
    /// Positions of the connections whose leg it is: what a NAT gateway forwarded for them. Empty for most.
    pub leg_of: Vec<usize>,
}

/// Sums over a connection's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Rows, everywhere.
    pub records: u64,
    /// Packets of both directions at one end.
    pub packets: u64,
    /// Bytes of both directions at one end.
    pub bytes: u64,
    /// Earliest start, Unix seconds.
    pub first: u64,
    /// Latest end, Unix seconds.
    pub last: u64,
    /// Days on which it was seen.
    pub days: Days,
}

/// What makes two conversations one connection: initiator, responder and service.
pub(super) type Key = (End, End, Service);

/// What a conversation has to do with one connection. Small, for it is what is sorted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// The connection's.
    pub(super) id: ConnectionId,
    /// Position of the conversation.
    pub(super) conversation: usize,
    /// Position among the conversation's known ports, where these are the responder's; or among its initiators.
    pub(super) number: usize,
}

impl Share {
    /// One connection, or one for each port of a responder whose ports were dropped: there
    /// the rows are shared out, for which of them went to which port is not known. Two, where each side counts as an initiator.
    pub(super) fn of<'c>(
        position: usize,
        conversation: &'c Conversation<'_>,
        decision: Decision,
        id: impl Fn(Key) -> ConnectionId + 'c,
    ) -> impl Iterator<Item = Self> + 'c {
        let keys = keys(conversation, decision).enumerate();
        keys.map(move |(number, key)| Self {
            id: id(key),
            conversation: position,
            number,
        })
    }

    /// Of the conversation that it is a share of, and how that was decided.
    pub(super) fn key(&self, conversation: &Conversation<'_>, decision: Decision) -> Key {
        let key = keys(conversation, decision).nth(self.number);
        key.expect("a share of this conversation")
    }
}

/// The connections that a conversation has to do with.
fn keys<'c>(
    conversation: &'c Conversation<'_>,
    decision: Decision,
) -> impl Iterator<Item = Key> + 'c {
    let pair = &conversation.pair;
    decision.initiators().flat_map(move |initiator| {
        let responder = initiator.other();
        let ends = (pair.socket(initiator).end, pair.socket(responder).end);
        let sockets = conversation.sockets(responder);
        sockets.map(move |socket| (ends.0, ends.1, Service::new(pair.protocol, socket.port)))
    })
}

/// What some rows add up to at one place.
#[derive(Clone, Copy, Debug)]
struct Counted {
    packets: u64,
    bytes: u64,
    first: u64,
    last: u64,
    days: Days,
}

/// At the initiator's interface, the responder's, and elsewhere.
type ByPlace = [Option<Counted>; 3];

/// What a conversation's rows add up to, whoever opened it: made while its flows are at hand, for
/// they lie all over the table. Places are what they are if side A did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// By place, sender, and whether they were let through.
    rows: [[[u64; 2]; 2]; 3],
    by_place: ByPlace,
}

impl Tally {
    pub(super) fn of(conversation: &Conversation<'_>, table: &FlowTable) -> Self {
        Self::sent_by(conversation, table, &Side::BOTH)
    }

    /// What the rows of the packets that some sides sent add up to.
    pub(super) fn sent_by(
        conversation: &Conversation<'_>,
        table: &FlowTable,
        senders: &[Side],
    ) -> Self {
        let mut tally = Self::default();
        for part in conversation
            .parts()
            .filter(|part| senders.contains(&part.sender))
        {
            let Flow { key, counters } = &table.flows[part.flow];
            let place = match (part.vantage, part.sender) {
                (Vantage::Source, Side::A) | (Vantage::Destination, Side::B) => 0,
                (Vantage::Destination, Side::A) | (Vantage::Source, Side::B) => 1,
                (Vantage::Between, _) => 2,
            };
            let rows = &mut tally.rows[place][part.sender.index()];
            rows[usize::from(key.accepted)] += counters.records;
            let counted = Counted {
                packets: counters.packets,
                bytes: counters.bytes,
                first: counters.first,
                last: counters.last,
                days: counters.days,
            };
            add(&mut tally.by_place[place], &counted);
        }
        tally
    }

    /// Reads a number of each of its cache lines.
    pub(super) fn prefetch(&self) -> u64 {
        let of = |counted: &Option<Counted>| counted.map_or(0, |counted| counted.last);
        let places = self.by_place.iter().fold(0, |all, place| all ^ of(place));
        places ^ self.rows[0][0][0] ^ self.rows[2][1][1]
    }

    /// The same, as it is with one side for the initiator.
    fn opened_by(&self, initiator: Side) -> (u64, RecordCounts, ByPlace) {
        let places = match initiator {
            Side::A => [0, 1, 2],
            Side::B => [1, 0, 2],
        };
        let (mut records, mut seen) = (0, RecordCounts::default());
        for (place, rows) in places.iter().zip(self.rows) {
            for sender in Side::BOTH {
                for (accepted, rows) in [false, true].into_iter().zip(rows[sender.index()]) {
                    *seen.counter(*place, sender == initiator, accepted) += rows;
                    records += rows;
                }
            }
        }
        (records, seen, places.map(|place| self.by_place[place]))
    }
}

/// A connection while its conversations are added up.
pub(super) struct Sum {
    initiator: End,
    responder: End,
    service: Service,
    confidence: Confidence,
    basis: DirectionBasis,
    records: u64,
    seen: RecordCounts,
    by_place: ByPlace,
}

impl Sum {
    /// A conversation's [`Share`] of a connection.
    pub(super) fn of(
        conversation: &Conversation<'_>,
        decision: Decision,
        number: usize,
        tally: &Tally,
    ) -> Self {
        let sum = Self::new(&conversation.pair, decision, tally);
        let responder = conversation.pair.socket(decision.initiator.other());
        if !responder.several {
            return sum;
        }
        let ports = conversation.ports.known();
        Self {
            service: Service::new(conversation.pair.protocol, ports[number]),
            confidence: if conversation.ports.has_more() {
                Confidence::Guessed
            } else {
                sum.confidence
            },
            ..sum.share(number as u64, ports.len() as u64)
        }
    }

    /// One of so many equal parts; what does not divide goes to the first.
    fn share(&self, number: u64, of: u64) -> Self {
        let part = |count: u64| {
            let rest = if number == 0 { count % of } else { 0 };
            count / of + rest
        };
        // What happened at all happened to each of them, as far as anybody knows.
        let some = |count: u64| part(count).max(u64::from(count > 0));
        let counted = |counted: Counted| Counted {
            packets: part(counted.packets),
            bytes: part(counted.bytes),
            ..counted
        };
        let RecordCounts {
            egress_accepted,
            egress_rejected,
            ingress_accepted,
            ingress_rejected,
            forwarded_accepted,
            forwarded_rejected,
            replies,
        } = self.seen;
        Self {
            records: part(self.records),
            seen: RecordCounts {
                egress_accepted: some(egress_accepted),
                egress_rejected: some(egress_rejected),
                ingress_accepted: some(ingress_accepted),
                ingress_rejected: some(ingress_rejected),
                forwarded_accepted: some(forwarded_accepted),
                forwarded_rejected: some(forwarded_rejected),
                replies: some(replies),
            },
            by_place: self.by_place.map(|place| place.map(counted)),
            ..*self
        }
    }

    fn new(pair: &SocketPair, decision: Decision, tally: &Tally) -> Self {
        let responder = decision.initiator.other();
        let (records, seen, by_place) = tally.opened_by(decision.initiator);
        Self {
            initiator: pair.socket(decision.initiator).end,
            responder: pair.socket(responder).end,
            service: pair.service(responder),
            confidence: decision.confidence,
            basis: decision.basis,
            records,
            seen,
            by_place,
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if (other.confidence, self.basis) > (self.confidence, other.basis) {
            (self.confidence, self.basis) = (other.confidence, other.basis);
        }
        self.records += other.records;
        self.seen.add(&other.seen);
        for (mine, theirs) in self.by_place.iter_mut().zip(&other.by_place) {
            if let Some(theirs) = theirs {
                add(mine, theirs);
            }
        }
    }

    pub(super) fn finish(self, id: ConnectionId, rules: &CurrentRules<'_>) -> Connection {
        let Self {
            initiator,
            responder,
            service,
            confidence,
            basis,
            records,
            seen,
            by_place,
        } = self;
        let counted = by_place
            .iter()
            .flatten()
            .next()
            .expect("a conversation has at least one row");
        let all = by_place.iter().flatten();
        let mut days = Days::default();
        all.clone().for_each(|counted| days.join(counted.days));
        let totals = Totals {
            records,
            packets: counted.packets,
            bytes: counted.bytes,
            first: all.clone().map(|c| c.first).min().unwrap_or_default(),
            last: all.map(|c| c.last).max().unwrap_or_default(),
            days,
        };
        let facts = Facts {
            initiator,
            responder,
            service,
            confidence,
            is_answered: basis == DirectionBasis::Symmetric,
            seen,
            when: (totals.first, totals.last),
        };
        Connection {
            id,
            initiator,
            responder,
            service,
            confidence,
            basis,
            totals,
            seen,
            verdict: judge(&facts, rules),
            leg_of: Vec::new(),
        }
    }
}

/// Counters hold whatever a hostile log claims, so they saturate.
fn add(sum: &mut Option<Counted>, more: &Counted) {
    let Some(sum) = sum else {
        *sum = Some(*more);
        return;
    };
    sum.packets = sum.packets.saturating_add(more.packets);
    sum.bytes = sum.bytes.saturating_add(more.bytes);
    sum.first = sum.first.min(more.first);
    sum.last = sum.last.max(more.last);
    sum.days.join(more.days);
}

impl RecordCounts {
    fn counter(&mut self, place: usize, asking: bool, accepted: bool) -> &mut u64 {
        match (place, asking, accepted) {
            (_, false, true) => &mut self.replies,
            // A refused answer is a packet that came after the end, or a network
            // ACL; either way it says nothing of the groups. It counts as a row.
            (_, false, false) => &mut self.forwarded_rejected,
            (0, true, true) => &mut self.egress_accepted,
            (0, true, false) => &mut self.egress_rejected,
            (1, true, true) => &mut self.ingress_accepted,
            (1, true, false) => &mut self.ingress_rejected,
            (_, true, true) => &mut self.forwarded_accepted,
            (_, true, false) => &mut self.forwarded_rejected,
        }
    }

    fn add(&mut self, other: &Self) {
        let Self {
            egress_accepted,
            egress_rejected,
            ingress_accepted,
            ingress_rejected,
            forwarded_accepted,
            forwarded_rejected,
            replies,
        } = other;
        self.egress_accepted += egress_accepted;
        self.egress_rejected += egress_rejected;
        self.ingress_accepted += ingress_accepted;
        self.ingress_rejected += ingress_rejected;
        self.forwarded_accepted += forwarded_accepted;
        self.forwarded_rejected += forwarded_rejected;
        self.replies += replies;
    }
}

impl Connection {
    /// Whether security groups never judge it, so that it needs no rule.
    pub fn unfiltered(&self, inventory: &Inventory) -> bool {
        is_unfiltered(inventory, self.initiator, self.responder, self.service)
    }

    /// The responder and a packet to it, as the rules of the initiator's groups judge them.
    pub fn leaving<'a>(&self, inventory: &'a Inventory) -> (Peer<'a>, Packet) {
        let (at, to) = (self.initiator, self.responder);
        let peer = peer_of(inventory, at, Direction::Egress, to);
        (peer, Packet::from(self.service))
    }

    /// Whether rules have to permit it.
    pub fn is_accepted(&self) -> bool {
        self.verdict == Verdict::Accepted
    }
}

/// What tells the place of an end from any other; `observers` are the flow table's.
pub(super) fn place_name<'a>(
    inventory: &'a Inventory,
    observers: &'a [String],
    end: End,
) -> Cow<'a, str> {
    let name = match end.place {
        Place::Local(ix) => inventory.interface(ix).id.as_str(),
        Place::Unlisted(ix) => observers[ix.index()].as_str(),
        Place::Balanced(ix) => inventory.balancer(ix).name.as_str(),
        Place::Outside => "-",
    };
    // Of an interface whose groups changed, the last entry has the plain name.
    match end.interface() {
        Some(ix)
            if inventory.interface(ix).is_gone() && inventory.interface_by_id(name) != Some(ix) =>
        {
            format!("{name}@{}", inventory.interface(ix).lifetime.start).into()
        }
        _ => name.into(),
    }
}

/// The id of a connection; `observers` are the flow table's.
pub(super) fn id(
    inventory: &Inventory,
    observers: &[String],
    (initiator, responder, service): Key,
) -> ConnectionId {
    let names = [initiator, responder].map(|end| place_name(inventory, observers, end));
    // One piece of memory for all three.
    let mut text = String::with_capacity(128);
    let mut written = |value: &dyn Display| {
        write!(text, "{value}").expect("a string takes everything");
        text.len()
    };
    let ends = [
        written(&initiator.address),
        written(&responder.address),
        written(&service),
    ];
    ConnectionId::of(&[
        &*names[0],
        &text[..ends[0]],
        &*names[1],
        &text[ends[0]..ends[1]],
        &text[ends[1]..],
    ])
}
