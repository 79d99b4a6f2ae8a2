//! The date in a file's name or path, as people and scripts put it there.

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The last date in a path, with its time of day if that follows: `2026-11-28`, `2026_11_28`, `2026/11/28`, `20261128`,
/// `2026-11-28T10-30`, `20261128T103000Z`. Unix seconds, taken as UTC. Only years from 2000 to 2099 count.
pub(super) fn date_in(path: &Path) -> Option<u64> {
    let text = path.to_string_lossy();
    let text = text.as_bytes();
    let mut starts = (0..text.len()).rev();
    starts.find_map(|at| {
        let is_start = at == 0 || !text[at - 1].is_ascii_digit();
        is_start.then(|| date(&text[at..])).flatten()
    })
}

/// The date that a text begins with.
fn date(text: &[u8]) -> Option<u64> {
    let (year, rest) = number::<4>(text)?;
    let separator = rest.first().filter(|byte| b"-_/.\\".contains(byte));
    let (month, rest) = number::<2>(behind(rest, separator)?)?;
    let (day, rest) = number::<2>(behind(rest, separator)?)?;
    let time = if digits(rest) == 0 {
        time_of_day(rest)
    } else if separator.is_none() && digits(rest) == 6 {
        compact_time(rest)
    } else {
        return None;
    };
    let (hour, minute, second) = time.unwrap_or_default();
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|number| i8::try_from(number).unwrap_or(-1));
    if !(2000..2100).contains(&year) {
        return None;
    }
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(time).ok()
}

type TimeOfDay = (i16, i16, i16);

/// The time behind a date: `T1030`, `_103000`, `-10-30`, ` 10:30:00`. A longer number there is something else.
fn time_of_day(text: &[u8]) -> Option<TimeOfDay> {
    let (b'T' | b't' | b'_' | b'-' | b'.' | b' ', rest) = text.split_first()? else {
        return None;
    };
    if matches!(digits(rest), 4 | 6) {
        return compact_time(rest);
    }
    let (hour, rest) = number::<2>(rest)?;
    let separator = rest.first().filter(|byte| b":-_.".contains(byte))?;
    let (minute, rest) = number::<2>(behind(rest, Some(separator))?)?;
    let second = behind(rest, Some(separator)).and_then(number::<2>);
    valid((hour, minute, second.map_or(0, |(second, _)| second)))
}

/// `HHMM` or `HHMMSS`.
fn compact_time(text: &[u8]) -> Option<TimeOfDay> {
    let (hour, rest) = number::<2>(text)?;
    let (minute, rest) = number::<2>(rest)?;
    valid((
        hour,
        minute,
        number::<2>(rest).map_or(0, |(second, _)| second),
    ))
}

/// What is no time of day is some other number behind the date.
fn valid(time: TimeOfDay) -> Option<TimeOfDay> {
    let (hour, minute, second) = time;
    (hour < 24 && minute < 60 && second < 60).then_some(time)
}

/// A number of so many digits, and what follows.
fn number<const N: usize>(text: &[u8]) -> Option<(i16, &[u8])> {
    let (number, rest) = text.split_first_chunk::<N>()?;
    let text = std::str::from_utf8(number).ok()?;
    let is_number = number.iter().all(u8::is_ascii_digit);
    Some((text.parse().ok().filter(|_| is_number)?, rest))
}

/// What follows a separator, if there has to be one.
fn behind<'t>(text: &'t [u8], separator: Option<&u8>) -> Option<&'t [u8]> {
    match separator {
        Some(separator) => text.strip_prefix(std::slice::from_ref(separator)),
        None => Some(text),
    }
}

/// How many digits a text begins with.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::date_in;

    #[test]
    fn dates_are_found_as_people_write_them() {
        let midnight = 1_795_824_000;
        for (path, wanted) in [
            ("groups-2026-11-28.json", Some(midnight)),
            ("2026/11/28/groups.json", Some(midnight)),
            ("snapshots_2026_11_28/groups.json", Some(midnight)),
            ("20261128.json", Some(midnight)),
            ("2026-11-28T10-30-05Z.json", Some(midnight + 37_805)),
            ("2026-11-28T10:30.json", Some(midnight + 37_800)),
            ("20261128T1030Z/groups.json", Some(midnight + 37_800)),
            ("groups_20261128103005.json", Some(midnight + 37_805)),
            ("2026-11-28_111122223333.json", Some(midnight)),
            // The more specific name counts.
            ("2020-01-01/groups-2026-11-28.json", Some(midnight)),
            ("groups-2026-11-28/2026-13-01.json", Some(midnight)),
            ("2026-11-29.json", Some(midnight + 86_400)),
            // An account, a region, and numbers that are no dates.
            ("202611281030/us-east-1/groups.json", None),
            ("1999-11-28.json", None),
            ("2026-11-31.json", None),
            ("2026-11_28.json", None),
            ("12026-11-28.json", None),
            ("2026-11-281.json", None),
            ("groups.json", None),
        ] {
            assert_eq!(date_in(Path::new(path)), wanted, "{path}");
        }
    }
}
