//! The inventory: what is there, what is missing, how old it is, and what its flow logs record.

use std::path::Path;

use crate::cli::exit::Failure;
use crate::doctor::FlowLogCoverage;
use crate::documents::{DoctorInventoryRow, FlowLogCoverageRow, FlowLogRow, UnrecordedRow, Window};
use crate::emit::duration;
use crate::inventory::{Inventory, SnapshotSurvey};

/// A snapshot that was read.
pub(super) struct ReadSnapshot {
    name: String,
    pub(super) inventory: Inventory,
    pub(super) survey: SnapshotSurvey,
}

impl ReadSnapshot {
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        Ok(Self {
            name: dir.display().to_string(),
            inventory: Inventory::load(dir).map_err(Failure::usage)?,
            survey: SnapshotSurvey::read(dir).map_err(Failure::usage)?,
        })
    }

    /// Against records of a time, if there are some.
    pub(super) fn row(&self, window: Option<(u64, u64)>) -> DoctorInventoryRow {
        let Self {
            name,
            inventory,
            survey,
        } = self;
        let noted = inventory.notes().iter().map(|note| note.0.clone());
        let unnoted = survey.unnoted.iter();
        let unnoted = unnoted.map(|(key, cost)| format!("the inventory has no {key}: {cost}"));
        let mut interfaces: Vec<&str> = inventory.interfaces().iter().map(|i| &*i.id).collect();
        interfaces.dedup();
        DoctorInventoryRow {
            name: name.clone(),
            groups: inventory.groups().len() as u64,
            interfaces: interfaces.len() as u64,
            accounts: survey.accounts.clone(),
            regions: survey.regions.clone(),
            documents: survey.documents.iter().map(|&key| key.to_owned()).collect(),
            notes: noted.chain(unnoted).collect(),
            taken: survey.taken.map(|(start, end)| Window { start, end }),
            age: window.map(|window| age(survey.taken, window)),
        }
    }

    /// What its flow logs record; nothing where it does not list them.
    pub(super) fn flow_logs(&self) -> Option<FlowLogCoverageRow> {
        if !self.lists_flow_logs() {
            return None;
        }
        let coverage = FlowLogCoverage::new(&self.inventory, &self.survey.flow_logs);
        let flow_logs = self.survey.flow_logs.iter().map(|log| FlowLogRow {
            id: log.id.clone(),
            resource: log.resource.clone(),
            traffic: log.traffic.clone(),
            status: log.status.clone(),
            interval: log.interval,
        });
        let unrecorded = coverage.unrecorded.into_iter();
        Some(FlowLogCoverageRow {
            flow_logs: flow_logs.collect(),
            interfaces: coverage.interfaces,
            recorded: coverage.recorded,
            unrecorded: unrecorded
                .map(|(vpc_id, interfaces)| UnrecordedRow { vpc_id, interfaces })
                .collect(),
            problems: coverage.problems,
        })
    }

    pub(super) fn lists_flow_logs(&self) -> bool {
        self.survey.documents.contains(&"FlowLogs")
    }
}

/// When a snapshot was taken against the time of the records, and what that costs.
fn age(taken: Option<(u64, u64)>, (start, end): (u64, u64)) -> String {
    let Some((first, last)) = taken else {
        return "no manifest tells when it was taken; closegate can't tell whether interfaces of the logs have gone since".to_owned();
    };
    if first > end {
        let later = duration(first - end);
        format!(
            "taken {later} after the last record: interfaces that were deleted before that are missing"
        )
    } else if last < start {
        let earlier = duration(start - last);
        format!(
            "taken {earlier} before the first record: interfaces and rules that came later are missing"
        )
    } else {
        "taken in the time of the records".to_owned()
    }
}
