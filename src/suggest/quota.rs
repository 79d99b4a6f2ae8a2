//! How many rules a group has, as AWS counts them.

use super::over_quota::OverQuota;
use super::rule::RuleSet;
use crate::documents::Status;
use crate::inventory::{Direction, Families, Inventory, Rule, Target};

/// Rules per group and direction, for IPv4 and IPv6 each (amazon-vpc-limits.html);
/// adjustable, and this is where everybody starts.
pub const RULES_PER_GROUP: u64 = 60;

/// Groups per interface (amazon-vpc-limits.html); adjustable up to 16. No group is ever
/// put on an interface here.
pub const GROUPS_PER_INTERFACE: usize = 5;

/// Every group and direction that would have too many rules after the change.
pub(super) fn over(
    inventory: &Inventory,
    set: &RuleSet,
    remaining: &[Vec<Rule>],
) -> Vec<OverQuota> {
    let mut counts = vec![[[0u64; 2]; 2]; inventory.groups().len()];
    let added = set
        .rules
        .iter()
        .filter(|r| r.status == Status::Add)
        .map(|r| (r.group, &r.rule));
    let standing = inventory
        .group_indexes()
        .flat_map(|g| remaining[g.index()].iter().map(move |r| (g, r)));
    for (group, rule) in added.chain(standing) {
        let direction = usize::from(rule.direction == Direction::Ingress);
        for (family, weight) in weights(inventory, &rule.target).into_iter().enumerate() {
            counts[group.index()][direction][family] += weight;
        }
    }
    let directions = [Direction::Egress, Direction::Ingress];
    let all = inventory
        .group_indexes()
        .flat_map(|group| directions.map(|direction| (group, direction)));
    all.map(|(group, direction)| {
        let families = counts[group.index()][usize::from(direction == Direction::Ingress)];
        OverQuota {
            group,
            direction,
            rules: families[0].max(families[1]),
        }
    })
    .filter(|found| found.rules > RULES_PER_GROUP)
    .collect()
}

/// What a target costs, for IPv4 and for IPv6. A group counts in both.
fn weights(inventory: &Inventory, target: &Target) -> [u64; 2] {
    match target {
        Target::Cidr(net) if net.addr().is_ipv4() => [1, 0],
        Target::Cidr(_) => [0, 1],
        Target::Group(_) => [1, 1],
        Target::PrefixList(id) => {
            let Some(list) = inventory.prefix_list(id) else {
                return [1, 1];
            };
            let Families { v4, v6 } = list.families;
            [v4, v6].map(|counts| if counts { list.weight } else { 0 })
        }
    }
}
