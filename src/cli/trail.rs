//! The trail files of CloudTrail behind `--cloudtrail`.

use anyhow::anyhow;

use super::args::RemoteArgs;
use super::exit::Failure;
use super::trouble::Trouble;
use crate::ingest::{self, IngestError, Source, is_remote};
use crate::net::visible;

/// The files behind every argument, in S3 or not. An argument without files is an error: silence would pass for a trail
/// without events.
pub(super) fn files(cloudtrail: &[String], remote: &RemoteArgs) -> Result<Vec<Source>, Failure> {
    let is_s3 = |argument: &str| argument.starts_with("s3:");
    let other = |argument: &&String| *argument == "-" || (is_remote(argument) && !is_s3(argument));
    if let Some(argument) = cloudtrail.iter().find(other) {
        return Err(unusable(argument, "holds no trail files", PLACES));
    }
    let (elsewhere, here): (Vec<String>, Vec<String>) =
        cloudtrail.iter().cloned().partition(|a| is_s3(a));
    let mut files = ingest::find(&here).map_err(|error| not_found(&error))?;
    if !elsewhere.is_empty() {
        files.extend(objects(&elsewhere, remote)?);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

const PLACES: &str = "name files, directories, quoted globs, or s3://BUCKET/PREFIX";

fn unusable(argument: &str, what: &str, advice: &str) -> Failure {
    let argument = visible(argument, 300);
    Failure::usage(anyhow!("--cloudtrail `{argument}` {what}; {advice}"))
        .about(Trouble::SourceNotFound)
}

#[cfg(feature = "aws")]
fn objects(urls: &[String], remote: &RemoteArgs) -> Result<Vec<Source>, Failure> {
    let mut all = Vec::new();
    for (url, found) in urls.iter().zip(super::remote::trails(urls, remote)?) {
        if found.is_empty() {
            return Err(unusable(
                url,
                "holds no trail files",
                "name the prefix that holds AWSLogs/, or one below it, and check --only-account and --only-region",
            ));
        }
        all.extend(found);
    }
    Ok(all)
}

#[cfg(not(feature = "aws"))]
fn objects(urls: &[String], _: &RemoteArgs) -> Result<Vec<Source>, Failure> {
    let first = urls.first().cloned().unwrap_or_default();
    Err(not_found(&IngestError::Remote(first)))
}

/// Says of a trail what [`IngestError`] says of flow logs.
fn not_found(error: &IngestError) -> Failure {
    match error {
        IngestError::NotFound(argument) => unusable(argument, "does not exist", PLACES),
        IngestError::NoMatch(argument) => unusable(
            argument,
            "matches no file",
            "check the pattern, and quote it so that the shell leaves it alone",
        ),
        IngestError::Pattern { pattern, reason } => unusable(
            pattern,
            &format!("is not a glob: {reason}"),
            "quote special characters with [brackets]",
        ),
        IngestError::EmptyDirectory(argument) => unusable(
            argument,
            "is an empty directory",
            "name the one that holds the trail files",
        ),
        IngestError::Directory { path, reason } => unusable(
            path,
            &format!("can't be listed: {reason}"),
            "make it readable",
        ),
        IngestError::Remote(argument) => unusable(
            argument,
            "is in AWS, and this program was built without the feature `aws`",
            "build it with it, or copy the trail first, for example with `aws s3 sync`",
        ),
    }
}
