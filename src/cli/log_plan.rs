//! What an audit can read of the flow logs that an account has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::command_line::CommandLine;
use crate::doctor::{MissingFields, missing_fields, recommended_format};
use crate::emit::quoted;
use crate::ingest::LogFormat;
use crate::inventory::{FlowLogSetup, LogDestination, LogSetups, LoggedVpc};

/// How far back the first audit looks.
const SINCE: &str = "14d";

/// What `--flows` takes for a flow log; an error says why there is nothing to take.
pub(super) fn source(log: &FlowLogSetup) -> Result<String, String> {
    if log.resource.starts_with("tgw-") {
        return Err(
            "of a Transit Gateway: it records no decision of a security group; closegate reads VPC flow logs".to_owned(),
        );
    }
    if log.traffic == "REJECT" {
        return Err(
            "it records rejected traffic only, and rules are written for accepted traffic"
                .to_owned(),
        );
    }
    if !log.format.is_empty()
        && let Err(error) = LogFormat::parse(&log.format)
    {
        return Err(error.to_string());
    }
    match &log.destination {
        LogDestination::S3(place) => Ok(format!("s3://{place}/{}", keys(log))),
        LogDestination::CloudWatch(group) => Ok(format!("cloudwatch:{group}")),
        LogDestination::Firehose(_) => Err(
            "it goes to Firehose, which can't be read; name the files that Firehose writes"
                .to_owned(),
        ),
        LogDestination::Unknown => {
            Err("the description names no destination that closegate knows".to_owned())
        }
    }
}

/// What the keys of a flow log's objects begin with, as far as that is known.
fn keys(log: &FlowLogSetup) -> String {
    let (Some(account), Some(region)) = (&log.account, &log.region) else {
        return "AWSLogs/".to_owned();
    };
    if log.is_hive {
        return format!(
            "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/"
        );
    }
    format!("AWSLogs/{account}/vpcflowlogs/{region}/")
}

/// The fields worth having that a format lacks, with what each costs. Nothing where the format is not said.
pub(super) fn lacking(format: &str) -> Vec<MissingFields> {
    let Ok(format) = LogFormat::parse(format) else {
        return Vec::new();
    };
    let names: Vec<&str> = format.names().iter().map(String::as_str).collect();
    let mut missing = missing_fields(&names);
    missing.retain(|missing| missing.is_recommended);
    missing
}

/// The AWS CLI's command that switches flow logs of VPCs on, into a bucket, in a format that lacks nothing. closegate does not run it.
pub(super) fn create_flow_logs(
    vpcs: &[&str],
    region: Option<&str>,
    profile: Option<&str>,
) -> String {
    let format = recommended_format();
    let mut words = vec!["aws", "ec2", "create-flow-logs", "--resource-type", "VPC"];
    words.extend(["--traffic-type", "ALL", "--max-aggregation-interval", "60"]);
    for (option, value) in [("--region", region), ("--profile", profile)] {
        words.extend(value.into_iter().flat_map(|value| [option, value]));
    }
    words.extend(["--log-destination-type", "s3"]);
    words.extend(["--log-destination", "arn:aws:s3:::BUCKET"]);
    words.extend(["--log-format", format.as_str(), "--resource-ids"]);
    words.extend(vpcs);
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    words.join(" ")
}

/// The VPCs without a flow log of their own that an audit can use, with those of their subnets that have one.
pub(super) fn unlogged(setups: &LogSetups) -> Vec<(&str, &LoggedVpc, Vec<&str>)> {
    let usable = || {
        let logs = setups.flow_logs.values();
        logs.filter(|log| source(log).is_ok())
            .map(|log| log.resource.as_str())
    };
    let vpcs = setups.vpcs.iter();
    vpcs.filter(|(id, _)| !usable().any(|resource| resource == id.as_str()))
        .map(|(id, vpc)| {
            let inside = usable().filter(|resource| setups.vpc_of(resource) == Some(id.as_str()));
            let parts: BTreeSet<&str> = inside.collect();
            (id.as_str(), vpc, parts.into_iter().collect())
        })
        .collect()
}

/// The audits that read all flow logs: one, unless log groups lie in several regions, of which a run reads one. `region` is the one
/// that AWS's tools use by themselves, if that is known.
pub(super) fn audits(
    setups: &LogSetups,
    inventory: &Path,
    (profile, region): (Option<&String>, Option<&str>),
) -> Vec<CommandLine> {
    let mut buckets: BTreeSet<String> = BTreeSet::new();
    let mut in_buckets: BTreeSet<&str> = BTreeSet::new();
    let mut groups: BTreeMap<Option<&str>, BTreeSet<String>> = BTreeMap::new();
    let is_s3 = |log: &&FlowLogSetup| matches!(log.destination, LogDestination::S3(_));
    let (s3, others): (Vec<_>, Vec<_>) = setups.flow_logs.values().partition(is_s3);
    for log in s3 {
        if let Ok(source) = source(log) {
            buckets.insert(source);
            in_buckets.insert(&log.resource);
        }
    }
    // The same records twice are read twice and paid for twice.
    for log in others
        .into_iter()
        .filter(|log| !in_buckets.contains(log.resource.as_str()))
    {
        if let Ok(source) = source(log) {
            let region = log.region.as_deref();
            groups.entry(region).or_default().insert(source);
        }
    }
    let audit = |sources: &BTreeSet<String>, out: &str| {
        CommandLine::new(&["audit"])
            .values("--flows", sources)
            .word("--since")
            .word(SINCE)
            .option("--inventory", inventory)
            .values("--profile", profile)
            .option("--out", Path::new(out))
    };
    let in_region = |line: CommandLine, other: Option<&str>| match other {
        Some(other) if region != Some(other) => line.with_variable("AWS_REGION", other),
        _ => line,
    };
    if groups.len() < 2 {
        let other = groups.keys().next().copied().flatten();
        let all: BTreeSet<String> = groups.into_values().flatten().chain(buckets).collect();
        if all.is_empty() {
            return Vec::new();
        }
        return vec![in_region(audit(&all, "run"), other)];
    }
    let mut lines = Vec::new();
    if !buckets.is_empty() {
        lines.push(audit(&buckets, "run"));
    }
    for (other, groups) in &groups {
        let out = other.map_or_else(|| "run-other".to_owned(), |other| format!("run-{other}"));
        lines.push(in_region(audit(groups, &out), *other));
    }
    lines
}
