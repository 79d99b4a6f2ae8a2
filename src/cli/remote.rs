//! Sources and accounts in AWS.

use super::args::RemoteArgs;
use super::exit::Failure;
use super::settings::seconds_now;
use crate::aws::{self, Account, CallError, Selection, SignIn, Span};
use crate::ingest::{self, Source, is_remote};

/// The sources behind every argument, in AWS or not; `settled` leaves out what may still grow.
pub(super) fn sources(
    flows: &[String],
    remote: &RemoteArgs,
    (since, until): (Option<u64>, Option<u64>),
    settled: bool,
) -> Result<Vec<Source>, Failure> {
    let (elsewhere, here): (Vec<&String>, Vec<&String>) =
        flows.iter().partition(|flow| is_remote(flow));
    let here: Vec<String> = here.into_iter().cloned().collect();
    let mut sources = ingest::find(&here).map_err(Failure::usage)?;
    if elsewhere.is_empty() {
        return Ok(sources);
    }
    let account = Account::new(&SignIn {
        profile: remote.profile.clone(),
        ..SignIn::default()
    })
    .map_err(failure)?;
    for argument in elsewhere {
        let found = if argument.starts_with("s3:") {
            let selection = Selection {
                since,
                until,
                accounts: remote.only_account.clone(),
                regions: remote.only_region.clone(),
                requester_pays: remote.requester_pays,
            };
            aws::objects(&account, argument, &selection)
        } else if let Some(group) = argument.strip_prefix("cloudwatch:") {
            let span = Span {
                since,
                until,
                now: seconds_now(),
                settled,
            };
            aws::events(&account, group, &span)
        } else {
            return Err(Failure::usage(anyhow::anyhow!(
                "flow source `{argument}` can't be read yet"
            )));
        };
        sources.extend(found.map_err(failure)?);
    }
    sources.sort();
    sources.dedup();
    Ok(sources)
}

/// Says what AWS said, and what to do.
pub(super) fn failure(error: CallError) -> Failure {
    let CallError { code, .. } = &error;
    let advice = match code.as_deref() {
        None => {
            "check the network, the region and the endpoint; `aws sts get-caller-identity` uses the same settings"
        }
        Some(code) if code.contains("Expired") => "sign in again",
        Some(_) => "the policies in docs/iam say what each command needs",
    };
    Failure::Aws(format!("AWS: {error}; {advice}"))
}
