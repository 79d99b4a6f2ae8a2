//! Which groups an interface that the inventory lacks may be taken to have carried, when no history tells: those that all interfaces of
//! its subnet carry today, if a rule of today agrees. A guess gives rules their evidence; it makes nothing certain and no group ready.

use super::ends::{Place, Placer, Vantage, lacks_interfaces};
use crate::flow::FlowTable;
use crate::inventory::{
    Direction, Gates, GroupIx, GuessedInterface, Inventory, Packet, Peer, Target,
};
use crate::net::{HashMap, Service};

/// The guesses, by the interfaces' ids in order.
pub fn guess(table: &FlowTable, inventory: &Inventory, gates: &Gates) -> Vec<GuessedInterface> {
    if !lacks_interfaces(table, inventory) {
        return Vec::new();
    }
    let placer = Placer::new(table, inventory);
    let mut candidates: HashMap<usize, GuessedInterface> = HashMap::default();
    for (observer, address, lifetime) in placer.unlisted() {
        let Some(subnet) = inventory.subnet_at(address) else {
            continue;
        };
        let groups = inventory.groups_of_subnet(subnet);
        if !groups.is_empty() {
            let guessed = GuessedInterface {
                id: table.observers[observer.index()].clone(),
                address,
                vpc: subnet.vpc.clone(),
                subnet: subnet.id.clone(),
                groups,
                lifetime,
            };
            candidates.insert(observer.index(), guessed);
        }
    }
    if candidates.is_empty() {
        return Vec::new();
    }
    let mut agreed: HashMap<usize, GuessedInterface> = HashMap::default();
    for flow in table.flows.iter().filter(|flow| flow.key.accepted) {
        let placed = placer.place(flow);
        let (Place::Unlisted(from), Place::Local(at), Vantage::Destination) =
            (placed.src.place, placed.dst.place, placed.vantage)
        else {
            continue;
        };
        let Some(candidate) = candidates.get(&from.index()) else {
            continue;
        };
        let service = Service::new(flow.key.protocol, flow.key.dst_port);
        let peer = Peer::listed(placed.src.address, &candidate.groups);
        let groups = &inventory.interface(at).groups;
        let mut admitting =
            gates.admitting(groups, Direction::Ingress, peer, Packet::from(service));
        if admitting.any(|(group, rule)| names(inventory, group, rule, &candidate.groups)) {
            agreed.insert(from.index(), candidate.clone());
        }
    }
    let mut guesses: Vec<GuessedInterface> = agreed.into_values().collect();
    guesses.sort_by(|a, b| a.id.cmp(&b.id));
    guesses
}

/// Whether a rule for one service names one of the groups.
fn names(inventory: &Inventory, group: GroupIx, rule: usize, groups: &[GroupIx]) -> bool {
    let rule = &inventory.group(group).rules[rule];
    let named = match &rule.target {
        Target::Group(id) => inventory.group_by_id(id),
        Target::Cidr(_) | Target::PrefixList(_) => None,
    };
    rule.single_service().is_some() && named.is_some_and(|named| groups.contains(&named))
}
