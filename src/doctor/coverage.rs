//! Which interfaces of a snapshot have records, and which of them its flow logs record.

use std::collections::BTreeMap;

use super::sightings::Sighting;
use crate::inventory::{FlowLogSetting, Interface, Inventory};

/// What rows without an interface have in its place.
const UNNAMED: &str = "-";

/// The interfaces of a snapshot against those of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCoverage {
    /// Interfaces of the snapshot that may have been there in the time of the records.
    pub interfaces: u64,
    /// Those with records of traffic.
    pub with_records: u64,
    /// Those whose records all say that there was none, or that AWS skipped it.
    pub idle: u64,
    /// Ids of those without any record, in order.
    pub without: Vec<String>,
    /// Interfaces of the records that the snapshot lacks, with their records of traffic; the most first.
    pub unlisted: Vec<(String, u64)>,
    /// Records of traffic of these.
    pub unlisted_records: u64,
    /// Records of traffic that name no interface.
    pub unnamed_records: u64,
    /// All records of traffic.
    pub records: u64,
}

impl InterfaceCoverage {
    /// Of records from the first to the last time, Unix seconds.
    pub fn new(
        inventory: &Inventory,
        seen: &BTreeMap<String, Sighting>,
        (first, last): (u64, u64),
    ) -> Self {
        let mut coverage = Self::default();
        for entries in by_id(inventory) {
            if !entries.iter().any(|entry| entry.may_be_of(first, last)) {
                continue;
            }
            coverage.interfaces += 1;
            let id = &entries[0].id;
            match seen.get(id) {
                Some(sighting) if sighting.records() > 0 => coverage.with_records += 1,
                Some(_) => coverage.idle += 1,
                None => coverage.without.push(id.clone()),
            }
        }
        for (name, sighting) in seen {
            let records = sighting.records();
            coverage.records += records;
            if name == UNNAMED {
                coverage.unnamed_records += records;
            } else if inventory.interface_by_id(name).is_none() {
                coverage.unlisted_records += records;
                coverage.unlisted.push((name.clone(), records));
            }
        }
        // Names are in order already, and the sort keeps that.
        coverage
            .unlisted
            .sort_by_key(|&(_, records)| std::cmp::Reverse(records));
        coverage
    }
}

/// The entries of each interface: one for each time in which it carried the same groups.
fn by_id(inventory: &Inventory) -> impl Iterator<Item = &[Interface]> {
    let interfaces = inventory.interfaces();
    interfaces.chunk_by(|a, b| a.id == b.id)
}

/// What the flow logs of a snapshot record of its interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowLogCoverage {
    /// Interfaces that are there.
    pub interfaces: u64,
    /// Those that an active flow log records: their own, their subnet's or their VPC's.
    pub recorded: u64,
    /// By VPC, how many of its interfaces none records.
    pub unrecorded: Vec<(String, u64)>,
    /// What is wrong with flow logs, and what it costs: a sentence each, in the order of their ids.
    pub problems: Vec<String>,
}

impl FlowLogCoverage {
    /// Of the flow logs that a snapshot has.
    pub fn new(inventory: &Inventory, flow_logs: &[FlowLogSetting]) -> Self {
        let active: Vec<&str> = flow_logs
            .iter()
            .filter(|log| log.is_active())
            .map(|log| log.resource.as_str())
            .collect();
        let mut coverage = Self {
            problems: flow_logs.iter().flat_map(problems).collect(),
            ..Self::default()
        };
        let mut unrecorded: BTreeMap<&str, u64> = BTreeMap::new();
        for entries in by_id(inventory) {
            let Some(interface) = entries.last().filter(|last| !last.is_gone()) else {
                continue;
            };
            coverage.interfaces += 1;
            let resources = [&*interface.id, &*interface.subnet, &*interface.vpc];
            if active.iter().any(|resource| resources.contains(resource)) {
                coverage.recorded += 1;
            } else {
                *unrecorded.entry(&interface.vpc).or_default() += 1;
            }
        }
        let unrecorded = unrecorded.into_iter();
        coverage.unrecorded = unrecorded.map(|(vpc, n)| (vpc.to_owned(), n)).collect();
        coverage
    }
}

/// The longest interval of a record that costs nothing, in seconds: Nitro instances have it anyway (working-with-flow-logs.html).
const SHORT_INTERVAL: u64 = 60;

/// What is wrong with a flow log.
fn problems(log: &FlowLogSetting) -> Vec<String> {
    let who = format!("{} of {}", log.id, log.resource);
    let mut found = Vec::new();
    if !log.is_active() {
        found.push(format!("{who} is not active: it writes no records"));
        return found;
    }
    if log.delivery.eq_ignore_ascii_case("FAILED") {
        found.push(format!(
            "{who} can't deliver: DeliverLogsErrorMessage of describe-flow-logs says why, and its records are lost"
        ));
    }
    if log.traffic.eq_ignore_ascii_case("REJECT") {
        found.push(format!(
            "{who} records rejected traffic only: without another flow log, closegate sees no connection that rules have to permit"
        ));
    }
    if log.traffic.eq_ignore_ascii_case("ACCEPT") {
        found.push(format!(
            "{who} records accepted traffic only: without another flow log, closegate sees no scans and nothing that rules deny"
        ));
    }
    if let Some(seconds) = log.interval.filter(|&seconds| seconds > SHORT_INTERVAL) {
        found.push(format!(
            "{who} has one record for up to {seconds} seconds: closegate can't tell beacons with a shorter period; MaxAggregationInterval 60 can"
        ));
    }
    found
}
