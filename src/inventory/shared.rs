//! VPCs that another account shares (vpc-sharing.html). Its participants see their own interfaces and groups; what joins the VPC to
//! other networks, its owner alone describes.

use std::collections::{BTreeMap, BTreeSet};

use super::gaps::listed;
use super::note::Note;
use super::snapshot::Snapshot;
use crate::net::visible;

/// The name of the group that every VPC has, and that nobody but its owner sees.
const DEFAULT: &str = "default";

/// How many VPCs a note names before the rest is counted.
const NAMED: usize = 5;

/// The VPCs with interfaces of participants whose owner's snapshot the inventory lacks, each with its owner.
fn without_owner(snapshot: &Snapshot) -> BTreeMap<&str, &str> {
    let owned: BTreeSet<&str> = snapshot
        .groups
        .iter()
        .filter(|group| group.group_name == DEFAULT)
        .map(|group| group.vpc_id.as_str())
        .collect();
    let foreign: BTreeMap<&str, (&str, &str)> = snapshot
        .subnets
        .iter()
        .filter(|subnet| !subnet.owner_id.is_empty() && !owned.contains(subnet.vpc_id.as_str()))
        .map(|subnet| {
            let of = (subnet.vpc_id.as_str(), subnet.owner_id.as_str());
            (subnet.subnet_id.as_str(), of)
        })
        .collect();
    if foreign.is_empty() {
        return BTreeMap::new();
    }
    let owners: BTreeMap<&str, &str> = snapshot
        .groups
        .iter()
        .map(|group| (group.group_id.as_str(), group.owner_id.as_str()))
        .collect();
    let mut found = BTreeMap::new();
    for interface in &snapshot.interfaces {
        let Some(&(vpc, owner)) = foreign.get(interface.subnet_id.as_str()) else {
            continue;
        };
        let carried = interface.groups.iter().flatten();
        let mut owners = carried.filter_map(|group| owners.get(group.group_id.as_str()));
        if owners.any(|of_group| !of_group.is_empty() && *of_group != owner) {
            found.insert(vpc, owner);
        }
    }
    found
}

/// The VPCs of which the inventory does not tell what they are joined to.
pub(super) fn unknown_joins(snapshot: &Snapshot) -> BTreeSet<&str> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for group in &snapshot.groups {
        let (vpc, owner) = (group.vpc_id.as_str(), group.owner_id.as_str());
        if group.group_name == DEFAULT {
            owners.insert(vpc, owner);
        } else {
            // For inventories that lack default groups.
            owners.entry(vpc).or_insert(owner);
        }
    }
    let refused = owners.into_iter();
    let refused = refused.filter(|(_, owner)| snapshot.unknown_joins.contains(*owner));
    let refused = refused.map(|(vpc, _)| vpc);
    without_owner(snapshot).into_keys().chain(refused).collect()
}

/// What the inventory lacks of them.
pub(super) fn notes(snapshot: &Snapshot) -> Vec<Note> {
    let mut by_owner: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (vpc, owner) in without_owner(snapshot) {
        let vpcs = by_owner.entry(owner).or_default();
        vpcs.push(visible(vpc, 60));
    }
    let note = |(owner, vpcs): (&str, Vec<String>)| {
        Note::new(format!(
            "the inventory lacks account {}, which shares {}: closegate can't tell which networks are joined there, nor what belongs to other accounts",
            visible(owner, 60),
            listed(&vpcs, NAMED, "VPC")
        ))
    };
    by_owner.into_iter().map(note).collect()
}
