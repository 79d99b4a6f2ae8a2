//! Who opened a conversation: all evidence of the window, strongest first.

use rayon::prelude::*;

use super::conversation::{Conversation, Side, Socket, SocketPair};
use super::evidence::DirectionEvidence;
use crate::documents::Confidence;
use crate::flow::{EPHEMERAL_FROM, is_listener};
use crate::net::{HashMap, HashSet, Protocol};

/// What decided the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DirectionBasis {
    /// SYN or SYN-ACK in tcp-flags (flow-log-records.html).
    Flags,
    /// An accepted packet that no rule of today admits is a reply.
    Rules,
    /// A refused packet is not a reply.
    Refusal,
    /// One end is of a kind that never listens.
    Role,
    /// One end is known to answer on that port from other conversations.
    Listener,
    /// Today's rules name one end's port.
    NamedPort,
    /// Many peers talk to one port of one end.
    FanIn,
    /// A well-known port against a client's port.
    Ports,
    /// Only one side ever sent.
    OneWay,
    /// One side was seen first.
    Earlier,
    /// The lower port; nothing else tells the sides apart.
    LowerPort,
    /// Nothing tells the sides apart, and the protocol has no ports: each side counts as an initiator of what it sent.
    Symmetric,
}

impl DirectionBasis {
    /// In words, for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flags => "TCP flags",
            Self::Rules => "an accepted packet that today's rules admit only as a reply",
            Self::Refusal => "a refused packet, which can't be a reply",
            Self::Role => "an interface that never listens",
            Self::Listener => "a listener known from other conversations",
            Self::NamedPort => "a port that today's rules name",
            Self::FanIn => "many peers to one port",
            Self::Ports => "a well-known port against a client's port",
            Self::OneWay => "only one side sent",
            Self::Earlier => "which side was seen first",
            Self::LowerPort => "the lower port",
            Self::Symmetric => {
                "nothing: the protocol has no ports, and each end counts as an initiator"
            }
        }
    }
}

/// The direction of one conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    pub(super) initiator: Side,
    pub(super) confidence: Confidence,
    pub(super) basis: DirectionBasis,
}

impl Decision {
    /// The sides that initiated: one, or both where nothing tells.
    pub(super) fn initiators(self) -> impl Iterator<Item = Side> {
        let other = (self.basis == DirectionBasis::Symmetric).then(|| self.initiator.other());
        std::iter::once(self.initiator).chain(other)
    }
}

/// What is known of listeners: how many conversations end at a socket, and which
/// sockets are known to answer.
struct Listeners {
    fan_in: HashMap<(Socket, Protocol), u32>,
    known: HashSet<(Socket, Protocol)>,
}

impl Listeners {
    fn knows(&self, conversation: &Conversation<'_>, side: Side) -> bool {
        let protocol = conversation.pair.protocol;
        conversation
            .sockets(side)
            .any(|socket| self.known.contains(&(socket, protocol)))
    }

    fn fan_in(&self, conversation: &Conversation<'_>, side: Side) -> u32 {
        let protocol = conversation.pair.protocol;
        let of = |socket| self.fan_in.get(&(socket, protocol)).copied();
        conversation.sockets(side).filter_map(of).max().unwrap_or(0)
    }
}

/// How often listeners are learned from certain decisions, before the last ones are made.
const ROUNDS: usize = 2;

