//! What has to be permitted, service by service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rayon::prelude::*;

use super::decided::AcceptedPlace;
use super::evidence::RuleEvidence;
use crate::inventory::{Direction, GroupIx, InterfaceIx, Inventory};
use crate::net::Service;
use crate::resolve::{Connection, End, visible_groups};

/// Accepted connections of one service.
#[derive(Debug)]
pub(super) struct Demand {
    pub(super) service: Service,
    pub(super) wanted: Vec<Demanded>,
}

/// One accepted connection: what each side's gate has to permit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demanded {
    /// Position among the connections.
    pub(super) connection: usize,
    /// The initiator, if a gate of known groups judges it.
    pub(super) initiator: Option<InterfaceIx>,
    /// The responder, likewise.
    pub(super) responder: Option<InterfaceIx>,
    /// Its initiator's end and its responder's.
    pub(super) ends: (End, End),
    pub(super) responder_address: IpAddr,
    /// Rules on either side can name the other side's groups.
    pub(super) by_reference: bool,
}

/// What accepted rules of a policy permit at every end that rules judge, so that nothing has to be made for it.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// By accepted rule, the connections that need it.
    pub(super) by_rule: BTreeMap<AcceptedPlace, Vec<usize>>,
    /// How many connections these are, each counted once.
    pub(super) connections: u64,
}

impl Served {
    /// Takes out what the policy permits.
    fn take(evidence: &RuleEvidence<'_>, wanted: &mut [Option<Demanded>]) -> Self {
        let mut served = Self::default();
        let Some(policy) = evidence.policy else {
            return served;
        };
        let serving = |wanted: &Option<Demanded>| {
            let wanted = wanted.as_ref()?;
            let (initiator, responder) = wanted.ends;
            let judged = (
                wanted.initiator.map(|_| initiator),
                wanted.responder.map(|_| responder),
            );
            let service = evidence.connections[wanted.connection].service;
            policy.serving(evidence.inventory, judged, wanted.ends, service)
        };
        let serving: Vec<Option<Vec<AcceptedPlace>>> = wanted.par_iter().map(serving).collect();
        for (wanted, serving) in wanted.iter_mut().zip(serving) {
            let Some(places) = serving else { continue };
            let Some(wanted) = wanted.take() else {
                continue;
            };
            served.connections += 1;
            for place in places {
                let connections = served.by_rule.entry(place).or_default();
                connections.push(wanted.connection);
            }
        }
        served
    }
}

impl Demand {
    /// Every accepted connection that some gate has to permit, without those that a policy permits already.
    pub(super) fn by_service(evidence: &RuleEvidence<'_>) -> (Vec<Self>, Served) {
        let connections = evidence.connections.par_iter().enumerate();
        let mut wanted: Vec<Option<Demanded>> = connections
            .map(|(position, connection)| {
                let counts = evidence.counts(connection);
                let wanted = || Demanded::of(evidence.inventory, position, connection);
                counts.then(wanted).flatten()
            })
            .collect();
        let served = Served::take(evidence, &mut wanted);
        let mut by_service: BTreeMap<Service, Vec<Demanded>> = BTreeMap::new();
        for wanted in wanted.into_iter().flatten() {
            let service = evidence.connections[wanted.connection].service;
            by_service.entry(service).or_default().push(wanted);
        }
        let demands = by_service.into_iter();
        let demands = demands.map(|(service, wanted)| Self { service, wanted });
        (demands.collect(), served)
    }
}

impl Demanded {
    /// What a connection needs, if some gate has to permit it.
    fn of(inventory: &Inventory, position: usize, connection: &Connection) -> Option<Self> {
        if !connection.is_accepted() || connection.unfiltered(inventory) {
            return None;
        }
        let wanted = Self {
            connection: position,
            initiator: gated(inventory, connection.initiator.interface()),
            responder: gated(inventory, connection.responder.interface()),
            ends: (connection.initiator, connection.responder),
            responder_address: connection.responder.address,
            by_reference: by_reference(inventory, connection),
        };
        (wanted.initiator.is_some() || wanted.responder.is_some()).then_some(wanted)
    }
}

/// The interface, if it carries a group of the inventory, whose rules the change may touch.
fn gated(inventory: &Inventory, interface: Option<InterfaceIx>) -> Option<InterfaceIx> {
    interface.filter(|&ix| {
        let groups = &inventory.interface(ix).groups;
        groups.iter().any(|&g| inventory.group(g).known)
    })
}

fn by_reference(inventory: &Inventory, connection: &Connection) -> bool {
    let Connection {
        initiator,
        responder,
        ..
    } = connection;
    let named = |at, direction, peer| !visible_groups(inventory, at, direction, peer).is_empty();
    named(*initiator, Direction::Egress, *responder)
        && named(*responder, Direction::Ingress, *initiator)
}

/// The groups of an interface whose rules are in the inventory: rules can be proposed for these alone.
pub(super) fn groups_of(
    inventory: &Inventory,
    interface: InterfaceIx,
) -> impl Iterator<Item = GroupIx> + Clone + '_ {
    let groups = inventory.interface(interface).groups.iter().copied();
    groups.filter(|&group| inventory.group(group).known)
}
