//! Flow records as Security Lake has them: OCSF Network Activity, with nested columns.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dialect::Dialect;

/// The fields of a flow record, and what says them in a table of Security Lake's source version 2 (OCSF 1.1.0), as
/// `src/ingest/ocsf.rs` reads a file of it. Times are milliseconds.
const FIELDS: &[(&str, &str)] = &[
    // The interface that recorded the row is at the end that the direction says.
    (
        "interface_id",
        "CASE WHEN connection_info.direction_id = 2 \
         THEN coalesce(nullif(src_endpoint.interface_uid, ''), dst_endpoint.interface_uid) \
         ELSE coalesce(nullif(dst_endpoint.interface_uid, ''), src_endpoint.interface_uid) END",
    ),
    ("pkt_srcaddr", "src_endpoint.ip"),
    ("pkt_dstaddr", "dst_endpoint.ip"),
    ("srcport", "src_endpoint.port"),
    ("dstport", "dst_endpoint.port"),
    ("protocol", "connection_info.protocol_num"),
    ("tcp_flags", "connection_info.tcp_flags"),
    (
        "flow_direction",
        "CASE connection_info.direction_id WHEN 1 THEN 'ingress' WHEN 2 THEN 'egress' END",
    ),
    ("packets", "traffic.packets"),
    ("bytes", "traffic.bytes"),
    ("start", "start_time"),
    ("end", "end_time"),
    (
        "action",
        "coalesce(CASE action_id WHEN 1 THEN 'ACCEPT' WHEN 2 THEN 'REJECT' END, \
         CASE activity_id WHEN 6 THEN 'ACCEPT' WHEN 5 THEN 'REJECT' END)",
    ),
    ("log_status", "status_code"),
    ("pkt_src_aws_service", "src_endpoint.svc_name"),
    ("pkt_dst_aws_service", "dst_endpoint.svc_name"),
];

/// Seconds that a record may be filed before or after its own time.
const SLACK: u64 = 86_400;

/// Security Lake's rows as rows of a table of flow logs, as it stands behind FROM, and the columns of that table. `from` is the
/// table or the files. A window of Unix seconds chooses partitions by `time_dt`, and a day more on either side, for records are
/// filed by other times than their own.
pub fn security_lake(
    dialect: &Dialect,
    from: &str,
    window: (Option<u64>, Option<u64>),
) -> (String, BTreeSet<String>) {
    let columns: Vec<String> = FIELDS
        .iter()
        .map(|(name, value)| format!("{value} AS {}", dialect.named(name)))
        .collect();
    let since = window.0.map(|since| since.saturating_sub(SLACK));
    let until = window.1.map(|until| until.saturating_add(SLACK));
    let since = since
        .and_then(timestamp)
        .map(|time| format!("time_dt >= {time}"));
    let until = until
        .and_then(timestamp)
        .map(|time| format!("time_dt <= {time}"));
    let condition: Vec<String> = since.into_iter().chain(until).collect();
    let condition = if condition.is_empty() {
        String::new()
    } else {
        format!("\n        WHERE {}", condition.join(" AND "))
    };
    let sql = format!(
        "(\n        SELECT\n            {}\n        FROM {from}{condition}\n    ) AS events",
        columns.join(",\n            ")
    );
    let names = FIELDS.iter().map(|(name, _)| (*name).to_owned());
    (sql, names.collect())
}

/// A time as SQL writes it. `None` beyond the calendar's end.
fn timestamp(seconds: u64) -> Option<String> {
    let time = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let time = time.to_zoned(TimeZone::UTC);
    Some(time.strftime("TIMESTAMP '%Y-%m-%d %H:%M:%S'").to_string())
}
