//! Rules that also hold for interfaces that join a group later.

use crate::inventory::{Gates, Inventory, Packet, Peer, Target};
use crate::net::AddressSet;
use crate::suggest::{RuleSet, Status};

/// Rules to add that say more than today's rules at their gate: not for any
/// interface there is, but for one that joins the named group tomorrow. Positions
/// of the rules.
///
/// A rule of today covers a group's future members if it names the group, or holds
/// every block of the group's VPC.
pub fn open_to_newcomers(inventory: &Inventory, today: &Gates, set: &RuleSet) -> Vec<usize> {
    let widens = |suggested: &crate::suggest::SuggestedRule| {
        let Target::Group(id) = &suggested.rule.target else {
            return false;
        };
        let Some(named) = inventory.group_by_id(id) else {
            return false;
        };
        let Some(service) = suggested.rule.single_service() else {
            return false;
        };
        let packet = Packet::from(service);
        let groups = [named];
        let nobody = Peer::listed(
            std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            &groups,
        );
        let by_name = today
            .admitting(&[suggested.group], suggested.rule.direction, nobody, packet)
            .next()
            .is_some();
        let named_group = inventory.group(named);
        let home = std::iter::once(&named_group.vpc)
            .chain(&named_group.also_in)
            .fold(AddressSet::EMPTY, |home, vpc| {
                home.union(inventory.vpc_blocks(vpc))
            });
        let by_block = home.count() > 0
            && today
                .open_addresses(&[suggested.group], suggested.rule.direction, packet)
                .contains_set(&home);
        !by_name && !by_block
    };
    let added = |position: &usize| {
        set.rules[*position].status == Status::Add && widens(&set.rules[*position])
    };
    (0..set.rules.len()).filter(added).collect()
}
