//! The questions under `queries/`, with names filled in, for the engines that hold the logs.
//!
//! One question per file, with a comment that says what it asks. Those over flow rows are written once, in the SQL that all
//! engines have in common; what differs is in one table of dialects, and what the rows are, a table or files, is filled in.
//! `queries/flow-rows.sql` judges rows as the reader of closegate does. Logs Insights has a language of its own.

mod answer;
mod dialect;
mod insights;
mod partial;
mod partitions;
mod rows;
mod security_lake;

pub use answer::{AnswerError, add_answer, add_whole_answer};
pub use dialect::{Dialect, Engine, PRIVATE};
pub use insights::{KeptPorts, insights_connections, over_events};
pub use partial::{Partials, Unreadable};
pub use partitions::DayPartition;
pub use rows::{QueryNames, over_rows};
pub use security_lake::security_lake;

/// What a question is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Flow rows: every engine but Insights.
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
            Self::Rows => &[
                Engine::Athena,
                Engine::Trino,
                Engine::Spark,
                Engine::Clickhouse,
                Engine::Duckdb,
            ],
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
