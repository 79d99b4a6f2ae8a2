//! `wide-egress`: ranges that amount to everything.

use super::context::Context;
use super::finding::Found;
use super::{Family, Kind, Rating, Severity, Signal};
use crate::inventory::{Direction, Inventory, Keeper, Rule, Target};
use crate::net::{AddressSet, not_public, visible};

/// A sixty-fourth of each address space that is in use: 2^26 of IPv4, and a /16 of IPv6.
const WIDE_V4: u128 = 1 << 26;
const WIDE_V6: u128 = 1 << 112;

pub(super) const KIND: Kind = Kind {
    id: "wide-egress",
    family: Family::Posture,
    severity: Severity::Medium,
    confidence: Rating::High,
    quarantine: false,
    title: "Ranges that amount to the whole internet",
    remediation: "Restrict the rules to the destinations in use.",
    sources: &[
        "vpc-security-groups.html: rules of a group add up",
        "AWS FSBP and CIS: restrict egress",
    ],
    thresholds: &[],
};

pub(super) const SIGNAL: Signal = Signal::Function(find);

/// One finding per group whose egress rules together, but for those to everybody, reach so much of the internet on
/// every port or on one.
fn find(context: &Context<'_>) -> Vec<Found> {
    let inventory = context.inventory;
    let groups = inventory.group_indexes();
    groups
        .filter_map(|group| {
            let rules = &inventory.group(group).rules;
            let counts = |rule: &&Rule| rule.direction == Direction::Egress && !rule.to_everyone();
            let wide: Vec<&Rule> = rules.iter().filter(counts).filter(|rule| rule.every_port()).collect();
            let reached = wide.iter().fold(AddressSet::EMPTY, |all, rule| all.union(&public(inventory, &rule.target)));
            let (v4, v6) = (reached.only_v4().count(), reached.only_v6().count());
            if v4 < WIDE_V4 && v6 < WIDE_V6 {
                return None;
            }
            let wide: Vec<&Rule> = wide.into_iter().filter(|rule| public(inventory, &rule.target).count() > 0).collect();
            let targets: Vec<String> = wide.iter().map(|rule| rule.target.to_string()).collect();
            Some(Found {
                detail: format!(
                    "Group {} ({}) permits all egress to {}: {v4} IPv4 and {v6} IPv6 addresses on the internet.",
                    visible(&inventory.group(group).name, 80),
                    inventory.group(group).id,
                    targets.join(", "),
                ),
                group: Some(group),
                evidence: context.permitted_egress(group, |rule| wide.iter().any(|w| w.same_permission(rule))),
                ..Found::default()
            })
        })
        .collect()
}

/// The addresses of a target that are on the internet; a list of AWS's own holds its services only.
fn public(inventory: &Inventory, target: &Target) -> AddressSet {
    let all = match target {
        Target::Cidr(prefix) => AddressSet::new([prefix]),
        Target::PrefixList(id) => match inventory.prefix_list(id) {
            Some(list) if list.keeper == Keeper::Customer => list.addresses.clone(),
            _ => AddressSet::EMPTY,
        },
        Target::Group(_) => AddressSet::EMPTY,
    };
    all.difference(&not_public())
}
