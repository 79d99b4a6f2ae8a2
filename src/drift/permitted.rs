//! Whether a list of rules permits all that a rule does.

use crate::inventory::{Inventory, Rule, Target};
use crate::net::AddressSet;

/// Whether rules permit all that another does, by one of them or by the addresses of several. Of a group, the addresses that its members
/// have today count.
pub(super) fn permitted(inventory: &Inventory, rules: &[Rule], wanted: &Rule) -> bool {
    if rules.iter().any(|rule| rule.covers(wanted)) {
        return true;
    }
    let for_all_services = |rule: &&Rule| {
        let same_target = Rule {
            target: wanted.target.clone(),
            ..(*rule).clone()
        };
        same_target.covers(wanted)
    };
    let same: Vec<&Rule> = rules.iter().filter(for_all_services).collect();
    let addresses = |rule: &&Rule| match &rule.target {
        Target::Cidr(net) => Some(AddressSet::new([net])),
        Target::PrefixList(id) => {
            let list = inventory.prefix_list(id).filter(|list| list.complete);
            list.map(|list| list.addresses.clone())
        }
        Target::Group(_) => None,
    };
    let open = same
        .iter()
        .filter_map(addresses)
        .fold(AddressSet::EMPTY, |open, more| open.union(&more));
    match &wanted.target {
        Target::Cidr(net) => open.contains_set(&AddressSet::new([net])),
        Target::PrefixList(id) => inventory.prefix_list(id).is_some_and(|list| {
            list.complete && list.addresses.count() > 0 && open.contains_set(&list.addresses)
        }),
        Target::Group(id) => inventory.group_by_id(id).is_some_and(|ix| {
            let members = &inventory.group(ix).members;
            let mut held = members
                .iter()
                .flat_map(|&member| &inventory.interface(member).addresses);
            if members.is_empty() {
                // Whoever joins it will have some address.
                same.iter().any(|rule| rule.to_everyone())
            } else {
                held.all(|&address| open.contains(address))
            }
        }),
    }
}
