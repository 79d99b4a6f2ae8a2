//! Probes: rejected connections from outside, many of which are one entry.
//!
//! A scan from the internet is as many connections as it tries ports and addresses, and every one of them is rejected. Each would be a
//! row in every file and a question to every stage, and all of them say the same. So those that are alike are counted together: of one
//! source, to each of its targets if they are few; then of what is left, those to one target. Only what today's rules deny for certain is counted so, which no
//! proposal permits; the rows of each stay at hand in the flow table.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;

use super::connection::{Connection, Totals, id, place_name};
use super::conversation::{Keyed, PairKey, Part, Side, Sorted};
use super::direction::DirectionBasis;
use super::ends::{End, Place, Placed, Placer, Vantage};
use super::evidence::CurrentRules;
use super::verdict::Verdict;
use crate::documents::{Confidence, RecordCounts};
use crate::flow::{Days, Dropped, Flow, FlowTable, is_listener};
use crate::inventory::{Admission, Inventory};
use crate::net::{Service, stable_id};

/// So many connections that are alike are one entry.
pub const FOLDED_FROM: usize = 16;

/// How many connections of an entry are shown.
const SAMPLES: usize = 5;

/// Rejected connections of initiators outside the inventory's networks that today's rules deny, counted together.
#[derive(Clone, Debug)]
pub struct Probes {
    /// `p-` and 16 hexadecimal digits, from the ends.
    pub id: String,
    /// The one that initiated them; several, if none is named.
    pub initiator: Option<End>,
    /// The one that they were for; several, if none is named.
    pub responder: Option<End>,
    /// How many connections: initiator, responder and service.
    pub connections: u64,
    /// How many initiators.
    pub initiators: u64,
    /// How many responders.
    pub responders: u64,
    /// How many services: protocols with their ports.
    pub services: u64,
    /// What their rows add up to.
    pub totals: Totals,
    /// The first of them, in order of their ends and services.
    pub samples: Vec<Connection>,
    /// Positions in the flow table, in the same order.
    flows: Box<[u32]>,
}

/// A flow of a connection, and what the connection was for.
#[derive(Clone, Copy, Debug)]
struct Call {
    service: Service,
    flow: u32,
}

/// The rejected connections of one initiator to one responder: where they stand among what was sorted.
#[derive(Clone, Copy, Debug)]
struct Lot {
    initiator: End,
    responder: End,
    start: u32,
    end: u32,
    services: u32,
}

/// What connections that are counted together have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Source,
    Target,
    Pair,
}

impl By {
    const fn end(self, lot: &Lot) -> End {
        match self {
            Self::Source | Self::Pair => lot.initiator,
            Self::Target => lot.responder,
        }
    }
}

/// Connections that are counted together.
type Group = (By, Vec<Lot>);

/// Takes the probes out of what was sorted.
pub(super) fn take(
    sorted: &mut Sorted,
    table: &FlowTable,
    rules: &CurrentRules<'_>,
) -> Vec<Probes> {
    let mut rejected = FixedBitSet::with_capacity(table.flows.len());
    let of_flows = table.flows.iter().enumerate();
    rejected.extend(
        of_flows
            .filter(|(_, flow)| !flow.key.accepted)
            .map(|(at, _)| at),
    );
    if rejected.count_ones(..) < FOLDED_FROM {
        return Vec::new();
    }
    let search = Search {
        table,
        rules,
        rejected,
    };
    let mut probes = search.take(&mut sorted.packed);
    probes.extend(search.take(&mut sorted.others));
    probes.sort_by(|a, b| a.id.cmp(&b.id));
    probes
}

struct Search<'a> {
    table: &'a FlowTable,
    rules: &'a CurrentRules<'a>,
    /// Flows that were rejected.
    rejected: FixedBitSet,
}

