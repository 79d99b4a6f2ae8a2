//! The shop of the article, and three days of its traffic in each of two weeks.
//!
//! `network.rs` is the account, `story.rs` is who does what and whether they may,
//! `second_week.rs` is what is different a week later, `recorder.rs` is what AWS
//! would log of it. The first week's traffic comes out in the default format and
//! in a custom one, the second week's in the custom one, with the truth beside it.

mod network;
mod recorder;
mod second_week;
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
    let mut files = of_week("", &network, &story, &["custom", "default"]);
    let network = second_week::network();
    let story = second_week::tell(&network);
    files.extend(of_week("week-2/", &network, &story, &["custom"]));
    files
}

/// The files of a week, below a folder.
fn of_week(
    folder: &str,
    network: &network::Network,
    story: &story::Story,
    formats: &[&str],
) -> Vec<(String, String)> {
    let records = recorder::record(network, story);
    let inventory = network.inventory().into_iter();
    let mut files: Vec<(String, String)> = inventory
        .map(|(name, value)| {
            (
                format!("{folder}inventory/{name}.json"),
                format!("{value:#}\n"),
            )
        })
        .collect();
    for day in 0..DAYS {
        let begins = story.start + day * DAY;
        let of_day = records
            .iter()
            .filter(|r| (begins..begins + DAY).contains(&r.start));
        let rows: Vec<&recorder::Record> = of_day.collect();
        for format in formats {
            let name = format!("{folder}flows/{format}/day-{}.log.gz", day + 1);
            let text = if *format == "custom" {
                let rows = rows.iter().map(|r| r.custom(network));
                lines(std::iter::once(recorder::CUSTOM.to_owned()).chain(rows))
            } else {
                let rows = rows.iter().map(|r| r.default_v2());
                lines(std::iter::once(recorder::DEFAULT.to_owned()).chain(rows))
            };
            files.push((name, text));
        }
    }
    let truth = format!("{:#}\n", truth(story));
    files.push((format!("{folder}truth.json"), truth));
    files
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

/// What really happened: every connection with its label. What was refused for some time only has its other label, which comes first
/// by name.
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
    let same = |a: &Value, b: &Value| {
        let keys = ["initiator", "responder", "protocol", "port"];
        keys.iter().all(|key| a[*key] == b[*key])
    };
    rows.dedup_by(|a, b| same(&a.1, &b.1));
    Value::Array(rows.into_iter().map(|(_, row)| row).collect())
}
