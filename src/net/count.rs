//! Numbers and days as people read them.

/// With separators: `6,687`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 rule`, `2,000 rules`. For nouns whose plural ends in s.
pub fn plural(number: u64, noun: &str) -> String {
    let end = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{end}", thousands(number))
}

/// The day of a time in Unix seconds, UTC. 0 is no time, nor is one beyond the calendar.
pub fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .filter(|&seconds| seconds > 0)
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(
        || "unknown".to_owned(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}