impl Search<'_> {
    fn take<P: PairKey>(&self, keyed: &mut Keyed<P>) -> Vec<Probes> {
        let mut rest = self.lots(keyed);
        let mut groups: Vec<Group> = Vec::new();
        let connections = |lots: &[Lot]| lots.iter().map(|lot| lot.services as usize).sum();
        for by in [By::Source, By::Target] {
            rest.par_sort_unstable_by_key(|lot| (by.end(lot), lot.initiator, lot.responder));
            let mut left = Vec::new();
            for same in rest.chunk_by(|a, b| by.end(a) == by.end(b)) {
                let count: usize = connections(same);
                if count < FOLDED_FROM {
                    left.extend_from_slice(same);
                } else if by == By::Source && same.len() < FOLDED_FROM {
                    // Of few targets, those that are worth an entry each.
                    let (alone, few): (Vec<Lot>, Vec<Lot>) = same
                        .iter()
                        .partition(|lot| lot.services as usize >= FOLDED_FROM);
                    groups.extend(alone.into_iter().map(|lot| (By::Pair, vec![lot])));
                    if connections(&few) >= FOLDED_FROM {
                        groups.push((by, few));
                    } else {
                        left.extend(few);
                    }
                } else {
                    groups.push((by, same.to_vec()));
                }
            }
            rest = left;
        }
        let fold = |(by, lots): &Group| self.fold(keyed, lots, *by);
        let probes: Vec<Probes> = groups.par_iter().map(fold).collect();
        let mut folded = FixedBitSet::with_capacity(self.table.flows.len());
        folded.extend(
            probes
                .iter()
                .flat_map(|p| &p.flows)
                .map(|&flow| flow as usize),
        );
        if !probes.is_empty() {
            keyed.retain(|(_, part)| !folded.contains(part.flow));
        }
        probes
    }

    /// Where two ends have rejected connections of which nothing was let through, and today's rules permit none.
    fn lots<P: PairKey>(&self, keyed: &[(P, Part)]) -> Vec<Lot> {
        let position = |chunk: &[(P, Part)]| {
            let bytes = chunk.as_ptr().addr() - keyed.as_ptr().addr();
            u32::try_from(bytes / size_of::<(P, Part)>()).expect("fewer than 2^32 flows")
        };
        let chunks = keyed.par_chunk_by(|(a, _), (b, _)| a.same_ends(b));
        let lot = |calls: &mut Vec<Call>, chunk: &[(P, Part)]| {
            let (initiator, responder) = self.calls(chunk, calls)?;
            let start = position(chunk);
            let services = calls.chunk_by(|a, b| a.service == b.service).count();
            Some(Lot {
                initiator,
                responder,
                start,
                end: start + u32::try_from(chunk.len()).expect("fewer than 2^32 flows"),
                services: u32::try_from(services).expect("fewer than 2^32 services"),
            })
        };
        let lots = chunks.map_init(Vec::new, lot);
        lots.flatten_iter().collect()
    }

    /// The rejected connections between two ends, in order of their services, and which of the ends initiated them.
    fn calls<P: PairKey>(&self, chunk: &[(P, Part)], calls: &mut Vec<Call>) -> Option<(End, End)> {
        calls.clear();
        let is_rejected = |(_, part): &(P, Part)| self.rejected.contains(part.flow);
        if !chunk.iter().any(is_rejected) {
            return None;
        }
        let pair = chunk[0].0.unpack();
        let initiator = match (pair.a.end.place, pair.b.end.place) {
            (Place::Outside, Place::Local(_)) => Side::A,
            (Place::Local(_), Place::Outside) => Side::B,
            _ => return None,
        };
        let responder = initiator.other();
        let mut others: BTreeSet<Service> = BTreeSet::new();
        for conversation in chunk.chunk_by(|(a, _), (b, _)| a == b) {
            let pair = conversation[0].0.unpack();
            let service = pair.service(responder);
            if conversation
                .iter()
                .all(|(_, part)| self.is_probe(part, initiator))
            {
                let flow = |part: &Part| u32::try_from(part.flow).expect("fewer than 2^32 flows");
                let parts = conversation.iter();
                calls.extend(parts.map(|(_, part)| Call {
                    service,
                    flow: flow(part),
                }));
            } else {
                others.insert(service);
            }
        }
        calls.sort_unstable_by_key(|call| (call.service, call.flow));
        let (from, to) = (pair.socket(initiator).end, pair.socket(responder).end);
        let mut judged: Option<(Service, bool)> = None;
        calls.retain(|call| match judged {
            Some((service, is_denied)) if service == call.service => is_denied,
            _ => {
                let opening = self.rules.judge(from, to, call.service);
                let is_denied = (opening.egress, opening.ingress)
                    == (Admission::NoGate, Admission::Denied)
                    && !others.contains(&call.service);
                judged = Some((call.service, is_denied));
                is_denied
            }
        });
        (!calls.is_empty()).then_some((from, to))
    }

    /// Whether a flow is of packets that opened a connection, at the gate that rejected them.
    fn is_probe(&self, part: &Part, initiator: Side) -> bool {
        let Flow { key, counters } = &self.table.flows[part.flow];
        let is_client = match key.dropped {
            Dropped::Src => true,
            Dropped::Dst => false,
            Dropped::Neither => !is_listener(key.protocol, key.src_port, key.dst_port),
        };
        !key.accepted
            && part.sender == initiator
            && part.vantage == Vantage::Destination
            && key.protocol.has_ports()
            && is_client
            && !counters.flags.syn_ack()
    }

    fn fold<P: PairKey>(&self, keyed: &[(P, Part)], lots: &[Lot], by: By) -> Probes {
        let (mut flows, mut calls) = (Vec::new(), Vec::new());
        let mut services: BTreeSet<Service> = BTreeSet::new();
        let (mut connections, mut samples) = (0, Vec::new());
        for lot in lots {
            self.calls(&keyed[lot.start as usize..lot.end as usize], &mut calls);
            let each = calls.chunk_by(|a, b| a.service == b.service);
            samples.extend(each.take(SAMPLES - samples.len()).map(|same| {
                let flows: Vec<u32> = same.iter().map(|call| call.flow).collect();
                let ends = (lot.initiator, lot.responder);
                alone(self.table, self.rules.inventory, &flows, ends)
            }));
            flows.extend(calls.iter().map(|call| call.flow));
            services.extend(calls.iter().map(|call| call.service));
            connections += u64::from(lot.services);
        }
        let initiator = (by != By::Target).then(|| lots[0].initiator);
        let responder = (by != By::Source).then(|| lots[0].responder);
        let count = |end: fn(&Lot) -> End| {
            let ends: BTreeSet<End> = lots.iter().map(end).collect();
            ends.len() as u64
        };
        Probes {
            id: self.id(initiator, responder),
            initiator,
            responder,
            connections,
            initiators: count(|lot| lot.initiator),
            responders: count(|lot| lot.responder),
            services: services.len() as u64,
            totals: totals(self.table, &flows),
            samples,
            flows: flows.into(),
        }
    }

    fn id(&self, initiator: Option<End>, responder: Option<End>) -> String {
        let (inventory, observers) = (self.rules.inventory, &self.table.observers);
        let address = |end: Option<End>| end.map_or("*".to_owned(), |end| end.address.to_string());
        let place = responder.map_or("*".into(), |end| place_name(inventory, observers, end));
        stable_id("p", &[&address(initiator), &place, &address(responder)])
    }
}

