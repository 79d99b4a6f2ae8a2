//! What a team decides about findings: severities, quarantine, approvals, lists.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::baseline::Baseline;
use super::kind::{Kind, Threshold};
use super::lists::Blocklist;
use super::owners::Owners;
use super::public_resolvers::Resolvers;
use crate::documents::Severity;
use crate::inventory::{Group, Inventory};
use crate::net::{AddressSet, Protocol};
use crate::resolve::Connection;

/// Everything that can be decided about findings.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// By kind.
    pub tuning: BTreeMap<&'static str, Tuning>,
    /// Destinations that are meant.
    pub approvals: Vec<Approval>,
    /// Groups of which no member is missing.
    pub complete: Vec<Complete>,
    /// Lists of suspicious destinations.
    pub blocklists: Vec<Blocklist>,
    /// What an earlier run knew.
    pub baseline: Option<Baseline>,
    /// Well-known public resolvers; those that are compiled in, if there are none.
    pub resolvers: Option<Resolvers>,
    /// Whose addresses are.
    pub owners: Owners,
}

/// What is different for a kind; nothing stands for the kind's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Whether its connections are quarantined.
    pub quarantine: Option<bool>,
    /// It is not reported at all.
    pub off: bool,
    /// By key.
    pub thresholds: BTreeMap<&'static str, u64>,
}

/// Connections that a team has approved.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The group that may, by id or name; every group, if there is none.
    pub group: Option<String>,
    /// Where to.
    pub destination: AddressSet,
    /// With which protocol; any, if there is none.
    pub protocol: Option<Protocol>,
    /// To which port; any, if there is none.
    pub port: Option<u16>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// From when on it no longer counts; Unix seconds.
    pub expires: Option<u64>,
}

/// A person says that the inventory has every interface of a group.
#[derive(Clone, Debug)]
pub struct Complete {
    /// The group, by id or name.
    pub group: String,
    /// Why that is known.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// From when on it no longer counts; Unix seconds.
    pub expires: Option<u64>,
}

impl Policy {
    /// Whether somebody says of logs up to a time that no member of a group is missing; Unix seconds.
    pub fn vouches_for(&self, group: &Group, until: u64) -> bool {
        self.complete.iter().any(|complete| {
            (complete.group == group.id || complete.group == group.name)
                && complete.expires.is_none_or(|expires| until < expires)
        })
    }

    /// How bad a finding of a kind is, that says so itself or does not.
    pub fn severity(&self, kind: &Kind, own: Option<Severity>) -> Severity {
        let tuned = self.tuning.get(kind.id).and_then(|tuning| tuning.severity);
        tuned.or(own).unwrap_or(kind.severity)
    }

    /// The number above which a kind reports something.
    pub fn threshold(&self, kind: &Kind, threshold: &Threshold) -> u64 {
        let tuned = self.tuning.get(kind.id);
        let tuned = tuned.and_then(|tuning| tuning.thresholds.get(threshold.key));
        tuned.copied().unwrap_or(threshold.default)
    }

    /// Who runs the public resolver at an address, if it is a well-known one.
    pub fn resolver(&self, address: IpAddr) -> Option<&str> {
        let table = self.resolvers.as_ref();
        table
            .unwrap_or_else(|| Resolvers::bundled())
            .operator(address)
    }

    /// Whether an address is on a list of the user's that has a kind's name.
    pub(super) fn lists(&self, kind: &Kind, address: IpAddr) -> bool {
        let mut lists = self.blocklists.iter().filter(|list| list.name == kind.id);
        lists.any(|list| list.addresses.contains(address))
    }

    /// Whether connections of a kind are quarantined.
    pub fn quarantines(&self, kind: &Kind) -> bool {
        let tuned = self
            .tuning
            .get(kind.id)
            .and_then(|tuning| tuning.quarantine);
        tuned.unwrap_or(kind.quarantine)
    }

    /// Whether a kind is reported.
    pub fn reports(&self, kind: &Kind) -> bool {
        !self.tuning.get(kind.id).is_some_and(|tuning| tuning.off)
    }

    /// Whether an approval covers a connection for as long as it was seen.
    pub fn approves(&self, inventory: &Inventory, connection: &Connection) -> bool {
        let mut matching = self
            .approvals
            .iter()
            .filter(|approval| approval.covers(inventory, connection));
        matching.any(|approval| !approval.is_expired_for(connection))
    }
}

impl Approval {
    /// Whether it is about such a connection, expired or not.
    pub fn covers(&self, inventory: &Inventory, connection: &Connection) -> bool {
        let groups = connection
            .initiator
            .interface()
            .map(|ix| &inventory.interface(ix).groups);
        let carried = |wanted: &str| {
            let mut groups = groups
                .into_iter()
                .flatten()
                .map(|&group| inventory.group(group));
            groups.any(|group| group.id == wanted || group.name == wanted)
        };
        self.group.as_deref().is_none_or(carried)
            && self.destination.contains(connection.responder.address)
            && self
                .protocol
                .is_none_or(|protocol| protocol == connection.service.protocol)
            && self
                .port
                .is_none_or(|port| Some(port) == connection.service.port())
    }

    /// Whether a connection went on after it.
    pub fn is_expired_for(&self, connection: &Connection) -> bool {
        self.expires
            .is_some_and(|expires| connection.totals.last >= expires)
    }
}
