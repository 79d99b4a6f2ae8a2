//! `closegate rules`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use jiff::tz::TimeZone;

use crate::cli::args::RulesArgs;
use crate::cli::clock;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next, NextOfPolicy};
use crate::cli::output::{OutFile, other_accounts, write_account_rule_files, write_rule_files};
use crate::cli::past_run;
use crate::cli::policy_dir::PolicyDir;
use crate::cli::trouble::Trouble;
use crate::documents::{ChangeDocument, Direction, Status};
use crate::emit::{self, PolicyFileOptions, RuleFormat, RuleFormatOptions, TerraformState};
use crate::inventory::Inventory;
use crate::net::{plural, visible};
use crate::policy::PolicySet;

pub(in crate::cli) fn run(args: &RulesArgs) -> Result<Exit, Failure> {
    let format = RuleFormat::named(&args.format).expect("clap knows the names");
    match (&args.run, &args.policy, &args.inventory) {
        (Some(run), _, _) => of_run(run, format, args),
        (None, Some(policy), Some(inventory)) => of_policy(policy, inventory, format, args),
        _ => Err(Failure::usage(anyhow!(
            "name a run, or a policy and an inventory"
        ))),
    }
}

fn of_run(run: &Path, format: &RuleFormat, args: &RulesArgs) -> Result<Exit, Failure> {
    let name = format.name;
    if !args.terraform_state.is_empty() && name != "terraform" {
        return Err(Failure::usage(anyhow!(
            "--terraform-state goes with --format terraform; {name} has no styles"
        )));
    }
    let out = OutFile::prepare(args.out.as_deref())?;
    let state = states(&args.terraform_state, |state| {
        if state.is_empty() {
            return Err(anyhow!(
                "it holds no security group; name the state of the estate that does"
            ));
        }
        Ok(())
    })?;
    let options = RuleFormatOptions {
        ids: args.ids.into(),
        state: state.unwrap_or_default(),
    };
    let change: ChangeDocument = past_run::file(run, "rules/rules.json")?;
    past_run::holds_up(run, &change)?;
    let text = format.write(&change, &options).map_err(Failure::output)?;
    let exit = out.write(text)?;
    next::propose(Next::WroteRules {
        run: run.to_path_buf(),
    });
    Ok(exit)
}

/// Every rule that a policy wants, as files of a directory, or as the one file that a format has.
fn of_policy(
    dir: &Path,
    snapshot: &Path,
    format: &RuleFormat,
    args: &RulesArgs,
) -> Result<Exit, Failure> {
    refuse_unsuitable(format, args)?;
    let read = PolicyDir::read(dir)?;
    let policy = read.sound()?;
    let state = states(&args.terraform_state, |_| Ok(()))?;
    let inventory = Inventory::load(snapshot).map_err(Failure::usage)?;
    refuse_unknown(&policy, &inventory)?;
    let today = clock::now().to_zoned(TimeZone::UTC).date();
    let whole = emit::policy_change(&policy, &inventory, today);
    let options = PolicyFileOptions {
        ids: args.ids.into(),
        state,
        split: args.split.map(Into::into),
        exclusive: args.exclusive,
    };
    let mut parts = Parts::of(&read, &policy, whole);
    let mut files = parts.written(format, &options)?;
    let Some(out) = &args.out else {
        let count: usize = files.values().map(BTreeMap::len).sum();
        return match files.into_values().flat_map(BTreeMap::into_values).next() {
            Some(text) if count == 1 => print(text).map(|()| Exit::Done),
            _ => Err(Failure::usage(anyhow!(
                "--emit {} is {}; name a directory for them with --out",
                format.name,
                plural(count as u64, "file")
            ))),
        };
    };
    if format.name == "aws-cli" {
        // What is applied from a directory is undone from there.
        let rollback = RuleFormat::named("aws-cli-rollback").expect("it is one of the formats");
        for (account, undo) in parts.written(rollback, &options)? {
            files.entry(account).or_default().extend(undo);
        }
    }
    if parts.by_account {
        parts.untouched = other_accounts(out, &files);
        write_account_rule_files(out, &files)?;
    } else {
        for files in files.values() {
            write_rule_files(out, files)?;
        }
    }
    print(parts.in_words(&files, out))?;
    next::propose(Next::Policy(NextOfPolicy::WrotePolicy {
        policy: dir.to_path_buf(),
        inventory: snapshot.to_path_buf(),
        format: format.name.to_owned(),
        out: out.clone(),
    }));
    Ok(Exit::Done)
}

/// What is written of a policy, and what is not.
struct Parts {
    /// Whether each account has a directory.
    by_account: bool,
    /// By the name of the account's directory; one under an empty name if they have none.
    changes: BTreeMap<String, ChangeDocument>,
    /// Rules of other accounts than the one of which the policy is.
    elsewhere: usize,
    /// Directories of accounts of which the policy has nothing.
    untouched: Vec<String>,
}

/// Files by name, by the name of the account's directory; under an empty name if they are not by account.
type AccountFiles = BTreeMap<String, BTreeMap<String, String>>;

