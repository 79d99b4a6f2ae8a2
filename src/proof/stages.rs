//! The change in steps: what each does, and what replay says of the rules as they are after it.

use rayon::prelude::*;

use crate::inventory::{
    Direction, GroupIx, Interface, InterfaceIx, InterfaceKind, Inventory, Packet, Rule, ServiceSet,
};
use crate::net::{Protocol, Service};
use crate::replay::{Change, Replay, RulesAfter, replay};
use crate::resolve::{Connection, End, Unattributed, Verdict, peer_of};
use crate::suggest::{Reason, Revocation, RevokedBecause, RuleSet, Status, SuggestedRule};

/// A step of the change.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which.
    pub name: StageName,
    /// How many rules come or go.
    pub rules: usize,
    /// Groups, in the order to do it.
    pub groups: Vec<GroupIx>,
    /// Every connection against the rules as they are after it. Any part of a step leaves more rules standing than the whole, so
    /// what the whole loses nothing of, no part does.
    pub replay: Replay,
    /// Connections that were not tracked before it, so that they are cut when a rule goes.
    pub cut_at_once: Vec<usize>,
}

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageName {
    /// The narrow rules come; nothing goes.
    Add,
    /// The open rules go.
    Revoke,
    /// Ingress goes that the mutual pairs cover.
    Tighten,
}

/// The three steps; `closed` is the replay of the rules after the second one.
pub fn stages(
    inventory: &Inventory,
    rules: &RuleSet,
    closed: &Replay,
    tightenings: &[Revocation],
    connections: &[Connection],
) -> Vec<Stage> {
    let whole = rules.change();
    let added = Change {
        additions: whole.additions.clone(),
        removals: Vec::new(),
    };
    let mut tightened = whole.clone();
    let gone = tightenings.iter().map(|r| (r.group, r.rule.clone()));
    tightened.removals.extend(gone);
    let mut connected = vec![0; inventory.groups().len()];
    for rule in &rules.rules {
        connected[rule.group.index()] += rule.evidence.len();
    }
    let by_group = |mut groups: Vec<GroupIx>| {
        groups.sort_by_key(|&group| (connected[group.index()], group));
        groups.dedup();
        groups
    };
    let of = |changes: &[(GroupIx, Rule)]| changes.iter().map(|(group, _)| *group).collect();
    let narrow = Standing::new(inventory, &added);
    let revoked = Standing::new(inventory, &whole);
    // Rules that come cut nothing, and connections that were tracked stay so.
    let first = || Stage {
        name: StageName::Add,
        rules: whole.additions.len(),
        groups: by_group(of(&whole.additions)),
        replay: replay(inventory, &narrow.after, connections),
        cut_at_once: Vec::new(),
    };
    let second = || Stage {
        name: StageName::Revoke,
        rules: whole.removals.len(),
        groups: by_group(of(&whole.removals)),
        replay: closed.clone(),
        cut_at_once: untracked_and_no_more(inventory, &narrow, &revoked, connections),
    };
    let third = || {
        let (replay, cut_at_once) = if tightenings.is_empty() {
            (closed.clone(), Vec::new())
        } else {
            let tight = Standing::new(inventory, &tightened);
            (
                replay(inventory, &tight.after, connections),
                untracked_and_no_more(inventory, &revoked, &tight, connections),
            )
        };
        Stage {
            name: StageName::Tighten,
            rules: tightenings.len(),
            groups: by_group(tightenings.iter().map(|gone| gone.group).collect()),
            replay,
            cut_at_once,
        }
    };
    let (first, (second, third)) = rayon::join(first, || rayon::join(second, third));
    vec![first, second, third]
}

/// Rules, by group, and the gates that they make.
struct Standing {
    after: RulesAfter,
    /// By group: whether a rule for every port to everybody is among those of egress, and of ingress. Few groups have
    /// one, and without one no connection is untracked.
    everybody: Vec<[bool; 2]>,
}

