//! What can be typed. What it means is in `settings.rs`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config;
use crate::findings::Severity;
use crate::query::Engine;
use crate::store;
use crate::suggest::Level;

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
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read flow logs and an inventory; write findings, rules and a report
    Audit(AuditArgs),
    /// Audit the sample data that is compiled in
    Demo(DemoArgs),
    /// Fold new logs into a connection store, which later audits read at once
    Ingest(IngestArgs),
    /// Save an account's network configuration, read only
    #[cfg(feature = "aws")]
    Collect(CollectArgs),
    /// Replay logs against a rule set: what would break?
    Verify(VerifyArgs),
    /// Print every piece of evidence behind one rule, finding or connection
    Explain(ExplainArgs),
    /// Is this allowed by the current rules, and by which rule on which side?
    Can(CanArgs),
    /// What is new, gone and changed between two runs
    Diff(DiffArgs),
    /// Make a configuration, or check one
    Config(ConfigArgs),
    /// List the questions under queries/, or print one with names filled in
    Query(QueryArgs),
    /// Print the JSON Schema of a file closegate writes
    Schema(SchemaArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// What to read, and how.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(super) struct InputArgs {
    /// Flow logs: files, directories, quoted globs, - for standard input, `s3://BUCKET/PREFIX`,
    /// `cloudwatch:LOG_GROUP`; or one of `athena:DATABASE.TABLE` and `insights:LOG_GROUP`
    #[arg(long, num_args = 1.., value_name = "SRC", group = "source")]
    pub(super) flows: Vec<String>,

    /// A connection store that `closegate ingest` made, instead of logs
    #[arg(long, value_name = "DIR", group = "source", conflicts_with_all = ["since", "until", "log_format"])]
    pub(super) store: Option<PathBuf>,

    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(super) inventory: PathBuf,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,

    /// Leave out what ended before this: RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,

    /// Leave out what started at this time or later: RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,

    /// Threads to read with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,

    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// How to read what lies in AWS. Credentials, region and endpoint are those of the AWS CLI.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Sources in AWS")]
pub(super) struct RemoteArgs {
    /// Profile of the AWS configuration to sign in with
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,

    /// S3: only logs of these accounts, by their keys
    #[arg(long, num_args = 1.., value_name = "ACCOUNT")]
    pub(super) only_account: Vec<String>,

    /// S3: only logs of these regions, by their keys
    #[arg(long, num_args = 1.., value_name = "REGION")]
    pub(super) only_region: Vec<String>,

    /// Athena: workgroup [default: primary]
    #[arg(long, value_name = "NAME")]
    pub(super) athena_workgroup: Option<String>,

    /// Athena: where it puts results, if the workgroup doesn't say it: `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL")]
    pub(super) athena_output: Option<String>,

    /// Athena: results as Parquet files below --athena-output, which stay there; faster than pages
    #[arg(long, requires = "athena_output")]
    pub(super) athena_unload: bool,

    /// S3: pay for requests and transfer where the bucket's owner doesn't
    #[arg(long)]
    pub(super) requester_pays: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// Directory to write; an earlier run there is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Configuration [default: closegate.toml in this directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// An earlier run's --out directory: its findings are not repeated, and what it does not know is new
    #[arg(long, value_name = "RUN")]
    pub(super) baseline: Option<PathBuf>,

    /// Addresses that somebody warns of: lines, CSV, STIX 2.1 or MISP; can be given several times
    #[arg(long, value_name = "NAME=FILE")]
    pub(super) blocklist: Vec<String>,

    /// How far rules may go beyond what was seen [default: the configuration's, else exact]
    #[arg(long, value_name = "LEVEL")]
    pub(super) generalise: Option<LevelArg>,

    /// Exit with 1 if a finding of this severity or worse stands
    #[arg(long, value_name = "SEVERITY")]
    pub(super) fail_on: Option<SeverityArg>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(super) struct IngestArgs {
    /// Flow logs: files, directories, quoted globs, `s3://BUCKET/PREFIX`, or `cloudwatch:LOG_GROUP`; what the
    /// store has already is passed over
    #[arg(long, num_args = 1.., value_name = "SRC", group = "what", requires = "inventory")]
    pub(super) flows: Vec<String>,

    /// Directory with the JSON that `aws ec2 describe-*` prints; tells the formats of logs without a header
    #[arg(long, value_name = "DIR")]
    pub(super) inventory: Option<PathBuf>,

    /// Directory of the store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) store: PathBuf,

    /// Flows to hold before they are written to the store: 150 to 400 bytes of memory each
    #[arg(long, value_name = "FLOWS", default_value_t = store::HELD)]
    pub(super) hold: usize,

    /// Stores whose content is added, made elsewhere from other logs
    #[arg(long, num_args = 1.., value_name = "STORE", group = "what")]
    pub(super) merge: Vec<PathBuf>,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,

    /// Threads to read with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,

    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub(super) struct CollectArgs {
    #[command(subcommand)]
    pub(super) what: CollectCommand,
}

#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(super) enum CollectCommand {
    /// Every describe call that an audit can use, as the AWS CLI would print it
    Inventory(CollectInventoryArgs),
}

#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct CollectInventoryArgs {
    /// Directory to write; an earlier snapshot there is replaced
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Regions [default: all that are enabled]
    #[arg(long, num_args = 1.., value_name = "REGION")]
    pub(super) region: Vec<String>,

    /// Profiles of the AWS configuration, one account each [default: the environment's]
    #[arg(long, num_args = 1.., value_name = "NAME")]
    pub(super) profile: Vec<String>,

    /// Roles to assume, one account each
    #[arg(long, num_args = 1.., value_name = "ARN")]
    pub(super) role_arn: Vec<String>,

    /// External id that the roles ask for
    #[arg(long, value_name = "ID", requires = "role_arn")]
    pub(super) external_id: Option<String>,

    /// Replace account ids, names, tags, descriptions and public addresses, each by the same everywhere
    #[arg(long)]
    pub(super) redact: bool,

    /// Also interfaces that are gone, from AWS Config, where it records them
    #[arg(long)]
    pub(super) history: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = clap::ArgGroup::new("against").required(true))]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// A run's rules.json, or `terraform show -json` of a plan
    #[arg(long, value_name = "FILE", group = "against")]
    pub(super) rules: Option<PathBuf>,

    /// Today's rules, as the inventory has them
    #[arg(long, group = "against")]
    pub(super) current: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// An audit's --out directory
    pub(super) run: PathBuf,

    /// The id of a rule (r-), a finding (f-) or a connection (c-)
    pub(super) id: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Directory to write the run to; without it only the summary is shown
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Which of the two sample logs to read
    #[arg(long, value_name = "FORMAT", default_value = "custom")]
    pub(super) format: SampleArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct CanArgs {
    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(super) inventory: PathBuf,

    /// Who asks: an address, eni-, sg- or i- id
    pub(super) from: String,

    /// Who is asked: an address, eni-, sg- or i- id
    pub(super) to: String,

    /// tcp/443, udp/53, icmp, icmp/8/0, or a protocol number
    #[arg(value_name = "PROTO/PORT")]
    pub(super) service: String,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The earlier run's --out directory
    #[arg(value_name = "RUN_A")]
    pub(super) a: PathBuf,

    /// The later one's
    #[arg(value_name = "RUN_B")]
    pub(super) b: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) what: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
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
pub(super) struct QueryArgs {
    /// The question [default: list all]
    pub(super) name: Option<String>,