impl Parts {
    fn of(read: &PolicyDir, policy: &PolicySet, whole: ChangeDocument) -> Self {
        let by_account = read.is_by_account();
        let mut elsewhere = 0;
        let changes = if by_account {
            emit::account_changes(&whole, policy)
        } else {
            let one = match read.part_of() {
                Some(account) => {
                    let own = emit::account_changes(&whole, policy).remove(account);
                    let own = own.unwrap_or(ChangeDocument {
                        rules: Vec::new(),
                        revocations: Vec::new(),
                        ..whole.clone()
                    });
                    elsewhere = whole.rules.len() - own.rules.len();
                    own
                }
                None => whole,
            };
            BTreeMap::from([(String::new(), one)])
        };
        Self {
            by_account,
            changes,
            elsewhere,
            untouched: Vec::new(),
        }
    }

    fn written(
        &self,
        format: &RuleFormat,
        options: &PolicyFileOptions,
    ) -> Result<AccountFiles, Failure> {
        let mut all = AccountFiles::new();
        for (account, change) in &self.changes {
            let files = format.policy_files(change, options);
            let files = files.map_err(Failure::output)?;
            all.insert(account.clone(), files);
        }
        Ok(all)
    }

    fn in_words(&self, files: &AccountFiles, out: &Path) -> String {
        let mut text = String::new();
        for (account, change) in &self.changes {
            let count = files.get(account).map_or(0, BTreeMap::len);
            let place = if self.by_account {
                out.join(account)
            } else {
                out.to_path_buf()
            };
            text += &in_words(change, count, &place);
        }
        let mut line = |word: &str, what: &str| {
            writeln!(text, "{word:<12} {what}").expect("writing to a string does not fail");
        };
        if self.elsewhere > 0 {
            let rules = plural(self.elsewhere as u64, "rule");
            line(
                "elsewhere",
                &format!("{rules} of other accounts, which the whole policy writes"),
            );
        }
        for account in &self.untouched {
            let place = out.join(account).display().to_string();
            let place = visible(&place, 300);
            line(
                "untouched",
                &format!("`{place}`: the policy has nothing of that account any more"),
            );
        }
        text
    }
}

/// Fails if an option does not go with the format.
fn refuse_unsuitable(format: &RuleFormat, args: &RulesArgs) -> Result<(), Failure> {
    let name = format.name;
    let is_newer = matches!(name, "terraform-module" | "terraform" | "terraform-json");
    let wrong = if !args.terraform_state.is_empty() && !is_newer {
        "--terraform-state goes with terraform-module, terraform and terraform-json"
    } else if args.exclusive && !is_newer {
        "--exclusive goes with terraform-module, terraform and terraform-json"
    } else if args.split.is_some() && name == "terraform-module-v1" {
        "--split does not go with terraform-module-v1, whose module has one list"
    } else {
        return Ok(());
    };
    Err(Failure::usage(anyhow!(
        "{wrong}; the format here is {name}"
    )))
}

/// Fails if the inventory has a group of the policy without its rules: what stands would be taken for new.
fn refuse_unknown(policy: &PolicySet, inventory: &Inventory) -> Result<(), Failure> {
    for id in policy.groups.keys() {
        let Some(ix) = inventory.group_by_id(id) else {
            continue;
        };
        let group = inventory.group(ix);
        let lacks = |direction| group.known && !group.knows(direction);
        if lacks(Direction::Egress) || lacks(Direction::Ingress) {
            return Err(Failure::usage(anyhow!(
                "the inventory has group {id} without all of its rules; take it again without --query"
            ))
            .about(Trouble::Inventory));
        }
    }
    Ok(())
}

/// What Terraform holds by all states; nothing if none is given.
fn states(
    files: &[PathBuf],
    check: impl Fn(&TerraformState) -> anyhow::Result<()>,
) -> Result<Option<TerraformState>, Failure> {
    let mut all: Option<TerraformState> = None;
    for file in files {
        let read = || -> anyhow::Result<TerraformState> {
            let state = TerraformState::parse(&fs::read(file)?)?;
            check(&state)?;
            Ok(state)
        };
        let state = read()
            .with_context(|| format!("--terraform-state `{}`", file.display()))
            .map_err(|error| Failure::usage(error).about(Trouble::Change))?;
        match &mut all {
            Some(all) => all.absorb(state),
            None => all = Some(state),
        }
    }
    Ok(all)
}

fn in_words(change: &ChangeDocument, files: usize, out: &Path) -> String {
    let standing = change
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Keep);
    let standing = standing.count();
    let mut text = String::new();
    let mut line = |word: &str, what: &str| {
        writeln!(text, "{word:<12} {what}").expect("writing to a string does not fail");
    };
    line(
        "written",
        &format!(
            "{} in `{}`",
            plural(files as u64, "file"),
            visible(&out.display().to_string(), 300)
        ),
    );
    line(
        "rules",
        &format!(
            "{}: {} to add, {standing} that stand",
            plural(change.rules.len() as u64, "rule"),
            change.rules.len() - standing
        ),
    );
    if !change.revocations.is_empty() {
        let gone = plural(change.revocations.len() as u64, "rule");
        line(
            "outside",
            &format!(
                "{gone} of locked groups; Terraform and CloudFormation do not revoke what they do not hold"
            ),
        );
    }
    for row in &change.not_written {
        let what = format!("{} of {}, for {}", row.key, row.group_id, row.why);
        line("not written", &visible(&what, 300));
    }
    for group in &change.groups {
        let Some(what) = &group.kept_by else { continue };
        if change.rules.iter().any(|rule| rule.group_id == group.id) {
            let what = format!("{} ({}), {what}", group.name, group.id);
            line("left out", &visible(&what, 300));
        }
    }
    text
}
