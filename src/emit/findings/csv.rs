//! Findings as a table.

use super::{Groups, stamp};
use crate::documents::{Outcome, ReportDocument};
use crate::emit::formats::inert;
use crate::net::visible;

const COLUMNS: &[&str] = &[
    "id",
    "kind",
    "severity",
    "confidence",
    "title",
    "group_id",
    "group_name",
    "interface_id",
    "local",
    "remote",
    "protocol",
    "port",
    "first_seen",
    "last_seen",
    "records",
    "bytes",
    "outcome",
    "known_since",
    "benchmarks",
    "detail",
    "remediation",
    "count",
    "destinations",
];

/// The findings as a table. Where the run has several accounts, the last column is a finding's account.
pub fn csv(report: &ReportDocument) -> Result<String, crate::emit::RuleFormatError> {
    let mut table = ::csv::Writer::from_writer(Vec::new());
    let has_accounts = !report.accounts.is_empty();
    let last = has_accounts.then_some("account_id");
    table.write_record(COLUMNS.iter().copied().chain(last))?;
    let groups = Groups::new(report);
    for f in &report.findings {
        let name = groups.of(f).map(|group| group.name.as_str());
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            f.id.clone(),
            f.kind.to_string(),
            f.severity.as_str().to_owned(),
            f.confidence.as_str().to_owned(),
            f.title.to_string(),
            some(&f.group_id),
            name.unwrap_or_default().to_owned(),
            some(&f.interface_id),
            some(&f.local),
            some(&f.remote),
            some(&f.protocol),
            f.port.map(|port| port.to_string()).unwrap_or_default(),
            time(f.first_seen),
            time(f.last_seen),
            f.records.to_string(),
            f.bytes.to_string(),
            f.outcome.map_or("", Outcome::as_str).to_owned(),
            some(&f.known_since),
            f.benchmarks.join("; "),
            visible(&f.detail, 2000),
            f.remediation.to_string(),
            f.count.to_string(),
            some(&f.pattern),
        ];
        let last = has_accounts.then(|| some(&f.account_id));
        let cells = cells.into_iter().chain(last);
        table.write_record(cells.map(|cell| inert(&cell)))?;
    }
    let bytes = table
        .into_inner()
        .map_err(|error| ::csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}

/// RFC 3339; empty where a finding has no time, as posture findings have none.
fn time(seconds: u64) -> String {
    if seconds == 0 {
        String::new()
    } else {
        stamp(seconds)
    }
}
