//! Hit counters, which AWS does not have: what each of today's rules let through.

use rayon::prelude::*;

use super::connection::Connection;
use super::ends::{End, settled};
use super::evidence::peer_of;
use super::verdict::{Unattributed, Verdict};
use crate::inventory::{Direction, Gates, Grade, GroupIx, InterfaceIx, Inventory, Packet};
use crate::net::{HashMap, HashSet};

/// What one rule let through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Connections it lets through, alone or together with others.
    pub connections: u64,
    /// Those that no other rule of the interface lets through.
    pub alone: u64,
    /// Rows of them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// First and last of them, Unix seconds.
    pub seen: Option<(u64, u64)>,
    /// Connections that no rule certainly lets through, and that it may have: the inventory does not tell.
    pub maybe: u64,
}

impl Hits {
    fn add(&mut self, more: &Self) {
        self.connections += more.connections;
        self.alone += more.alone;
        self.maybe += more.maybe;
        self.records += more.records;
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.seen = match (self.seen, more.seen) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

/// By group, how many ends that the inventory lacks initiated connections and may have carried it. Their rules are unknown.
pub fn unknown_members(inventory: &Inventory, connections: &[Connection]) -> Vec<u64> {
    let unknown = Verdict::Unattributed(Unattributed::UnknownInterface);
    let is_guess = |c: &Connection| {
        let interface = c.initiator.interface().map(|ix| inventory.interface(ix));
        interface.is_some_and(|interface| interface.grade == Grade::Guessed)
    };
    let initiated = connections
        .iter()
        .filter(|c| c.verdict == unknown || is_guess(c) && c.verdict != Verdict::Rejected);
    let initiators: HashSet<End> = initiated.map(|c| c.initiator).collect();
    let count = |group: GroupIx| {
        let may = |end: &&End| inventory.may_carry(end.address, group);
        initiators.iter().filter(may).count() as u64
    };
    // Groups of the same VPCs can have the same addresses.
    let mut by_vpcs: HashMap<(&str, &[String]), u64> = HashMap::default();
    let of = |ix: GroupIx| {
        let group = inventory.group(ix);
        let vpcs = (group.vpc.as_str(), group.also_in.as_slice());
        *by_vpcs.entry(vpcs).or_insert_with(|| count(ix))
    };
    let mut unknown: Vec<u64> = inventory.group_indexes().map(of).collect();
    // An interface whose groups changed while a connection went on may have opened it with the earlier ones.
    let mut changed: HashSet<(InterfaceIx, GroupIx)> = HashSet::default();
    let local = connections
        .iter()
        .filter_map(|c| Some((c.initiator.interface()?, c)));
    for (ix, connection) in local.filter(|(_, c)| c.verdict != Verdict::Rejected) {
        let when = settled(connection.totals.first, connection.totals.last);
        for other in inventory.other_periods(ix, when) {
            let groups = inventory.interface(other).groups.iter();
            changed.extend(groups.map(|&group| (ix, group)));
        }
    }
    #[expect(clippy::iter_over_hash_type, reason = "sums are commutative")]
    for (ix, group) in changed {
        if !inventory.interface(ix).groups.contains(&group) {
            unknown[group.index()] += 1;
        }
    }
    unknown
}

/// Hits by group and position of the rule. Only what was let through counts;
/// suspicious connections do, for the rule is what let them through.
pub fn hits(inventory: &Inventory, gates: &Gates, connections: &[Connection]) -> Vec<Vec<Hits>> {
    let each = connections.len() / rayon::current_num_threads() + 1;
    let parts: Vec<Vec<Vec<Hits>>> = connections
        .par_chunks(each)
        .map(|some| hits_of(inventory, gates, some))
        .collect();
    let none = || hits_of(inventory, gates, &[]);
    parts.into_iter().reduce(added).unwrap_or_else(none)
}

fn added(mut all: Vec<Vec<Hits>>, more: Vec<Vec<Hits>>) -> Vec<Vec<Hits>> {
    for (hits, more) in all.iter_mut().flatten().zip(more.into_iter().flatten()) {
        hits.add(&more);
    }
    all
}

fn hits_of(inventory: &Inventory, gates: &Gates, connections: &[Connection]) -> Vec<Vec<Hits>> {
    let mut hits: Vec<Vec<Hits>> = inventory
        .groups()
        .iter()
        .map(|g| vec![Hits::default(); g.rules.len()])
        .collect();
    for connection in connections
        .iter()
        .filter(|c| c.verdict != Verdict::Rejected)
    {
        let Connection {
            initiator,
            responder,
            ..
        } = connection;
        for (at, peer, direction) in [
            (initiator, responder, Direction::Egress),
            (responder, initiator, Direction::Ingress),
        ] {
            count(
                inventory,
                gates,
                connection,
                (*at, *peer),
                direction,
                &mut hits,
            );
        }
    }
    hits
}

fn count(
    inventory: &Inventory,
    gates: &Gates,
    connection: &Connection,
    (at, peer): (End, End),
    direction: Direction,
    hits: &mut [Vec<Hits>],
) {
    let Some(interface) = at.interface().map(|ix| inventory.interface(ix)) else {
        return;
    };
    let seen_as = peer_of(inventory, at, direction, peer);
    let rules: Vec<_> = gates
        .admitting(
            &interface.groups,
            direction,
            seen_as,
            Packet::from(connection.service),
        )
        .collect();
    if rules.is_empty() {
        let packet = Packet::from(connection.service);
        for (group, rule) in gates.uncertain(&interface.groups, direction, seen_as, packet) {
            hits[group.index()][rule].maybe += 1;
        }
    }
    for &(group, rule) in &rules {
        let totals = &connection.totals;
        hits[group.index()][rule].add(&Hits {
            connections: 1,
            alone: u64::from(rules.len() == 1),
            records: totals.records,
            bytes: totals.bytes,
            seen: Some((totals.first, totals.last)),
            maybe: 0,
        });
    }
}
