//! What an earlier run knew.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::finding::Finding;
use crate::documents::{self, DocumentError};
use crate::flow::DAY;
use crate::inventory::Inventory;
use crate::resolve::Connection;

/// Destinations and findings of an earlier run, from its `audit.json`.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// The run, as it was named.
    pub run: String,
    destinations: BTreeSet<Destination>,
    findings: BTreeSet<String>,
    /// The most that interfaces of the same groups moved in a day, to and from one address and port elsewhere.
    most_in_a_day: BTreeMap<Vec<String>, u64>,
}

/// Who goes where, by group: interfaces come and go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    groups: Vec<String>,
    address: String,
    protocol: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Run {
    connections: Vec<Known>,
    findings: Vec<KnownFinding>,
}

#[derive(Deserialize)]
struct Known {
    initiator: End,
    responder: End,
    protocol: String,
    port: Option<u16>,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    first_seen: u64,
    #[serde(default)]
    last_seen: u64,
}

#[derive(Deserialize)]
struct End {
    address: String,
    groups: Vec<String>,
}

#[derive(Deserialize)]
struct KnownFinding {
    id: String,
}

impl Baseline {
    /// From the text of a run's `audit.json`.
    pub fn parse(run: &str, json: &[u8]) -> Result<Self, DocumentError> {
        let Run {
            connections,
            findings,
        } = documents::read(json)?;
        let mut most_in_a_day: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        let destination = |known: Known| {
            let mut groups = known.initiator.groups;
            groups.sort();
            if known.responder.groups.is_empty() {
                let days = (known.last_seen / DAY)
                    .saturating_sub(known.first_seen / DAY)
                    .saturating_add(1);
                let most = most_in_a_day.entry(groups.clone()).or_default();
                *most = (known.bytes / days).max(*most);
            }
            Destination {
                groups,
                address: known.responder.address,
                protocol: known.protocol,
                port: known.port,
            }
        };
        Ok(Self {
            run: run.to_owned(),
            destinations: connections.into_iter().map(destination).collect(),
            findings: findings.into_iter().map(|finding| finding.id).collect(),
            most_in_a_day,
        })
    }

    /// Whether interfaces of the same groups went there already.
    pub(super) fn knows(&self, inventory: &Inventory, connection: &Connection) -> bool {
        self.destinations.contains(&Destination {
            groups: groups(inventory, connection),
            address: connection.responder.address.to_string(),
            protocol: connection.service.protocol.to_string(),
            port: connection.service.port(),
        })
    }

    /// The most bytes that interfaces of the same groups moved in a day, to and from one address and port elsewhere; nothing if
    /// it knows none of them.
    pub(super) fn most_in_a_day(
        &self,
        inventory: &Inventory,
        connection: &Connection,
    ) -> Option<u64> {
        let groups = groups(inventory, connection);
        self.most_in_a_day.get(&groups).copied()
    }

    /// Whether a finding was reported already.
    pub fn reported(&self, finding: &Finding) -> bool {
        self.findings.contains(&finding.id)
    }
}

/// The groups of a connection's initiator, by id and in order.
fn groups(inventory: &Inventory, connection: &Connection) -> Vec<String> {
    let initiator = connection.initiator.interface();
    let groups = initiator.map(|ix| &inventory.interface(ix).groups);
    let ids = groups.into_iter().flatten();
    let mut ids: Vec<String> = ids.map(|&g| inventory.group(g).id.clone()).collect();
    ids.sort();
    ids
}