impl Standing {
    fn new(inventory: &Inventory, change: &Change) -> Self {
        let after = RulesAfter::new(inventory, change);
        let everybody = |rules: &Vec<Rule>| {
            [Direction::Egress, Direction::Ingress]
                .map(|direction| rules.iter().any(|rule| rule.is_open(direction)))
        };
        Self {
            everybody: after.rules.iter().map(everybody).collect(),
            after,
        }
    }

    /// Whether replies of connections that go one way pass the other way by a rule to everybody.
    fn answers_everybody(&self, group: GroupIx, direction: Direction) -> bool {
        let [egress, ingress] = self.everybody[group.index()];
        match direction {
            Direction::Egress => ingress,
            Direction::Ingress => egress,
        }
    }
}

/// Connections that were untracked and will be tracked: those are cut when the rule goes
/// (security-group-connection-tracking.html).
fn untracked_and_no_more(
    inventory: &Inventory,
    before: &Standing,
    after: &Standing,
    connections: &[Connection],
) -> Vec<usize> {
    let cut = |position: &usize| {
        let connection = &connections[*position];
        if !connection.is_accepted() {
            return false;
        }
        let was = untracked(inventory, before, connection);
        if was == (false, false) {
            return false;
        }
        let is = untracked(inventory, after, connection);
        was.0 && !is.0 || was.1 && !is.1
    };
    (0..connections.len()).into_par_iter().filter(cut).collect()
}

/// Whether a connection is untracked at its initiator's interface, and at its responder's.
fn untracked(inventory: &Inventory, standing: &Standing, connection: &Connection) -> (bool, bool) {
    let Connection {
        initiator,
        responder,
        service,
        ..
    } = connection;
    if !matches!(service.protocol, Protocol::TCP | Protocol::UDP) {
        return (false, false);
    }
    let always = |end: &End| {
        end.interface()
            .is_some_and(|ix| is_always_tracked(inventory.interface(ix)))
    };
    if always(initiator) || always(responder) {
        return (false, false);
    }
    let at = |end: &End, peer: &End, direction: Direction| {
        end.interface().is_some_and(|ix| {
            let mut groups = inventory.interface(ix).groups.iter();
            groups.any(|group| standing.answers_everybody(*group, direction))
                && opens(
                    inventory,
                    standing,
                    ix,
                    direction,
                    (*end, *peer),
                    Some(Packet::from(*service)),
                )
                && opens(
                    inventory,
                    standing,
                    ix,
                    direction.opposite(),
                    (*end, *peer),
                    None,
                )
        })
    };
    (
        at(initiator, responder, Direction::Egress),
        at(responder, initiator, Direction::Ingress),
    )
}

/// Whether a rule to everybody lets the packet through; every port, if there is none.
fn opens(
    inventory: &Inventory,
    standing: &Standing,
    ix: InterfaceIx,
    direction: Direction,
    (at, peer): (End, End),
    packet: Option<Packet>,
) -> bool {
    let groups = &inventory.interface(ix).groups;
    let everybody = |rule: &Rule| rule.to_everyone() && (packet.is_some() || rule.every_port());
    // A reply's port is any; 1 stands for it, for only rules for every port count then.
    let packet = packet.unwrap_or_else(|| Packet::from(Service::new(Protocol::TCP, 1)));
    let peer = peer_of(inventory, at, direction, peer);
    let mut admitting = standing
        .after
        .gates
        .admitting(groups, direction, peer, packet);
    admitting.any(|(group, position)| everybody(standing.after.rule((group, position))))
}

/// Interfaces whose connections AWS tracks whatever the rules say. Those of Network Load Balancers are too, but are not told apart from
/// those of others here: a connection that is named and then not cut does no harm.
const fn is_always_tracked(interface: &Interface) -> bool {
    matches!(
        interface.kind,
        InterfaceKind::NatGateway | InterfaceKind::Endpoint | InterfaceKind::Lambda
    )
}

/// Whether the responder's ingress has to go on permitting it: it was let through, and nothing speaks against it. Of a connection whose
/// initiator the inventory lacks, the responder's side is known all the same.
fn needs_ingress(connection: &Connection) -> bool {
    connection.is_accepted()
        || connection.verdict == Verdict::Unattributed(Unattributed::UnknownInterface)
}

