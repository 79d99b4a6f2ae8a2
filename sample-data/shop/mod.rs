//! The shop of the article, and three days of its traffic.
//!
//! `network.rs` is the account, `story.rs` is who does what and whether they may,
//! `recorder.rs` is what AWS would log of it. The same traffic comes out in the
//! default format and in a custom one, with the truth beside it.

mod network;
mod recorder;
mod story;

use serde_json::{Value, json};

/// Midnight of 2 November 2026, UTC.
pub(crate) const START: u64 = 1_793_577_600;

/// Days of traffic.
pub(crate) const DAYS: u64 = 3;

/// Length of a day in seconds.
pub(crate) const DAY: u64 = 86_400;

/// Every file below sample-data/ that is made here; those named `.gz` are text
/// still to be compressed.
pub(crate) fn files() -> Vec<(String, String)> {
    let network = network::Network::shop();
    let story = story::Story::tell(&network);
    let records = recorder::record(&network, &story);
    let mut files: Vec<(String, String)> = network
        .inventory()
        .into_iter()
        .map(|(name, value)| (format!("inventory/{name}.json"), format!("{value:#}\n")))
        .collect();
    for day in 0..DAYS {
        let of_day = records
            .iter()
            .filter(|r| (START + day * DAY..START + (day + 1) * DAY).contains(&r.start));
        let rows: Vec<&recorder::Record> = of_day.collect();
        let custom = std::iter::once(recorder::CUSTOM.to_owned())
            .chain(rows.iter().map(|r| r.custom(&network)));
        let default = std::iter::once(recorder::DEFAULT.to_owned())
            .chain(rows.iter().map(|r| r.default_v2()));
        files.push((
            format!("flows/custom/day-{}.log.gz", day + 1),
            lines(custom),
        ));
        files.push((
            format!("flows/default/day-{}.log.gz", day + 1),
            lines(default),
        ));
    }
    files.push(("truth.json".to_owned(), format!("{:#}\n", truth(&story))));
    files
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

/// What really happened: every connection with its label.
fn truth(story: &story::Story) -> Value {
    let mut rows: Vec<(String, Value)> = story
        .acts
        .iter()
        .map(|act| {
            let row = json!({
                "initiator": act.initiator.to_string(),
                "responder": act.responder.to_string(),
                "protocol": act.protocol_name(),
                "port": act.port,
                "truth": act.truth.word(),
            });
            (row.to_string(), row)
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.dedup_by(|a, b| a.0 == b.0);
    Value::Array(rows.into_iter().map(|(_, row)| row).collect())
}
