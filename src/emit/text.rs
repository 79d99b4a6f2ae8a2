//! Ids, days and lengths of time as results write them.

use crate::net::ConnectionId;

/// Ids in one text.
pub(super) fn joined(ids: &[ConnectionId], between: &str) -> String {
    let ids = ids.iter().map(ToString::to_string);
    ids.collect::<Vec<String>>().join(between)
}

/// The day of a time in Unix seconds, UTC. 0 is no time, nor is one beyond the calendar.
pub(crate) fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .filter(|&seconds| seconds > 0)
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(
        || "unknown".to_owned(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

/// A length of time as people say it.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        (1, _) => format!("1 day {hours} h"),
        _ => format!("{days} days {hours} h"),
    }
}
