//! Exposure and blast radius against what a few loops over pairs of interfaces say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use closegate::audit::Audit;
use closegate::inventory::{
    Direction, GroupIx, InterfaceIx, Inventory, Rule, RulePorts, RuleProtocol, Target,
};
use closegate::net::{Protocol, Service};

use crate::aws_semantics::audit_of_world;

/// Rules by group.
type Rules<'a> = &'a dyn Fn(GroupIx) -> Vec<Rule>;

struct Naive<'a> {
    inventory: &'a Inventory,
    rules: Rules<'a>,
    /// Interfaces whose groups are known, by VPC and groups.
    classes: BTreeMap<(String, Vec<GroupIx>), Vec<InterfaceIx>>,
}

impl<'a> Naive<'a> {
    fn new(inventory: &'a Inventory, rules: Rules<'a>) -> Self {
        let mut classes: BTreeMap<_, Vec<InterfaceIx>> = BTreeMap::new();
        for ix in inventory.interface_indexes() {
            let interface = inventory.interface(ix);
            let known = interface.groups.iter().all(|&g| inventory.group(g).known);
            if !interface.groups.is_empty() && known {
                let key = (interface.vpc.to_string(), interface.groups.clone());
                classes.entry(key).or_default().push(ix);
            }
        }
        Self {
            inventory,
            rules,
            classes,
        }
    }

    /// Whether the groups of an interface admit another under any of its addresses.
    fn admits(&self, at: InterfaceIx, direction: Direction, peer: InterfaceIx, s: Service) -> bool {
        let (at, peer) = (self.inventory.interface(at), self.inventory.interface(peer));
        if !self.inventory.path_between(at, peer) {
            return false;
        }
        let holds = |rule: &Rule| match &rule.target {
            Target::Cidr(net) => peer.addresses.iter().any(|a| net.contains(a)),
            Target::Group(id) => {
                let named = self.inventory.group_by_id(id);
                self.inventory.reference_works(at, direction, peer)
                    && named.is_some_and(|named| peer.groups.contains(&named))
            }
            Target::PrefixList(id) => {
                let list = self.inventory.prefix_list(id).filter(|list| list.complete);
                let any = |a: &IpAddr| list.is_some_and(|list| list.addresses.contains(*a));
                peer.addresses.iter().any(any)
            }
        };
        let admits = |rule: &Rule| rule.direction == direction && is_for(rule, s) && holds(rule);
        at.groups
            .iter()
            .any(|&g| (self.rules)(g).iter().any(admits))
    }

    fn pairs(&self, services: &BTreeSet<Service>) -> u64 {
        let all = || self.classes.values().flatten();
        let mut pairs = 0;
        for &x in all() {
            for &y in all().filter(|&&y| y != x) {
                let through = services.iter().filter(|&&s| {
                    self.admits(x, Direction::Egress, y, s)
                        && self.admits(y, Direction::Ingress, x, s)
                });
                pairs += through.count() as u64;
            }
        }
        pairs
    }

    /// By class: what its interfaces reach in one hop.
    fn hops(&self, services: &BTreeSet<Service>) -> Vec<(Vec<GroupIx>, BTreeSet<InterfaceIx>)> {
        let of_class = |((_, groups), members): (&(String, Vec<GroupIx>), &Vec<InterfaceIx>)| {
            let reached = self.classes.values().flatten().copied().filter(|&y| {
                services.iter().any(|&s| {
                    self.admits(members[0], Direction::Egress, y, s)
                        && members
                            .iter()
                            .any(|&x| self.admits(y, Direction::Ingress, x, s))
                })
            });
            (groups.clone(), reached.collect())
        };
        self.classes.iter().map(of_class).collect()
    }
}

fn is_for(rule: &Rule, service: Service) -> bool {
    let protocol = match rule.protocol {
        RuleProtocol::All => return true,
        RuleProtocol::One(protocol) => protocol,
    };
    protocol == service.protocol
        && match rule.ports {
            RulePorts::Ports(range) => range.contains(service.port),
            RulePorts::Any | RulePorts::Icmp { .. } => true,
        }
}

/// One hop, and any number of them, from each class.
fn radius(naive: &Naive<'_>, services: &BTreeSet<Service>, group: GroupIx) -> (u64, u64) {
    let hops = naive.hops(services);
    let classes: Vec<&Vec<InterfaceIx>> = naive.classes.values().collect();
    let own = |position: &usize| hops[*position].0.contains(&group);
    let start: Vec<usize> = (0..hops.len()).filter(own).collect();
    let reached = |from: &BTreeSet<usize>| -> BTreeSet<InterfaceIx> {
        from.iter()
            .flat_map(|&c| hops[c].1.iter().copied())
            .collect()
    };
    let mut visited: BTreeSet<usize> = start.iter().copied().collect();
    let one = reached(&visited).len() as u64;
    loop {
        let now = reached(&visited);
        let next: BTreeSet<usize> = (0..classes.len())
            .filter(|&c| classes[c].iter().any(|ix| now.contains(ix)))
            .chain(visited.iter().copied())
            .collect();
        if next == visited {
            return (one, now.len() as u64);
        }
        visited = next;
    }
}

fn compare(seed: u64, audit: &Audit) {
    let inventory = &audit.inventory;
    let today = |g: GroupIx| inventory.group(g).rules.clone();
    let after = |g: GroupIx| audit.rules_after.rules_of(g).to_vec();
    let accepted = audit.connections.iter().filter(|c| c.is_accepted());
    let services: BTreeSet<Service> = accepted.map(|c| c.service).collect();
    let mut every = services.clone();
    for port in [
        0, 1, 22, 23, 442, 443, 444, 514, 515, 2049, 2050, 5432, 5433, 6379, 6380,
    ]
    .into_iter()
    .chain([8080, 8081, 8443, 8444, 9092, 9093, 65535])
    {
        every.insert(Service::new(Protocol::TCP, port));
        every.insert(Service::new(Protocol::UDP, port));
    }
    every.insert(Service::new(Protocol::ICMP, 0));
    let exposure = &audit.proof.exposure;
    for (rules, pairs) in [
        (&today as Rules<'_>, exposure.before),
        (&after, exposure.after),
    ] {
        let naive = Naive::new(inventory, rules);
        assert_eq!(naive.pairs(&services), pairs, "world {seed}");
    }
    for found in &audit.proof.blast_radius {
        for (rules, reach) in [(&today as Rules<'_>, &found.before), (&after, &found.after)] {
            let naive = Naive::new(inventory, rules);
            let used = radius(&naive, &services, found.group);
            let any = radius(&naive, &every, found.group).1;
            let group = &inventory.group(found.group).id;
            assert_eq!(
                (reach.one_hop, reach.any_hops, reach.any_port),
                (used.0, used.1, any),
                "world {seed}, {group}"
            );
        }
    }
}

#[test]
fn exposure_and_blast_radius_are_what_pairs_of_interfaces_say() {
    for seed in 0..12 {
        compare(seed, &audit_of_world(seed));
    }
}
