//! The commands to run next.

use std::path::Path;

use super::snapshot::ReadSnapshot;
use super::sources::Looked;
use crate::cli::args::RemoteArgs;
use crate::doctor::recommended_format;
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
    pub(super) log_format: Option<&'a str>,
    pub(super) since: Option<&'a str>,
    pub(super) until: Option<&'a str>,
    pub(super) remote: &'a RemoteArgs,
}

/// The commands, the first one first.
pub(super) fn commands(
    typed: &Typed<'_>,
    snapshot: Option<&ReadSnapshot>,
    looked: &Looked,
) -> Vec<NextRow> {
    let mut next = Vec::new();
    let inventory = typed.inventory.map(|dir| dir.display().to_string());
    if inventory.is_none() {
        next.extend(collect(typed.remote));
    }
    let dir = inventory.as_deref().unwrap_or(INVENTORY);
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
                quoted(&format!("{dir}/flow-logs.json"))
            ),
            why: "the inventory has no FlowLogs: where the logs are delivered, and in which format"
                .to_owned(),
        });
        return next;
    }
    let unrecorded = unrecorded(snapshot);
    if !unrecorded.is_empty() {
        next.push(row(
            flow_logs(&unrecorded),
            "no active flow log records some interfaces of these VPCs; replace BUCKET, and run it yourself: closegate changes nothing in AWS",
        ));
    } else if typed.flows.is_empty() {
        next.push(row(
            words(["closegate", "doctor", "--flows", "s3://BUCKET/PREFIX", "--inventory", dir]),
            "replace BUCKET/PREFIX with the place where flow logs are delivered (LogDestination of describe-flow-logs); for a log group, use cloudwatch:LOG_GROUP",
        ));
    }
    if looked.lacks_fields {
        next.push(row(
            flow_logs(&vpcs(snapshot)),
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

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words = words.into_iter().map(quoted);
    words.collect::<Vec<String>>().join(" ")
}

/// How an account's configuration is saved.
#[cfg(feature = "aws")]
fn collect(remote: &RemoteArgs) -> Vec<NextRow> {
    let mut command = vec!["closegate", "collect", "inventory"];
    if let Some(profile) = &remote.profile {
        command.extend(["--profile", profile.as_str()]);
    }
    command.extend(["--out", INVENTORY]);
    vec![row(
        words(command),
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
            words(["mkdir", "-p", INVENTORY]),
            "for the account's network configuration",
        ),
        describe("security-groups", "an audit needs it"),
        describe("network-interfaces", "an audit needs it"),
    ]
}

/// The audit of what was typed.
fn audit(typed: &Typed<'_>, inventory: &str) -> String {
    let mut command = vec!["closegate", "audit", "--flows"];
    command.extend(typed.flows.iter().map(String::as_str));
    let options = [
        ("--log-format", typed.log_format),
        ("--since", typed.since),
        ("--until", typed.until),
        ("--profile", typed.remote.profile.as_deref()),
        (
            "--athena-workgroup",
            typed.remote.athena_workgroup.as_deref(),
        ),
        ("--athena-output", typed.remote.athena_output.as_deref()),
    ];
    for (option, value) in options {
        command.extend(value.into_iter().flat_map(|value| [option, value]));
    }
    let lists = [
        ("--only-account", &typed.remote.only_account),
        ("--only-region", &typed.remote.only_region),
    ];
    for (option, values) in lists {
        if !values.is_empty() {
            command.push(option);
            command.extend(values.iter().map(String::as_str));
        }
    }
    let flags = [
        ("--athena-unload", typed.remote.athena_unload),
        ("--requester-pays", typed.remote.requester_pays),
    ];
    command.extend(
        flags
            .iter()
            .filter(|(_, is_on)| *is_on)
            .map(|(flag, _)| *flag),
    );
    command.extend(["--inventory", inventory, "--out", RUN]);
    words(command)
}

/// How flow logs are switched on, in a format that lacks nothing.
fn flow_logs(vpcs: &[String]) -> String {
    let format = recommended_format();
    let mut command = vec![
        "aws",
        "ec2",
        "create-flow-logs",
        "--resource-type",
        "VPC",
        "--resource-ids",
    ];
    command.extend(vpcs.iter().take(VPCS).map(String::as_str));
    command.extend(["--traffic-type", "ALL", "--max-aggregation-interval", "60"]);
    command.extend(["--log-destination-type", "s3"]);
    command.extend(["--log-destination", "arn:aws:s3:::BUCKET"]);
    command.extend(["--log-format", format.as_str()]);
    words(command)
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
