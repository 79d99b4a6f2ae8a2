//! The questions under `queries/`, with names filled in, for the engines that hold the logs.
//!
//! One question per file, with a comment that says what it asks. Those over flow rows are written
//! once, in the SQL that Athena (Trino) and DuckDB have in common; what the rows are, a table or
//! files, is filled in. Logs Insights has a language of its own.

mod insights;
mod partial;
mod partitions;

use std::collections::BTreeSet;
use std::fmt::Write as _;

pub use insights::{KeptPorts, insights_connections, over_events};
pub use partial::{Partials, Unreadable};
pub use partitions::DayPartition;

use crate::flow::LISTENERS;
use crate::inventory::Inventory;
use crate::net::is_invisible;

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Amazon Athena, over a table of logs.
    Athena,
    /// Amazon CloudWatch Logs Insights, over a log group.
    Insights,
    /// DuckDB, over files of logs.
    Duckdb,
}

/// What a question is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Flow rows: Athena and DuckDB.
    Rows,
    /// The events of a log group: Insights.
    Events,
    /// The connections of a run: DuckDB.
    Run,
    /// Nothing yet; it makes a table: Athena.
    Table,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name: that of the file.
    pub name: &'static str,
    /// What it is asked of.
    pub over: Over,
    /// The file.
    pub text: &'static str,
}

macro_rules! queries {
    ($($over:ident $folder:literal $ending:literal: $($name:literal)*;)*) => {
        /// All of them.
        pub const QUERIES: &[Query] = &[$($(Query {
            name: $name,
            over: Over::$over,
            text: include_str!(concat!("../../queries/", $folder, "/", $name, $ending)),
        },)*)*];
    };
}

queries! {
    Rows "flows" ".sql": "connections" "irc" "open-egress-by-group" "rejected-by-port" "third-party-dns" "top-talkers" "unused-groups";
    Events "insights" ".txt": "connections" "coverage" "irc" "open-egress-by-group" "rejected-by-port" "third-party-dns" "top-talkers";
    Run "run" ".sql": "excluded" "rejected-by-port" "services-by-group" "top-talkers";
    Table "athena" ".sql": "table-parquet" "table-text";
}

/// A question of ours, by what it is asked of and its name.
pub(crate) fn named_query(over: Over, name: &str) -> &'static Query {
    let mut all = QUERIES.iter();
    all.find(|query| query.over == over && query.name == name)
        .expect("it is in the table")
}

impl Over {
    /// The engines that can be asked.
    pub const fn engines(self) -> &'static [Engine] {
        match self {
            Self::Rows => &[Engine::Athena, Engine::Duckdb],
            Self::Events => &[Engine::Insights],
            Self::Run => &[Engine::Duckdb],
            Self::Table => &[Engine::Athena],
        }
    }
}

impl Query {
    /// What it asks, in a sentence.
    pub fn about(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default();
        let line = line.trim_start_matches(['-', '#', ' ']);
        let end = line.find(['?', '.', ':']).map_or(line.len(), |end| end + 1);
        line[..end].trim_end_matches([':', '.'])
    }
}

/// Private addresses, as a regular expression over their text: those that RFC 1918, RFC 6598, RFC 4193 and the link-local
/// ranges keep off the internet, and multicast.
pub const PRIVATE: &str = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|127\.|169\.254\.|0\.|22[4-9]\.|2[3-5][0-9]\.|f[cd]|fe[89ab]|ff)";

/// What stands for the names in a question.
#[derive(Clone, Debug)]
pub struct QueryNames<'a> {
    /// What flow rows are read from, as it stands behind FROM; quoted by whoever gives it.
    pub from: &'a str,
    /// The columns there are.
    pub columns: &'a BTreeSet<String>,
    /// A condition on the rows, as it stands behind WHERE.
    pub condition: &'a str,
    /// For questions about groups.
    pub inventory: Option<&'a Inventory>,
}

