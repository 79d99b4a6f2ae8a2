//! What an earlier run knew.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{AuditDocument, ConnectionRow};
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

impl Baseline {
    /// Of a run's `audit.json`; `run` is how the run was named.
    pub fn new(run: &str, audit: AuditDocument<'_>) -> Self {
        let mut most_in_a_day: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        let destination = |known: ConnectionRow<'_>| {
            let groups = known.initiator.groups.into_iter().map(Cow::into_owned);
            let mut groups: Vec<String> = groups.collect();
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
                address: known.responder.address.to_string(),
                protocol: known.protocol.into_owned(),
                port: known.port,
            }
        };
        // A finding that is folded there may stand alone here, and the other way round: what counts is each one's own id.
        let ids = audit.findings.into_iter();
        let ids = ids.flat_map(|finding| finding.stands_for.into_iter().chain([finding.id]));
        Self {
            run: run.to_owned(),
            destinations: audit.connections.into_iter().map(destination).collect(),
            findings: ids.collect(),
            most_in_a_day,
        }
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

    /// Whether a finding of this id was reported already.
    pub fn reported(&self, id: &str) -> bool {
        self.findings.contains(id)
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
