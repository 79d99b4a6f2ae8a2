//! Kinds that are recognised by the destination of a connection.

use super::context::Context;
use super::finding::Found;
use super::kind::Kind;
use super::policy::Policy;
use crate::documents::{Rating, Severity};
use crate::inventory::{Admission, Direction, GroupIx};
use crate::net::{Service, plural, service_name};
use crate::resolve::{Confidence, Connection, Place, Unattributed, Verdict, is_unknown_external};

/// Services and addresses of a destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    /// Which services.
    pub(super) services: DestinationServices,
    /// Only addresses of well-known public resolvers.
    pub(super) only_resolvers: bool,
    /// The ports alone are a hint of low severity and confidence; an address on the user's list of the kind's name is a proof on any port.
    pub(super) hint: bool,
}

/// Services of a destination.
#[derive(Clone, Copy, Debug)]
pub(super) enum DestinationServices {
    /// Protocol number, first and last port.
    Ports(&'static [(u8, u16, u16)]),
    /// Every protocol but these numbers.
    ProtocolsOtherThan(&'static [u8]),
}

impl Test {
    /// Any unknown external address on one of these ports.
    pub(super) const fn ports(ports: &'static [(u8, u16, u16)]) -> Self {
        Self {
            services: DestinationServices::Ports(ports),
            only_resolvers: false,
            hint: false,
        }
    }

    /// Ports that say little unless the address is listed.
    pub(super) const fn hint(ports: &'static [(u8, u16, u16)]) -> Self {
        Self {
            hint: true,
            ..Self::ports(ports)
        }
    }

    fn matches(self, policy: &Policy, connection: &Connection) -> bool {
        let Service { protocol, port } = connection.service;
        let service = match self.services {
            DestinationServices::Ports(ports) => ports
                .iter()
                .any(|&(number, from, to)| number == protocol.0 && from <= port && port <= to),
            DestinationServices::ProtocolsOtherThan(ordinary) => !ordinary.contains(&protocol.0),
        };
        service && (!self.only_resolvers || policy.resolver(connection.responder.address).is_some())
    }
}

/// Connections that an interface of ours initiated, that left it, and that go to an unknown external address on one of the kind's services.
pub(super) fn find(context: &Context<'_>, kind: &Kind, test: Test) -> Vec<Found> {
    let policy = context.policy;
    let listed = |c: &Connection| test.hint && policy.lists(kind, c.responder.address);
    outgoing(context, |c| {
        listed(c)
            || test.matches(policy, c)
                && is_unknown_external(context.inventory, context.table, c.responder)
    })
    .into_iter()
    .map(|(position, c)| {
        let found = found(context, kind, position, c);
        match (test.hint, listed(c)) {
            (true, false) => Found {
                severity: Some(Severity::Low),
                at_most: Some(Rating::Low),
                ..found
            },
            (true, true) => Found {
                detail: format!("{} The address is on the list of that name.", found.detail),
                ..found
            },
            (false, _) => found,
        }
    })
    .collect()
}

/// Connections of a sort that an interface of ours initiated, that left it, and that no approval covers. What a NAT gateway forwards is
/// evidence only where the client's own connection was not seen; else that one stands for it, approved or not.
pub(super) fn outgoing<'a>(
    context: &Context<'a>,
    wanted: impl Fn(&Connection) -> bool,
) -> Vec<(usize, &'a Connection)> {
    let connections = context.connections.iter().enumerate();
    connections
        .filter(|(_, c)| {
            c.initiator.place != Place::Outside
                && c.responder.place == Place::Outside
                && left(c)
                && c.leg_of.is_empty()
                && wanted(c)
                && !context.policy.approves(context.inventory, c)
        })
        .collect()
}

/// Whether its initiator's rules permitted it, whatever its responder's did.
fn left(connection: &Connection) -> bool {
    connection.verdict != Verdict::Rejected || connection.seen.egress_accepted > 0
}

fn is_forwarded(connection: &Connection) -> bool {
    connection.verdict == Verdict::Unattributed(Unattributed::Forwarded)
}

/// A connection, as a finding of a kind.
pub(super) fn found(
    context: &Context<'_>,
    kind: &Kind,
    position: usize,
    connection: &Connection,
) -> Found {
    let Connection {
        initiator,
        responder,
        service,
        totals,
        ..
    } = connection;
    let interface = match initiator.place {
        Place::Local(ix) => Some(context.inventory.interface(ix).id.clone()),
        Place::Unlisted(ix) => Some(context.table.observers[ix.index()].clone()),
        Place::Balanced(_) | Place::Outside => None,
    };
    let resolver = context.policy.resolver(responder.address);
    let owner = context.policy.owners.of(responder.address);
    let whom: Vec<&str> = resolver.into_iter().chain(owner.as_deref()).collect();
    let whom = if whom.is_empty() {
        String::new()
    } else {
        format!(" ({})", whom.join("; "))
    };
    let named = service_name(*service)
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    let through = if is_forwarded(connection) {
        " A NAT gateway forwarded it; the logs lack the client's own record."
    } else {
        ""
    };
    Found {
        detail: format!(
            "{title}: {from} connected to {to}{whom} on {service}{named}; {records}, {bytes}, direction {confidence} from {basis}.{through}",
            title = kind.title,
            from = initiator.address,
            to = responder.address,
            records = plural(totals.records, "record"),
            bytes = plural(totals.bytes, "byte"),
            confidence = connection.confidence.as_str(),
            basis = connection.basis.as_str(),
        ),
        group: permitting_group(context, connection),
        interface,
        local: Some(initiator.address),
        remote: Some(responder.address),
        service: Some(*service),
        at_most: match connection.confidence {
            Confidence::Certain | Confidence::Likely => None,
            Confidence::Guessed => Some(Rating::Low),
        },
        evidence: vec![position],
        ..Found::default()
    }
}

/// The group whose rule permits the connection today.
fn permitting_group(context: &Context<'_>, connection: &Connection) -> Option<GroupIx> {
    let interface = context
        .inventory
        .interface(connection.initiator.interface()?);
    let (peer, packet) = connection.leaving(context.inventory);
    match context.gates.judge(
        context.inventory,
        interface,
        Direction::Egress,
        peer,
        packet,
    ) {
        Admission::Allowed(group, _) => Some(group),
        _ => interface.groups.first().copied(),
    }
}
