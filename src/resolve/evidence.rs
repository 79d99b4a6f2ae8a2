//! What a conversation's rows say about who opened it.

use super::conversation::{Conversation, Side, SocketPair};
use super::ends::{End, Place, Vantage, settled};
use crate::flow::FlowTable;
use crate::inventory::{
    Admission, Direction, Gates, GroupIx, InterfaceKind, Inventory, Packet, Peer, Unknown,
};
use crate::net::{PortRange, Service};

/// Evidence for one side being the initiator. All of it is about the packets
/// that this side sent, or could have sent.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent pieces of evidence, weighed in direction.rs"
)]
pub(super) struct Sent {
    /// Its flags say SYN without ACK, or the other side's say SYN-ACK.
    pub(super) opened: bool,
    /// An accepted packet of the *other* side that no rule of today admits, so
    /// that it can only have been a reply. An answer that the inventory does not tell is no evidence.
    pub(super) answered_unasked: bool,
    /// Today's rules certainly let it open the conversation.
    pub(super) may_open: bool,
    /// Today's rules certainly don't, at one gate or the other.
    pub(super) may_not_open: bool,
    /// The other side has an ingress rule that names its port and admits this side, or may admit it.
    pub(super) peer_port_named: bool,
    /// Accepted rows of its packets.
    pub(super) accepted: bool,
    /// Rejected rows of its packets.
    pub(super) rejected: bool,
    /// Its first row, Unix seconds.
    pub(super) first: Option<u64>,
    /// It is an interface that never listens.
    pub(super) never_listens: bool,
}

/// Evidence by side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DirectionEvidence {
    by_side: [Sent; 2],
    /// History says which groups both ends carried then.
    groups_known: bool,
}

impl DirectionEvidence {
    pub(super) const fn of(&self, side: Side) -> &Sent {
        &self.by_side[side.index()]
    }

    /// Whether history says which groups both ends carried at the time.
    pub(super) const fn groups_known(&self) -> bool {
        self.groups_known
    }

    /// Both directions were let through.
    pub(super) const fn two_way(&self) -> bool {
        self.by_side[0].accepted && self.by_side[1].accepted
    }

    /// Collects what the rows, today's rules and the interfaces say.
    pub(super) fn collect(
        conversation: &Conversation<'_>,
        table: &FlowTable,
        rules: &CurrentRules<'_>,
    ) -> Self {
        let mut evidence = Self::default();
        let since = |end: End| {
            let lifetime = &rules.inventory.interface(end.interface()?).lifetime;
            Some(lifetime.start).filter(|&start| start > 0)
        };
        let ends = [conversation.pair.a.end, conversation.pair.b.end];
        let known_since = ends.map(|end| match end.place {
            Place::Local(_) => since(end).unwrap_or(u64::MAX),
            Place::Unlisted(_) | Place::Balanced(_) | Place::Outside => 0,
        });
        let known_since = known_since[0].max(known_since[1]);
        let mut first = u64::MAX;
        let pair = &conversation.pair;
        let admissions = Side::BOTH.map(|side| rules.opening(pair, side));
        for side in Side::BOTH {
            let opening = &admissions[side.index()];
            let sent = &mut evidence.by_side[side.index()];
            sent.may_open = opening.egress.certainly_passes() && opening.ingress.certainly_passes();
            sent.may_not_open = [opening.egress, opening.ingress].contains(&Admission::Denied);
            sent.peer_port_named = opening.port_named;
            sent.never_listens = rules.never_listens(pair.socket(side).end);
        }
        for part in conversation.parts() {
            let flow = &table.flows[part.flow];
            let (counters, accepted) = (&flow.counters, flow.key.accepted);
            first = first.min(counters.first);
            let (sender, receiver) = (part.sender, part.sender.other());
            let sent = &mut evidence.by_side[sender.index()];
            sent.accepted |= accepted;
            sent.rejected |= !accepted;
            sent.first = Some(
                sent.first
                    .map_or(counters.first, |first| first.min(counters.first)),
            );
            sent.opened |= counters.flags.syn();
            evidence.by_side[receiver.index()].opened |= counters.flags.syn_ack();
            let opening = &admissions[sender.index()];
            let judged = match part.vantage {
                Vantage::Source => opening.egress,
                Vantage::Destination => opening.ingress,
                Vantage::Between => continue,
            };
            let when = (counters.first, counters.last);
            if accepted
                && judged == Admission::Denied
                && rules.held_then([pair.a.end, pair.b.end], when)
                && !rules.stood_then(pair, sender, part.vantage, when)
            {
                evidence.by_side[receiver.index()].answered_unasked = true;
            }
        }
        evidence.groups_known = known_since <= first;
        evidence
    }
}

/// Today's rules, as they judge the first packet of a connection.
pub(super) struct CurrentRules<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) gates: &'a Gates,
    /// Rules that stood once; none if none is known.
    pub(super) past: Option<&'a Gates>,
}

/// What both gates say to a first packet from one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) egress: Admission,
    pub(super) ingress: Admission,
    /// The ingress rule names the port instead of admitting every port.
    port_named: bool,
}

