//! Connections by the interface that opened them.

use std::sync::OnceLock;

use crate::inventory::{InterfaceIx, Inventory};
use crate::resolve::Connection;

/// Positions of accepted connections by the interface that opened them; computed at the first use.
#[derive(Debug, Default)]
pub struct OpenedConnections(OnceLock<Vec<Vec<usize>>>);

impl OpenedConnections {
    /// Those that an interface opened, in order. Every call is about the same inventory and connections.
    pub(super) fn by(
        &self,
        interface: InterfaceIx,
        inventory: &Inventory,
        connections: &[Connection],
    ) -> &[usize] {
        let all = self.0.get_or_init(|| by_interface(inventory, connections));
        &all[interface.index()]
    }
}

fn by_interface(inventory: &Inventory, connections: &[Connection]) -> Vec<Vec<usize>> {
    let mut opened = vec![Vec::new(); inventory.interfaces().len()];
    for (position, connection) in connections.iter().enumerate() {
        let by = connection.initiator.interface();
        if let Some(ix) = by.filter(|_| connection.is_accepted()) {
            opened[ix.index()].push(position);
        }
    }
    opened
}
