//! `closegate policy`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::documents::Rating;
use crate::policy::{EntryKind, EntryState};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PolicyArgs {
    #[command(subcommand)]
    pub(in crate::cli) what: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PolicyCommand {
    /// Merge a run: what no entry covers is proposed, and what is covered is seen again
    Update(UpdatePolicyArgs),
    /// Record decisions
    Decide(DecideArgs),
    /// Say whether a policy is valid and feasible; exits with 1 if it is not
    Check(CheckPolicyArgs),
    /// Where each group stands: entries by state, days without a new connection, ready to lock
    Status(PolicyStatusArgs),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct UpdatePolicyArgs {
    /// An audit's --out directory
    pub(in crate::cli) run: PathBuf,

    /// Directory of the policy; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: PathBuf,

    /// Give each account a directory of its own in the policy; once is enough
    #[arg(long)]
    pub(in crate::cli) by_account: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub(in crate::cli) struct DecideArgs {
    /// What is decided
    #[arg(group = "how")]
    pub(in crate::cli) verb: Option<VerbArg>,

    /// Keys of entries [default: all undecided ones that the filters leave]
    #[arg(value_name = "KEY", requires = "verb")]
    pub(in crate::cli) keys: Vec<String>,

    /// A CSV file with the columns key and state, and any of reason, owner, ticket and expires
    #[arg(long, value_name = "FILE", group = "how", conflicts_with_all = ["reason", "owner", "ticket", "expires", "group", "kind", "confidence", "state", "seen_days"])]
    pub(in crate::cli) decisions: Option<PathBuf>,

    /// Directory of the policy
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: PathBuf,

    /// Only entries of this group, by id or name; can be given several times
    #[arg(long, value_name = "SG")]
    pub(in crate::cli) group: Vec<String>,

    /// Only entries whose target is of this kind; can be given several times
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) kind: Vec<KindArg>,

    /// Only entries of at least this confidence
    #[arg(long, value_name = "CONFIDENCE")]
    pub(in crate::cli) confidence: Option<ConfidenceArg>,

    /// Only entries in this state [default: proposed and deferred, unless keys are given]
    #[arg(long, value_name = "STATE")]
    pub(in crate::cli) state: Option<StateArg>,

    /// Only entries seen on at least so many days
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seen_days: Option<usize>,

    /// Why; declining needs it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,

    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) owner: Option<String>,

    /// Where it was discussed
    #[arg(long, value_name = "TICKET")]
    pub(in crate::cli) ticket: Option<String>,

    /// The last day on which it holds
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(in crate::cli) expires: Option<Date>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the policy is valid and feasible; 1 it is not; 2 something could not be read."
)]
pub(in crate::cli) struct CheckPolicyArgs {
    /// Directory of the policy
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: PathBuf,

    /// Directory with the JSON that `aws ec2 describe-*` prints, to count rules as AWS does
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// An audit's --out directory, to find accepted entries that open what it quarantined
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Configuration, for quotas [default: closegate.toml in this directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PolicyStatusArgs {
    /// Directory of the policy
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: PathBuf,

    /// Directory with the JSON that `aws ec2 describe-*` prints, to count the groups in use that have no file
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// An audit's --out directory, which says whether the evidence is enough
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum VerbArg {
    /// The rule should stand
    Accept,
    /// It should not, for good
    Decline,
    /// Not now
    Defer,
}

impl From<VerbArg> for EntryState {
    fn from(arg: VerbArg) -> Self {
        match arg {
            VerbArg::Accept => Self::Accepted,
            VerbArg::Decline => Self::Declined,
            VerbArg::Defer => Self::Deferred,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum StateArg {
    Proposed,
    Accepted,
    Declined,
    Deferred,
}

impl From<StateArg> for EntryState {
    fn from(arg: StateArg) -> Self {
        match arg {
            StateArg::Proposed => Self::Proposed,
            StateArg::Accepted => Self::Accepted,
            StateArg::Declined => Self::Declined,
            StateArg::Deferred => Self::Deferred,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum KindArg {
    /// A security group
    Group,
    /// Prefixes of private address space
    Internal,
    /// Other prefixes
    Internet,
    /// A prefix list
    PrefixList,
    /// An AWS service
    Service,
}

impl From<KindArg> for EntryKind {
    fn from(arg: KindArg) -> Self {
        match arg {
            KindArg::Group => Self::Group,
            KindArg::Internal => Self::Internal,
            KindArg::Internet => Self::Internet,
            KindArg::PrefixList => Self::PrefixList,
            KindArg::Service => Self::Service,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum ConfidenceArg {
    High,
    Medium,
    Low,
}

impl From<ConfidenceArg> for Rating {
    fn from(arg: ConfidenceArg) -> Self {
        match arg {
            ConfidenceArg::High => Self::High,
            ConfidenceArg::Medium => Self::Medium,
            ConfidenceArg::Low => Self::Low,
        }
    }
}

fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_error: jiff::Error| "give a date such as 2027-01-31".to_owned())
}
