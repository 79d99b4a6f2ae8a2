//! What `closegate doctor` takes.

use std::path::PathBuf;

use super::aws::RemoteArgs;

/// What the exit codes mean here.
const DOCTOR_EXIT_CODES: &str = "Exit codes: 0 done, also where something is missing; 2 the command line or inventory is unusable; \
3 nothing usable could be read from the flow sources; 4 AWS refused everything that was asked, or could not be reached; 130 interrupted.";

#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_EXIT_CODES)]
#[command(group = clap::ArgGroup::new("subject").required(true).multiple(true))]
pub(in crate::cli) struct DoctorArgs {
    /// Flow logs to look at, as audit takes them: files, directories, quoted globs, - for standard input,
    /// `s3://BUCKET/PREFIX`, `cloudwatch:LOG_GROUP`. Of a source with more than 1,000,000 lines, files from all of its
    /// time are read until there were so many. Engines are not queried
    #[arg(long, num_args = 1.., value_name = "SRC", group = "subject")]
    pub(in crate::cli) flows: Vec<String>,

    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR", group = "subject")]
    pub(in crate::cli) inventory: Option<PathBuf>,

    /// Ask AWS what the credentials may call; done anyway where a source is in AWS
    #[arg(long, group = "subject", hide = cfg!(not(feature = "aws")))]
    pub(in crate::cli) aws: bool,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// Leave out records that ended before this time: a date (00:00 UTC), RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Leave out records that started at this time or later: a date (00:00 UTC), RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,

    #[command(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
}
