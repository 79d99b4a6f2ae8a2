//! Where flow logs and trail files lie in a bucket, and what of it is wanted.
//!
//! Below a prefix of the user's, flow logs have four layouts (flow-logs-s3-path.html):
//! `AWSLogs/{account}/vpcflowlogs/{region}/{yyyy}/{MM}/{dd}/`, the same with `{HH}/`, and both with
//! Hive's names: `AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year={yyyy}/month={MM}/day={dd}/hour={HH}/`.
//! Trail files have the first, with `CloudTrail` as the service; those of an organization have its id before the account
//! (get-and-view-cloudtrail-log-files.html).
//!
//! Security Lake has its own layout: `aws/VPC_FLOW/2.0/region={region}/accountId={account}/eventDay={yyyyMMdd}/`, and `ext/{source}/`
//! with the same partitions for sources of one's own (custom-sources.html).

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span};

/// What the parts of a key behind `AWSLogs` are, in order: Hive's name for each.
const PARTS: [&str; 7] = [
    "aws-account-id",
    "aws-service",
    "aws-region",
    "year",
    "month",
    "day",
    "hour",
];

const ACCOUNT: usize = 0;
const SERVICE: usize = 1;
const REGION: usize = 2;
const YEAR: usize = 3;

/// Rows may end ten minutes after they began, and are delivered by when they ended
/// (flow-logs-s3-path.html); the rest is for clocks.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// The values of the parts that a key has, in order, as far as it has the layout.
fn parts(key: &str) -> Vec<&str> {
    let mut folders = key.split('/');
    if !folders.any(|folder| folder == "AWSLogs") {
        return Vec::new();
    }
    // What is behind the last slash is a file's name, or nothing.
    let mut folders: Vec<&str> = folders.collect();
    folders.pop();
    // An account's number has no letters.
    if folders.first().is_some_and(|first| first.starts_with("o-")) {
        folders.remove(0);
    }
    folders
        .into_iter()
        .zip(PARTS)
        .map(|(folder, name)| {
            let hive = folder
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='));
            hive.unwrap_or(folder)
        })
        .collect()
}

/// Sources of Security Lake that hold no flow logs (internal-sources.html).
const OTHER_SOURCES: [&str; 7] = [
    "CLOUD_TRAIL_MGMT",
    "EKS_AUDIT",
    "LAMBDA_EXECUTION",
    "ROUTE53",
    "S3_DATA",
    "SH_FINDINGS",
    "WAF",
];

/// A partition is chosen by day, and may hold records of the day before or after: what files a record is not its own time.
const LAKE_SLACK: SignedDuration = SignedDuration::from_hours(24);

/// What the folders of a key of Security Lake say, as far as they are there.
#[derive(Debug, Default)]
struct LakeFolders<'a> {
    /// Nothing below it is a flow log.
    is_other: bool,
    region: Option<&'a str>,
    account: Option<&'a str>,
    day: Option<Date>,
}

impl<'a> LakeFolders<'a> {
    fn of(prefix: &'a str) -> Self {
        let mut found = Self::default();
        let mut above = ["", "", ""];
        // What is behind the last slash is a file's name, or nothing.
        let (folders, _) = prefix.rsplit_once('/').unwrap_or_default();
        for folder in folders.split('/') {
            match folder.split_once('=') {
                Some(("region", region)) => found.region = Some(region),
                Some(("accountId", account)) => found.account = Some(account),
                Some(("eventDay", day)) => found.day = Date::strptime("%Y%m%d", day).ok(),
                _ => {
                    let is_source = above[2] == "aws" && OTHER_SOURCES.contains(&folder);
                    // Of the table, beside its files.
                    let is_metadata = above[1] == "VPC_FLOW" && folder == "metadata";
                    found.is_other |= is_source || is_metadata;
                }
            }
            above = [above[1], above[2], folder];
        }
        found
    }
}

/// The day that a prefix belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(Date);

impl Day {
    pub(super) fn of(prefix: &str) -> Option<Self> {
        let parts = parts(prefix);
        let number = |at: usize| parts.get(YEAR + at)?.parse::<i16>().ok();
        let small = |at: usize| i8::try_from(number(at)?).ok();
        let day = || Date::new(number(0)?, small(1)?, small(2)?).ok();
        day().or_else(|| LakeFolders::of(prefix).day).map(Self)
    }
}

/// Whose files lie in a bucket that several services of AWS may write to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Flow logs.
    #[default]
    FlowLogs,
    /// A trail of CloudTrail, without its digest and Insights files.
    CloudTrail,
}

impl Delivery {
    /// The service in the keys.
    const fn service(self) -> &'static str {
        match self {
            Self::FlowLogs => "vpcflowlogs",
            Self::CloudTrail => "CloudTrail",
        }
    }
}

