//! A snapshot's things, connected: groups with their rules, interfaces with their groups.

use std::sync::Arc;

use super::groups::{self, Group, Upkeep};
use super::index::GroupIx;
use super::interfaces::{Interface, InterfaceKind};
use super::note::Note;
use super::periods::Graded;
use super::snapshot::Snapshot;
use super::wire;
use crate::documents::Direction;
use crate::net::{AddressSet, HashMap, HashSet};

/// The groups, with those that interfaces carry and the snapshot lacks.
pub(super) fn groups(snapshot: &Snapshot, periods: &[Graded], notes: &mut Vec<Note>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(snapshot.groups.len());
    for wire in &snapshot.groups {
        let egress = groups::flatten(
            Direction::Egress,
            wire.ip_permissions_egress.iter().flatten(),
        );
        let ingress = groups::flatten(Direction::Ingress, wire.ip_permissions.iter().flatten());
        let rules = egress.chain(ingress).collect();
        let name = if wire.group_name.is_empty() {
            &wire.group_id
        } else {
            &wire.group_name
        };
        groups.push(Group {
            id: wire.group_id.clone(),
            name: name.clone(),
            vpc: wire.vpc_id.clone(),
            also_in: associated_vpcs(snapshot, &wire.group_id),
            owner: wire.owner_id.clone(),
            tags: groups::own_tags(&wire.tags),
            rules,
            members: Vec::new(),
            upkeep: Upkeep::of(&wire.group_name, &wire.tags),
            known: true,
            knows: [
                wire.ip_permissions_egress.is_some(),
                wire.ip_permissions.is_some(),
            ],
        });
    }
    for (id, name) in carried_but_unlisted(snapshot, periods) {
        notes.push(Note::new(format!(
            "{id}: an interface carries this group, but the inventory doesn't hold it; nothing is concluded about its rules"
        )));
        groups.push(Group {
            id,
            name,
            vpc: String::new(),
            also_in: Vec::new(),
            owner: String::new(),
            tags: Vec::new(),
            rules: Vec::new(),
            members: Vec::new(),
            upkeep: Upkeep::default(),
            known: false,
            knows: [false; 2],
        });
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    for wire::GroupRule { group_id, rule, .. } in &snapshot.rules {
        let Some(group) = groups::position(&groups, group_id) else {
            continue;
        };
        let known = &mut groups[group.index()].rules;
        if let Some(same) = known.iter_mut().find(|r| r.same_permission(rule)) {
            same.rule_id.clone_from(&rule.rule_id);
            same.tags.clone_from(&rule.tags);
        }
    }
    for group in &mut groups {
        group.rules.sort();
        group.rules.dedup_by(|a, b| a.same_permission(b));
    }
    groups
}

/// The further VPCs that a group may be used in (security-group-assoc.html).
fn associated_vpcs(snapshot: &Snapshot, group: &str) -> Vec<String> {
    let mut vpcs: Vec<String> = snapshot
        .group_vpcs
        .iter()
        .filter(|a| a.group_id == group && a.state.eq_ignore_ascii_case("associated"))
        .map(|a| a.vpc_id.clone())
        .collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs
}

fn carried_but_unlisted(snapshot: &Snapshot, periods: &[Graded]) -> Vec<(String, String)> {
    let mut listed: Vec<&str> = snapshot
        .groups
        .iter()
        .map(|g| g.group_id.as_str())
        .collect();
    listed.sort_unstable();
    let mut unlisted: Vec<(String, String)> = periods
        .iter()
        .flat_map(|(interface, _)| interface.groups.iter().flatten())
        .filter(|g| listed.binary_search(&g.group_id.as_str()).is_err())
        .map(|g| (g.group_id.clone(), g.group_name.clone()))
        .collect();
    unlisted.sort();
    unlisted.dedup_by(|a, b| a.0 == b.0);
    unlisted
}

/// The interfaces of all times.
pub(super) fn interfaces(
    snapshot: &Snapshot,
    all: Vec<Graded>,
    groups: &[Group],
) -> Vec<Interface> {
    let mut instance_names: Vec<(&str, String)> = snapshot
        .instances
        .iter()
        .map(|i| (i.instance_id.as_str(), wire::name_tag(&i.tags)))
        .collect();
    instance_names.sort();
    let mut vpcs: HashSet<Arc<str>> = HashSet::default();
    let mut interfaces: Vec<Interface> = all
        .into_iter()
        .map(|(wire, grade)| {
            let wire = &wire;
            let mut carried: Vec<GroupIx> = wire
                .groups
                .iter()
                .flatten()
                .filter_map(|g| groups::position(groups, &g.group_id))
                .collect();
            carried.sort_unstable();
            carried.dedup();
            let vpc = vpcs.get(wire.vpc_id.as_str()).cloned();
            let vpc = vpc.unwrap_or_else(|| Arc::from(wire.vpc_id.as_str()));
            vpcs.insert(Arc::clone(&vpc));
            let mut interface = Interface::from_wire(wire, vpc, carried, grade);
            let instance = interface.instance.as_deref().unwrap_or_default();
            if let Ok(found) = instance_names.binary_search_by(|(id, _)| (*id).cmp(instance))
                && wire::name_tag(&wire.tag_set).is_empty()
                && !instance_names[found].1.is_empty()
            {
                interface.label.clone_from(&instance_names[found].1);
            }
            interface
        })
        .collect();
    let mut translating: Vec<&str> = snapshot
        .nat_gateways
        .iter()
        .flat_map(|gateway| &gateway.nat_gateway_addresses)
        .filter_map(|address| address.network_interface_id.as_deref())
        .collect();
    translating.sort_unstable();
    for interface in &mut interfaces {
        if translating.binary_search(&interface.id.as_str()).is_ok() {
            interface.kind = InterfaceKind::NatGateway;
        }
    }
    interfaces
}

/// The address blocks of each VPC that the snapshot has.
pub(super) fn vpc_blocks(snapshot: &Snapshot) -> HashMap<String, AddressSet> {
    let blocks = |vpc: &wire::Vpc| {
        let v4 = vpc.cidr_block_association_set.iter().map(|b| &b.cidr_block);
        let v6 = vpc
            .ipv6_cidr_block_association_set
            .iter()
            .map(|b| &b.ipv6_cidr_block);
        let blocks = std::iter::once(&vpc.cidr_block).chain(v4).chain(v6);
        let prefixes: Vec<ipnet::IpNet> = blocks.flatten().copied().collect();
        AddressSet::new(&prefixes)
    };
    snapshot
        .vpcs
        .iter()
        .map(|vpc| (vpc.vpc_id.clone(), blocks(vpc)))
        .collect()
}

/// `LogFormat` by flow log id.
pub(super) fn log_formats(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut formats: Vec<(String, String)> = snapshot
        .flow_logs
        .iter()
        .filter(|log| !log.log_format.is_empty())
        .map(|log| (log.flow_log_id.clone(), log.log_format.clone()))
        .collect();
    formats.sort();
    formats.dedup();
    formats
}

/// The ids of flow logs of transit gateways.
pub(super) fn transit_gateway_logs(snapshot: &Snapshot) -> Vec<String> {
    let logs = snapshot.flow_logs.iter();
    let ids = logs
        .filter(|log| is_of_transit_gateway(log))
        .map(|log| log.flow_log_id.clone());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids.dedup();
    ids
}

fn is_of_transit_gateway(log: &wire::FlowLog) -> bool {
    log.resource_id.starts_with("tgw-")
}
