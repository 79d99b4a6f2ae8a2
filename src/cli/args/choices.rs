//! Words to choose from.

use clap::ValueEnum;

use crate::emit::Ids;
use crate::findings::{Family, Severity};
use crate::query::Engine;
use crate::suggest::Level;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EngineArg {
    Athena,
    Trino,
    Spark,
    Clickhouse,
    Duckdb,
    Insights,
}

impl From<EngineArg> for Engine {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Athena => Self::Athena,
            EngineArg::Trino => Self::Trino,
            EngineArg::Spark => Self::Spark,
            EngineArg::Clickhouse => Self::Clickhouse,
            EngineArg::Duckdb => Self::Duckdb,
            EngineArg::Insights => Self::Insights,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TableKindArg {
    /// Columns called as AWS calls the fields
    FlowLogs,
    /// Security Lake's VPC flow logs, source version 2
    SecurityLake,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum FamilyArg {
    /// What rules allow
    Posture,
    /// Where connections go
    Destination,
    /// How connections behave
    Behaviour,
    /// How good the evidence is
    Evidence,
}

impl From<FamilyArg> for Family {
    fn from(arg: FamilyArg) -> Self {
        match arg {
            FamilyArg::Posture => Self::Posture,
            FamilyArg::Destination => Self::Destination,
            FamilyArg::Behaviour => Self::Behaviour,
            FamilyArg::Evidence => Self::Evidence,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportArg {
    /// One page for a browser
    Html,
    /// For a ticket
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// AWS Security Finding Format: a line per call of batch-import-findings
    Asff,
    /// OCSF 1.5.0, an event per line
    Ocsf,
    /// The findings as a table
    Csv,
    /// The report's data
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum GraphArg {
    /// Graphviz
    Dot,
    /// Mermaid; Markdown with several diagrams where one would be too large
    Mermaid,
    /// For networkx, yEd, Gephi
    Graphml,
    /// As graph.json has it
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum GraphLevelArg {
    /// A security group, or what lies outside
    Group,
    /// An interface, or an address
    Interface,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum IdsArg {
    /// By their ids
    Literal,
    /// By variables, so that the file can move between accounts
    Var,
    /// By data sources that look them up by name
    Data,
}

impl From<IdsArg> for Ids {
    fn from(arg: IdsArg) -> Self {
        match arg {
            IdsArg::Literal => Self::Literal,
            IdsArg::Var => Self::Var,
            IdsArg::Data => Self::Data,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum SeverityArg {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Self {
        match arg {
            SeverityArg::Critical => Self::Critical,
            SeverityArg::High => Self::High,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::Low => Self::Low,
            SeverityArg::Info => Self::Info,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum LevelArg {
    /// Nothing that was not seen
    Exact,
    /// Many addresses become prefixes, or one open port
    Balanced,
    /// As few rules as make sense
    Compact,
}

impl From<LevelArg> for Level {
    fn from(arg: LevelArg) -> Self {
        match arg {
            LevelArg::Exact => Self::Exact,
            LevelArg::Balanced => Self::Balanced,
            LevelArg::Compact => Self::Compact,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum SampleArg {
    /// Version 5 fields, with a header
    Custom,
    /// The default format, version 2
    Default,
}

/// The names that `emit::SCHEMAS` lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum SchemaArg {
    Audit,
    Doctor,
    Drift,
    ForAccount,
    Graph,
    Report,
    Rules,
}

impl SchemaArg {
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Doctor => "doctor",
            Self::Drift => "drift",
            Self::ForAccount => "for-account",
            Self::Graph => "graph",
            Self::Report => "report",
            Self::Rules => "rules",
        }
    }
}
