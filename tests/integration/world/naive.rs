//! What most tools do: the lower port is the server, every accepted row becomes a
//! rule, and every group of an interface gets it.

use closegate::audit::Audit;
use closegate::inventory::{Direction, GroupIx, InterfaceIx, Rule, Target};
use closegate::net::prefix_of;
use closegate::replay::Change;

/// The change that this makes: a rule for every accepted row, and all open egress
/// gone.
pub(super) fn change(audit: &Audit) -> Change {
    let mut change = Change::default();
    for revocation in &audit.rules.revocations {
        change
            .removals
            .push((revocation.group, revocation.rule.clone()));
    }
    for flow in audit.table.flows.iter().filter(|flow| flow.key.accepted) {
        let key = &flow.key;
        let (client, server, port) = if key.dst_port <= key.src_port {
            (key.src, key.dst, key.dst_port)
        } else {
            (key.dst, key.src, key.src_port)
        };
        let [client_at, server_at] =
            [client, server].map(|address| audit.inventory.interface_at(address, None, (0, 0)));
        let protocol = key.protocol.to_string();
        let mut add = |group: GroupIx, direction: Direction, target: Target| {
            let port = Some(i64::from(port));
            let rule = Rule::from_parts(direction, &protocol, port, port, target).unwrap();
            let known = change
                .additions
                .iter()
                .any(|(g, r)| *g == group && r.same_permission(&rule));
            if !known {
                change.additions.push((group, rule));
            }
        };
        let groups = |at: Option<InterfaceIx>| {
            at.map_or(&[][..], |ix| &audit.inventory.interface(ix).groups)
        };
        for &group in groups(client_at) {
            for &other in groups(server_at) {
                add(
                    group,
                    Direction::Egress,
                    Target::Group(audit.inventory.group(other).id.clone()),
                );
                add(
                    other,
                    Direction::Ingress,
                    Target::Group(audit.inventory.group(group).id.clone()),
                );
            }
            if server_at.is_none() {
                add(
                    group,
                    Direction::Egress,
                    Target::Cidr(prefix_of(server, u8::MAX)),
                );
            }
        }
    }
    change
}