/// What of a bucket is wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Whose files.
    pub delivery: Delivery,
    /// Objects with rows that end at or after this; Unix seconds.
    pub since: Option<u64>,
    /// Objects with rows that start before this; Unix seconds.
    pub until: Option<u64>,
    /// The accounts in the keys; all, if none is named.
    pub accounts: Vec<String>,
    /// The regions in the keys; all, if none is named.
    pub regions: Vec<String>,
    /// The requester pays.
    pub requester_pays: bool,
}

/// What is wanted, in the terms of keys.
#[derive(Debug)]
pub(super) struct KeyFilter {
    service: &'static str,
    from: Option<DateTime>,
    until: Option<DateTime>,
    accounts: Vec<String>,
    regions: Vec<String>,
}

/// Whether a part of a key, if it is there, is one of those that are wanted; all are, if none is named.
fn is_named(part: Option<&str>, wanted: &[String]) -> bool {
    wanted.is_empty() || part.is_none_or(|part| wanted.iter().any(|name| name == part))
}

fn time(seconds: u64) -> Option<DateTime> {
    let seconds = i64::try_from(seconds).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).datetime())
}

impl KeyFilter {
    pub(super) fn new(selection: &Selection) -> Self {
        Self {
            service: selection.delivery.service(),
            from: selection
                .since
                .and_then(time)
                .map(|time| time.saturating_sub(SLACK)),
            until: selection
                .until
                .and_then(time)
                .map(|time| time.saturating_add(SLACK)),
            accounts: selection.accounts.clone(),
            regions: selection.regions.clone(),
        }
    }

    /// Whether anything below a prefix may be wanted.
    pub(super) fn prefix(&self, prefix: &str) -> bool {
        let parts = parts(prefix);
        if parts.is_empty() {
            return self.lake(&LakeFolders::of(prefix));
        }
        let named = |at: usize, wanted: &[String]| is_named(parts.get(at).copied(), wanted);
        named(ACCOUNT, &self.accounts)
            && parts
                .get(SERVICE)
                .is_none_or(|service| *service == self.service)
            && named(REGION, &self.regions)
            && Self::span(&parts).is_none_or(|(first, behind)| self.overlaps(first, behind))
    }

    /// The same for Security Lake, and for what has no layout at all.
    fn lake(&self, folders: &LakeFolders<'_>) -> bool {
        let LakeFolders {
            is_other,
            region,
            account,
            day,
        } = folders;
        let is_of_time = day.is_none_or(|day| {
            let first = day.at(0, 0, 0, 0);
            let behind = first.saturating_add(Span::new().days(1));
            self.overlaps(
                first.saturating_sub(LAKE_SLACK),
                behind.saturating_add(LAKE_SLACK),
            )
        });
        !is_other
            && is_named(*region, &self.regions)
            && is_named(*account, &self.accounts)
            && is_of_time
    }

    /// Whether an object's rows may be wanted.
    pub(super) fn object(&self, key: &str) -> bool {
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let slot =
            crate::ingest::slot(key).and_then(|slot| DateTime::strptime("%Y%m%dT%H%MZ", slot).ok());
        self.prefix(&format!("{folder}/"))
            && slot
                .is_none_or(|slot| self.overlaps(slot, slot.saturating_add(Span::new().minutes(5))))
    }

    /// The times that a prefix with a year, a month, a day or an hour stands for.
    fn span(parts: &[&str]) -> Option<(DateTime, DateTime)> {
        let number = |at: usize| parts.get(YEAR + at).map(|part| part.parse::<i16>().ok());
        let small = |at: usize| number(at).map(|number| number.and_then(|n| i8::try_from(n).ok()));
        let year = number(0)??;
        let (month, day, hour) = (small(1), small(2), small(3));
        let first = Date::new(
            year,
            month.map_or(Some(1), |m| m)?,
            day.map_or(Some(1), |d| d)?,
        )
        .ok()?;
        let first = first.at(hour.map_or(Some(0), |h| h)?, 0, 0, 0);
        let length = match (month, day, hour) {
            (None, ..) => Span::new().years(1),
            (_, None, _) => Span::new().months(1),
            (.., None) => Span::new().days(1),
            _ => Span::new().hours(1),
        };
        Some((first, first.saturating_add(length)))
    }

