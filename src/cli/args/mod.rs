//! What can be typed. What it means is in `settings.rs`.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config;
use crate::store;

mod aws;
mod choices;
mod doctor;
mod drift;
mod help;
mod init;
mod input;
mod policy;
mod rules;
mod terminal;

#[cfg(not(feature = "aws"))]
pub(in crate::cli) use aws::NotInThisBuild;
pub(in crate::cli) use aws::RemoteArgs;
#[cfg(feature = "aws")]
pub(in crate::cli) use aws::{CollectArgs, CollectCommand, CollectInventoryArgs, OrganizationArgs};
pub(in crate::cli) use doctor::DoctorArgs;
pub(in crate::cli) use drift::{CloseArg, DriftArgs, DriftFormatArg};
use help::EXIT_CODES;
pub(in crate::cli) use init::InitArgs;
pub(in crate::cli) use input::InputArgs;
pub(in crate::cli) use policy::{
    CheckPolicyArgs, DecideArgs, PolicyArgs, PolicyCommand, PolicyStatusArgs, UpdatePolicyArgs,
    VerbArg,
};
pub(in crate::cli) use rules::RulesArgs;
pub(in crate::cli) use terminal::{TerminalArgs, color};

pub(in crate::cli) use choices::{
    EngineArg, FamilyArg, GraphArg, GraphLevelArg, LevelArg, ReportArg, SampleArg, SchemaArg,
    SeverityArg, TableKindArg,
};

/// Close open egress: mutual security group rules from VPC Flow Logs, with proof.
///
/// closegate only reads: it never changes anything in AWS.
#[derive(Debug, Parser)]
#[command(
    name = "closegate",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,

    #[command(flatten)]
    pub(in crate::cli) terminal: TerminalArgs,
}

