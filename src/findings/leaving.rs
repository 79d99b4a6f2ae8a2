//! What leaves by a group's rules: the evidence of every kind of finding about open egress.

use std::sync::OnceLock;

use super::finding::Context;
use crate::inventory::{Direction, GroupIx, Rule};

/// Positions of accepted connections by the interface that opened them; made when somebody asks.
#[derive(Debug, Default)]
pub struct Opened(OnceLock<Vec<Vec<usize>>>);

impl Context<'_> {
    /// Accepted connections of a group's members that one of some rules of the group lets out.
    pub(super) fn leaving(&self, group: GroupIx, wanted: impl Fn(&Rule) -> bool) -> Vec<usize> {
        let opened = self.opened.0.get_or_init(|| self.by_interface());
        let members = &self.inventory.group(group).members;
        let rules = &self.inventory.group(group).rules;
        let leaves = |position: &usize| {
            let (peer, packet) = self.connections[*position].leaving(self.inventory);
            self.gates
                .admitting(&[group], Direction::Egress, peer, packet)
                .any(|(_, rule)| wanted(&rules[rule]))
        };
        let opened = members.iter().flat_map(|member| &opened[member.index()]);
        let mut leaving: Vec<usize> = opened.copied().filter(leaves).collect();
        leaving.sort_unstable();
        leaving.dedup();
        leaving
    }

    fn by_interface(&self) -> Vec<Vec<usize>> {
        let mut opened = vec![Vec::new(); self.inventory.interfaces().len()];
        for (position, connection) in self.connections.iter().enumerate() {
            let by = connection.initiator.interface();
            if let Some(ix) = by.filter(|_| connection.is_accepted()) {
                opened[ix.index()].push(position);
            }
        }
        opened
    }
}
