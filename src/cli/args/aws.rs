//! What commands take that reach AWS.

#[cfg(feature = "aws")]
use std::num::NonZeroUsize;
#[cfg(feature = "aws")]
use std::path::PathBuf;

#[cfg(feature = "aws")]
use clap::Subcommand;

#[cfg(feature = "aws")]
use super::help::EXIT_CODES;

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
    #[arg(long, num_args = 1.., value_name = "ARN", group = ASSUMED)]
    pub(in crate::cli) role_arn: Vec<String>,

    /// External id that the roles ask for
    #[arg(long, value_name = "ID", requires = ASSUMED)]
    pub(in crate::cli) external_id: Option<String>,

    /// Replace account ids, names, tags, descriptions and public addresses, each by the same everywhere
    #[arg(long)]
    pub(in crate::cli) redact: bool,

    /// Also interfaces that are gone, from AWS Config, and CloudTrail's events of 90 days about interfaces and rules
    #[arg(long)]
    pub(in crate::cli) history: bool,

    #[command(flatten)]
    pub(in crate::cli) members: OrganizationArgs,
}

/// The options of which one has to name a role.
#[cfg(feature = "aws")]
const ASSUMED: &str = "assumed";

/// How to collect every account of an organization.
#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OrganizationArgs {
    /// Every active account of the organization, as its management account or a delegated administrator lists them
    #[arg(long, requires = "role", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) organization: bool,

    /// Name of the role to assume in each account, with its path if it has one
    #[arg(long, value_name = "NAME", requires = "organization", group = ASSUMED, help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) role: Option<String>,

    /// Only these accounts
    #[arg(long, num_args = 1.., value_name = "ID", requires = "organization", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) account: Vec<String>,

    /// None of these accounts
    #[arg(long, num_args = 1.., value_name = "ID", requires = "organization", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) exclude_account: Vec<String>,

    /// Accounts to collect, and to hold in memory, at a time [default: 4]
    #[arg(long, value_name = "N", requires = "organization", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) concurrency: Option<NonZeroUsize>,

    /// Assume the role in the account that is signed in, too [default: use the credentials there]
    #[arg(long, requires = "organization", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) role_in_own_account: bool,

    /// Fail and write nothing if an account refuses [default: list it as missing]
    #[arg(long, requires = "organization", help_heading = IN_ORGANIZATION)]
    pub(in crate::cli) strict: bool,
}

#[cfg(feature = "aws")]
const IN_ORGANIZATION: &str = "Organizations";

/// Whatever is typed behind a command that this build lacks.
#[cfg(not(feature = "aws"))]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NotInThisBuild {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    rest: Vec<String>,
}
