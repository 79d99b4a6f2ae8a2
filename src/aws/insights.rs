//! Logs that CloudWatch Logs Insights searches: the grouping runs there, and only flows come over.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{QueryStatistics, QueryStatus, ResultField};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::account::{Account, CallError};
use super::query_progress::QueryProgress;
use crate::flow::FlowTable;
use crate::ingest::{Intake, LogFormat};
use crate::query::{KeptPorts, Partials, insights_connections};

/// Rows that an answer has at most (`API_StartQuery.html`): an answer that has so many may lack some.
const MOST: usize = 10_000;

/// Queries under way at a time; an account may have 30 (`cloudwatch_limits_cwl.html`).
const AT_ONCE: usize = 4;

/// Seconds of a slice, at first and at the least.
const SLICE: u64 = 6 * 3600;
const SHORTEST: u64 = 60;

/// US dollars for a terabyte scanned, in most regions (the price list of CloudWatch).
const PRICE: f64 = 5.0;

/// A log group, and how to ask.
#[derive(Clone, Debug)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// The format of its events.
    pub format: LogFormat,
    /// Events at or after this; Unix seconds.
    pub since: u64,
    /// Events before this; Unix seconds.
    pub until: u64,
}

/// One question about one time.
#[derive(Clone, Copy, Debug)]
struct Slice {
    kept: KeptPorts,
    from: u64,
    until: u64,
}

/// The flows of a log group. `progress` is told of what is asked and what it costs.
pub fn ask(
    account: &Account,
    group: &LogGroup,
    progress: impl Fn(&QueryProgress),
) -> Result<(FlowTable, Intake), CallError> {
    let client = Client::new(&account.config);
    let mut left: Vec<Slice> = Vec::new();
    for kept in KeptPorts::ALL {
        let mut from = group.since;
        while from < group.until {
            let until = group.until.min((from / SLICE + 1) * SLICE);
            left.push(Slice { kept, from, until });
            from = until;
        }
    }
    progress(&QueryProgress::Before {
        queries: left.len(),
        bytes: None,
        price: PRICE,
    });
    let mut partials = Partials::default();
    let mut scanned = 0;
    account.wait(async {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(slice) = left.pop()
            {
                under_way.push(answer(&client, group, slice));
            }
            let Some(answer) = under_way.next().await else {
                return Ok::<(), CallError>(());
            };
            let (slice, rows, bytes) = answer?;
            scanned += bytes;
            progress(&QueryProgress::Scanned { bytes: scanned, price: PRICE });
            if rows.len() < MOST {
                for row in &rows {
                    let value = |wanted: &str| {
                        let field = row.iter().find(|field| field.field() == Some(wanted))?;
                        field.value()
                    };
                    partials.add_kept(slice.kept, value).map_err(|error| {
                        CallError::other("GetQueryResults", format!("what Logs Insights answered can't be read: {error}"))
                    })?;
                }
                continue;
            }
            let length = slice.until - slice.from;
            if length <= SHORTEST {
                return Err(CallError::other(
                    "GetQueryResults",
                    format!("more than {MOST} flows within {length} seconds, which is more than Logs Insights answers; read the group with cloudwatch:{}", group.name),
                ));
            }
            let middle = slice.from + length / 2;
            left.push(Slice { until: middle, ..slice });
            left.push(Slice { from: middle, ..slice });
        }
    })?;
    Ok(partials.finish(
        &format!("insights:{}", group.name),
        "Logs Insights",
        scanned,
    ))
}

async fn answer(
    client: &Client,
    group: &LogGroup,
    slice: Slice,
) -> Result<(Slice, Vec<Vec<ResultField>>, u64), CallError> {
    let second = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let said = client
        .start_query()
        .log_group_name(&group.name)
        .query_string(insights_connections(slice.kept, &group.format))
        .start_time(second(slice.from))
        // The end is within.
        .end_time(second(slice.until) - 1)
        .send()
        .await
        .map_err(|error| CallError::new("StartQuery", &error))?;
    let id = said.query_id.unwrap_or_default();
    match finished(client, &id).await {
        Ok((rows, bytes)) => Ok((slice, rows, bytes)),
        Err(error) => {
            // It may be running still, and nobody waits for it.
            let _ = client.stop_query().query_id(&id).send().await;
            Err(error)
        }
    }
}

/// Waits for an answer: its rows, and the bytes that were scanned.
async fn finished(client: &Client, id: &str) -> Result<(Vec<Vec<ResultField>>, u64), CallError> {
    const OPERATION: &str = "GetQueryResults";
    let mut pause = Duration::from_millis(100);
    loop {
        let said = client
            .get_query_results()
            .query_id(id)
            .send()
            .await
            .map_err(|error| CallError::new(OPERATION, &error))?;
        match said.status() {
            Some(QueryStatus::Complete) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole bytes, told as a float"
                )]
                let bytes = said
                    .statistics()
                    .map_or(0.0, QueryStatistics::bytes_scanned) as u64;
                return Ok((said.results.unwrap_or_default(), bytes));
            }
            Some(QueryStatus::Scheduled | QueryStatus::Running) | None => {
                tokio::time::sleep(pause).await;
            }
            Some(other) => {
                return Err(CallError::other(
                    OPERATION,
                    format!("the query ended as {}", other.as_str()),
                ));
            }
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