/// The listeners of `src/flow/presume.rs`, separated.
pub(crate) fn listeners() -> String {
    LISTENERS
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A question over flow rows.
pub fn over_rows(query: &Query, names: &QueryNames<'_>) -> String {
    query
        .text
        .replace("{{flow_rows}}", &flow_rows(names))
        .replace("{{listeners}}", &listeners())
        .replace("{{private}}", PRIVATE)
        .replace("{{carried}}", &carried(names.inventory))
}

/// What DuckDB calls otherwise.
pub const DUCKDB_NAMES: &str = "\
CREATE OR REPLACE TEMP MACRO slice(list, first, count) AS list_slice(list, first, first + count - 1);
CREATE OR REPLACE TEMP MACRO array_join(list, separator) AS list_reduce(list_transform(list, lambda x: CAST(x AS varchar)), lambda a, b: concat(a, separator, b));
CREATE OR REPLACE TEMP MACRO regexp_like(text, pattern) AS regexp_matches(text, pattern);
";

/// Text in SQL, as an expression: what a terminal would obey or hide is in it as a call of `chr`, which every engine has.
pub fn quoted(text: &str) -> String {
    let mut out = "'".to_owned();
    for c in text.chars() {
        match c {
            '\'' => out += "''",
            _ if is_invisible(c) => {
                write!(out, "' || chr({}) || '", u32::from(c)).expect("a string takes everything");
            }
            _ => out.push(c),
        }
    }
    out + "'"
}

/// A name in SQL.
pub fn named(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows as every question over them expects them, whatever columns there are.
fn flow_rows(names: &QueryNames<'_>) -> String {
    let column = |name: &str| names.columns.contains(name).then(|| named(name));
    let text = |name: &str| match column(name) {
        Some(column) => format!("nullif(CAST({column} AS varchar), '-')"),
        None => "CAST(NULL AS varchar)".to_owned(),
    };
    let number = |name: &str| match column(name) {
        Some(column) => format!("TRY_CAST({column} AS bigint)"),
        None => "CAST(NULL AS bigint)".to_owned(),
    };
    let end = |shown: &str, packet: &str| format!("coalesce({}, {})", text(packet), text(shown));
    let rewritten = |shown: &str, packet: &str| {
        format!(
            "CASE WHEN {} <> {} THEN 1 ELSE 0 END",
            text(shown),
            text(packet)
        )
    };
    let port = |name: &str| {
        format!(
            "CASE WHEN {} IN (6, 17) THEN coalesce({}, 0) ELSE 0 END",
            number("protocol"),
            number(name)
        )
    };
    let flags = |wanted: &str| {
        let flags = number("tcp_flags");
        // SYN is 2 and ACK is 16; remainders are the same in every engine.
        format!(
            "CASE WHEN {} = 6 AND {flags} % 4 >= 2 AND {flags} % 32 {wanted} 16 THEN 1 ELSE 0 END",
            number("protocol")
        )
    };
    let (src, dst) = (end("srcaddr", "pkt_srcaddr"), end("dstaddr", "pkt_dstaddr"));
    let idle = format!("WHEN {src} IS NULL AND {dst} IS NULL THEN 'NODATA'");
    let status = match (column("log_status"), column("status")) {
        (Some(status), _) => format!(
            "WHEN {status} IN ('NODATA', 'SKIPDATA') THEN {status} WHEN coalesce({status}, '-') <> 'OK' THEN 'bad'"
        ),
        // A column of that name may hold anything.
        (None, Some(other)) => format!(
            "WHEN CAST({other} AS varchar) IN ('NODATA', 'SKIPDATA') THEN CAST({other} AS varchar) {idle}"
        ),
        (None, None) => idle,
    };
    // TCP and UDP without a port are malformed: port 0 would be a service that the logs don't show.
    let ports = ["srcport", "dstport"]
        .map(|name| format!("coalesce({}, -1) NOT BETWEEN 0 AND 65535", number(name)))
        .join(" OR ");
    let (start, stop) = (
        number("start"),
        format!("coalesce({}, {})", number("end"), number("start")),
    );
    let mut sql = String::new();
    let mut line = |value: String, name: &str| {
        writeln!(sql, "        {value} AS {name},").expect("a string takes everything");
    };
    line(
        format!(
            "CASE WHEN {start} IS NULL OR {stop} < {start} THEN 'bad' {status} WHEN {src} IS NULL OR {dst} IS NULL OR coalesce({}, -1) NOT BETWEEN 0 AND 255 OR coalesce({}, '-') NOT IN ('ACCEPT', 'REJECT') OR ({} IN (6, 17) AND ({ports})) THEN 'bad' ELSE 'OK' END",
            number("protocol"),
            text("action"),
            number("protocol"),
        ),
        "status",
    );
    line(
        format!(
            "coalesce({}, {}, '-')",
            text("interface_id"),
            text("resource_id")
        ),
        "interface_id",
    );
    line(src, "src");
    line(dst, "dst");
    line(port("srcport"), "src_port");
    line(port("dstport"), "dst_port");
    line(number("protocol"), "protocol");
    line(text("action"), "action");
    line(start, "start_time");
    line(stop, "end_time");
    line(format!("coalesce({}, 0)", number("packets")), "packets");
    line(format!("coalesce({}, 0)", number("bytes")), "bytes");
    line(text("flow_direction"), "way");
    line(flags("<"), "syn");
    line(flags(">="), "syn_ack");
    line(rewritten("srcaddr", "pkt_srcaddr"), "src_rewritten");
    line(rewritten("dstaddr", "pkt_dstaddr"), "dst_rewritten");
    line(text("pkt_src_aws_service"), "src_service");
    line(text("pkt_dst_aws_service"), "dst_service");
    let columns = sql.trim_end_matches(",\n");
    let QueryNames {
        from, condition, ..
    } = names;
    format!("    SELECT\n{columns}\n    FROM {from}\n    WHERE {condition}")
}

/// The condition that chooses the rows of a window; Unix seconds.
pub fn window(columns: &BTreeSet<String>, since: Option<u64>, until: Option<u64>) -> String {
    let end = if columns.contains("end") {
        "\"end\""
    } else {
        "\"start\""
    };
    let since = since.map(|since| format!("TRY_CAST({end} AS bigint) >= {since}"));
    let until = until.map(|until| format!("TRY_CAST(\"start\" AS bigint) < {until}"));
    let both: Vec<String> = since.into_iter().chain(until).collect();
    if both.is_empty() {
        "true".to_owned()
    } else {
        both.join(" AND ")
    }
}

/// Log files as `DuckDB` reads them: text with a header, gzip or not, or Parquet; with the names of columns as Parquet
/// has them.
pub fn duckdb_files(glob: &str, columns: &BTreeSet<String>) -> String {
    let files = quoted(glob);
    if glob.ends_with(".parquet") {
        return format!("read_parquet({files}, union_by_name = true)");
    }
    let renamed: Vec<String> = columns
        .iter()
        .map(|name| format!("{} AS {}", named(&name.replace('_', "-")), named(name)))
        .collect();
    format!(
        "(SELECT {} FROM read_csv({files}, delim = ' ', header = true, all_varchar = true)) AS logs",
        renamed.join(", ")
    )
}

/// Interface, group, and whether the group lets everything out.
fn carried(inventory: Option<&Inventory>) -> String {
    let mut rows = Vec::new();
    if let Some(inventory) = inventory {
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
                    quoted(&interface.id),
                    quoted(&group.id)
                ));
            }
        }
    }
    if rows.is_empty() {
        rows.push("('eni-0123456789abcdef0', 'sg-0123456789abcdef0', 1)".to_owned());
    }
    format!("    VALUES\n        {}", rows.join(",\n        "))
}