    fn overlaps(&self, first: DateTime, behind: DateTime) -> bool {
        self.from.is_none_or(|from| behind > from) && self.until.is_none_or(|until| first < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "logs/AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/11/02/";
    const HIVE: &str = "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=11/day=02/";

    fn seconds(text: &str) -> u64 {
        let time: jiff::Timestamp = text.parse().expect("a time");
        u64::try_from(time.as_second()).expect("after 1970")
    }

    fn wanted() -> KeyFilter {
        KeyFilter::new(&Selection {
            since: Some(seconds("2026-11-02T10:00:00Z")),
            until: Some(seconds("2026-11-03T00:00:00Z")),
            regions: vec!["us-east-1".to_owned()],
            ..Selection::default()
        })
    }

    #[test]
    fn days_of_all_four_layouts() {
        for prefix in [
            PLAIN.to_owned(),
            format!("{PLAIN}07/"),
            HIVE.to_owned(),
            format!("{HIVE}hour=07/"),
        ] {
            assert_eq!(
                Day::of(&prefix),
                Some(Day(Date::constant(2026, 11, 2))),
                "{prefix}"
            );
        }
        for prefix in [
            "",
            "2026/11/02/",
            "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/11/",
            "AWSLogs/1/CloudTrail/x/2026/11/xx/",
        ] {
            assert_eq!(Day::of(prefix), None, "{prefix}");
        }
    }

    #[test]
    fn nothing_is_listed_that_holds_nothing_wanted() {
        let wanted = wanted();
        for prefix in [
            "logs/",
            "other/",
            "logs/AWSLogs/",
            "logs/AWSLogs/111122223333/",
            PLAIN,
            HIVE,
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/02/09/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/03/00/",
        ] {
            assert!(wanted.prefix(prefix), "{prefix}");
        }
        for prefix in [
            "AWSLogs/1/CloudTrail/",
            "AWSLogs/1/vpcflowlogs/eu-west-1/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2025/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/10/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/01/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/02/08/",
            "AWSLogs/1/vpcflowlogs/us-east-1/2026/11/04/",
            "AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=12/",
        ] {
            assert!(!wanted.prefix(prefix), "{prefix}");
        }
    }

    #[test]
    fn a_trail_lies_beside_flow_logs() {
        let wanted = KeyFilter::new(&Selection {
            delivery: Delivery::CloudTrail,
            accounts: vec!["111122223333".to_owned()],
            ..Selection::default()
        });
        for prefix in [
            "AWSLogs/",
            "AWSLogs/o-a1b2c3d4e5/",
            "AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/us-east-1/2026/11/02/",
            "own/AWSLogs/111122223333/CloudTrail/",
        ] {
            assert!(wanted.prefix(prefix), "{prefix}");
        }
        for prefix in [
            PLAIN,
            "AWSLogs/111122223333/CloudTrail-Digest/",
            "AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail-Insight/",
            "AWSLogs/o-a1b2c3d4e5/444455556666/",
        ] {
            assert!(!wanted.prefix(prefix), "{prefix}");
        }
    }

    #[test]
    fn security_lake_is_chosen_by_its_partitions() {
        const LAKE: &str = "aws/VPC_FLOW/2.0/region=us-east-1/accountId=111122223333/";
        let wanted = KeyFilter::new(&Selection {
            since: Some(seconds("2026-11-02T10:00:00Z")),
            until: Some(seconds("2026-11-03T00:00:00Z")),
            regions: vec!["us-east-1".to_owned()],
            accounts: vec!["111122223333".to_owned()],
            ..Selection::default()
        });
        for prefix in [
            "aws/",
            "aws/VPC_FLOW/",
            "aws/VPC_FLOW/2.0/",
            "aws/VPC_FLOW/2.0/region=us-east-1/",
            LAKE,
            "ext/own/region=us-east-1/",
            "copy/of/aws/VPC_FLOW/2.0/region=us-east-1/",
        ] {
            assert!(wanted.prefix(prefix), "{prefix}");
        }
        for prefix in [
            "aws/ROUTE53/",
            "copy/of/aws/EKS_AUDIT/2.0/",
            "aws/VPC_FLOW/2.0/metadata/",
            "aws/VPC_FLOW/2.0/region=eu-west-1/",
            "ext/own/region=eu-west-1/",
            "aws/VPC_FLOW/2.0/region=us-east-1/accountId=444455556666/",
        ] {
            assert!(!wanted.prefix(prefix), "{prefix}");
        }
        // A day more on either side: records are filed by other times than their own.
        for (day, is_wanted) in [
            ("20261031", false),
            ("20261101", true),
            ("20261102", true),
            ("20261103", true),
            ("20261104", true),
            ("20261105", false),
            ("20251102", false),
            ("yesterday", true),
        ] {
            let prefix = format!("{LAKE}eventDay={day}/");
            assert_eq!(wanted.prefix(&prefix), is_wanted, "{prefix}");
            let object = format!("{prefix}a.gz.parquet");
            assert_eq!(wanted.object(&object), is_wanted, "{object}");
        }
        let day = format!("{LAKE}eventDay=20261102/");
        assert_eq!(Day::of(&day), Some(Day(Date::constant(2026, 11, 2))));
        assert_eq!(Day::of(LAKE), None);
    }

    #[test]
    fn objects_are_chosen_by_the_time_in_their_names() {
        let wanted = wanted();
        let object = |slot: &str| {
            wanted.object(&format!(
                "{PLAIN}1_vpcflowlogs_us-east-1_fl-1_{slot}_ab.log.gz"
            ))
        };
        assert!(!object("20261102T0855Z"));
        assert!(object("20261102T0900Z") && object("20261102T1200Z") && object("20261102T2355Z"));
        assert!(wanted.object("copied/by-hand.log.gz"));
    }
}
