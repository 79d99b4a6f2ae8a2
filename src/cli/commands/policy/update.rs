//! `closegate policy update`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;

use crate::cli::args::UpdatePolicyArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next, NextOfPolicy};
use crate::cli::past_run;
use crate::cli::policy_dir::PolicyDir;
use crate::cli::trouble::Trouble;
use crate::documents::ChangeDocument;
use crate::net::plural;
use crate::policy::{self, PolicyRun, UpdateSummary};

pub(super) fn run(args: &UpdatePolicyArgs) -> Result<Exit, Failure> {
    let UpdatePolicyArgs {
        run,
        policy: dir,
        by_account,
    } = args;
    let change: ChangeDocument = past_run::file(run, "rules/rules.json")?;
    past_run::holds_up(run, &change)?;
    let audit = past_run::load(run)?;
    let mut before = PolicyDir::open_or_new(dir)?;
    if *by_account {
        before.divide()?;
    }
    let mut policy = before.set();
    let name = name(run);
    let merged = PolicyRun {
        name: &name,
        change: &change,
        audit: &audit,
        account: before.part_of(),
    };
    let summary = policy::update(&mut policy, &merged)
        .map_err(|what| Failure::usage(anyhow!("`{}`: {what}", run.display())))
        .map_err(|failure| failure.about(Trouble::Run))?;
    let files = before.write(&policy)?;
    print(in_words(&summary, files))?;
    let proposed = summary.proposed.iter().chain(&summary.returned).next();
    next::propose(Next::Policy(NextOfPolicy::Updated {
        policy: dir.clone(),
        run: run.clone(),
        proposed: proposed.cloned(),
    }));
    Ok(Exit::Done)
}

/// The name of a run's directory, however it was named.
fn name(run: &Path) -> String {
    let whole = run.canonicalize();
    let whole = whole.as_deref().unwrap_or(run);
    let name = whole.file_name();
    name.map_or_else(
        || "run".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn in_words(summary: &UpdateSummary, files: usize) -> String {
    let UpdateSummary {
        proposed,
        returned,
        seen,
        unseen,
        left_out,
        elsewhere,
    } = summary;
    let mut text = format!(
        "proposed    {}\n",
        plural(proposed.len() as u64, "new connection")
    );
    let mut line = |word: &str, what: String| {
        writeln!(text, "{word:<11} {what}").expect("writing to a string does not fail");
    };
    if !returned.is_empty() {
        line(
            "returned",
            format!(
                "{} that was deferred and changed",
                plural(returned.len() as u64, "connection")
            ),
        );
    }
    let again = seen.saturating_sub(proposed.len());
    line("seen again", plural(again as u64, "connection"));
    if !unseen.is_empty() {
        let longest = unseen.iter().filter_map(|(_, days)| *days).max();
        let longest =
            longest.map(|days| format!(", the longest for {}", plural(days.unsigned_abs(), "day")));
        line(
            "not seen",
            format!(
                "{}{}",
                plural(unseen.len() as u64, "connection"),
                longest.unwrap_or_default()
            ),
        );
    }
    if *left_out > 0 {
        line(
            "left out",
            format!(
                "{} (open egress, or needed by quarantined connections only)",
                plural(*left_out as u64, "rule")
            ),
        );
    }
    if *elsewhere > 0 {
        let rules = plural(*elsewhere as u64, "rule");
        line("elsewhere", format!("{rules} of other accounts"));
    }
    line("changed", plural(files as u64, "file"));
    text
}
