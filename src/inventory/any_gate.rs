//! What rules say of interfaces that the inventory lacks.

use std::net::IpAddr;

use super::Inventory;
use super::gates::{DirectionRules, Packet, Peer, compile, side};
use super::member_space::MemberSpace;
use super::rules::{Rule, RulePorts, RuleProtocol, Target};
use crate::documents::Direction;
use crate::net::HashSet;

/// Rules of groups of which any may judge an interface that the inventory lacks: those groups whose members may have its address.
#[derive(Debug, Default)]
pub(crate) struct AnyGate {
    /// What members may have, and every rule of such groups once.
    spaces: Vec<(MemberSpace, [DirectionRules; 2])>,
}

impl AnyGate {
    /// The rules by group; those of one network of groups that say the same are one.
    pub(crate) fn new(inventory: &Inventory, rules: &[Vec<Rule>]) -> Self {
        let mut spaces: Vec<(MemberSpace, Vec<Rule>)> = Vec::new();
        let mut said: Vec<HashSet<(Direction, RuleProtocol, RulePorts, &Target)>> = Vec::new();
        for (group, rules) in inventory.group_indexes().zip(rules) {
            if rules.is_empty() {
                continue;
            }
            let space = inventory.member_space(group);
            let known = spaces.iter().position(|(known, _)| *known == space);
            let at = known.unwrap_or_else(|| {
                spaces.push((space, Vec::new()));
                said.push(HashSet::default());
                spaces.len() - 1
            });
            for rule in rules {
                if said[at].insert((rule.direction, rule.protocol, rule.ports, &rule.target)) {
                    spaces[at].1.push(rule.clone());
                }
            }
        }
        let spaces = spaces.into_iter();
        Self {
            spaces: spaces
                .map(|(space, rules)| (space, compile(inventory, &rules)))
                .collect(),
        }
    }

    /// Whether one of the rules lets a packet through, or may, at an interface that the inventory lacks and that has this address.
    pub(crate) fn may_admit(
        &self,
        address: IpAddr,
        direction: Direction,
        peer: Peer<'_>,
        packet: Packet,
    ) -> bool {
        let spaces = self.spaces.iter();
        let mut carried = spaces.filter(|(space, _)| space.may_hold(address));
        carried.any(|(_, sides)| sides[side(direction)].may_admit(peer, packet))
    }
}
