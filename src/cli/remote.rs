//! Sources and accounts in AWS.

use super::args::RemoteArgs;
use super::clock::seconds_now;
use super::exit::Failure;
use super::progress;
use super::trouble::Trouble;
use crate::aws::{
    self, Account, CallError, Delivery, LogGroup, QueryProgress, Selection, SignIn, Span, Table,
};
use crate::flow::FlowTable;
use crate::ingest::{self, Intake, LogFormat, Settings, Source, is_remote};

/// The sources behind every argument, in AWS or not; `settled` leaves out what may still grow.
pub(super) fn sources(
    flows: &[String],
    remote: &RemoteArgs,
    (since, until): (Option<u64>, Option<u64>),
    settled: bool,
) -> Result<Vec<Source>, Failure> {
    let (elsewhere, here): (Vec<&String>, Vec<&String>) =
        flows.iter().partition(|flow| is_remote(flow));
    let here: Vec<String> = here.into_iter().cloned().collect();
    let mut sources = ingest::find(&here).map_err(Failure::usage)?;
    if elsewhere.is_empty() {
        return Ok(sources);
    }
    let account = sign_in(remote)?;
    for argument in elsewhere {
        let found = if let Some(group) = argument.strip_prefix("cloudwatch:") {
            let span = Span {
                since,
                until,
                now: seconds_now(),
                settled,
            };
            aws::events(&account, group, &span)
        } else if argument.starts_with("s3:") {
            let selection = Selection {
                since,
                until,
                ..selection(remote, Delivery::FlowLogs)
            };
            aws::objects(&account, argument, &selection)
        } else {
            return Err(Failure::usage(anyhow::anyhow!(
                "flow source `{argument}` has to be the only one, and of `audit` or `verify`; what an engine grouped can't be added to rows"
            )));
        };
        sources.extend(found.map_err(|error| failure(&error))?);
    }
    sources.sort();
    sources.dedup();
    Ok(sources)
}

/// The trail files of CloudTrail below each `s3://BUCKET/PREFIX`.
pub(super) fn trails(urls: &[String], remote: &RemoteArgs) -> Result<Vec<Vec<Source>>, Failure> {
    let account = sign_in(remote)?;
    let selection = selection(remote, Delivery::CloudTrail);
    urls.iter()
        .map(|url| aws::objects(&account, url, &selection).map_err(|error| failure(&error)))
        .collect()
}

fn selection(remote: &RemoteArgs, delivery: Delivery) -> Selection {
    Selection {
        delivery,
        since: None,
        until: None,
        accounts: remote.only_account.clone(),
        regions: remote.only_region.clone(),
        requester_pays: remote.requester_pays,
    }
}

/// A query to an engine that holds the logs.
pub(super) enum EngineQuery {
    Athena(Box<(Account, Table)>),
    Insights(Box<(Account, LogGroup)>),
}

/// The query, if the arguments name an engine.
pub(super) fn engine_query(
    flows: &[String],
    remote: &RemoteArgs,
    reading: &Settings,
) -> Result<Option<EngineQuery>, Failure> {
    let [flow] = flows else {
        return Ok(None);
    };
    let (table, group) = (flow.strip_prefix("athena:"), flow.strip_prefix("insights:"));
    if table.is_none() && group.is_none() {
        return Ok(None);
    }
    let Some(since) = reading.since else {
        return Err(Failure::usage(anyhow::anyhow!(
            "flow source `{flow}` needs --since, for an engine is paid for what it scans; for example --since 14d"
        )));
    };
    let until = reading.until.unwrap_or_else(seconds_now);
    let account = sign_in(remote)?;
    if let Some(group) = group {
        let known = &reading.known_formats;
        let only = known
            .first()
            .filter(|(_, first)| known.iter().all(|(_, format)| format == first));
        let format = reading
            .format
            .clone()
            .or_else(|| only.map(|(_, format)| format.clone()));
        let group = LogGroup {
            name: group.to_owned(),
            format: format.unwrap_or_else(LogFormat::default_v2),
            since,
            until,
        };
        return Ok(Some(EngineQuery::Insights(Box::new((account, group)))));
    }
    let name = table.unwrap_or_default();
    let Some((database, name)) = name.split_once('.') else {
        return Err(Failure::usage(anyhow::anyhow!(
            "flow source `{flow}` is not athena:DATABASE.TABLE"
        )));
    };
    let table = Table {
        database: database.to_owned(),
        name: name.to_owned(),
        since,
        until,
        workgroup: remote.athena_workgroup.clone(),
        output: remote.athena_output.clone(),
        unload: remote.athena_unload,
    };
    Ok(Some(EngineQuery::Athena(Box::new((account, table)))))
}

impl EngineQuery {
    /// Runs the query. A notice says what it costs.
    pub(super) fn run(&self) -> Result<(FlowTable, Intake), Failure> {
        let bar = progress::querying();
        let on_progress = |query: &QueryProgress| match query {
            // Before anything is paid for.
            QueryProgress::Before { .. } => progress::say(&query.describe()),
            QueryProgress::Scanned { .. } => bar.set_message(query.describe()),
        };
        let answer = match self {
            Self::Athena(query) => aws::connections(&query.0, &query.1, on_progress),
            Self::Insights(query) => aws::ask(&query.0, &query.1, on_progress),
        };
        bar.finish_and_clear();
        let (table, intake) = answer.map_err(|error| failure(&error))?;
        progress::say(&bar.message());
        Ok((table, intake))
    }
}

/// The account of the profile that was named, else of the environment.
pub(super) fn sign_in(remote: &RemoteArgs) -> Result<Account, Failure> {
    Account::new(&SignIn {
        profile: remote.profile.clone(),
        ..SignIn::default()
    })
    .map_err(|error| failure(&error))
}

/// Says what AWS said, and what to do.
pub(super) fn failure(error: &CallError) -> Failure {
    let (trouble, advice) = match error.code.as_deref() {
        None => (
            Trouble::AwsNotReached,
            "check the network, the region and the endpoint; `aws sts get-caller-identity` uses the same settings",
        ),
        Some(code) if code.contains("Expired") => (Trouble::AwsRefused, "sign in again"),
        Some(_) => (
            Trouble::AwsRefused,
            "the policies in docs/iam say what each command needs",
        ),
    };
    Failure::aws(format!("AWS: {error}; {advice}")).about(trouble)
}
