//! The questions over flow rows, in an engine's SQL.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Query;
use super::dialect::Dialect;
use crate::flow::LISTENERS;
use crate::inventory::Inventory;

/// What stands for the names in a question.
#[derive(Clone, Debug)]
pub struct QueryNames<'a> {
    /// The SQL to write.
    pub dialect: &'a Dialect,
    /// What flow rows are read from, as it stands behind FROM; quoted by whoever gives it.
    pub from: &'a str,
    /// Whether that is a table, which may hold header lines as rows. Files were read without theirs, and a condition on headers here
    /// would hide a wrong one from the engine's check.
    pub is_table: bool,
    /// The columns there are.
    pub columns: &'a BTreeSet<String>,
    /// A condition that chooses partitions, as it stands behind WHERE.
    pub condition: &'a str,
    /// Rows that end at or after the first and start before the second; Unix seconds.
    pub window: (Option<u64>, Option<u64>),
    /// For questions about groups.
    pub inventory: Option<&'a Inventory>,
}

/// The listeners of `src/flow/presume.rs`, separated.
pub(super) fn listeners() -> String {
    LISTENERS
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A question over flow rows.
pub fn over_rows(query: &Query, names: &QueryNames<'_>) -> String {
    filled(query.text, |marker| match marker {
        "flow_rows" => Some(flow_rows(names)),
        "listeners" => Some(listeners()),
        "carried" => Some(carried(names)),
        other => names.dialect.expression(other),
    })
}

/// A text with every `{{marker}}` replaced. What replaces one is not searched for others: it may hold foreign text.
fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (marker, after) = behind.split_once("}}").expect("a marker ends");
        out += before;
        out += &value(marker).expect("a marker of the questions");
        rest = after;
    }
    out + rest
}

/// The rows as every question over them expects them, whatever columns there are: each is judged as the reader of
/// closegate judges it.
fn flow_rows(names: &QueryNames<'_>) -> String {
    let text = include_str!("../../queries/flow-rows.sql").trim_end();
    filled(text, |marker| match marker {
        "columns" => Some(columns(names)),
        "from" => Some(names.from.to_owned()),
        "partitions" => Some(names.condition.to_owned()),
        "window" => Some(window(names.window)),
        "is_record" if names.is_table => {
            Some("coalesce(sender, '-') NOT IN ('srcaddr', 'pkt-srcaddr')".to_owned())
        }
        "is_record" => Some("true".to_owned()),
        other => names.dialect.expression(other),
    })
}

/// Fields, as Parquet calls them, and what they are called in `queries/flow-rows.sql`.
const COLUMNS: &[(&str, &str)] = &[
    ("interface_id", "shown_place"),
    ("resource_id", "resource"),
    ("srcaddr", "shown_sender"),
    ("dstaddr", "shown_receiver"),
    ("pkt_srcaddr", "packet_sender"),
    ("pkt_dstaddr", "packet_receiver"),
    ("srcport", "src_text"),
    ("dstport", "dst_text"),
    ("protocol", "protocol_text"),
    ("packets", "packet_text"),
    ("bytes", "byte_text"),
    ("start", "first_text"),
    ("end", "last_text"),
    ("action", "verdict"),
    ("tcp_flags", "tcp_flags"),
    ("flow_direction", "way"),
    ("pkt_src_aws_service", "sender_service"),
    ("pkt_dst_aws_service", "receiver_service"),
];

/// The fields as texts, nothing for `-`.
fn columns(names: &QueryNames<'_>) -> String {
    let dialect = names.dialect;
    let text = |name: &str| {
        names.columns.contains(name).then(|| {
            let text = dialect.text(&dialect.named(name));
            format!("nullif(nullif({text}, '-'), '')")
        })
    };
    let none = dialect.text("NULL");
    let mut sql = String::new();
    for &(name, called) in COLUMNS {
        let value = text(name).unwrap_or_else(|| none.clone());
        writeln!(sql, "                        {value} AS {called},")
            .expect("a string takes everything");
    }
    let status = match (text("log_status"), text("status")) {
        // A row that should have one and has none is malformed.
        (Some(status), _) => format!("coalesce({status}, '-')"),
        // A column of that name may hold anything.
        (None, Some(other)) => {
            format!("CASE WHEN {other} IN ('OK', 'NODATA', 'SKIPDATA') THEN {other} END")
        }
        (None, None) => none,
    };
    sql + &format!("                        {status} AS log_status")
}

/// The condition that chooses the rows of a window.
fn window((since, until): (Option<u64>, Option<u64>)) -> String {
    let since = since.map(|since| format!("end_time >= {since}"));
    let until = until.map(|until| format!("start_time < {until}"));
    let both: Vec<String> = since.into_iter().chain(until).collect();
    if both.is_empty() {
        "true".to_owned()
    } else {
        both.join(" AND ")
    }
}

/// Interface, group, and whether the group lets everything out.
fn carried(names: &QueryNames<'_>) -> String {
    let dialect = names.dialect;
    let mut rows = Vec::new();
    if let Some(inventory) = names.inventory {
        for interface in inventory
            .interfaces()
            .iter()
            .filter(|interface| !interface.is_gone())
        {
            for &group in &interface.groups {
                let group = inventory.group(group);
                let open = u8::from(group.has_open_egress());
                rows.push(format!(
                    "({}, {}, {open})",
                    dialect.quoted(&interface.id),
                    dialect.quoted(&group.id)
                ));
            }
        }
    }
    if rows.is_empty() {
        rows.push("('eni-0123456789abcdef0', 'sg-0123456789abcdef0', 1)".to_owned());
    }
    format!("    VALUES\n        {}", rows.join(",\n        "))
}
