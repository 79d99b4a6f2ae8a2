//! `closegate collect inventory --organization`.

use std::num::NonZeroUsize;

use anyhow::anyhow;

use super::collect_summary;
use crate::aws::{
    self, Account, Collected, CollectedMember, MemberRole, MemberSnapshots, MemberState,
    OrganizationAccounts, Redaction, SignIn, SnapshotScope,
};
use crate::cli::args::{CollectInventoryArgs, OrganizationArgs};
use crate::cli::clock::seconds_now;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::output::{Made, OutDir};
use crate::cli::{progress, remote};
use crate::net::{json, plural};

/// Accounts at a time, if the command line does not say it.
const AT_ONCE: usize = 4;

pub(super) fn run(args: CollectInventoryArgs) -> Result<Exit, Failure> {
    let CollectInventoryArgs {
        out,
        region,
        profile,
        role_arn: _,
        external_id,
        redact,
        history,
        members,
    } = args;
    let OrganizationArgs {
        organization: _,
        role,
        account,
        exclude_account,
        concurrency,
        role_in_own_account,
        strict,
    } = members;
    let role = MemberRole {
        name: role_name(role.unwrap_or_default())?,
        external_id,
        in_own_account: role_in_own_account,
    };
    let scope = SnapshotScope {
        regions: region,
        history,
        now: seconds_now(),
    };
    let dir = OutDir::prepare(&out, Made::Snapshot)?;
    // It is shown if all goes well.
    next::propose(Next::Collected {
        snapshot: out.clone(),
    });
    let signed_in = sign_in(&profile, &scope)?;
    let accounts = accounts(&signed_in, &account, &exclude_account)?;

    let bar = progress::collecting();
    let shown = bar.clone();
    let on_call = move |account: &str, region: &str, operation: &str, items: usize| {
        progress::detail(|| format!("{account} {region} {operation}: {items} more"));
        shown.set_message(format!("{account} {region} {operation}"));
        shown.inc(items as u64);
    };
    let at_once = concurrency.map_or(AT_ONCE, NonZeroUsize::get);
    let snapshots = MemberSnapshots::new(&signed_in, accounts, role, scope, at_once, on_call);
    let mut whole = Collected::default();
    let mut failure = None;
    let written = dir.write(|write| {
        let redaction = redact.then(Redaction::default);
        whole = match write_members(snapshots, redaction, write)? {
            Ok(whole) => whole,
            Err(stopped) => {
                failure = Some(stopped);
                return Err(anyhow!("not collected"));
            }
        };
        if let Some(refused) = refusal(&whole, strict) {
            failure = Some(refused);
            return Err(anyhow!("not collected"));
        }
        write("manifest.json", json::pretty(&whole.manifest).as_bytes())
    });
    bar.finish_and_clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    written?;
    let refused = count(&whole, MemberState::Refused);
    if refused > 0 {
        progress::say(&format!(
            "warning: {} refused; the snapshot says so, and the audit report will",
            plural(refused as u64, "account")
        ));
    }
    let place = out.display().to_string();
    print(collect_summary::summary(&whole.manifest, &place))?;
    Ok(Exit::Done)
}

/// A role's name, not its ARN, which holds an account.
fn role_name(name: String) -> Result<String, Failure> {
    if name.is_empty() || name.contains(':') {
        return Err(Failure::usage(anyhow!(
            "--role `{name}` is not the name of a role; give what stands behind role/ in its ARN"
        )));
    }
    Ok(name)
}

fn sign_in(profiles: &[String], scope: &SnapshotScope) -> Result<Account, Failure> {
    let profile = match profiles {
        [] => None,
        [profile] => Some(profile.clone()),
        _ => {
            return Err(Failure::usage(anyhow!(
                "--organization takes one --profile, which lists the accounts and assumes the role in each"
            )));
        }
    };
    Account::new(&SignIn {
        profile,
        region: scope.regions.first().cloned(),
        ..SignIn::default()
    })
    .map_err(|error| remote::failure(&error))
}

/// The accounts of the organization, without those that are not wanted.
fn accounts(
    signed_in: &Account,
    only: &[String],
    without: &[String],
) -> Result<OrganizationAccounts, Failure> {
    let found = aws::organization_accounts(signed_in);
    let mut accounts = found.map_err(|error| remote::failure(&error))?;
    let unknown = accounts.select(only, without);
    if !unknown.is_empty() {
        return Err(Failure::usage(anyhow!(
            "the organization has no account {}; `aws organizations list-accounts` lists them",
            unknown.join(", ")
        )));
    }
    if accounts.wanted() == 0 {
        return Err(Failure::usage(anyhow!(
            "--account and --exclude-account leave no active account to collect"
        )));
    }
    Ok(accounts)
}

/// Writes each account's files when it has been collected, so that no more than a few are in memory. What remains is the manifest.
fn write_members(
    snapshots: MemberSnapshots,
    mut redaction: Option<Redaction>,
    write: &mut dyn FnMut(&str, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Result<Collected, Failure>> {
    let mut whole = Collected::default();
    let mut names: Vec<String> = Vec::new();
    for snapshot in snapshots {
        let CollectedMember {
            mut member,
            collected,
        } = match snapshot {
            Ok(snapshot) => snapshot,
            Err(error) => return Ok(Err(remote::failure(&error))),
        };
        let mut part = collected.unwrap_or_default();
        if let Some(redaction) = &mut redaction {
            redaction.snapshot(&mut part);
            redaction.member(&mut member);
        }
        for (path, content) in part.files.drain(..) {
            write(&path, json::pretty(&content).as_bytes())?;
            names.push(path);
        }
        part.manifest.accounts.push(member);
        whole.add(part);
    }
    names.sort();
    whole.manifest.files = names;
    Ok(Ok(whole))
}

fn count(whole: &Collected, state: MemberState) -> usize {
    let accounts = whole.manifest.accounts.iter();
    accounts.filter(|member| member.state == state).count()
}

/// Why there is no snapshot, for refusals: with `strict` for any, else where all refused.
fn refusal(whole: &Collected, strict: bool) -> Option<Failure> {
    let refused = count(whole, MemberState::Refused);
    let collected = count(whole, MemberState::Collected);
    if refused == 0 || (collected > 0 && !strict) {
        return None;
    }
    let accounts = whole.manifest.accounts.iter();
    let named: Vec<String> = accounts
        .filter(|member| member.state == MemberState::Refused)
        .map(collect_summary::left_out)
        .collect();
    Some(Failure::aws(format!(
        "AWS: {} of {} refused: {}; docs/aws.md says what the role in each account needs",
        refused,
        plural((refused + collected) as u64, "account"),
        named.join(", ")
    )))
}
