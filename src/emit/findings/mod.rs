//! Findings for other tools, one format a file. Each finding keeps its id, so that a second import updates it and creates nothing twice.

mod asff;
mod csv;
mod ocsf;
mod sarif;

pub use asff::asff;
pub use csv::csv;
pub use ocsf::ocsf;
pub use sarif::{Places, sarif};
pub(in crate::emit) use sarif::{message, uri};

use crate::documents::{Family, FindingRow, ReportDocument, ReportGroup};
use crate::net::{HashMap, is_account_id, visible};

/// The groups of a report.
struct Groups<'a> {
    all: &'a [ReportGroup],
    by_id: HashMap<&'a str, &'a ReportGroup>,
}

impl<'a> Groups<'a> {
    fn new(report: &'a ReportDocument) -> Self {
        let all = &report.groups;
        let by_id = all.iter().map(|group| (group.id.as_str(), group));
        Self {
            all,
            by_id: by_id.collect(),
        }
    }

    /// The group that a finding is about.
    fn of(&self, f: &FindingRow) -> Option<&'a ReportGroup> {
        self.by_id.get(f.group_id.as_deref()?).copied()
    }
}

/// Account and region of a finding: those of its group, else the account that the run names for it and a region of that, else those of the
/// first group that has them.
fn place<'a>(groups: &Groups<'a>, f: &FindingRow) -> (&'a str, &'a str) {
    let named = f.account_id.as_deref();
    let own = groups.of(f).into_iter();
    let same = groups
        .all
        .iter()
        .filter(|group| named == Some(group.owner.as_str()));
    let own = own.chain(same).chain(groups.all);
    let account = own
        .clone()
        .map(|g| g.owner.as_str())
        .find(|id| is_account_id(id));
    let region = own
        .map(|g| g.region.as_str())
        .find(|region| !region.is_empty());
    (
        account.unwrap_or("000000000000"),
        region.unwrap_or("us-east-1"),
    )
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Seconds, as RFC 3339.
pub(super) fn stamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}

/// A text that is cut to so many characters, and never empty.
fn text(text: &str, limit: usize) -> String {
    let text = visible(text, limit - 1);
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// Whether it is about what groups permit, not about a connection.
fn is_posture(f: &FindingRow) -> bool {
    f.family == Family::Posture
}

/// First and last time of a finding, Unix seconds; those of the observation window where no connection carries them.
fn times(report: &ReportDocument, f: &FindingRow) -> (u64, u64) {
    let first = if f.first_seen == 0 {
        report.window.start
    } else {
        f.first_seen
    };
    (first, f.last_seen.max(first))
}