fn totals(table: &FlowTable, flows: &[u32]) -> Totals {
    let mut sum = Totals {
        records: 0,
        packets: 0,
        bytes: 0,
        first: u64::MAX,
        last: 0,
        days: Days::default(),
    };
    for &flow in flows {
        let counters = &table.flows[flow as usize].counters;
        sum.records += counters.records;
        sum.packets = sum.packets.saturating_add(counters.packets);
        sum.bytes = sum.bytes.saturating_add(counters.bytes);
        sum.first = sum.first.min(counters.first);
        sum.last = sum.last.max(counters.last);
        sum.days.join(counters.days);
    }
    sum
}

/// The connection that some flows make, as it would be alone.
fn alone(
    table: &FlowTable,
    inventory: &Inventory,
    flows: &[u32],
    (initiator, responder): (End, End),
) -> Connection {
    let Flow { key, counters } = &table.flows[flows[0] as usize];
    let service = Service::new(key.protocol, key.dst_port);
    let totals = totals(table, flows);
    let opens = counters.flags.syn();
    Connection {
        id: id(inventory, &table.observers, (initiator, responder, service)),
        initiator,
        responder,
        service,
        confidence: if opens {
            Confidence::Certain
        } else {
            Confidence::Likely
        },
        basis: if opens {
            DirectionBasis::Flags
        } else {
            DirectionBasis::Refusal
        },
        seen: RecordCounts {
            ingress_rejected: totals.records,
            ..RecordCounts::default()
        },
        totals,
        verdict: Verdict::Rejected,
        leg_of: Vec::new(),
    }
}

/// What an entry's connections are made of again, one at a time.
pub struct ProbesAlone<'a> {
    table: &'a FlowTable,
    inventory: &'a Inventory,
    placer: Placer<'a>,
}

impl<'a> ProbesAlone<'a> {
    /// For the table and the inventory that the entries are of.
    pub fn new(table: &'a FlowTable, inventory: &'a Inventory) -> Self {
        Self {
            table,
            inventory,
            placer: Placer::new(table, inventory),
        }
    }

    /// Every connection of an entry.
    pub fn of<'p>(&'p self, probes: &'p Probes) -> impl Iterator<Item = Connection> + 'p {
        let key = |flow: u32| {
            let flow = &self.table.flows[flow as usize];
            let Placed { src, dst, .. } = self.placer.place(flow);
            (src, dst, flow.key.protocol, flow.key.dst_port)
        };
        let same = probes.flows.chunk_by(move |&a, &b| key(a) == key(b));
        same.map(move |flows| {
            let (initiator, responder, ..) = key(flows[0]);
            alone(self.table, self.inventory, flows, (initiator, responder))
        })
    }
}
