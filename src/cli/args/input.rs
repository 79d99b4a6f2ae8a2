//! What commands that read flow logs have in common.

use std::path::PathBuf;

use super::aws::RemoteArgs;

/// What to read, and how.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(in crate::cli) struct InputArgs {
    /// Flow logs: files, directories, quoted globs, - for standard input, `s3://BUCKET/PREFIX`,
    /// `cloudwatch:LOG_GROUP`; or one of `athena:DATABASE.TABLE`, `insights:LOG_GROUP` and `answers:PATH`, which is what
    /// an engine answered to `closegate query connections`: Parquet or CSV files, or their directory
    #[arg(long, num_args = 1.., value_name = "SRC", group = "source")]
    pub(in crate::cli) flows: Vec<String>,

    /// A connection store that `closegate ingest` made, instead of logs
    #[arg(
        long,
        value_name = "DIR",
        group = "source",
        conflicts_with = "log_format"
    )]
    pub(in crate::cli) store: Option<PathBuf>,

    /// Directory with the JSON that `aws ec2 describe-*` prints
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) inventory: PathBuf,

    /// Trail files of CloudTrail, which say what interfaces carried when: files, directories, quoted globs, `s3://BUCKET/PREFIX`
    #[arg(long, num_args = 1.., value_name = "SRC")]
    pub(in crate::cli) cloudtrail: Vec<String>,

    /// Format of logs without a header, as the flow log was made: '${version} ${account-id} …'
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,

    /// Leave out records that ended before this time: a date (00:00 UTC), RFC 3339, or an age such as 14d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Leave out records that started at this time or later: a date (00:00 UTC), RFC 3339, or an age such as 1d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,

    /// Threads to read with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) threads: Option<usize>,

    #[command(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
}
