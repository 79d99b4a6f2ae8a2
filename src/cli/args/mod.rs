//! What can be typed. What it means is in `settings.rs`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::config;
use crate::emit;
use crate::store;

mod choices;
mod help;

pub(in crate::cli) use help::command;

pub(in crate::cli) use choices::{
    EngineArg, FamilyArg, GraphArg, GraphLevelArg, IdsArg, LevelArg, ReportArg, SampleArg,
    SchemaArg, SeverityArg,
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
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
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
    /// Write a past run's rules in another format
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
            Self::Ingest(args) => args.threads,
            _ => None,
        }
    }
}

/// What to read, and how.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(in crate::cli) struct InputArgs {
    /// Flow logs: files, directories, quoted globs, - for standard input, `s3://BUCKET/PREFIX`,
    /// `cloudwatch:LOG_GROUP`; or one of `athena:DATABASE.TABLE` and `insights:LOG_GROUP`
    #[arg(long, num_args = 1.., value_name = "SRC", group = "source")]
    pub(in crate::cli) flows: Vec<String>,

    /// A connection store that `closegate ingest` made, instead of logs
    #[arg(long, value_name = "DIR", group = "source", conflicts_with_all = ["since", "until", "log_format"])]
    pub(in crate::cli) store: Option<PathBuf>,

    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: PathBuf,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// Leave out what ended before this: RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Leave out what started at this time or later: RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,

    /// Threads to read with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,

    #[command(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
}

/// How to read what lies in AWS. Credentials, region and endpoint are those of the AWS CLI. Each option names the heading itself,
/// for `next_help_heading` would hold for the options behind these as well. A build without AWS takes the options and hides them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct RemoteArgs {
    /// Profile of the AWS configuration to sign in with
    #[arg(long, value_name = "NAME", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) profile: Option<String>,

    /// S3: only logs of these accounts, by their keys
    #[arg(long, num_args = 1.., value_name = "ACCOUNT", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) only_account: Vec<String>,

    /// S3: only logs of these regions, by their keys
    #[arg(long, num_args = 1.., value_name = "REGION", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) only_region: Vec<String>,

    /// Athena: workgroup [default: primary]
    #[arg(long, value_name = "NAME", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) athena_workgroup: Option<String>,

    /// Athena: where it puts results, if the workgroup doesn't say it: `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "URL", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) athena_output: Option<String>,

    /// Athena: results as Parquet files below --athena-output, which stay there; faster than pages
    #[arg(long, requires = "athena_output", help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) athena_unload: bool,

    /// S3: pay for requests and transfer where the bucket's owner doesn't
    #[arg(long, help_heading = IN_AWS, hide = NO_AWS)]
    pub(in crate::cli) requester_pays: bool,
}

const IN_AWS: &str = "Sources in AWS";

/// Whether this build can't reach AWS.
const NO_AWS: bool = cfg!(not(feature = "aws"));

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

    /// Addresses that somebody warns of: lines, CSV, STIX 2.1 or MISP; can be given several times
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

#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CollectArgs {
    #[command(subcommand)]
    pub(in crate::cli) what: CollectCommand,
}

#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CollectCommand {
    /// Every describe call that an audit can use, as the AWS CLI would print it
    Inventory(CollectInventoryArgs),
}

#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(in crate::cli) struct CollectInventoryArgs {
    /// Directory to write; an earlier snapshot there is replaced
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,

    /// Regions [default: all that are enabled]
    #[arg(long, num_args = 1.., value_name = "REGION")]
    pub(in crate::cli) region: Vec<String>,

    /// Profiles of the AWS configuration, one account each [default: the environment's]
    #[arg(long, num_args = 1.., value_name = "NAME")]
    pub(in crate::cli) profile: Vec<String>,

    /// Roles to assume, one account each
    #[arg(long, num_args = 1.., value_name = "ARN")]
    pub(in crate::cli) role_arn: Vec<String>,

    /// External id that the roles ask for
    #[arg(long, value_name = "ID", requires = "role_arn")]
    pub(in crate::cli) external_id: Option<String>,

    /// Replace account ids, names, tags, descriptions and public addresses, each by the same everywhere
    #[arg(long)]
    pub(in crate::cli) redact: bool,

    /// Also interfaces that are gone, from AWS Config, where it records them
    #[arg(long)]
    pub(in crate::cli) history: bool,
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

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RulesArgs {
    /// An audit's --out directory
    pub(in crate::cli) run: PathBuf,

    /// The format
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub(in crate::cli) emit: String,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,

    /// How Terraform and `CloudFormation` name groups and prefix lists
    #[arg(long, value_name = "IDS", default_value = "literal")]
    pub(in crate::cli) ids: IdsArg,

    /// For --emit terraform: the state, or what `terraform show -json` prints; each group's rules are written in the style it has there
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    pub(in crate::cli) terraform_state: Option<PathBuf>,
}

/// The formats, with what each is.
fn formats() -> PossibleValuesParser {
    let formats = emit::FORMATS.iter();
    PossibleValuesParser::new(formats.map(|f| PossibleValue::new(f.name).help(f.meaning)))
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

    /// The id of a rule (r-), a finding (f-) or a connection (c-)
    pub(in crate::cli) id: String,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DemoArgs {
    /// Directory to write the run to; without it only the summary is shown
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,

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

    /// Athena: the table, as DATABASE.TABLE
    #[arg(long, value_name = "TABLE", default_value = "logs.flow_logs")]
    pub(in crate::cli) table: String,

    /// Athena: partition columns that --since and --until choose by: NAME holds text such as 2026/11/01, NAME:date a
    /// date; YEAR,MONTH,DAY; or none
    #[arg(long, value_name = "COLUMNS", default_value = "day")]
    pub(in crate::cli) partition: String,

    /// Athena: where the logs of a new table lie, above `AWSLogs`
    #[arg(long, value_name = "URL", default_value = "s3://BUCKET/PREFIX")]
    pub(in crate::cli) location: String,

    /// Athena: accounts of a new table
    #[arg(long, num_args = 1.., value_name = "ACCOUNT", default_value = "111122223333")]
    pub(in crate::cli) account: Vec<String>,

    /// Athena: regions of a new table
    #[arg(long, num_args = 1.., value_name = "REGION", default_value = "us-east-1")]
    pub(in crate::cli) region: Vec<String>,

    /// `DuckDB`: the files, as a glob
    #[arg(long, value_name = "GLOB", default_value = "flows/*.log.gz")]
    pub(in crate::cli) flows: String,

    /// `DuckDB`: an audit's --out directory, for questions about its connections
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Format of the logs: '${version} ${account-id} …' [default: version 2]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// For questions about groups: directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// Leave out what ended before this: RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Leave out what started at this time or later: RFC 3339, or an age such as 1d
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

/// Whatever is typed behind a command that this build lacks.
#[cfg(not(feature = "aws"))]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NotInThisBuild {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    rest: Vec<String>,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, and a finding at or above --fail-on stands or a connection would break; \
2 the command line or inventory is unusable; 3 nothing usable could be read from the flow sources; 4 AWS refused or could not be reached; \
130 interrupted.";
