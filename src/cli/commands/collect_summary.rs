//! What `closegate collect` prints of a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::aws::{MemberAccount, MemberState, Refused, SnapshotManifest};
use crate::net::{plural, visible};

/// Refusals of one call that have a line each; more are counted.
const LINES: usize = 3;

/// The account of a snapshot that lies in `place`.
pub(super) fn summary(manifest: &SnapshotManifest, place: &str) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: String| {
        writeln!(text, "{label:<12}{content}").expect("writing to a string does not fail");
    };
    // Of an organization, the accounts say as much.
    if manifest.accounts.is_empty() {
        for identity in &manifest.identities {
            line("signed in", visible(&identity.arn, 200));
        }
    }
    let mut operations: Vec<(&str, usize)> = Vec::new();
    for call in &manifest.calls {
        match operations
            .iter_mut()
            .find(|(operation, _)| *operation == call.operation)
        {
            Some((_, items)) => *items += call.items,
            None => operations.push((call.operation, call.items)),
        }
    }
    for (operation, items) in operations {
        line("", format!("{items:>8}  {operation}"));
    }
    for refused in refused(&manifest.refused) {
        line("refused", refused);
    }
    if !manifest.accounts.is_empty() {
        line("accounts", accounts(&manifest.accounts));
    }
    for member in &manifest.accounts {
        match member.state {
            MemberState::Collected => {}
            MemberState::Refused => line("refused", left_out(member)),
            MemberState::Inactive | MemberState::LeftOut => line("left out", left_out(member)),
        }
    }
    line(
        "snapshot",
        format!(
            "{place}: {}",
            plural(manifest.files.len() as u64 + 1, "file")
        ),
    );
    text
}

/// Where each call was refused, and what that costs.
fn refused(all: &[Refused]) -> Vec<String> {
    let mut by_call: BTreeMap<(&str, &str, &str), Vec<&Refused>> = BTreeMap::new();
    for refused in all {
        let call = (refused.operation, refused.code.as_str(), refused.cost);
        by_call.entry(call).or_default().push(refused);
    }
    let mut lines = Vec::new();
    for ((operation, code, cost), refused) in by_call {
        let cost = match cost {
            "" => String::new(),
            cost => format!(": {cost}"),
        };
        let code = visible(code, 60);
        let mut add = |place: &str| lines.push(format!("{operation} in {place} ({code}){cost}"));
        if refused.len() <= LINES {
            for refused in refused {
                add(&refused.region);
            }
        } else {
            let accounts: BTreeSet<&str> = refused.iter().map(|r| r.account.as_str()).collect();
            add(&format!(
                "{} of {}",
                plural(refused.len() as u64, "region"),
                plural(accounts.len() as u64, "account")
            ));
        }
    }
    lines
}

/// How many accounts the organization has, and how many of them the snapshot has.
fn accounts(all: &[MemberAccount]) -> String {
    let count = |state: MemberState| all.iter().filter(|member| member.state == state).count();
    let states = [
        (MemberState::Collected, "collected"),
        (MemberState::Refused, "refused"),
        (MemberState::Inactive, "not active"),
        (MemberState::LeftOut, "left out"),
    ];
    let counts: Vec<String> = states
        .into_iter()
        .filter(|(state, _)| count(*state) > 0)
        .map(|(state, name)| format!("{} {name}", count(state)))
        .collect();
    format!(
        "{} in the organization: {}",
        plural(all.len() as u64, "account"),
        counts.join(", ")
    )
}

/// An account that the snapshot lacks, and why.
pub(super) fn left_out(member: &MemberAccount) -> String {
    let name = match member.name.as_str() {
        "" => String::new(),
        name => format!(" ({})", visible(name, 60)),
    };
    let code = member.code.as_deref().map(|code| visible(code, 60));
    let why = match (member.operation.as_deref(), code) {
        (Some(operation), Some(code)) => format!(": {operation} ({code})"),
        (None, Some(code)) => format!(": {code}"),
        _ => String::new(),
    };
    format!("{}{name}{why}", visible(&member.account, 60))
}
