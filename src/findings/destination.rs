//! Kinds that are recognised by where an outgoing connection goes.

use super::finding::{Context, Found, Kind, Rating, Severity};
use super::policy::Policy;
use crate::inventory::{Admission, Direction, GroupIx};
use crate::net::{HashSet, Service, service_name};
use crate::resolve::{Confidence, Connection, Place, Unattributed, Verdict, is_unknown_external};

/// Services and addresses of a destination.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// Which services.
    pub services: Services,
    /// Only addresses of well-known public resolvers, not every stranger.
    pub only_resolvers: bool,
    /// The ports alone are a hint of low severity and confidence; an address on the user's list of the kind's name is a proof on any port.
    pub hint: bool,
}

/// Services of a destination.
#[derive(Clone, Copy, Debug)]
pub enum Services {
    /// Protocol number, first and last port.
    Ports(&'static [(u8, u16, u16)]),
    /// Every protocol but these numbers.
    ProtocolsOtherThan(&'static [u8]),
}

impl Test {
    /// Any stranger on one of these ports.
    pub const fn ports(ports: &'static [(u8, u16, u16)]) -> Self {
        Self {
            services: Services::Ports(ports),
            only_resolvers: false,
            hint: false,
        }
    }

    /// Ports that say little unless the address is listed.
    pub const fn hint(ports: &'static [(u8, u16, u16)]) -> Self {
        Self {
            hint: true,
            ..Self::ports(ports)
        }
    }

    fn matches(self, policy: &Policy, connection: &Connection) -> bool {
        let Service { protocol, port } = connection.service;
        let service = match self.services {
            Services::Ports(ports) => ports
                .iter()
                .any(|&(number, from, to)| number == protocol.0 && from <= port && port <= to),
            Services::ProtocolsOtherThan(ordinary) => !ordinary.contains(&protocol.0),
        };
        service && (!self.only_resolvers || policy.resolver(connection.responder.address).is_some())
    }
}

/// Connections that one of our interfaces opened, that got out, and that go to a
/// stranger on one of the kind's services.
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

/// Connections that one of our interfaces opened, that got out, that nobody answers for, and that are of a sort.
pub(super) fn outgoing<'a>(
    context: &Context<'a>,
    wanted: impl Fn(&Connection) -> bool,
) -> Vec<(usize, &'a Connection)> {
    let suspicious: Vec<(usize, &Connection)> = context
        .connections
        .iter()
        .enumerate()
        .filter(|(_, c)| {
            c.initiator.place != Place::Outside
                && c.responder.place == Place::Outside
                && got_out(c)
                && wanted(c)
                && !context.policy.approves(context.inventory, c)
        })
        .collect();
    // A NAT gateway repeats what somebody behind it sent; it is evidence only
    // where that somebody was not seen.
    let seen_directly: HashSet<_> = suspicious
        .iter()
        .filter(|(_, c)| !is_forwarded(c))
        .map(|(_, c)| (c.responder.address, c.service))
        .collect();
    suspicious
        .into_iter()
        .filter(|(_, c)| {
            !is_forwarded(c) || !seen_directly.contains(&(c.responder.address, c.service))
        })
        .collect()
}

/// The initiator's gate let it out, whatever became of it afterwards.
fn got_out(connection: &Connection) -> bool {
    connection.verdict != Verdict::Refused || connection.seen.let_out > 0
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
        Place::Outside => None,
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
        " The client is behind a NAT gateway and was not seen itself."
    } else {
        ""
    };
    Found {
        detail: format!(
            "{title}: {from} opened {service}{named} to {to}{whom}; {records} records, {bytes} bytes, direction {confidence} from {basis}.{through}",
            title = kind.title,
            from = initiator.address,
            to = responder.address,
            records = totals.records,
            bytes = totals.bytes,
            confidence = connection.confidence.as_str(),
            basis = connection.basis.as_str(),
        ),
        group: letting_out(context, connection),
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

/// The group whose rule lets the connection out today.
fn letting_out(context: &Context<'_>, connection: &Connection) -> Option<GroupIx> {
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