impl CurrentRules<'_> {
    /// What both gates say when `side` opens the conversation.
    pub(super) fn opening(&self, pair: &SocketPair, side: Side) -> Opening {
        self.judge(
            pair.socket(side).end,
            pair.socket(side.other()).end,
            pair.service(side.other()),
        )
    }

    /// What both gates say to a connection.
    pub(super) fn judge(&self, initiator: End, responder: End, service: Service) -> Opening {
        let gate = |at, peer, direction| {
            admission(self.inventory, self.gates, (at, peer), direction, service)
        };
        let egress = gate(initiator, responder, Direction::Egress);
        let ingress = gate(responder, initiator, Direction::Ingress);
        let port_named = ingress
            .rule()
            .is_some_and(|(group, rule)| names_port(self.inventory, group, rule));
        Opening {
            egress,
            ingress,
            port_named,
        }
    }

    /// Whether both ends carried their groups all the time from `first` to `last`, as far as the inventory tells: what today's rules
    /// deny them, they denied them then.
    pub(super) fn held_then(&self, ends: [End; 2], when: (u64, u64)) -> bool {
        let when = settled(when.0, when.1);
        let held = |ix| self.inventory.other_periods(ix, when).next().is_none();
        ends.iter().filter_map(|end| end.interface()).all(held)
    }

    /// Whether a rule that is gone since permitted, or may have permitted, what one side sent, where it was recorded.
    fn stood_then(
        &self,
        pair: &SocketPair,
        sender: Side,
        vantage: Vantage,
        (first, last): (u64, u64),
    ) -> bool {
        let Some(past) = self.past else {
            return false;
        };
        let (from, to) = (pair.socket(sender).end, pair.socket(sender.other()).end);
        let (at, peer, direction) = match vantage {
            Vantage::Source => (from, to, Direction::Egress),
            Vantage::Destination => (to, from, Direction::Ingress),
            Vantage::Between => return false,
        };
        let Some(ix) = at.interface() else {
            return false;
        };
        let groups = &self.inventory.interface(ix).groups;
        let seen = peer_of(self.inventory, at, direction, peer);
        let packet = Packet::from(pair.service(sender.other()));
        let certain = past.admitting(groups, direction, seen, packet);
        let maybe = past.uncertain(groups, direction, seen, packet);
        certain.chain(maybe).any(|(group, rule)| {
            let lifetime = &self.inventory.past_rules(group)[rule].lifetime;
            lifetime.start <= last && first < lifetime.end
        })
    }

    fn never_listens(&self, end: End) -> bool {
        end.interface()
            .is_some_and(|ix| self.inventory.interface(ix).kind == InterfaceKind::Lambda)
    }
}

/// Whether a rule of today names the ports of a listener.
pub(super) fn names_port(inventory: &Inventory, group: GroupIx, rule: usize) -> bool {
    /// A rule for more ports than this admits a client's port as well as a listener's.
    const NAMES_AT_MOST: u32 = 1024;
    inventory.group(group).rules[rule]
        .port_pair()
        .and_then(|(from, to)| PortRange::new(from, to))
        .is_some_and(|range| range.count() <= NAMES_AT_MOST)
}

/// What the rules at one end of a connection, and of one direction, say to it; [`Admission::NoGate`] where the end is
/// outside the inventory's networks. The ends are the one that judges and the other.
pub fn admission(
    inventory: &Inventory,
    gates: &Gates,
    (at, peer): (End, End),
    direction: Direction,
    service: Service,
) -> Admission {
    let Some(ix) = at.interface() else {
        return if is_unlisted(inventory, at, peer) {
            Admission::Unknown(Unknown::Interface)
        } else {
            Admission::NoGate
        };
    };
    gates.judge(
        inventory,
        inventory.interface(ix),
        direction,
        peer_of(inventory, at, direction, peer),
        Packet::from(service),
    )
}

/// The other end of a connection as the gate at `at` sees it.
pub fn peer_of(inventory: &Inventory, at: End, direction: Direction, peer: End) -> Peer<'_> {
    let unlisted = match (peer.interface(), peer.place) {
        (Some(ix), _) => !inventory.interface(ix).knows_groups(),
        (None, Place::Balanced(_)) => false,
        (None, _) => true,
    };
    Peer {
        address: peer.address,
        groups: visible_groups(inventory, at, direction, peer),
        possible: match (at.interface(), peer.interface()) {
            (Some(a), Some(b)) => {
                let (a, b) = (inventory.interface(a), inventory.interface(b));
                inventory.maybe_nameable_groups(a, b)
            }
            _ => &[],
        },
        unlisted,
    }
}

/// Whether an end is, or may be, an interface that the inventory lacks: it recorded rows, or its address lies in a network of the
/// inventory that may be within reach of the other end's. Security groups judge it, and nobody knows which.
pub fn is_unlisted(inventory: &Inventory, end: End, other: End) -> bool {
    match end.place {
        Place::Local(_) | Place::Balanced(_) => false,
        Place::Unlisted(_) => true,
        Place::Outside => {
            let other = other.interface().map(|ix| &*inventory.interface(ix).vpc);
            inventory.may_be_an_interface(end.address, other)
                && inventory.interface_with_public(end.address).is_none()
        }
    }
}

/// The groups of `peer` that rules of one direction on `at` can name: those of its
/// interface, or of the balancer that it is behind, if references work between the two.
pub fn visible_groups(
    inventory: &Inventory,
    at: End,
    direction: Direction,
    peer: End,
) -> &[GroupIx] {
    let Some(at) = at.interface().map(|ix| inventory.interface(ix)) else {
        return &[];
    };
    match (peer.interface(), peer.place) {
        (Some(ix), _) => inventory.nameable_groups(at, direction, inventory.interface(ix)),
        // A reference to a balancer's groups admits its clients (network/load-balancer-security-groups.html).
        (None, Place::Balanced(ix)) => {
            let balancer = inventory.balancer(ix);
            let mut own = balancer.interfaces.iter();
            let works =
                own.any(|&own| inventory.reference_works(at, direction, inventory.interface(own)));
            if works { &balancer.groups } else { &[] }
        }
        (None, _) => &[],
    }
}
