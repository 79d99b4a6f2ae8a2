//! The evidence of every kind of finding about egress rules: the connections that a rule permits.

use super::context::Context;
use crate::inventory::{Direction, GroupIx, Rule};

impl Context<'_> {
    /// Positions of accepted connections that members of a group opened and that a wanted egress rule of the group
    /// permits, in order.
    pub(super) fn permitted_egress(
        &self,
        group: GroupIx,
        wanted: impl Fn(&Rule) -> bool,
    ) -> Vec<usize> {
        let members = &self.inventory.group(group).members;
        let rules = &self.inventory.group(group).rules;
        let is_permitted = |position: &usize| {
            let (peer, packet) = self.connections[*position].leaving(self.inventory);
            self.gates
                .admitting(&[group], Direction::Egress, peer, packet)
                .any(|(_, rule)| wanted(&rules[rule]))
        };
        let opened = members
            .iter()
            .flat_map(|&member| self.opened.by(member, self.inventory, self.connections));
        let mut permitted: Vec<usize> = opened.copied().filter(is_permitted).collect();
        permitted.sort_unstable();
        permitted.dedup();
        permitted
    }
}
