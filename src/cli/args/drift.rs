//! `closegate drift`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::input::InputArgs;

/// Options that say something about flow logs, and nothing without them.
const OF_LOGS: [&str; 4] = ["log_format", "since", "until", "cloudtrail"];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing differs, or notes only; 1 a warning or an error stands (with --plan: one of the plan's); \
2 the command line, policy, inventory or plan is unusable; 3 nothing usable could be read from the flow sources; 4 AWS refused or could \
not be reached; 130 interrupted."
)]
#[command(mut_group("source", |group| group.required(false)))]
#[command(mut_args(|arg| if OF_LOGS.contains(&arg.get_id().as_str()) { arg.requires("source") } else { arg }))]
pub(in crate::cli) struct DriftArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,

    /// Directory of the policy
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) policy: PathBuf,

    /// What `terraform show -json` prints for a plan file: what would it break, and what would it open?
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) plan: Option<PathBuf>,

    /// Count ingress of locked groups that the policy does not have as a difference as well
    #[arg(long, value_name = "WHAT")]
    pub(in crate::cli) close: Option<CloseArg>,

    /// Days of records without a connection after which an accepted entry counts as unused
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(in crate::cli) unused_days: u32,

    /// Configuration [default: closegate.toml in this directory, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) format: DriftFormatArg,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CloseArg {
    /// Ingress of locked groups
    Ingress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DriftFormatArg {
    /// For people
    Text,
    /// For scripts; closegate schema drift describes it
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}
