//! Sets of services: protocols and ports as intervals, so that questions about all
//! of them have exact answers.

use std::fmt;

use super::rules::{Rule, RulePorts, RuleProtocol};
use crate::net::{IntervalSet, Protocol, Service};

/// A set of (protocol, port). ICMP types and codes take the place of ports, the
/// type in the upper half; protocols without ports have all or none of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSet(IntervalSet);

const PORTS: u128 = 1 << 16;

impl ServiceSet {
    /// What a rule is for.
    pub fn of(rule: &Rule) -> Self {
        let RuleProtocol::One(protocol) = rule.protocol else {
            return Self::between(0, 256 * PORTS - 1);
        };
        let (from, to) = match rule.ports {
            RulePorts::Any | RulePorts::Icmp { kind: None, .. } => (0, u16::MAX),
            RulePorts::Ports(range) => (range.from(), range.to()),
            RulePorts::Icmp {
                kind: Some(kind),
                code: None,
            } => (
                u16::from_be_bytes([kind, 0]),
                u16::from_be_bytes([kind, u8::MAX]),
            ),
            RulePorts::Icmp {
                kind: Some(kind),
                code: Some(code),
            } => (
                u16::from_be_bytes([kind, code]),
                u16::from_be_bytes([kind, code]),
            ),
        };
        let first = u128::from(protocol.0) * PORTS;
        Self::between(first + u128::from(from), first + u128::from(to))
    }

    fn between(from: u128, to: u128) -> Self {
        Self(IntervalSet::new([(from, to)]))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `other` is in this set.
    pub fn contains_set(&self, other: &Self) -> bool {
        self.0.contains_set(&other.0)
    }

    /// The services in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0))
    }

    /// Those of them that go over IPv4, or those that go over IPv6.
    #[must_use]
    pub fn over(&self, v4: bool) -> Self {
        let other = if v4 { Protocol::ICMPV6 } else { Protocol::ICMP };
        let first = u128::from(other.0) * PORTS;
        self.difference(&Self::between(first, first + PORTS - 1))
    }

    /// The services of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0))
    }

    /// The services in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.difference(&self.difference(other))
    }

    /// Where this set would have to be cut so that each of the others holds all of
    /// a part or nothing of it.
    pub(super) fn cut<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Vec<Self> {
        others.fold(vec![self.clone()], |parts, other| {
            parts
                .iter()
                .flat_map(|part| [part.intersection(other), part.difference(other)])
                .filter(|part| !part.is_empty())
                .collect()
        })
    }
}

impl fmt::Display for ServiceSet {
    /// The first interval: `tcp/443`, `udp/1000-2000`, `icmp`, `everything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(&(from, to)) = self.0.intervals().first() else {
            return f.write_str("nothing");
        };
        let protocol = |value: u128| Protocol(u8::try_from(value / PORTS).unwrap_or(u8::MAX));
        let port = |value: u128| u16::try_from(value % PORTS).unwrap_or(u16::MAX);
        if protocol(from) != protocol(to) {
            return f.write_str("everything");
        }
        let first = Service::new(protocol(from), port(from));
        match first.port() {
            Some(port_from) if port(to) != port_from => write!(f, "{first}-{}", port(to)),
            _ => write!(f, "{first}"),
        }
    }
}
