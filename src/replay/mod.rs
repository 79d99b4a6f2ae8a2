//! Stage 6: connections against a rule set.
//!
//! Nothing here knows how a change was made. Today's rules, minus the removals, plus the additions, judge every connection; a run's
//! change, a Terraform plan and today's rules are replayed by the same code.

mod proposal;
mod unjudged;
mod verification;

pub(crate) use proposal::rule_of;
pub use proposal::{ProposalError, proposal};
pub use unjudged::{Unjudged, unjudged};
pub use verification::{Verification, verify};

use rayon::prelude::*;

pub use crate::documents::AfterState;
use crate::inventory::{
    Admission, AnyGate, Direction, Gates, GroupIx, Inventory, Packet, Rule, Unknown,
};
use crate::resolve::{Connection, End, Probes, Verdict, admission, peer_of};

/// Rules that come and go.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Rules that are not there today.
    pub additions: Vec<(GroupIx, Rule)>,
    /// Rules of today that go.
    pub removals: Vec<(GroupIx, Rule)>,
}

/// A rule, by its group and its position among the group's rules after a change.
pub type RulePlace = (GroupIx, usize);

/// Every group's rules after a change: today's − removals + additions, ready to judge packets.
#[derive(Debug)]
pub struct RulesAfter {
    /// By group. Rules of today come first, in today's order; added rules follow.
    pub rules: Vec<Vec<Rule>>,
    /// The same rules, compiled.
    pub gates: Gates,
    /// By group, how many of the rules are today's.
    of_today: Vec<usize>,
    /// The rules that the change takes away, compiled.
    removed: Gates,
    /// The same, for interfaces that the inventory lacks.
    removed_anywhere: AnyGate,
}

impl RulesAfter {
    /// Applies a change to the inventory's rules.
    pub fn new(inventory: &Inventory, change: &Change) -> Self {
        let groups = inventory.groups().iter();
        let mut rules: Vec<Vec<Rule>> = groups.map(|group| group.rules.clone()).collect();
        let mut removed: Vec<Vec<Rule>> = vec![Vec::new(); rules.len()];
        for (group, gone) in &change.removals {
            let goes = |rule: &mut Rule| rule.same_permission(gone);
            removed[group.index()].extend(rules[group.index()].extract_if(.., goes));
        }
        let of_today = rules.iter().map(Vec::len).collect();
        for (group, added) in &change.additions {
            rules[group.index()].push(added.clone());
        }
        Self {
            gates: Gates::new(inventory, |group| &rules[group.index()]),
            removed: Gates::new(inventory, |group| &removed[group.index()]),
            removed_anywhere: AnyGate::new(inventory, &removed),
            rules,
            of_today,
        }
    }

    /// A group's rules.
    pub fn rules_of(&self, group: GroupIx) -> &[Rule] {
        &self.rules[group.index()]
    }

    /// The rule at a place.
    pub fn rule(&self, (group, position): RulePlace) -> &Rule {
        &self.rules[group.index()][position]
    }

    /// Whether the change adds the rule at a place.
    pub fn is_added(&self, (group, position): RulePlace) -> bool {
        position >= self.of_today[group.index()]
    }

    /// Whether both sides permit a connection.
    pub fn permits(&self, inventory: &Inventory, connection: &Connection) -> bool {
        self.judge(inventory, connection).1 == Some(true)
    }

    /// What each side says to a connection, and whether it passes. `None`: it may be permitted today by a rule that the change takes
    /// away, and the inventory does not tell. Where the change leaves alone all that may permit it, it passes as it does today.
    pub fn judge(&self, inventory: &Inventory, connection: &Connection) -> (Passage, Option<bool>) {
        let passage = passage(inventory, &self.gates, connection);
        let (initiator, responder) = (connection.initiator, connection.responder);
        let may_be_gone = |admission, ends, direction| {
            matches!(admission, Admission::Unknown(_))
                && self.took_from(inventory, admission, ends, direction, connection)
        };
        let passes = if !passage.passes() {
            Some(false)
        } else if may_be_gone(passage.egress, (initiator, responder), Direction::Egress)
            || may_be_gone(passage.ingress, (responder, initiator), Direction::Ingress)
        {
            None
        } else {
            Some(true)
        };
        (passage, passes)
    }

    /// Whether the change takes a rule away that permits, or may permit, a connection at one end.
    fn took_from(
        &self,
        inventory: &Inventory,
        admission: Admission,
        (at, peer): (End, End),
        direction: Direction,
        connection: &Connection,
    ) -> bool {
        let seen = peer_of(inventory, at, direction, peer);
        let packet = Packet::from(connection.service);
        match (admission, at.interface()) {
            (Admission::Unknown(Unknown::Interface), _) | (_, None) => {
                let (address, removed) = (at.address, &self.removed_anywhere);
                removed.may_admit(address, direction, seen, packet)
            }
            (_, Some(ix)) => {
                let groups = &inventory.interface(ix).groups;
                let mut certain = self.removed.admitting(groups, direction, seen, packet);
                let mut maybe = self.removed.uncertain(groups, direction, seen, packet);
                certain.next().is_some() || maybe.next().is_some()
            }
        }
    }
}

/// What a rule set does with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// What it does.
    pub state: AfterState,
    /// The egress rule that permits it. None where no rule does, and where no group judges the initiator.
    pub egress: Option<RulePlace>,
    /// The same of the responder's ingress rules.
    pub ingress: Option<RulePlace>,
}

