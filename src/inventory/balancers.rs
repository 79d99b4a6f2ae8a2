//! Network Load Balancers: which target they stand before, and whether the target sees the client's address.
//!
//! Where a balancer preserves the client's address, the target's rules judge the client's packet by that address, or by the
//! balancer's groups: a reference to those admits its clients (network/load-balancer-security-groups.html). The client's own
//! groups count for nothing. `aws elbv2 describe-*` says which targets a balancer has and what it preserves
//! (network/edit-target-group-attributes.html); without that, any balancer of a target's VPC may stand before it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::index::{GroupIx, InterfaceIx};
use super::interfaces::Interface;
use super::snapshot::Snapshot;
use super::wire;

/// A balancer's position in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalancerIx(u32);

impl BalancerIx {
    /// The balancer at a position.
    pub fn new(position: usize) -> Self {
        Self(u32::try_from(position).expect("fewer than 2^32 balancers"))
    }

    /// Its position.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A Network Load Balancer.
#[derive(Clone, Debug)]
pub struct Balancer {
    /// `net/NAME/ID`, as the description of its interfaces has it; else an interface's id.
    pub name: String,
    /// Its interfaces, one in each subnet.
    pub interfaces: Vec<InterfaceIx>,
    /// Its groups, in order; none unless it was made with some.
    pub groups: Vec<GroupIx>,
    /// Where it forwards with the client's address preserved; nothing where the inventory doesn't tell.
    targets: Option<Vec<Target>>,
}

/// A registered target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// An instance, or an address; nothing where the inventory has the target group's port alone.
    id: Option<String>,
    port: u16,
}

/// How sure it is that a balancer stands before a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fronting {
    /// The inventory lacks its targets, or some of them.
    Possible,
    /// The target is registered, and the balancer preserves the client's address.
    Registered,
}

/// All balancers.
#[derive(Debug, Default)]
pub(super) struct Balancers(Vec<Balancer>);

impl Balancers {
    pub(super) fn new(snapshot: &Snapshot, interfaces: &[Interface]) -> Self {
        let balancer = |(name, all): (&str, Vec<InterfaceIx>)| {
            let groups = all.iter().flat_map(|ix| &interfaces[ix.index()].groups);
            let mut groups: Vec<GroupIx> = groups.copied().collect();
            groups.sort_unstable();
            groups.dedup();
            Balancer {
                name: name.to_owned(),
                interfaces: all,
                groups,
                targets: targets(snapshot, name),
            }
        };
        Self(by_name(interfaces).into_iter().map(balancer).collect())
    }

    /// Finds the balancers' interfaces again when positions changed.
    pub(super) fn find_interfaces(&mut self, interfaces: &[Interface]) {
        let mut by_name = by_name(interfaces);
        for balancer in &mut self.0 {
            balancer.interfaces = by_name.remove(balancer.name.as_str()).unwrap_or_default();
        }
    }

    pub(super) fn all(&self) -> &[Balancer] {
        &self.0
    }
}

/// The interfaces of each balancer.
fn by_name(interfaces: &[Interface]) -> BTreeMap<&str, Vec<InterfaceIx>> {
    let mut by_name: BTreeMap<&str, Vec<InterfaceIx>> = BTreeMap::new();
    for (position, interface) in interfaces.iter().enumerate() {
        if let Some(name) = &interface.network_balancer {
            let all = by_name.entry(name).or_default();
            all.push(InterfaceIx::new(position));
        }
    }
    by_name
}

impl Balancer {
    /// Whether it may stand before a port of an interface, preserving the client's address; by what the inventory says of its targets
    /// alone.
    pub(super) fn fronts(&self, target: &Interface, port: u16) -> Option<Fronting> {
        let Some(targets) = &self.targets else {
            return Some(Fronting::Possible);
        };
        let is_it = |registered: &&Target| {
            registered.port == port
                && registered.id.as_ref().is_none_or(|id| {
                    let address: Option<IpAddr> = id.parse().ok();
                    target.instance.as_ref() == Some(id)
                        || address.is_some_and(|address| target.holds(address))
                })
        };
        let found = targets.iter().filter(is_it);
        let sure = |target: &Target| match target.id {
            Some(_) => Fronting::Registered,
            None => Fronting::Possible,
        };
        found.map(sure).max()
    }
}

/// Whether what was read beside an answer, an ARN or the end of one, is a target group's.
fn is_of(said: &str, arn: &str) -> bool {
    said == arn || said.starts_with('/') && arn.ends_with(said)
}

/// The balancer's name in its ARN: `…:loadbalancer/net/NAME/ID`.
fn name_in(arn: &str) -> &str {
    arn.split_once(":loadbalancer/")
        .map_or("", |(_, name)| name)
}

/// The targets to which a balancer preserves the client's address; nothing if the inventory lacks the balancer or its target groups.
fn targets(snapshot: &Snapshot, name: &str) -> Option<Vec<Target>> {
    let balancer = snapshot
        .balancers
        .iter()
        .find(|balancer| name_in(&balancer.load_balancer_arn) == name)?;
    if !snapshot.present.contains(&"TargetGroups") {
        return None;
    }
    let mut targets = Vec::new();
    for group in &snapshot.target_groups {
        let arn = &group.target_group_arn;
        if !group
            .load_balancer_arns
            .contains(&balancer.load_balancer_arn)
            || !preserves(snapshot, group)
        {
            continue;
        }
        let registered = snapshot.targets.iter().filter(|(of, _)| is_of(of, arn));
        let known: Vec<Target> = registered
            .filter_map(|(_, health)| {
                Some(Target {
                    id: Some(health.target.id.clone()),
                    port: u16::try_from(health.target.port.or(group.port)?).ok()?,
                })
            })
            .collect();
        if snapshot.listed_targets.iter().any(|of| is_of(of, arn)) {
            targets.extend(known);
        } else if let Some(port) = group.port.and_then(|port| u16::try_from(port).ok()) {
            targets.push(Target { id: None, port });
        }
    }
    Some(targets)
}

/// Whether targets of a group see the client's address: as its attribute says, else by default, which is yes but for addresses as
/// targets of TCP and TLS.
fn preserves(snapshot: &Snapshot, group: &wire::TargetGroup) -> bool {
    let attribute = snapshot
        .target_group_attributes
        .iter()
        .find(|(of, attribute)| {
            is_of(of, &group.target_group_arn) && attribute.key == "preserve_client_ip.enabled"
        });
    if let Some((_, attribute)) = attribute {
        return attribute.value.eq_ignore_ascii_case("true");
    }
    let is_fixed = matches!(
        group.protocol.as_str(),
        "UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC"
    );
    is_fixed || group.target_type == "instance"
}