/// The command line.
pub(in crate::cli) fn command() -> clap::Command {
    help::without_backticks(Args::command())
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Find the account's flow logs, and print the commands that audit them
    Init(InitArgs),
    /// What can be read, what is missing and what that costs, and the next command
    Doctor(DoctorArgs),
    /// Read flow logs and an inventory; write findings, rules and a report
    Audit(AuditArgs),
    /// Audit the sample data that is compiled in
    Demo(DemoArgs),
    /// Fold new logs into a connection store, which later audits read at once
    Ingest(IngestArgs),
    /// Look after a connection store
    Store(StoreArgs),
    /// Save an account's network configuration, read only
    #[cfg(feature = "aws")]
    Collect(CollectArgs),
    /// Save an account's network configuration, read only: not in this build
    #[cfg(not(feature = "aws"))]
    #[command(hide = true, disable_help_flag = true)]
    Collect(NotInThisBuild),
    /// Replay logs against a rule set: what would break?
    Verify(VerifyArgs),
    /// Write a past run's rules in another format, or every rule that a policy wants
    Rules(RulesArgs),
    /// Write a past run's report in another format
    Report(ReportArgs),
    /// Write a past run's connection graph
    Graph(GraphArgs),
    /// Print every piece of evidence behind one rule, finding or connection
    Explain(ExplainArgs),
    /// Is this allowed by the current rules, and by which rule on which side?
    Can(CanArgs),
    /// What is new, gone and changed between two runs
    Diff(DiffArgs),
    /// Keep a policy: merge runs, record decisions, check it, see where each group stands
    Policy(PolicyArgs),
    /// How the account, the traffic or a Terraform plan differ from the policy
    Drift(DriftArgs),
    /// Make a configuration, or check one
    Config(ConfigArgs),
    /// List the tables that are compiled in, or make newer ones from a file
    Tables(TablesArgs),
    /// List the questions under queries/, or print one with names filled in
    Query(QueryArgs),
    /// Print the JSON Schema of a file closegate writes
    Schema(SchemaArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(ManArgs),
}

impl Command {
    /// `--threads`, of the commands that have it.
    pub(in crate::cli) const fn threads(&self) -> Option<usize> {
        match self {
            Self::Audit(args) => args.input.threads,
            Self::Verify(args) => args.input.threads,
            Self::Drift(args) => args.input.threads,
            Self::Ingest(args) => args.threads,
            _ => None,
        }
    }

    /// Whether standard output is for another program, as JSON or SARIF.
    pub(in crate::cli) fn is_for_programs(&self) -> bool {
        match self {
            Self::Store(args) => {
                let StoreCommand::Verify { json, .. } = &args.what;
                *json
            }
            Self::Verify(args) => args.json,
            Self::Can(args) => args.json,
            Self::Diff(args) => args.json,
            Self::Drift(args) => args.format != DriftFormatArg::Text,
            Self::Policy(args) => match &args.what {
                PolicyCommand::Check(args) => args.json,
                PolicyCommand::Status(args) => args.json,
                PolicyCommand::Update(_) | PolicyCommand::Decide(_) => false,
            },
            _ => false,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,

    /// Directory to write; an earlier run there is replaced
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,

    /// Configuration [default: closegate.toml in this directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// An earlier run's --out directory: its findings are marked as known, and what it does not know is new
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) baseline: Option<PathBuf>,

    /// Directory of a policy: what its accepted entries want stands, what declined ones cover is denied, and only what is
    /// missing is proposed
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: Option<PathBuf>,

    /// Lists of suspicious addresses: lines, CSV, STIX 2.1 or MISP; can be given several times
    #[arg(long, value_name = "NAME=FILE")]
    pub(in crate::cli) blocklist: Vec<String>,

    /// Databases in `MaxMind`'s format, of countries or autonomous systems, to say whose an address is
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(in crate::cli) maxmind: Vec<PathBuf>,

    /// Newer tables that `closegate tables update` made [default: the configuration's, else those compiled in]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) tables: Option<PathBuf>,

    /// How far rules may go beyond what was seen [default: the configuration's, else exact]
    #[arg(long, value_name = "LEVEL")]
    pub(in crate::cli) generalise: Option<LevelArg>,

    /// Replace rules that open some ports to every address as well, not only open egress [default: the configuration's,
    /// else no]
    #[arg(long)]
    pub(in crate::cli) narrow: bool,

    /// Exit with 1 if a finding of this severity or worse stands
    #[arg(long, value_name = "SEVERITY")]
    pub(in crate::cli) fail_on: Option<SeverityArg>,

    /// Families of findings that --fail-on counts [default: all]
    #[arg(long, num_args = 1.., value_name = "FAMILY", requires = "fail_on")]
    pub(in crate::cli) fail_on_family: Vec<FamilyArg>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(in crate::cli) struct IngestArgs {
    /// Flow logs: files, directories, quoted globs, `s3://BUCKET/PREFIX`, or `cloudwatch:LOG_GROUP`; what the
    /// store has already is passed over
    #[arg(long, num_args = 1.., value_name = "SRC", group = "what", requires = "inventory")]
    pub(in crate::cli) flows: Vec<String>,

    /// Directory with the JSON that `aws ec2 describe-*` prints; tells the formats of logs without a header
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// Directory of the store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) store: PathBuf,

    /// Flows to hold before they are written to the store: 150 to 400 bytes of memory each
    #[arg(long, value_name = "FLOWS", default_value_t = store::HELD)]
    pub(in crate::cli) hold: usize,

    /// Stores whose content is added, made elsewhere from other logs
    #[arg(long, num_args = 1.., value_name = "STORE", group = "what")]
    pub(in crate::cli) merge: Vec<PathBuf>,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// Threads to read with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,

    #[command(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StoreArgs {
    #[command(subcommand)]
    pub(in crate::cli) what: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Is every file of a store whole, and listed in its manifest? Names what isn't, and exits with 1
    Verify {
        /// Directory of the store
        #[arg(value_name = "DIR")]
        store: PathBuf,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = clap::ArgGroup::new("against").required(true))]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,

    /// A run's rules.json, or `terraform show -json` of a plan
    #[arg(long, value_name = "FILE", group = "against")]
    pub(in crate::cli) rules: Option<PathBuf>,

    /// Today's rules, as the inventory has them
    #[arg(long, group = "against")]
    pub(in crate::cli) current: bool,

    /// Directory of a policy: today's rules with all that its accepted entries want, without what locked groups may not open
    #[arg(long, value_name = "DIR", group = "against")]
    pub(in crate::cli) policy: Option<PathBuf>,

    /// Configuration [default: closegate.toml in this directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReportArgs {
    /// An audit's --out directory
    pub(in crate::cli) run: PathBuf,

    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) format: ReportArg,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,

    /// For sarif: directory with the Terraform files that define the groups, so that each result points to its line
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) terraform: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct GraphArgs {
    /// An audit's --out directory
    pub(in crate::cli) run: PathBuf,

    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) format: GraphArg,

    /// What a node is
    #[arg(long, value_name = "LEVEL", default_value = "group")]
    pub(in crate::cli) level: GraphLevelArg,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExplainArgs {
    /// An audit's --out directory
    pub(in crate::cli) run: PathBuf,

    /// The id of a rule (r-), a finding (f-) or a connection (c-); with --policy, an entry's key as well
    pub(in crate::cli) id: String,

    /// Directory of the policy, to explain an entry: its decision, and the run's rules and connections that it covers
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DemoArgs {
    /// Directory to write the run to; without it only the summary is shown
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,

    /// Walk through a policy's loop instead, over two weeks: audit, policy, rules, drift, second audit; --out keeps all of it
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) policy: bool,

    /// Which of the two sample logs to read
    #[arg(long, value_name = "FORMAT", default_value = "custom")]
    pub(in crate::cli) format: SampleArg,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CanArgs {
    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: PathBuf,

    /// Who asks: an address, eni-, sg- or i- id
    pub(in crate::cli) from: String,

    /// Who is asked: an address, eni-, sg- or i- id
    pub(in crate::cli) to: String,

    /// tcp/443, udp/53, icmp, icmp/8/0, or a protocol number
    #[arg(value_name = "PROTO/PORT")]
    pub(in crate::cli) service: String,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DiffArgs {
    /// The earlier run's --out directory
    #[arg(value_name = "RUN_A")]
    pub(in crate::cli) a: PathBuf,

    /// The later one's
    #[arg(value_name = "RUN_B")]
    pub(in crate::cli) b: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ConfigArgs {
    #[command(subcommand)]
    pub(in crate::cli) what: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Write a configuration with every key, each at its default and commented out
    Init {
        /// The file
        #[arg(default_value = config::FILE)]
        file: PathBuf,
    },
    /// Say whether a configuration can be used
    Check {
        /// The file
        #[arg(default_value = config::FILE)]
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TablesArgs {
    #[command(subcommand)]
    pub(in crate::cli) what: TablesCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TablesCommand {
    /// Say which tables there are, of which day, and where they come from
    List {
        /// A directory that `update` made
        #[arg(long, value_name = "DIR")]
        tables: Option<PathBuf>,
    },
    /// Check newer tables and put them where an audit finds them; nothing is downloaded
    #[command(group = clap::ArgGroup::new("table").required(true).multiple(true))]
    Update {
        /// Directory of the tables; made if it is not there
        #[arg(long, value_name = "DIR")]
        tables: PathBuf,

        /// The ip-ranges.json that AWS publishes
        #[arg(long, value_name = "FILE", group = "table")]
        aws_ranges: Option<PathBuf>,

        /// Well-known public resolvers: lines such as `Quad9: 9.9.9.9 2620:fe::fe`
        #[arg(long, value_name = "FILE", group = "table")]
        resolvers: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct QueryArgs {
    /// The question [default: list all]
    pub(in crate::cli) name: Option<String>,

    /// The engine it is for
    #[arg(long, value_name = "ENGINE", default_value = "duckdb")]
    pub(in crate::cli) engine: EngineArg,

    /// The table, as `DATABASE.TABLE` [default: `logs.flow_logs`; `DuckDB` reads files]
    #[arg(long, value_name = "TABLE", conflicts_with = "flows")]
    pub(in crate::cli) table: Option<String>,

    /// What the table or the Parquet files hold
    #[arg(long, value_name = "KIND", default_value = "flow-logs")]
    pub(in crate::cli) table_kind: TableKindArg,

    /// Partition columns that --since and --until choose by: NAME holds text such as 2026/11/01, NAME:date a date;
    /// YEAR,MONTH,DAY; or none [default: day for Athena, none for others]
    #[arg(long, value_name = "COLUMNS")]
    pub(in crate::cli) partition: Option<String>,

    /// Athena: where the logs of a new table lie, above `AWSLogs`
    #[arg(long, value_name = "URL", default_value = "s3://BUCKET/PREFIX")]
    pub(in crate::cli) location: String,

    /// Athena: accounts of a new table
    #[arg(long, num_args = 1.., value_name = "ACCOUNT", default_value = "111122223333")]
    pub(in crate::cli) account: Vec<String>,

    /// Athena: regions of a new table
    #[arg(long, num_args = 1.., value_name = "REGION", default_value = "us-east-1")]
    pub(in crate::cli) region: Vec<String>,

    /// `DuckDB`, Spark, `ClickHouse`: files instead of a table, as a glob [default for `DuckDB`: flows/*.log.gz]
    #[arg(long, value_name = "GLOB")]
    pub(in crate::cli) flows: Option<String>,

    /// `DuckDB`: an audit's --out directory, for questions about its connections
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Format of the logs: '${version} ${account-id} …' [default: version 2]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// For questions about groups: directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// Leave out records that ended before this time: a date (00:00 UTC), RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Leave out records that started at this time or later: a date (00:00 UTC), RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SchemaArgs {
    /// Which file's schema
    pub(in crate::cli) name: SchemaArg,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ManArgs {
    /// Directory to write a page per command to; made if it is not there [default: the main page on standard output]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
}
