//! How many rules a group has, as AWS counts them, and how many it takes.

use crate::inventory::{Direction, Families, GroupIx, Inventory, Rule, Target};
use crate::net::HashMap;

/// What AWS takes of one account in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Rules per group and direction, for IPv4 and IPv6 each.
    pub rules_per_group: u64,
    /// Groups per interface, at most 16.
    pub groups_per_interface: u64,
}

impl Quotas {
    /// No quota is raised beyond so many rules times groups (amazon-vpc-limits.html).
    pub const MOST: u64 = 1_000;
}

impl Default for Quotas {
    /// Where everybody starts (amazon-vpc-limits.html).
    fn default() -> Self {
        Self {
            rules_per_group: 60,
            groups_per_interface: 5,
        }
    }
}

/// By group, what AWS takes: as configured, or more where the account has more today, for then AWS has raised it.
pub fn quotas(inventory: &Inventory, configured: Quotas) -> Vec<Quotas> {
    let place = |group: GroupIx| {
        let group = inventory.group(group);
        let member = group.members.first().map(|&ix| inventory.interface(ix));
        let region = member.map_or("", |interface| &*interface.region);
        (group.owner.as_str(), region)
    };
    let mut raised: HashMap<(&str, &str), Quotas> = HashMap::default();
    for group in inventory.group_indexes() {
        let quotas = raised.entry(place(group)).or_insert(configured);
        let mut today = RuleCounts::default();
        for rule in &inventory.group(group).rules {
            today.add(inventory, rule);
        }
        let fullest = Direction::ALL.iter().map(|&direction| today.of(direction));
        quotas.rules_per_group = fullest.fold(quotas.rules_per_group, u64::max);
    }
    for interface in inventory.interfaces() {
        let carried = interface.groups.len() as u64;
        if let Some(&group) = interface.groups.first()
            && let Some(quotas) = raised.get_mut(&place(group))
        {
            quotas.groups_per_interface = quotas.groups_per_interface.max(carried);
        }
    }
    let groups = inventory.group_indexes();
    groups.map(|group| raised[&place(group)]).collect()
}

/// A group's rules by direction and family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RuleCounts([[u64; 2]; 2]);

impl RuleCounts {
    fn add(&mut self, inventory: &Inventory, rule: &Rule) {
        let own = &mut self.0[usize::from(rule.direction == Direction::Ingress)];
        for (family, weight) in weights(inventory, &rule.target).into_iter().enumerate() {
            own[family] += weight;
        }
    }

    /// For IPv4 and for IPv6.
    pub(super) fn families(&self, direction: Direction) -> [u64; 2] {
        self.0[usize::from(direction == Direction::Ingress)]
    }

    /// Of the fuller family.
    pub(super) fn of(&self, direction: Direction) -> u64 {
        let [v4, v6] = self.families(direction);
        v4.max(v6)
    }
}

/// By group, how many rules it has while the rules to add stand beside all of today's: they are made before any rule goes.
pub(super) fn counts<'r>(
    inventory: &Inventory,
    added: impl Iterator<Item = (GroupIx, &'r Rule)>,
) -> Vec<RuleCounts> {
    let mut counts = vec![RuleCounts::default(); inventory.groups().len()];
    for (group, rule) in added {
        counts[group.index()].add(inventory, rule);
    }
    for (own, group) in counts.iter_mut().zip(inventory.groups()) {
        for rule in &group.rules {
            own.add(inventory, rule);
        }
    }
    counts
}

/// How many rules AWS counts for these, which are of one group and direction, in the fuller family. Without an inventory a prefix list
/// counts as one rule.
pub fn counted<'a>(
    inventory: Option<&Inventory>,
    rules: impl IntoIterator<Item = &'a Rule>,
) -> u64 {
    let mut counted = [0_u64; 2];
    for rule in rules {
        let weights = match (inventory, &rule.target) {
            (Some(inventory), target) => weights(inventory, target),
            (None, Target::Cidr(net)) => {
                [net.addr().is_ipv4(), net.addr().is_ipv6()].map(u64::from)
            }
            (None, Target::Group(_) | Target::PrefixList(_)) => [1, 1],
        };
        counted[0] += weights[0];
        counted[1] += weights[1];
    }
    counted[0].max(counted[1])
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
