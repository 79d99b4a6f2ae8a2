//! What rules permit: single connections, and the same as other rules.

use crate::documents::{ConnectionRow, EndRow};
use crate::inventory::{Inventory, Rule, RulePorts, RuleProtocol, Target};
use crate::net::Protocol;

/// Whether a rule permits a connection with this other end. What a prefix list holds is known with an inventory only; without one it
/// permits nothing.
pub(super) fn permits(
    rule: &Rule,
    connection: &ConnectionRow<'_>,
    other: &EndRow<'_>,
    inventory: Option<&Inventory>,
) -> bool {
    let target = match &rule.target {
        Target::Cidr(net) => net.contains(&other.address),
        Target::Group(id) => other.groups.iter().any(|own| own == id),
        Target::PrefixList(id) => inventory
            .and_then(|inventory| inventory.prefix_list(id))
            .is_some_and(|list| list.addresses.contains(other.address)),
    };
    target && permits_service(rule, connection)
}

/// Whether a rule is for a connection's protocol and port.
pub(super) fn permits_service(rule: &Rule, connection: &ConnectionRow<'_>) -> bool {
    let protocol = match rule.protocol {
        RuleProtocol::All => true,
        RuleProtocol::One(one) => Protocol::parse(&connection.protocol) == Some(one),
    };
    let ports = match rule.ports {
        RulePorts::Any => true,
        RulePorts::Ports(range) => connection.port.is_some_and(|port| range.contains(port)),
        // Flow logs record no types.
        RulePorts::Icmp { kind, .. } => kind.is_none(),
    };
    protocol && ports
}

/// Whether two rules of a group certainly permit something that is the same. A prefix is compared with prefixes only, for what groups and
/// lists hold changes.
pub(super) fn overlap(a: &Rule, b: &Rule) -> bool {
    let alike = |a: Option<u8>, b: Option<u8>| a.is_none() || b.is_none() || a == b;
    let services = match (a.protocol, b.protocol) {
        (RuleProtocol::One(a), RuleProtocol::One(b)) if a != b => false,
        _ => match (a.ports, b.ports) {
            (RulePorts::Ports(a), RulePorts::Ports(b)) => a.from() <= b.to() && b.from() <= a.to(),
            (
                RulePorts::Icmp { kind, code },
                RulePorts::Icmp {
                    kind: other_kind,
                    code: other_code,
                },
            ) => alike(kind, other_kind) && alike(code, other_code),
            _ => true,
        },
    };
    let targets = match (&a.target, &b.target) {
        (Target::Cidr(a), Target::Cidr(b)) => a.contains(b) || b.contains(a),
        (a, b) => a == b,
    };
    a.direction == b.direction && services && targets
}