impl After {
    fn new(inventory: &Inventory, rules: &RulesAfter, connection: &Connection) -> Self {
        let nothing = |state| Self {
            state,
            egress: None,
            ingress: None,
        };
        if matches!(connection.verdict, Verdict::Unattributed(_)) {
            return nothing(AfterState::Unjudged);
        }
        let (passage, passes) = rules.judge(inventory, connection);
        match (passes, connection.verdict) {
            (Some(true), _) => Self {
                state: AfterState::Permitted,
                egress: passage.egress.rule(),
                ingress: passage.ingress.rule(),
            },
            (Some(false), Verdict::Accepted) => nothing(AfterState::Lost),
            (Some(false), _) => nothing(AfterState::Denied),
            (None, _) => nothing(AfterState::Unjudged),
        }
    }

    /// The rules that permit it, of both sides.
    pub fn rules(&self) -> impl Iterator<Item = RulePlace> {
        self.egress.into_iter().chain(self.ingress)
    }
}

/// What a rule set does with every connection, by position.
pub fn each(inventory: &Inventory, rules: &RulesAfter, connections: &[Connection]) -> Vec<After> {
    let connections = connections.par_iter();
    connections
        .map(|connection| After::new(inventory, rules, connection))
        .collect()
}

/// How many connections a rule set does what with. `permitted`, `quarantined`, `rejected`, `unjudged` and `lost` add up to
/// `connections`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// All connections.
    pub connections: u64,
    /// Accepted, and permitted on both sides.
    pub permitted: u64,
    /// Quarantined.
    pub quarantined: u64,
    /// Of these, those that a rule which stays permits.
    pub still_open: u64,
    /// Rejected in the logs.
    pub rejected: u64,
    /// Judged by no group of the inventory.
    pub unattributed: u64,
    /// Let through, and nobody can tell what the rules do with them: positions, in order. The unattributed are among them.
    pub unjudged: Vec<usize>,
    /// Accepted, and denied: positions, in order. Must be none.
    pub lost: Vec<usize>,
}

/// Counts what a rule set does with the connections.
pub fn replay(inventory: &Inventory, rules: &RulesAfter, connections: &[Connection]) -> Replay {
    let count = |replay: Replay, (position, connection): (usize, &Connection)| {
        let after = After::new(inventory, rules, connection);
        replay.with(position, connection.verdict, after.state)
    };
    let connections = connections.par_iter().enumerate();
    connections
        .fold(Replay::default, count)
        .reduce(Replay::default, Replay::followed_by)
}

impl Replay {
    /// Counts what [`each`] gave for the same connections.
    pub fn of(connections: &[Connection], after: &[After]) -> Self {
        let both = connections.iter().zip(after).enumerate();
        both.fold(
            Self::default(),
            |replay, (position, (connection, after))| {
                replay.with(position, connection.verdict, after.state)
            },
        )
    }

    /// Counts rejected connections from outside that are counted together: today's rules deny them, and no change permits what these
    /// deny.
    pub fn add_probes(&mut self, probes: &[Probes]) {
        let rejected: u64 = probes.iter().map(|probes| probes.connections).sum();
        self.connections += rejected;
        self.rejected += rejected;
    }

    fn with(mut self, position: usize, verdict: Verdict, state: AfterState) -> Self {
        self.connections += 1;
        match (verdict, state) {
            (Verdict::Accepted, AfterState::Permitted) => self.permitted += 1,
            (Verdict::Accepted, AfterState::Unjudged) => self.unjudged.push(position),
            (Verdict::Accepted, _) => self.lost.push(position),
            (Verdict::Quarantined(_), state) => {
                self.quarantined += 1;
                self.still_open += u64::from(state == AfterState::Permitted);
            }
            (Verdict::Rejected, _) => self.rejected += 1,
            (Verdict::Unattributed(_), _) => {
                self.unattributed += 1;
                self.unjudged.push(position);
            }
        }
        self
    }

    /// With the counts of the connections behind these.
    fn followed_by(mut self, next: Self) -> Self {
        self.connections += next.connections;
        self.permitted += next.permitted;
        self.quarantined += next.quarantined;
        self.still_open += next.still_open;
        self.rejected += next.rejected;
        self.unattributed += next.unattributed;
        self.unjudged.extend(next.unjudged);
        self.lost.extend(next.lost);
        self
    }
}

/// What the rules on each side say to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The initiator's egress rules; nothing judges where the initiator is no interface of the inventory.
    pub egress: Admission,
    /// The responder's ingress rules, likewise.
    pub ingress: Admission,
}

impl Passage {
    /// Whether no side denies.
    pub const fn passes(self) -> bool {
        self.egress.passes() && self.ingress.passes()
    }
}

/// Judges a connection on both sides.
pub fn passage(inventory: &Inventory, gates: &Gates, connection: &Connection) -> Passage {
    let Connection {
        initiator,
        responder,
        service,
        ..
    } = connection;
    let judge = |at: End, peer: End, direction: Direction| {
        admission(inventory, gates, (at, peer), direction, *service)
    };
    if connection.unfiltered(inventory) {
        return Passage {
            egress: Admission::NoGate,
            ingress: Admission::NoGate,
        };
    }
    Passage {
        egress: judge(*initiator, *responder, Direction::Egress),
        ingress: judge(*responder, *initiator, Direction::Ingress),
    }
}
