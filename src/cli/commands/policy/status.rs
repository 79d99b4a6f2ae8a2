//! `closegate policy status`.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde::Serialize;

use crate::cli::args::PolicyStatusArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, GroupCounts, Next, NextOfPolicy};
use crate::cli::past_run;
use crate::cli::policy_dir::PolicyDir;
use crate::documents::SCHEMA_VERSION;
use crate::inventory::Inventory;
use crate::net::{json, plural, visible};
use crate::policy::{self, EntryState, GroupStatus, PolicyMode, PolicySet};

/// What `--json` prints.
#[derive(Serialize)]
struct StatusDocument<'a> {
    schema_version: u32,
    groups: Vec<StatusRow<'a>>,
    /// Groups that interfaces carry and that have no file; null without an inventory.
    groups_without_policy: Option<Vec<String>>,
}

#[derive(Serialize)]
struct StatusRow<'a> {
    group_id: &'a str,
    name: &'a str,
    mode: &'static str,
    owner: Option<&'a str>,
    proposed: usize,
    accepted: usize,
    declined: usize,
    deferred: usize,
    newest: Option<String>,
    stable_days: Option<i64>,
    decided: bool,
    enough_evidence: Option<bool>,
    wait_for: &'a [String],
    ready_to_lock: bool,
    entries: Vec<EntryRow<'a>>,
}

#[derive(Serialize)]
struct EntryRow<'a> {
    key: &'a str,
    direction: &'static str,
    state: &'static str,
    first_seen: Option<String>,
    last_seen: Option<String>,
    days_seen: usize,
}

pub(super) fn run(args: &PolicyStatusArgs) -> Result<Exit, Failure> {
    let read = PolicyDir::read(&args.policy)?;
    let policy = read.readable()?;
    let inventory = args.inventory.as_deref().map(Inventory::load);
    let inventory = inventory.transpose().map_err(Failure::usage)?;
    let audit = args.run.as_deref().map(past_run::load).transpose()?;
    let groups = policy::status(&policy, audit.as_ref());
    let missing = inventory.map(|inventory| without_policy(&inventory, &policy, read.part_of()));
    print(if args.json {
        json::pretty(&StatusDocument {
            schema_version: SCHEMA_VERSION,
            groups: groups.iter().map(row).collect(),
            groups_without_policy: missing,
        })
    } else {
        in_words(&groups, missing.as_deref(), audit.is_some())
    })?;
    next::propose(Next::Policy(NextOfPolicy::Stands {
        policy: args.policy.clone(),
        inventory: args.inventory.clone(),
        run: args.run.clone(),
        groups: counts(&groups, &read),
    }));
    Ok(Exit::Done)
}

/// What the groups wait for.
fn counts(groups: &[GroupStatus<'_>], policy: &PolicyDir) -> GroupCounts {
    let ready: Vec<&GroupStatus<'_>> = groups.iter().filter(|status| status.is_ready()).collect();
    let entries = groups.iter().flat_map(|status| &status.group.entries);
    let mut proposed = entries.filter(|entry| entry.state == EntryState::Proposed);
    let waits = |status: &&GroupStatus<'_>| {
        status.group.mode == PolicyMode::Learn && status.enough_evidence == Some(false)
    };
    let is_locked = |status: &&GroupStatus<'_>| status.group.mode == PolicyMode::Locked;
    GroupCounts {
        ready: ready
            .first()
            .map(|status| (policy.path(&status.group.group), ready.len())),
        proposed: proposed.next().map(|entry| entry.key.clone()),
        waiting: groups.iter().filter(waits).count(),
        locked: (groups.iter().filter(is_locked).count(), groups.len()),
    }
}

/// Groups that interfaces carry and that the policy does not cover; of one account, if the policy is of one.
fn without_policy(inventory: &Inventory, policy: &PolicySet, account: Option<&str>) -> Vec<String> {
    let groups = inventory.groups().iter();
    groups
        .filter(|group| account.is_none_or(|account| group.owner == account))
        .filter(|group| !group.members.is_empty() && !policy.groups.contains_key(&group.id))
        .map(|group| group.id.clone())
        .collect()
}

fn row<'a>(status: &'a GroupStatus<'a>) -> StatusRow<'a> {
    let [proposed, accepted, declined, deferred] = status.counts;
    let text = |day: Option<Date>| day.map(|day| day.to_string());
    StatusRow {
        group_id: &status.group.group,
        name: &status.group.name,
        mode: status.group.mode.as_str(),
        owner: status.group.owner.as_deref(),
        proposed,
        accepted,
        declined,
        deferred,
        newest: text(status.newest),
        stable_days: status.stable_for,
        decided: status.decided,
        enough_evidence: status.enough_evidence,
        wait_for: &status.wait_for,
        ready_to_lock: status.is_ready(),
        entries: status
            .group
            .entries
            .iter()
            .map(|entry| EntryRow {
                key: &entry.key,
                direction: entry.direction.as_str(),
                state: entry.state.as_str(),
                first_seen: text(entry.first_seen),
                last_seen: text(entry.last_seen()),
                days_seen: entry.days.len(),
            })
            .collect(),
    }
}

fn in_words(groups: &[GroupStatus<'_>], missing: Option<&[String]>, has_run: bool) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("writing to a string does not fail");
    };
    for status in groups {
        let counts = EntryState::ALL.iter().zip(status.counts);
        let counts: Vec<String> = counts
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| format!("{count} {}", state.as_str()))
            .collect();
        let counts = if counts.is_empty() {
            "no entries".to_owned()
        } else {
            counts.join(", ")
        };
        let stable = status
            .stable_for
            .map(|days| format!("; stable for {}", plural(days.unsigned_abs(), "day")));
        line(format_args!(
            "{} ({}): {counts}{}; {}",
            visible(&status.group.name, 60),
            status.group.group,
            stable.unwrap_or_default(),
            standing(status, has_run)
        ));
    }
    let locked = groups
        .iter()
        .filter(|status| status.group.mode == PolicyMode::Locked);
    let ready = groups.iter().filter(|status| status.is_ready());
    line(format_args!(
        "{}: {} ready to lock, {} locked",
        plural(groups.len() as u64, "group"),
        ready.count(),
        locked.count()
    ));
    if let Some(missing) = missing {
        line(format_args!(
            "{} in use without a file",
            plural(missing.len() as u64, "group")
        ));
    }
    text
}

/// How far a group is.
fn standing(status: &GroupStatus<'_>, has_run: bool) -> String {
    if status.group.mode == PolicyMode::Locked {
        "locked".to_owned()
    } else if status.is_ready() {
        "ready to lock".to_owned()
    } else if !status.decided {
        "decisions are missing".to_owned()
    } else if status.enough_evidence == Some(false) {
        format!("wait for {}", visible(&status.wait_for.join(", "), 200))
    } else if has_run {
        "all decided; the run says nothing of the group's evidence".to_owned()
    } else {
        "all decided; --run says whether the evidence is enough".to_owned()
    }
}
