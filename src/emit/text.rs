//! Ids, lengths of time and links in the texts of results.

use crate::net::ConnectionId;

/// Ids in one text.
pub(super) fn joined(ids: &[ConnectionId], between: &str) -> String {
    let ids = ids.iter().map(ToString::to_string);
    ids.collect::<Vec<String>>().join(between)
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

/// Whether a dot behind this text begins the address of a web site.
pub(super) fn ends_with_www(text: &str) -> bool {
    let end = text
        .len()
        .checked_sub(3)
        .and_then(|start| text.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case("www"))
}
