//! The commands to run next.

use std::path::Path;

use super::snapshot::ReadSnapshot;
use super::sources::Looked;
use crate::cli::args::RemoteArgs;
use crate::cli::command_line::CommandLine;
use crate::cli::log_plan;
use crate::documents::NextRow;
use crate::emit::quoted;

/// Where a snapshot goes that is not there yet.
const INVENTORY: &str = "inventory";

/// Where a run goes.
const RUN: &str = "run";

/// VPCs that one command names at most.
const VPCS: usize = 20;

/// What was typed.
pub(super) struct Typed<'a> {
    pub(super) flows: &'a [String],
    pub(super) inventory: Option<&'a Path>,
    pub(super) log_format: Option<&'a String>,
    pub(super) since: Option<&'a String>,
    pub(super) until: Option<&'a String>,
    pub(super) remote: &'a RemoteArgs,
}

/// The commands, the first one first.
pub(super) fn commands(
    typed: &Typed<'_>,
    snapshot: Option<&ReadSnapshot>,
    looked: &Looked,
) -> Vec<NextRow> {
    let mut next = Vec::new();
    if typed.inventory.is_none() {
        next.extend(collect(typed.remote));
    }
    let dir = typed.inventory.unwrap_or(Path::new(INVENTORY));
    if looked.has_records() || looked.has_engines() {
        next.push(row(
            audit(typed, dir),
            "reads the logs, and writes findings, rules and a report",
        ));
    }
    let Some(snapshot) = snapshot else {
        return next;
    };
    if !snapshot.lists_flow_logs() {
        next.push(NextRow {
            command: format!(
                "aws ec2 describe-flow-logs > {}",
                quoted(&dir.join("flow-logs.json").display().to_string())
            ),
            why: "the inventory has no FlowLogs: where the logs are delivered, and in which format"
                .to_owned(),
        });
        return next;
    }
    let unrecorded = unrecorded(snapshot);
    if !unrecorded.is_empty() {
        next.push(row(
            flow_logs(&unrecorded, typed),
            "no active flow log records some interfaces of these VPCs; replace BUCKET, and run it yourself: closegate changes nothing in AWS",
        ));
    } else if typed.flows.is_empty() {
        let init = CommandLine::new(&["init"]).option("--inventory", dir);
        next.push(row(
            init.to_string(),
            "prints where the flow logs are delivered, and the audit that reads them",
        ));
    }
    let mut recorded = vpcs(snapshot);
    recorded.retain(|vpc| !unrecorded.contains(vpc));
    if looked.lacks_fields && !recorded.is_empty() {
        next.push(row(
            flow_logs(&recorded, typed),
            "the format of a flow log can't be changed: this makes another one, with the fields that are missing; replace BUCKET, and run it yourself",
        ));
    }
    next
}

fn row(command: String, why: &str) -> NextRow {
    NextRow {
        command,
        why: why.to_owned(),
    }
}

/// How an account's configuration is saved.
#[cfg(feature = "aws")]
fn collect(remote: &RemoteArgs) -> Vec<NextRow> {
    let command = CommandLine::new(&["collect", "inventory"])
        .values("--profile", &remote.profile)
        .option("--out", Path::new(INVENTORY));
    vec![row(
        command.to_string(),
        "an audit needs the account's network configuration",
    )]
}

/// How an account's configuration is saved by a build without AWS.
#[cfg(not(feature = "aws"))]
fn collect(_: &RemoteArgs) -> Vec<NextRow> {
    let describe = |what: &str, why: &str| NextRow {
        command: format!("aws ec2 describe-{what} > {INVENTORY}/{what}.json"),
        why: why.to_owned(),
    };
    vec![
        row(
            format!("mkdir -p {INVENTORY}"),
            "for the account's network configuration",
        ),
        describe("security-groups", "an audit needs it"),
        describe("network-interfaces", "an audit needs it"),
    ]
}

/// The audit of what was typed.
fn audit(typed: &Typed<'_>, inventory: &Path) -> String {
    let line = CommandLine::new(&["audit"])
        .values("--flows", typed.flows)
        .values("--log-format", typed.log_format)
        .values("--since", typed.since)
        .values("--until", typed.until)
        .remote(typed.remote)
        .option("--inventory", inventory)
        .option("--out", Path::new(RUN));
    line.to_string()
}

/// How flow logs are switched on, in a format that lacks nothing.
fn flow_logs(vpcs: &[String], typed: &Typed<'_>) -> String {
    let vpcs: Vec<&str> = vpcs.iter().take(VPCS).map(String::as_str).collect();
    log_plan::create_flow_logs(&vpcs, None, typed.remote.profile.as_deref())
}

/// VPCs with interfaces that no active flow log records.
fn unrecorded(snapshot: &ReadSnapshot) -> Vec<String> {
    let flow_logs = snapshot.flow_logs();
    let unrecorded = flow_logs.into_iter().flat_map(|found| found.unrecorded);
    let vpcs = unrecorded.map(|row| row.vpc_id);
    vpcs.filter(|vpc| !vpc.is_empty()).collect()
}

/// All VPCs with interfaces.
fn vpcs(snapshot: &ReadSnapshot) -> Vec<String> {
    let interfaces = snapshot.inventory.interfaces().iter();
    let vpcs = interfaces.map(|interface| interface.vpc.to_string());
    let mut vpcs: Vec<String> = vpcs.filter(|vpc| !vpc.is_empty()).collect();
    vpcs.sort();
    vpcs.dedup();
    vpcs
}
