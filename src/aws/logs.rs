//! Flow logs in CloudWatch Logs: the events of a log group, an hour at a time.

use std::sync::Arc;

use aws_sdk_cloudwatchlogs::Client;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::account::{Account, CallError};
use super::read_ahead::{self, Fetch, Label, Pieces};
use crate::ingest::Source;

/// Seconds of a slice: what is remembered of a group once it was read.
const SLICE: u64 = 3600;

/// Seconds after which the events of an hour are taken to be there: flow logs come to CloudWatch
/// about five minutes after an interval of at most ten (flow-logs-cwl.html).
const SETTLED: u64 = 1800;

/// Streams that one call may name (`API_FilterLogEvents.html`).
const STREAMS: usize = 100;

/// Calls under way at a time for one hour.
const CALLS_AT_ONCE: usize = 4;

/// A stream's last event is told up to an hour late (`API_LogStream.html`).
const TOLD_LATE: u64 = 3600;

/// Which events of a group are wanted.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Those at or after this; Unix seconds. From the first on, if nothing is named.
    pub since: Option<u64>,
    /// Those before this; Unix seconds. Up to now, if nothing is named.
    pub until: Option<u64>,
    /// Now; Unix seconds.
    pub now: u64,
    /// Only hours to which nothing will be added.
    pub settled: bool,
}

/// The events of a log group, as sources of an hour each.
pub fn events(account: &Account, group: &str, span: &Span) -> Result<Vec<Source>, CallError> {
    let client = Client::new(&account.config);
    let streams = account.wait(streams(&client, group))?;
    let first = streams
        .iter()
        .map(|stream| stream.first)
        .min()
        .unwrap_or(span.now);
    let from = span.since.unwrap_or(0).max(first);
    let mut until = span.until.unwrap_or(span.now).min(span.now);
    if span.settled {
        until = until.min(span.now.saturating_sub(SETTLED) / SLICE * SLICE);
    }
    let hours: Vec<Hour> = (from / SLICE..until.div_ceil(SLICE))
        .map(|hour| Hour {
            from: from.max(hour * SLICE),
            until: until.min((hour + 1) * SLICE),
        })
        .filter(|hour| streams.iter().any(|stream| stream.is_in(*hour)))
        .collect();
    let labels = hours.iter().map(|hour| Label {
        name: format!("cloudwatch:{group}_{}", hour.slot()),
        size: 0,
        // Hours that are settled never change.
        identity: "settled".to_owned(),
    });
    let labels = labels.collect();
    let slices = Slices {
        client,
        group: group.to_owned(),
        streams,
        hours,
    };
    Ok(read_ahead::sources(account, labels, slices))
}

/// A stream, and when it has events; Unix seconds.
#[derive(Clone, Debug)]
struct Stream {
    name: String,
    first: u64,
    last: u64,
}

impl Stream {
    const fn is_in(&self, hour: Hour) -> bool {
        self.first < hour.until && self.last.saturating_add(TOLD_LATE) >= hour.from
    }
}

#[derive(Clone, Copy, Debug)]
struct Hour {
    from: u64,
    until: u64,
}

impl Hour {
    /// As the names of objects in S3 have it, so that rows of one time are read at one time.
    fn slot(self) -> String {
        let start = i64::try_from(self.from / SLICE * SLICE).unwrap_or_default();
        let start = jiff::Timestamp::from_second(start).unwrap_or_default();
        start.strftime("%Y%m%dT%H%MZ").to_string()
    }
}

async fn streams(client: &Client, group: &str) -> Result<Vec<Stream>, CallError> {
    let mut streams = Vec::new();
    let mut token = None;
    loop {
        let said = client
            .describe_log_streams()
            .log_group_name(group)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| CallError::new("DescribeLogStreams", &error))?;
        for stream in said.log_streams.unwrap_or_default() {
            let seconds = |millis: Option<i64>| millis.and_then(|ms| u64::try_from(ms / 1000).ok());
            // A stream that tells no time has no events, or tells it later.
            streams.push(Stream {
                name: stream.log_stream_name.unwrap_or_default(),
                first: seconds(stream.first_event_timestamp.or(stream.creation_time)).unwrap_or(0),
                last: seconds(stream.last_event_timestamp).unwrap_or(u64::MAX),
            });
        }
        token = said.next_token;
        if token.is_none() {
            return Ok(streams);
        }
    }
}

/// The hours of a group, in order.
#[derive(Debug)]
struct Slices {
    client: Client,
    group: String,
    streams: Vec<Stream>,
    hours: Vec<Hour>,
}

impl Fetch for Slices {
    async fn fetch(self: &Arc<Self>, position: usize, to: &Pieces) -> Result<(), CallError> {
        let hour = self.hours[position];
        let names = self
            .streams
            .iter()
            .filter(|stream| stream.is_in(hour))
            .map(|stream| stream.name.clone());
        // So few that a call covers them all: then it names none, and those that are new count too.
        let chunks: Vec<Vec<String>> = match self.streams.len() {
            0..=STREAMS => vec![Vec::new()],
            _ => names
                .collect::<Vec<_>>()
                .chunks(STREAMS)
                .map(<[String]>::to_vec)
                .collect(),
        };
        let pages = chunks
            .into_iter()
            .map(|streams| self.pages(hour, streams, to));
        let mut pages = stream::iter(pages).buffer_unordered(CALLS_AT_ONCE);
        while let Some(done) = pages.next().await {
            done?;
        }
        Ok(())
    }
}

impl Slices {
    /// The events of some streams, or of all, in an hour: one JSON object a line, for they may be of several
    /// formats.
    async fn pages(&self, hour: Hour, streams: Vec<String>, to: &Pieces) -> Result<(), CallError> {
        const OPERATION: &str = "FilterLogEvents";
        let millis = |seconds: u64| i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
        let mut token = None;
        loop {
            let said = self
                .client
                .filter_log_events()
                .log_group_name(&self.group)
                .set_log_stream_names((!streams.is_empty()).then(|| streams.clone()))
                .start_time(millis(hour.from))
                // The end is within.
                .end_time(millis(hour.until) - 1)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CallError::new(OPERATION, &error))?;
            let mut lines = Vec::new();
            for event in said.events.unwrap_or_default() {
                let line = serde_json::json!({ "message": event.message.unwrap_or_default() });
                serde_json::to_writer(&mut lines, &line)
                    .map_err(|error| CallError::other(OPERATION, error.to_string()))?;
                lines.push(b'\n');
            }
            if !to.send(Bytes::from(lines)).await {
                return Ok(());
            }
            token = said.next_token;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
