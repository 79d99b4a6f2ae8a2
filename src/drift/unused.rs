//! Accepted entries that nothing has needed for long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::basis::DriftBasis;
use super::difference::Difference;
use crate::documents::{DriftKind, DriftLevel};
use crate::net::{plural, visible};
use crate::policy::{GroupPolicy, PolicyEntry};

/// Finds accepted entries that hold and that no connection has needed for many days of records. `used` is when the logs show their last
/// use, by key.
pub(super) fn unused(
    basis: &DriftBasis<'_>,
    used: Option<&BTreeMap<&str, u64>>,
    found: &mut Vec<Difference>,
) {
    let entries = basis.policy.entries();
    for (group, entry) in entries.filter(|(_, entry)| entry.holds_on(basis.today)) {
        let used = used.and_then(|used| used.get(entry.key.as_str()));
        let days = days_unused(basis, group, entry, used.copied());
        if days < i64::from(basis.unused_days.max(1)) {
            continue;
        }
        let since = entry.last_seen().map_or_else(
            || "It was never seen.".to_owned(),
            |last| format!("It was seen last on {last}."),
        );
        let what = format!(
            "No connection has needed this accepted entry in {} of records. {since}",
            plural(days.unsigned_abs(), "day")
        );
        let owner = entry.owner.as_deref().or(group.owner.as_deref());
        let ask = owner.map(|owner| format!("Ask {}. ", visible(owner, 60)));
        let to_do = format!(
            "{}Decline {} if nothing needs it any more.",
            ask.unwrap_or_default(),
            entry.key
        );
        let difference = Difference::new(DriftKind::EntryUnused, DriftLevel::Warning, what, to_do);
        found.push(difference.of(&group.group, &group.name).by((group, entry)));
    }
}

/// Days of records since an entry was seen last: up to the last run that was merged, and those of the logs. Days that neither covers do not
/// count, for nobody looked.
fn days_unused(
    basis: &DriftBasis<'_>,
    group: &GroupPolicy,
    entry: &PolicyEntry,
    used: Option<u64>,
) -> i64 {
    let last = entry.last_seen().max(used.and_then(day));
    let merged = group.as_of.map(date);
    let until_merged = last
        .zip(merged)
        .map_or(0, |(last, merged)| days_between(last, merged).max(0));
    let window = basis.traffic.map(|traffic| traffic.window);
    let in_logs = window
        .and_then(|(first, end)| Some((day(first)?, day(end)?)))
        .map_or(0, |(first, end)| {
            // Up to the last merged run, days are counted already; of an entry that was never seen, none are, for nothing tells since when
            // it was looked for.
            let counted = last.and(merged);
            let from = first
                .max(last.unwrap_or(first))
                .max(counted.unwrap_or(first));
            days_between(from, end).max(0)
        });
    until_merged + in_logs
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// The day of a time, UTC; none where it is 0 or beyond the calendar.
fn day(seconds: u64) -> Option<Date> {
    let seconds = i64::try_from(seconds).ok().filter(|&seconds| seconds > 0)?;
    Timestamp::from_second(seconds).ok().map(date)
}

/// Whole days from one day to another.
fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}
