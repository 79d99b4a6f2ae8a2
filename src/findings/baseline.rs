//! What an earlier run knew.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::finding::Finding;
use crate::inventory::Inventory;
use crate::resolve::Connection;

/// Destinations and findings of an earlier run, from its `audit.json`.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    destinations: BTreeSet<Destination>,
    findings: BTreeSet<String>,
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
    /// From the text of an `audit.json`.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let Run {
            connections,
            findings,
        } = serde_json::from_slice(json)?;
        let destination = |known: Known| {
            let mut groups = known.initiator.groups;
            groups.sort();
            Destination {
                groups,
                address: known.responder.address,
                protocol: known.protocol,
                port: known.port,
            }
        };
        Ok(Self {
            destinations: connections.into_iter().map(destination).collect(),
            findings: findings.into_iter().map(|finding| finding.id).collect(),
        })
    }

    /// Whether interfaces of the same groups went there already.
    pub(super) fn knows(&self, inventory: &Inventory, connection: &Connection) -> bool {
        let groups = connection
            .initiator
            .interface()
            .map(|ix| &inventory.interface(ix).groups);
        let mut groups: Vec<String> = groups
            .into_iter()
            .flatten()
            .map(|&g| inventory.group(g).id.clone())
            .collect();
        groups.sort();
        self.destinations.contains(&Destination {
            groups,
            address: connection.responder.address.to_string(),
            protocol: connection.service.protocol.to_string(),
            port: connection.service.port(),
        })
    }

    /// Whether a finding was reported already.
    pub fn reported(&self, finding: &Finding) -> bool {
        self.findings.contains(&finding.id)
    }
}
