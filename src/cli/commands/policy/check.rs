//! `closegate policy check`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::args::CheckPolicyArgs;
use crate::cli::clock;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next, NextOfPolicy};
use crate::cli::past_run;
use crate::cli::policy_dir::PolicyDir;
use crate::cli::settings::{self, Decided};
use crate::documents::SCHEMA_VERSION;
use crate::inventory::Inventory;
use crate::net::{json, plural, visible};
use crate::platform;
use crate::policy::{self, EntryState, PolicyBasis, PolicySet, PolicyTarget};

/// What `--json` prints.
#[derive(Serialize)]
struct CheckDocument {
    schema_version: u32,
    valid: bool,
    problems: Vec<ProblemRow>,
    /// Keys of accepted entries for prefix lists, where a run was given and no inventory that says what is in them.
    not_compared: Vec<String>,
}

#[derive(Serialize)]
struct ProblemRow {
    file: String,
    line: usize,
    key: Option<String>,
    what: String,
}

pub(super) fn run(args: CheckPolicyArgs) -> Result<Exit, Failure> {
    let CheckPolicyArgs {
        policy: dir,
        inventory,
        run,
        config,
        json: as_json,
    } = args;
    let asked = (dir.clone(), inventory.clone(), run.clone());
    let read = PolicyDir::read(&dir)?;
    let Decided { config, .. } = settings::decide(config, None, &[])?;
    let inventory = inventory.map(|dir| Inventory::load(&dir).map_err(Failure::usage));
    let inventory = inventory.transpose()?;
    let audit = run.map(|run| past_run::load(&run)).transpose()?;
    let policy = read.set();
    let basis = PolicyBasis {
        today: clock::now().to_zoned(TimeZone::UTC).date(),
        inventory: inventory.as_ref(),
        audit: audit.as_ref(),
        quotas: config.quotas,
    };
    let unreadable = read.errors.iter().map(|error| ProblemRow {
        file: platform::portable(&error.path),
        line: error.line,
        key: None,
        what: error.what.clone(),
    });
    let found = policy::check(&policy, &basis);
    let found = found.into_iter().map(|problem| ProblemRow {
        file: platform::portable(&read.path(&problem.group)),
        line: problem.line,
        key: problem.key,
        what: problem.what,
    });
    let problems: Vec<ProblemRow> = unreadable.chain(found).collect();
    let valid = problems.is_empty();
    let not_compared = if audit.is_some() && inventory.is_none() {
        accepted_lists(&policy)
    } else {
        Vec::new()
    };
    print(if as_json {
        json::pretty(&CheckDocument {
            schema_version: SCHEMA_VERSION,
            valid,
            problems,
            not_compared,
        })
    } else {
        in_words(&policy, &problems, not_compared.len())
    })?;
    let (policy, inventory, run) = asked;
    next::propose(Next::Policy(NextOfPolicy::Checked {
        policy,
        inventory,
        run,
        is_valid: valid,
    }));
    Ok(if valid { Exit::Done } else { Exit::Stands })
}

/// Keys of accepted entries for prefix lists.
fn accepted_lists(policy: &PolicySet) -> Vec<String> {
    let accepted = policy
        .entries()
        .filter(|(_, entry)| entry.state == EntryState::Accepted);
    let lists = accepted.filter(|(_, entry)| matches!(entry.target, PolicyTarget::PrefixList(_)));
    lists.map(|(_, entry)| entry.key.clone()).collect()
}

fn in_words(policy: &PolicySet, problems: &[ProblemRow], not_compared: usize) -> String {
    let mut text = String::new();
    for problem in problems {
        let ProblemRow {
            file,
            line,
            key,
            what,
        } = problem;
        let file = visible(file, 300);
        let key = key
            .as_ref()
            .map(|key| format!("{key}: "))
            .unwrap_or_default();
        writeln!(text, "{file}:{line}: {key}{what}").expect("writing to a string does not fail");
    }
    let accepted = policy
        .entries()
        .filter(|(_, entry)| entry.state == EntryState::Accepted);
    writeln!(
        text,
        "{}, {} accepted: {}",
        plural(policy.groups.len() as u64, "group"),
        accepted.count(),
        if problems.is_empty() {
            "valid".to_owned()
        } else {
            plural(problems.len() as u64, "problem")
        }
    )
    .expect("writing to a string does not fail");
    if not_compared > 0 {
        writeln!(
            text,
            "Not compared with what the run quarantined: {not_compared} accepted for prefix lists; --inventory says what is in them"
        )
        .expect("writing to a string does not fail");
    }
    text
}