/// Whether a rule is the ingress half of a mutual pair.
fn is_ingress_half(suggested: &SuggestedRule) -> bool {
    let is_half = match suggested.reason {
        Reason::Mutual | Reason::Range => {
            suggested.status == Status::Add || suggested.pair.is_some()
        }
        Reason::Policy => suggested.pair.is_some(),
        _ => false,
    };
    is_half && suggested.rule.direction == Direction::Ingress
}

/// Ingress rules of today that may go once the mutual pairs stand: each holds one of the pairs' ingress halves, and whatever it lets in
/// of what was seen, another rule that stays lets in too. Rules to everybody stay: customers that were not seen come by them.
pub fn tightenings(
    inventory: &Inventory,
    after: &RulesAfter,
    rules: &RuleSet,
    connections: &[Connection],
) -> Vec<Revocation> {
    let mutual: Vec<(GroupIx, &Rule)> = rules
        .rules
        .iter()
        .filter(|r| is_ingress_half(r))
        .map(|r| (r.group, &r.rule))
        .collect();
    let covers = |group: GroupIx, rule: &Rule| {
        let services = ServiceSet::of(rule);
        mutual.iter().any(|(own, half)| {
            *own == group
                && !half.same_permission(rule)
                && services.contains_set(&ServiceSet::of(half))
        })
    };
    // By group and position among the rules after the change.
    let mut candidates: Vec<Vec<bool>> = inventory
        .group_indexes()
        .map(|group| {
            let lists = &after.rules[group.index()];
            let may_go = |rule: &Rule| {
                rule.direction == Direction::Ingress
                    && !rule.to_everyone()
                    && inventory
                        .group(group)
                        .rules
                        .iter()
                        .any(|today| today.same_permission(rule))
                    && covers(group, rule)
                    && !rules.is_of_policy(group, rule)
            };
            lists.iter().map(may_go).collect()
        })
        .collect();
    let may_go = |(group, position): &(GroupIx, usize)| candidates[group.index()][*position];
    // Of each set of rules one has to stay.
    let by_candidates_alone = |connection: &Connection| -> Vec<Vec<(GroupIx, usize)>> {
        let Some(ix) = connection.responder.interface() else {
            return Vec::new();
        };
        let groups = &inventory.interface(ix).groups;
        let concerned = |group: &GroupIx| candidates[group.index()].contains(&true);
        if !needs_ingress(connection) || !groups.iter().any(concerned) {
            return Vec::new();
        }
        let packet = Packet::from(connection.service);
        let peer = peer_of(
            inventory,
            connection.responder,
            Direction::Ingress,
            connection.initiator,
        );
        let admitting = after
            .gates
            .admitting(groups, Direction::Ingress, peer, packet);
        let admitting: Vec<(GroupIx, usize)> = admitting.collect();
        if admitting.is_empty() {
            // Any of these may be what let it in.
            let uncertain = after
                .gates
                .uncertain(groups, Direction::Ingress, peer, packet);
            return uncertain.map(|rule| vec![rule]).collect();
        }
        if admitting.iter().all(may_go) {
            vec![admitting]
        } else {
            Vec::new()
        }
    };
    // One of the rules that let it in has to stay: the first, unless another does for the sake of an earlier one.
    let kept: Vec<Vec<(GroupIx, usize)>> = connections
        .par_iter()
        .flat_map_iter(by_candidates_alone)
        .collect();
    for admitting in &kept {
        let may_go = |(group, position): &(GroupIx, usize)| candidates[group.index()][*position];
        if let Some((group, position)) = admitting.first()
            && admitting.iter().all(may_go)
        {
            candidates[group.index()][*position] = false;
        }
    }
    let mut gone = Vec::new();
    for group in inventory.group_indexes() {
        let rules = after.rules[group.index()]
            .iter()
            .zip(&candidates[group.index()]);
        gone.extend(
            rules
                .filter(|(_, goes)| **goes)
                .map(|(rule, _)| Revocation {
                    group,
                    rule: rule.clone(),
                    because: RevokedBecause::CoveredByPairs,
                }),
        );
    }
    gone
}
