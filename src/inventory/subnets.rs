//! Subnets, and the groups that everything in one carries.

use std::net::IpAddr;

use ipnet::IpNet;

use super::index::GroupIx;
use super::interfaces::{Interface, InterfaceKind};
use super::snapshot::Snapshot;
use crate::net::HashMap;

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    block: IpNet,
}

/// The subnets of the snapshot.
#[derive(Debug, Default)]
pub(super) struct Subnets {
    all: Vec<Subnet>,
    /// By subnet: the groups that every interface of it carries that is there.
    common: HashMap<String, Vec<GroupIx>>,
}

impl Subnets {
    pub(super) fn new(snapshot: &Snapshot, interfaces: &[Interface]) -> Self {
        let subnets = snapshot.subnets.iter().filter_map(|subnet| {
            Some(Subnet {
                id: subnet.subnet_id.clone(),
                vpc: subnet.vpc_id.clone(),
                block: subnet.cidr_block?,
            })
        });
        let mut common: HashMap<String, Vec<GroupIx>> = HashMap::default();
        let ordinary = |i: &&Interface| !i.is_gone() && i.kind == InterfaceKind::Ordinary;
        for interface in interfaces.iter().filter(ordinary) {
            match common.get_mut(&interface.subnet) {
                Some(groups) => groups.retain(|group| interface.groups.contains(group)),
                None => {
                    common.insert(interface.subnet.clone(), interface.groups.clone());
                }
            }
        }
        Self {
            all: subnets.collect(),
            common,
        }
    }

    /// The subnet of an address; nothing where several networks have it.
    pub(super) fn at(&self, address: IpAddr) -> Option<&Subnet> {
        let mut found = self.all.iter().filter(|s| s.block.contains(&address));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    pub(super) fn common(&self, subnet: &Subnet) -> &[GroupIx] {
        self.common.get(&subnet.id).map_or(&[], Vec::as_slice)
    }
}