/// Decides every conversation; the result runs parallel to the input.
pub(super) fn decide(
    conversations: &[Conversation<'_>],
    evidence: &[DirectionEvidence],
) -> Vec<Decision> {
    let mut listeners = Listeners {
        fan_in: fan_in(conversations, evidence),
        known: HashSet::default(),
    };
    let decide_all = |listeners: &Listeners| -> Vec<Decision> {
        let all = conversations.par_iter().zip(evidence);
        all.map(|(conversation, evidence)| decide_one(conversation, evidence, listeners))
            .collect()
    };
    let mut decisions = decide_all(&listeners);
    for _ in 0..ROUNDS {
        let known = known(conversations, &decisions);
        if known == listeners.known {
            break;
        }
        listeners.known = known;
        decisions = decide_all(&listeners);
    }
    decisions
}

/// Sockets that certainly answered.
fn known(
    conversations: &[Conversation<'_>],
    decisions: &[Decision],
) -> HashSet<(Socket, Protocol)> {
    let all = conversations.par_iter().zip(decisions);
    let sure =
        all.filter(|(c, d)| d.confidence == Confidence::Certain && c.pair.protocol.has_ports());
    let sets = sure.fold(HashSet::default, |mut known, (c, d)| {
        let sockets = c.sockets(d.initiator.other());
        known.extend(sockets.map(|socket| (socket, c.pair.protocol)));
        known
    });
    sets.reduce(HashSet::default, |mut known, more| {
        known.extend(more);
        known
    })
}

/// How many answered conversations each socket takes part in: a listener has one
/// port for many, a client many ports for one. A scanner's targets rarely answer.
///
/// Only sockets of conversations that need it are counted: stronger evidence decides most of them.
fn fan_in(
    conversations: &[Conversation<'_>],
    evidence: &[DirectionEvidence],
) -> HashMap<(Socket, Protocol), u32> {
    let all = || conversations.par_iter().zip(evidence);
    let sockets = |c: &Conversation<'_>, side| -> Vec<(Socket, Protocol)> {
        let protocol = c.pair.protocol;
        c.sockets(side).map(|socket| (socket, protocol)).collect()
    };
    let undecided = all().filter(|(c, evidence)| needs_fan_in(c, evidence));
    let counted =
        undecided.flat_map_iter(|(c, _)| Side::BOTH.into_iter().flat_map(|side| sockets(c, side)));
    let counted: HashSet<(Socket, Protocol)> = counted.collect();
    if counted.is_empty() {
        return HashMap::default();
    }
    let two_way = all().filter(|(_, evidence)| evidence.two_way());
    let counts = two_way.fold(HashMap::default, |mut counts: HashMap<_, u32>, (c, _)| {
        for side in Side::BOTH {
            // Of several conversations the socket that they share is in all of them.
            let times = if c.pair.socket(side).several {
                1
            } else {
                c.count()
            };
            for socket in c.sockets(side).map(|socket| (socket, c.pair.protocol)) {
                if counted.contains(&socket) {
                    *counts.entry(socket).or_default() += times;
                }
            }
        }
        counts
    });
    counts.reduce(HashMap::default, |mut counts, more| {
        #[expect(clippy::iter_over_hash_type, reason = "sums are commutative")]
        for (socket, times) in more {
            *counts.entry(socket).or_default() += times;
        }
        counts
    })
}

/// Whether a conversation may come to be decided by the crowds at its sockets; what else is known of
/// listeners changes from round to round.
fn needs_fan_in(conversation: &Conversation<'_>, evidence: &DirectionEvidence) -> bool {
    let [a, b] = Side::BOTH.map(|side| evidence.of(side));
    conversation.pair.protocol.has_ports()
        && only(a.opened, b.opened).is_none()
        && only(a.answered_unasked, b.answered_unasked).is_none()
        && only(a.never_listens, b.never_listens).is_none()
}

fn decide_one(
    conversation: &Conversation<'_>,
    evidence: &DirectionEvidence,
    listeners: &Listeners,
) -> Decision {
    let pair = &conversation.pair;
    let [a, b] = Side::BOTH.map(|side| evidence.of(side));
    let decided = |initiator, confidence, basis| Decision {
        initiator,
        confidence,
        basis,
    };

    if let Some(side) = only(a.opened, b.opened) {
        return decided(side, Confidence::Certain, DirectionBasis::Flags);
    }
    if let Some(side) = only(a.answered_unasked, b.answered_unasked) {
        return decided(
            side,
            confidence_in_rules(conversation, evidence, listeners, side),
            DirectionBasis::Rules,
        );
    }
    if let Some(side) = refused_opener(conversation, evidence, listeners) {
        return decided(side, Confidence::Likely, DirectionBasis::Refusal);
    }
    if let Some(side) = only(a.never_listens, b.never_listens) {
        return decided(side, Confidence::Likely, DirectionBasis::Role);
    }
    if pair.protocol.has_ports() {
        // In each of these the sign marks the responder.
        let responder = |a, b| only(a, b).map(Side::other);
        if let Some(side) = responder(
            listeners.knows(conversation, Side::A),
            listeners.knows(conversation, Side::B),
        ) {
            return decided(side, Confidence::Likely, DirectionBasis::Listener);
        }
        if let Some(side) = only(a.peer_port_named, b.peer_port_named) {
            return decided(side, Confidence::Likely, DirectionBasis::NamedPort);
        }
        debug_assert!(
            needs_fan_in(conversation, evidence),
            "its sockets were counted"
        );
        if let Some(side) = by_fan_in(conversation, listeners) {
            return decided(side, Confidence::Likely, DirectionBasis::FanIn);
        }
        if let Some(side) = responder(well_known(pair, Side::A), well_known(pair, Side::B)) {
            return decided(side, Confidence::Likely, DirectionBasis::Ports);
        }
    }
    if let Some(side) = only(a.accepted || a.rejected, b.accepted || b.rejected) {
        let confidence = if pair.protocol == Protocol::TCP {
            Confidence::Guessed
        } else {
            Confidence::Likely
        };
        return decided(side, confidence, DirectionBasis::OneWay);
    }
    if !pair.protocol.has_ports() {
        // Both sides' packets passed, and one of them could not have opened it.
        return match only(b.may_not_open, a.may_not_open) {
            Some(side) => decided(side, Confidence::Guessed, DirectionBasis::Rules),
            None => decided(Side::A, Confidence::Guessed, DirectionBasis::Symmetric),
        };
    }
    let ephemeral = |side| pair.socket(side).port >= EPHEMERAL_FROM;
    if let Some(side) = only(ephemeral(Side::A), ephemeral(Side::B)) {
        return decided(side, Confidence::Guessed, DirectionBasis::Ports);
    }
    match (a.first, b.first) {
        (Some(first), Some(second)) if first != second => {
            let side = if first < second { Side::A } else { Side::B };
            decided(side, Confidence::Guessed, DirectionBasis::Earlier)
        }
        _ => {
            let side = if pair.a.port < pair.b.port {
                Side::B
            } else {
                Side::A
            };
            decided(side, Confidence::Guessed, DirectionBasis::LowerPort)
        }
    }
}

/// The side for which alone something holds.
const fn only(a: bool, b: bool) -> Option<Side> {
    match (a, b) {
        (true, false) => Some(Side::A),
        (false, true) => Some(Side::B),
        _ => None,
    }
}

/// Logic on today's rules is only as good as the snapshot: a rule that was
/// removed since the traffic makes a listener look like a client. That would put
/// a service's port on the initiator and a client's on the responder, so there
/// the proof counts as a guess, unless a rule names the responder's port.
fn confidence_in_rules(
    conversation: &Conversation<'_>,
    evidence: &DirectionEvidence,
    listeners: &Listeners,
    initiator: Side,
) -> Confidence {
    let responder = initiator.other();
    let pair = &conversation.pair;
    let backwards = pair.protocol.has_ports()
        && pair.socket(responder).port >= EPHEMERAL_FROM
        && pair.socket(initiator).port < EPHEMERAL_FROM
        && !listeners.knows(conversation, responder)
        && !evidence.of(initiator).peer_port_named;
    match (backwards, evidence.of(initiator).may_open) {
        (true, _) => Confidence::Guessed,
        // Without ports nothing but the rules speaks for it, and the ends may have carried other groups then.
        _ if !pair.protocol.has_ports() && !evidence.groups_known() => Confidence::Guessed,
        (false, true) => Confidence::Certain,
        (false, false) => Confidence::Likely,
    }
}

/// A refused packet is no reply, for replies always pass. But a packet that
/// arrives after the connection was closed is refused too: so this holds only
/// where the other side never got anything through, and where the sender is not
/// known to be the one who answers.
fn refused_opener(
    conversation: &Conversation<'_>,
    evidence: &DirectionEvidence,
    listeners: &Listeners,
) -> Option<Side> {
    let tried = |side: Side| {
        evidence.of(side).rejected
            && !evidence.of(side.other()).accepted
            && !listeners.knows(conversation, side)
            && !well_known(&conversation.pair, side)
    };
    only(tried(Side::A), tried(Side::B))
}

fn by_fan_in(conversation: &Conversation<'_>, listeners: &Listeners) -> Option<Side> {
    /// Fewer conversations than this are no crowd.
    const CROWD: u32 = 3;
    let [a, b] = Side::BOTH.map(|side| listeners.fan_in(conversation, side));
    if a.max(b) < CROWD || a.max(b) < a.min(b) * 2 {
        return None;
    }
    Some(if a > b { Side::B } else { Side::A })
}

/// A port on which services listen, against one that a client could have picked.
fn well_known(pair: &SocketPair, side: Side) -> bool {
    let [port, other] = [side, side.other()].map(|side| pair.socket(side).port);
    is_listener(pair.protocol, port, other)
}
