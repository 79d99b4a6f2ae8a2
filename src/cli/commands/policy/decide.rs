//! `closegate policy decide`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::civil::Date;

use crate::cli::args::{DecideArgs, VerbArg};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next, NextOfPolicy};
use crate::cli::policy_dir::PolicyDir;
use crate::cli::trouble::Trouble;
use crate::net::{plural, visible};
use crate::policy::{self, DecisionFilter, EntryState, PolicyDecision, PolicySet};

/// The columns of a file of decisions; the first two have to be there.
const COLUMNS: &[&str] = &["key", "state", "reason", "owner", "ticket", "expires"];

pub(super) fn run(args: DecideArgs) -> Result<Exit, Failure> {
    let dir = args.policy.clone();
    let before = PolicyDir::open_existing(&dir)?;
    let mut policy = before.set();
    let (decisions, left) = match (args.decisions.clone(), args.verb) {
        (Some(file), _) => (from_file(&file).map_err(invalid)?, Vec::new()),
        (None, Some(verb)) => from_arguments(&policy, args, verb)?,
        (None, None) => (Vec::new(), Vec::new()),
    };
    let changed = policy::decide(&mut policy, &decisions).map_err(|what| invalid(anyhow!(what)))?;
    before.write(&policy)?;
    let mut text = format!(
        "{} decided, {} changed\n",
        entries(decisions.len()),
        changed
    );
    if !left.is_empty() {
        writeln!(
            text,
            "{} left out, for connections that the run quarantined would be permitted; accept by key what is right all the same: {}",
            entries(left.len()),
            left.join(", ")
        )
        .expect("writing to a string does not fail");
    }
    print(text)?;
    next::propose(Next::Policy(NextOfPolicy::Decided { policy: dir }));
    Ok(Exit::Done)
}

/// Decisions that can't be recorded.
fn invalid(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::Policy)
}

fn entries(count: usize) -> String {
    plural(count as u64, "entry").replace("entrys", "entries")
}

/// The same decision for each of the entries that the command line means, and the keys of those that it leaves out.
fn from_arguments(
    policy: &PolicySet,
    args: DecideArgs,
    verb: VerbArg,
) -> Result<(Vec<PolicyDecision>, Vec<String>), Failure> {
    let DecideArgs {
        keys,
        group,
        confidence,
        state,
        seen_days,
        kind,
        reason,
        owner,
        ticket,
        expires,
        ..
    } = args;
    let filter = DecisionFilter {
        groups: group,
        confidence: confidence.map(Into::into),
        state: state.map(Into::into),
        seen_days,
        kinds: kind.into_iter().map(Into::into).collect(),
    };
    if keys.is_empty() && filter.is_empty() {
        return Err(Failure::usage(anyhow!(
            "neither keys nor filters; name entries, or say which by --group, --kind, --confidence, --state or --seen-days"
        )));
    }
    let usage = |what: String| Failure::usage(anyhow!(what));
    let filter = filter.with_ids(policy).map_err(usage)?;
    let (keys, left) = if keys.is_empty() {
        filter.keys(policy, verb.into())
    } else {
        (filter.among(policy, &keys).map_err(usage)?, Vec::new())
    };
    let decision = |key| PolicyDecision {
        key,
        state: EntryState::from(verb),
        reason: reason.clone(),
        owner: owner.clone(),
        ticket: ticket.clone(),
        expires,
    };
    Ok((keys.into_iter().map(decision).collect(), left))
}

/// The decisions of a CSV file.
fn from_file(file: &Path) -> anyhow::Result<Vec<PolicyDecision>> {
    let read = || {
        let bytes = fs::read(file)?;
        let mut reader = ReaderBuilder::new()
            .trim(Trim::All)
            .from_reader(bytes.as_slice());
        let columns = reader.headers()?.clone();
        for column in &columns {
            if !COLUMNS.contains(&column) {
                return Err(anyhow!(
                    "line 1: `{}` is not a column; there are {}",
                    visible(column, 60),
                    COLUMNS.join(", ")
                ));
            }
        }
        for needed in &COLUMNS[..2] {
            if !columns.iter().any(|column| column == *needed) {
                return Err(anyhow!("line 1: the column {needed} is missing"));
            }
        }
        let mut decisions = Vec::new();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let decision =
                decision(&columns, &record).map_err(|what| anyhow!("line {line}: {what}"))?;
            decisions.push(decision);
        }
        Ok(decisions)
    };
    read().with_context(|| format!("decisions `{}` can't be read", file.display()))
}

fn decision(columns: &StringRecord, record: &StringRecord) -> Result<PolicyDecision, String> {
    let value = |wanted: &str| {
        let position = columns.iter().position(|column| column == wanted)?;
        record.get(position).filter(|value| !value.is_empty())
    };
    let text = |wanted: &str| value(wanted).map(str::to_owned);
    let state = value("state").unwrap_or_default();
    let state = EntryState::parse(state).ok_or_else(|| {
        format!(
            "state is `{}`; give proposed, accepted, declined or deferred",
            visible(state, 60)
        )
    })?;
    let expires = value("expires").map(|day| {
        day.parse::<Date>().map_err(|_error| {
            format!(
                "expires is `{}`; give a date such as 2027-01-31",
                visible(day, 60)
            )
        })
    });
    Ok(PolicyDecision {
        key: text("key").ok_or("key is empty; give an entry's key")?,
        state,
        reason: text("reason"),
        owner: text("owner"),
        ticket: text("ticket"),
        expires: expires.transpose()?,
    })
}
