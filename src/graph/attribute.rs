//! Which of an interface's groups to show for a connection.

use crate::inventory::{GroupIx, InterfaceIx, Inventory};
use crate::net::{HashMap, Service};
use crate::resolve::Connection;

/// Who takes part in what: the interfaces that open or answer a service.
pub(super) struct Attribution {
    chosen: HashMap<(InterfaceIx, Service, bool), GroupIx>,
}

impl Attribution {
    /// For every role, the group whose members are most nearly those that play
    /// it: the largest share of common members (Jaccard), then the fewest
    /// members, then the first by id.
    pub(super) fn new(inventory: &Inventory, connections: &[Connection]) -> Self {
        let mut players: HashMap<(Service, bool), Vec<InterfaceIx>> = HashMap::default();
        for connection in connections {
            for (end, initiates) in [(connection.initiator, true), (connection.responder, false)] {
                if let Some(ix) = end.interface() {
                    players.entry((connection.service, initiates)).or_default().push(ix);
                }
            }
        }
        let mut chosen = HashMap::default();
        #[expect(clippy::iter_over_hash_type, reason = "each role is decided on its own")]
        for ((service, initiates), mut interfaces) in players {
            interfaces.sort_unstable();
            interfaces.dedup();
            for &ix in &interfaces {
                if let Some(group) = best_group(inventory, ix, &interfaces) {
                    chosen.insert((ix, service, initiates), group);
                }
            }
        }
        Self { chosen }
    }

    pub(super) fn group(&self, interface: InterfaceIx, service: Service, initiates: bool) -> Option<GroupIx> {
        self.chosen.get(&(interface, service, initiates)).copied()
    }
}

fn best_group(inventory: &Inventory, interface: InterfaceIx, players: &[InterfaceIx]) -> Option<GroupIx> {
    inventory.interface(interface).groups.iter().copied().min_by(|&a, &b| {
        let share = |group: GroupIx| {
            let members = &inventory.group(group).members;
            let common = members.iter().filter(|ix| players.binary_search(ix).is_ok()).count() as u64;
            (common, (members.len() + players.len()) as u64 - common)
        };
        let ((common_a, all_a), (common_b, all_b)) = (share(a), share(b));
        // Larger share first: common / all, compared without dividing.
        (common_b * all_a)
            .cmp(&(common_a * all_b))
            .then(inventory.group(a).members.len().cmp(&inventory.group(b).members.len()))
            .then(a.cmp(&b))
    })
}
