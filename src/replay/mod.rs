//! Stage 8: every connection against the rules as they would be.
//!
//! Nothing here knows how the rules were made. Today's rules, minus the
//! revocations, plus the additions, become gates, and every accepted connection
//! has to pass both of its own.

mod against;
mod blast;
mod enough;
mod exposure;
mod proof;
mod proposal;
mod stages;
mod trade_off;
mod wider;

pub use against::{Against, against};
pub use blast::{BlastRadius, Reach, blast_radius};
pub use enough::{HoldOut, Readiness, readiness};
pub use exposure::{Exposure, exposure};
pub use proof::{StillOpen, open_to_newcomers, still_open};
pub use proposal::{ProposalError, proposal};
pub use stages::{Stage, StageName, stages, tightenings};
pub use trade_off::{TradeOff, trade_off};
pub use wider::{Widening, wider};

use rayon::prelude::*;

use crate::inventory::{Admission, Direction, Gates, GroupIx, InterfaceIx, Inventory, Rule};
use crate::resolve::{Connection, End, Verdict, admission};
use crate::suggest::{RuleSet, Status};

/// What became of every connection; the five counts add up to their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// All of them.
    pub connections: u64,
    /// Accepted, and permitted by both gates after the change.
    pub permitted: u64,
    /// Kept out on purpose.
    pub quarantined: u64,
    /// Refused already.
    pub refused: u64,
    /// Not tied to any group.
    pub unattributed: u64,
    /// Accepted, and refused after the change. Must be none.
    pub lost: Vec<usize>,
}

/// Rules that come and go.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Rules that are not there today.
    pub additions: Vec<(GroupIx, Rule)>,
    /// Rules of today that go.
    pub removals: Vec<(GroupIx, Rule)>,
}

impl From<&RuleSet> for Change {
    fn from(rules: &RuleSet) -> Self {
        let added = rules.rules.iter().filter(|r| r.status == Status::Add);
        Self {
            additions: added.map(|r| (r.group, r.rule.clone())).collect(),
            removals: rules
                .revocations
                .iter()
                .map(|r| (r.group, r.rule.clone()))
                .collect(),
        }
    }
}

/// The rules of every group after a change: today − removals + additions.
pub fn after(inventory: &Inventory, change: &Change) -> Vec<Vec<Rule>> {
    let mut rules: Vec<Vec<Rule>> = inventory
        .groups()
        .iter()
        .map(|group| group.rules.clone())
        .collect();
    for (group, gone) in &change.removals {
        rules[group.index()].retain(|rule| !rule.same_permission(gone));
    }
    for (group, added) in &change.additions {
        rules[group.index()].push(added.clone());
    }
    rules
}

/// Replays every connection against a set of gates.
pub fn verify(inventory: &Inventory, gates: &Gates, connections: &[Connection]) -> Replay {
    let count = |mut replay: Replay, (position, connection): (usize, &Connection)| {
        replay.connections += 1;
        match connection.verdict {
            Verdict::Quarantined(_) => replay.quarantined += 1,
            Verdict::Refused => replay.refused += 1,
            Verdict::Unattributed(_) => replay.unattributed += 1,
            Verdict::Accepted if passes(inventory, gates, connection) => replay.permitted += 1,
            Verdict::Accepted => replay.lost.push(position),
        }
        replay
    };
    let parts = connections.par_iter().enumerate();
    parts
        .fold(Replay::default, count)
        .reduce(Replay::default, Replay::followed_by)
}

impl Replay {
    /// With what became of the connections behind these.
    fn followed_by(mut self, next: Self) -> Self {
        self.connections += next.connections;
        self.permitted += next.permitted;
        self.quarantined += next.quarantined;
        self.refused += next.refused;
        self.unattributed += next.unattributed;
        self.lost.extend(next.lost);
        self
    }
}

/// Whether both gates let the connection through.
pub fn passes(inventory: &Inventory, gates: &Gates, connection: &Connection) -> bool {
    passage(inventory, gates, connection).passes()
}

/// What each gate says to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The initiator's egress lets it out, or there is none to ask.
    pub egress: bool,
    /// The responder's ingress lets it in, or there is none to ask.
    pub ingress: bool,
}

impl Passage {
    /// Both do.
    pub const fn passes(self) -> bool {
        self.egress && self.ingress
    }
}

/// Asks both gates.
pub fn passage(inventory: &Inventory, gates: &Gates, connection: &Connection) -> Passage {
    let Connection {
        initiator,
        responder,
        service,
        ..
    } = connection;
    let gate = |at: End, peer: End, direction: Direction| {
        admission(inventory, gates, (at, peer), direction, *service) != Admission::Refused
    };
    let unfiltered = connection.unfiltered(inventory);
    Passage {
        egress: unfiltered || gate(*initiator, *responder, Direction::Egress),
        ingress: unfiltered || gate(*responder, *initiator, Direction::Ingress),
    }
}

/// The interface pairs that accepted connections between two interfaces of the
/// inventory make, with their service.
fn observed_pairs(
    connections: &[Connection],
) -> impl Iterator<Item = (InterfaceIx, InterfaceIx, crate::net::Service)> + '_ {
    connections
        .iter()
        .filter(|c| c.is_accepted())
        .filter_map(|c| {
            let (x, y) = (c.initiator.interface()?, c.responder.interface()?);
            (x != y).then_some((x, y, c.service))
        })
}
