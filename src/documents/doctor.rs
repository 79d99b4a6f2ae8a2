//! What `closegate doctor --json` prints: what can be read, what is missing and what that costs, and the next command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HeldTerm, MalformedRow, Tool, Window};

/// What closegate found out about flow sources, an inventory and the permissions in AWS.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DoctorDocument {
    pub(crate) schema_version: u32,
    pub(crate) tool: Tool,
    /// The flow sources, as they were named.
    pub(crate) sources: Vec<DoctorSourceRow>,
    /// Null without an inventory.
    pub(crate) inventory: Option<DoctorInventoryRow>,
    /// Which interfaces of the inventory have records; null without both, or without records.
    pub(crate) interfaces: Option<InterfaceCoverageRow>,
    /// What the inventory's flow logs record; null where it has no `FlowLogs`.
    pub(crate) flow_logs: Option<FlowLogCoverageRow>,
    /// What the credentials may call; null where AWS was not asked.
    pub(crate) aws: Option<HeldRow>,
    /// A format for flow logs with every field that is worth having; null where none is missing.
    pub(crate) recommended_log_format: Option<String>,
    /// The commands to run next, the first one first.
    pub(crate) next: Vec<NextRow>,
}

/// A flow source.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DoctorSourceRow {
    /// As it was named.
    pub(crate) name: String,
    /// Why nothing or not all of it was looked at; null where all was.
    pub(crate) not_read: Option<String>,
    /// How many files or objects there are.
    pub(crate) files: u64,
    /// How many of them were looked at.
    pub(crate) files_read: u64,
    /// Names of those of which only the start was looked at.
    pub(crate) files_cut: Vec<String>,
    /// What the files are: container, format and fields; the most frequent first.
    pub(crate) formats: Vec<DoctorFormatRow>,
    /// Records of traffic, of intervals without any, and of intervals in which AWS skipped records.
    pub(crate) records: u64,
    pub(crate) records_no_data: u64,
    pub(crate) records_skip_data: u64,
    /// Of the records of traffic, those that were rejected.
    pub(crate) records_rejected: u64,
    /// Copies of these in the same file.
    pub(crate) records_duplicate: u64,
    /// Records outside the observation window.
    pub(crate) records_outside: u64,
    pub(crate) malformed: u64,
    /// The first few lines that could not be read.
    pub(crate) malformed_samples: Vec<MalformedRow>,
    /// The time that the records cover; null without records.
    pub(crate) window: Option<Window>,
}

/// Files that are alike.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DoctorFormatRow {
    /// The containers, the outermost first: `gzip, text`.
    pub(crate) container: String,
    /// The format of the records.
    pub(crate) format: String,
    /// How many of the files that were looked at have it.
    pub(crate) files: u64,
    /// The highest version of its fields; null where the fields are not known.
    pub(crate) version: Option<u8>,
    /// Its fields, sorted; null where they are not known.
    pub(crate) fields: Option<Vec<String>>,
    /// Fields that closegate uses and that it lacks.
    pub(crate) missing: Vec<MissingFieldRow>,
}

/// Fields that are missing, and what closegate does without them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MissingFieldRow {
    pub(crate) fields: Vec<String>,
    pub(crate) cost: String,
}

/// A snapshot of the network configuration.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DoctorInventoryRow {
    /// The directory, as it was named.
    pub(crate) name: String,
    pub(crate) groups: u64,
    pub(crate) interfaces: u64,
    pub(crate) accounts: Vec<String>,
    pub(crate) regions: Vec<String>,
    /// Keys of the documents that are there.
    pub(crate) documents: Vec<String>,
    /// What is missing or odd, and what that costs; a sentence each.
    pub(crate) notes: Vec<String>,
    /// When its first and its last part were taken, Unix seconds; null where no manifest tells.
    pub(crate) taken: Option<Window>,
    /// Its age against the records, in a sentence; null without records.
    pub(crate) age: Option<String>,
}

/// Interfaces of the inventory against those of the records.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InterfaceCoverageRow {
    /// Interfaces of the inventory that may have been there in the time of the records.
    pub(crate) interfaces: u64,
    pub(crate) with_records: u64,
    /// With nothing but NODATA and SKIPDATA.
    pub(crate) idle: u64,
    /// Without any record that was looked at.
    pub(crate) without_records: Vec<String>,
    /// In the records and not in the inventory; the most records first.
    pub(crate) unlisted: Vec<UnlistedRow>,
    /// Records of traffic of these.
    pub(crate) unlisted_records: u64,
    /// Records of traffic that name no interface.
    pub(crate) unnamed_records: u64,
    /// All records of traffic.
    pub(crate) records: u64,
}

/// An interface that the inventory lacks.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UnlistedRow {
    pub(crate) interface_id: String,
    pub(crate) records: u64,
}

/// What the inventory's flow logs record.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FlowLogCoverageRow {
    pub(crate) flow_logs: Vec<FlowLogRow>,
    /// Interfaces that are there, and those that an active flow log records.
    pub(crate) interfaces: u64,
    pub(crate) recorded: u64,
    /// VPCs with interfaces that no active flow log records.
    pub(crate) unrecorded: Vec<UnrecordedRow>,
    /// What is wrong with flow logs, and what that costs; a sentence each.
    pub(crate) problems: Vec<String>,
}

/// A flow log, as describe-flow-logs prints it; texts are empty where it does not tell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FlowLogRow {
    pub(crate) id: String,
    pub(crate) resource: String,
    pub(crate) traffic: String,
    pub(crate) status: String,
    /// The longest interval of a record, in seconds.
    pub(crate) interval: Option<u64>,
}

/// A VPC with interfaces that no active flow log records.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UnrecordedRow {
    pub(crate) vpc_id: String,
    pub(crate) interfaces: u64,
}

/// What credentials may call.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HeldRow {
    /// The account's number.
    pub(crate) account: String,
    /// The user or role.
    pub(crate) arn: String,
    /// The region in which AWS was asked; null where none is configured.
    pub(crate) region: Option<String>,
    pub(crate) calls: Vec<HeldCallRow>,
}

/// A call that closegate makes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HeldCallRow {
    /// The policy under docs/iam that permits it: `collect-inventory`.
    pub(crate) policy: String,
    /// The action that permits it, as IAM names it: `ec2:DescribeVpcs`.
    pub(crate) action: String,
    /// The operation, as the API names it; two of them may need one action.
    pub(crate) operation: String,
    /// What was asked about, where that is not everything: a bucket, a log group.
    pub(crate) resource: Option<String>,
    pub(crate) held: HeldTerm,
    /// What AWS answered, where that was no plain yes; why it was not asked.
    pub(crate) reason: Option<String>,
    /// What is lost without it; empty where nothing goes without.
    pub(crate) cost: String,
}

/// A command to run next.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NextRow {
    /// For a shell.
    pub(crate) command: String,
    pub(crate) why: String,
}
