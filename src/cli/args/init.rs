//! `closegate init`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, also where there is no flow log; 2 the command line or inventory is unusable; 4 AWS refused or could \
not be reached; 130 interrupted."
)]
pub(in crate::cli) struct InitArgs {
    /// A snapshot's directory, instead of asking AWS
    #[cfg_attr(not(feature = "aws"), arg(long, value_name = "DIR", required = true))]
    #[cfg_attr(
        feature = "aws",
        arg(long, value_name = "DIR", conflicts_with_all = ["region", "profile"])
    )]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// Regions [default: the configured one]
    #[cfg(feature = "aws")]
    #[arg(long, num_args = 1.., value_name = "REGION")]
    pub(in crate::cli) region: Vec<String>,

    /// Profile of the AWS configuration to sign in with [default: the environment's]
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<String>,
}
