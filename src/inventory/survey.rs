//! What a snapshot holds besides what connects: its documents, when it was taken, and which flow logs there are.

use std::collections::BTreeSet;
use std::path::Path;

use super::InventoryError;
use super::snapshot::Snapshot;
use super::wire;

/// What documents are good for that are missed without a note of the [`Inventory`](super::Inventory); each may be there
/// under any of the keys.
const UNNOTED: &[(&[&str], &str)] = &[
    (
        &["FlowLogs"],
        "the format of logs without a header has to be given, and closegate can't tell which interfaces flow logs cover",
    ),
    (
        &["Subnets"],
        "the address of each subnet's router is unknown",
    ),
    (
        &["NatGateways"],
        "a NAT gateway is known by its interface's type only",
    ),
    (
        &["Reservations", "Instances"],
        "interfaces are shown without their instance's name",
    ),
    (
        &["SecurityGroupVpcAssociations"],
        "groups are taken to be used in their own VPC only",
    ),
    (
        &["LoadBalancers"],
        "closegate can't tell a Network Load Balancer's targets, and infers them from the logs",
    ),
    (
        &["TargetGroups"],
        "closegate can't tell a Network Load Balancer's targets, and infers them from the logs",
    ),
];

/// What a snapshot holds.
#[derive(Clone, Debug, Default)]
pub struct SnapshotSurvey {
    /// Keys of the documents that are there, in order, even of those with empty lists.
    pub documents: Vec<&'static str>,
    /// Documents that are not there and of which the inventory has no note, with what that costs.
    pub unnoted: Vec<(&'static str, &'static str)>,
    /// When its first and its last part were taken, Unix seconds; nothing where no manifest tells.
    pub taken: Option<(u64, u64)>,
    /// The accounts that own its security groups.
    pub accounts: Vec<String>,
    /// The regions of its interfaces.
    pub regions: Vec<String>,
    /// The flow logs, by id; those of transit gateways are not among them.
    pub flow_logs: Vec<FlowLogSetting>,
}

/// A flow log as describe-flow-logs prints it. Texts are empty where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowLogSetting {
    /// `fl-…`
    pub id: String,
    /// The VPC, subnet or interface that it records.
    pub resource: String,
    /// `ALL`, `ACCEPT` or `REJECT`.
    pub traffic: String,
    /// `ACTIVE`, or why not.
    pub status: String,
    /// Whether AWS could deliver: `SUCCESS` or `FAILED`.
    pub delivery: String,
    /// The longest interval of a record, in seconds.
    pub interval: Option<u64>,
}

impl SnapshotSurvey {
    /// Reads a directory as [`Inventory::load`](super::Inventory::load) does.
    pub fn read(dir: &Path) -> Result<Self, InventoryError> {
        let mut snapshot = Snapshot::read_dir(dir)?;
        snapshot.settle();
        let mut documents = snapshot.present.clone();
        documents.sort_unstable();
        let unnoted = UNNOTED.iter().filter_map(|&(keys, cost)| {
            let is_there = keys.iter().any(|key| documents.contains(key));
            (!is_there).then_some((*keys.first()?, cost))
        });
        let unnoted = unnoted.collect();
        let times = || snapshot.interfaces.iter().filter_map(|i| i.seen_at);
        let accounts = snapshot.groups.iter().map(|group| group.owner_id.as_str());
        let zones = snapshot.interfaces.iter().map(|i| &i.availability_zone);
        let regions = zones.map(|zone| zone.trim_end_matches(|c: char| c.is_ascii_lowercase()));
        let flow_logs = snapshot.flow_logs.iter();
        let flow_logs = flow_logs.filter(|log| !log.resource_id.starts_with("tgw-"));
        let mut flow_logs: Vec<FlowLogSetting> = flow_logs.map(FlowLogSetting::new).collect();
        flow_logs.sort();
        Ok(Self {
            unnoted,
            taken: times().min().zip(times().max()),
            accounts: named(accounts),
            regions: named(regions),
            flow_logs,
            documents,
        })
    }
}

impl FlowLogSetting {
    fn new(log: &wire::FlowLog) -> Self {
        Self {
            id: log.flow_log_id.clone(),
            resource: log.resource_id.clone(),
            traffic: log.traffic_type.clone(),
            status: log.flow_log_status.clone(),
            delivery: log.deliver_logs_status.clone(),
            interval: log.max_aggregation_interval,
        }
    }

    /// Whether it writes records, as far as the snapshot tells.
    pub fn is_active(&self) -> bool {
        self.status.is_empty() || self.status.eq_ignore_ascii_case("ACTIVE")
    }
}

/// Names once each, in order, without empty ones.
fn named<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().map(str::to_owned).collect()
}