    /// The engine it is for
    #[arg(long, value_name = "ENGINE", default_value = "duckdb")]
    pub(super) engine: EngineArg,

    /// Athena: the table, as DATABASE.TABLE
    #[arg(long, value_name = "TABLE", default_value = "logs.flow_logs")]
    pub(super) table: String,

    /// Athena: where the logs of a new table lie, above `AWSLogs`
    #[arg(long, value_name = "URL", default_value = "s3://BUCKET/PREFIX")]
    pub(super) location: String,

    /// Athena: accounts of a new table
    #[arg(long, num_args = 1.., value_name = "ACCOUNT", default_value = "111122223333")]
    pub(super) account: Vec<String>,

    /// Athena: regions of a new table
    #[arg(long, num_args = 1.., value_name = "REGION", default_value = "us-east-1")]
    pub(super) region: Vec<String>,

    /// `DuckDB`: the files, as a glob
    #[arg(long, value_name = "GLOB", default_value = "flows/*.log.gz")]
    pub(super) flows: String,

    /// `DuckDB`: an audit's --out directory, for questions about its connections
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<PathBuf>,

    /// Format of the logs: '${version} ${account-id} …' [default: version 2]
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,

    /// For questions about groups: directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(super) inventory: Option<PathBuf>,

    /// Leave out what ended before this: RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,

    /// Leave out what started at this time or later: RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineArg {
    Athena,
    Insights,
    Duckdb,
}

impl From<EngineArg> for Engine {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Athena => Self::Athena,
            EngineArg::Insights => Self::Insights,
            EngineArg::Duckdb => Self::Duckdb,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {
    /// Which file's schema
    pub(super) name: SchemaArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SeverityArg {
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
pub(super) enum LevelArg {
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
pub(super) enum SampleArg {
    /// Version 5 fields, with a header
    Custom,
    /// The default format, version 2
    Default,
}

/// The names that `emit::SCHEMAS` lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaArg {
    Audit,
    Graph,
    Rules,
}

impl SchemaArg {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Graph => "graph",
            Self::Rules => "rules",
        }
    }
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, and a finding at or above --fail-on stands or a connection would break; \
2 the command line or inventory is unusable; 3 nothing usable could be read from the flow sources; 4 AWS refused or could not be reached; \
130 interrupted.";
