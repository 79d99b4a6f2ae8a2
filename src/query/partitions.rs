//! The partition columns of a table of flow logs.
//!
//! Athena is paid for the bytes it scans. A window of time spares bytes only if it is a condition on partition columns
//! too: the columns `start` and `end` are inside the files.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::dialect::Dialect;

/// How a table is partitioned by day. The names are those of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayPartition {
    /// Not at all.
    Unpartitioned,
    /// Text such as `2026/11/01`, as the tables of `closegate query` have it and AWS's with partition projection
    /// (vpc-flow-logs-partition-projection.html).
    Text(String),
    /// A date, as AWS's table without projection has it (vpc-flow-logs-create-table-statement.html).
    Date(String),
    /// Year, month and day as texts, as Hive-compatible S3 prefixes have them (flow-logs-s3-path.html).
    YearMonthDay([String; 3]),
}

impl DayPartition {
    /// Reads `none`, `NAME`, `NAME:date` or `YEAR,MONTH,DAY`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.contains([',', ':']);
        if text == "none" {
            return Some(Self::Unpartitioned);
        }
        if let Some(name) = text.strip_suffix(":date") {
            return is_name(name).then(|| Self::Date(name.to_owned()));
        }
        let names: Vec<&str> = text.split(',').collect();
        if !names.iter().all(|name| is_name(name)) {
            return None;
        }
        match names.as_slice() {
            [name] => Some(Self::Text((*name).to_owned())),
            [year, month, day] => Some(Self::YearMonthDay(
                [year, month, day].map(|name| (*name).to_owned()),
            )),
            _ => None,
        }
    }

    /// The condition that chooses the partitions of a window, Unix seconds. `None` where there is nothing to choose by.
    pub fn condition(
        &self,
        dialect: &Dialect,
        (since, until): (Option<u64>, Option<u64>),
    ) -> Option<String> {
        let since = since.and_then(day).map(|day| self.bound(dialect, day, '>'));
        // AWS files a record by the time of delivery, which is after the record's end.
        let until = until
            .and_then(day)
            .map(|day| self.bound(dialect, day.saturating_add(Span::new().days(1)), '<'));
        let both: Vec<String> = since.into_iter().chain(until).flatten().collect();
        (!both.is_empty()).then(|| both.join(" AND "))
    }

    /// This day, and those after (`>`) or before (`<`) it.
    fn bound(&self, dialect: &Dialect, day: Date, beyond: char) -> Option<String> {
        match self {
            Self::Unpartitioned => None,
            Self::Text(name) => {
                let value = dialect.quoted(&day.strftime("%Y/%m/%d").to_string());
                Some(format!("{} {beyond}= {value}", dialect.named(name)))
            }
            Self::Date(name) => Some(format!("{} {beyond}= DATE '{day}'", dialect.named(name))),
            Self::YearMonthDay(names) => {
                let [year, month, date] = names.each_ref().map(|name| dialect.named(name));
                let value = |format: &str| dialect.quoted(&day.strftime(format).to_string());
                let (y, m, d) = (value("%Y"), value("%m"), value("%d"));
                Some(format!(
                    "({year} {beyond} {y} OR {year} = {y} AND ({month} {beyond} {m} OR {month} = {m} AND {date} {beyond}= {d}))"
                ))
            }
        }
    }
}

/// The day of a time, in UTC. `None` beyond the calendar's end.
fn day(seconds: u64) -> Option<Date> {
    let time = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}
