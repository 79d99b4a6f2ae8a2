//! `closegate demo --policy`: a policy's loop, from the first audit to the second.
//!
//! Each step is a command line. The demo prints it and runs it as if a user had typed it in the demo's directory.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tempfile::TempDir;

use super::sample::{CUSTOM, DECISIONS, INVENTORY, SECOND_WEEK};
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::policy_dir::PolicyDir;
use crate::cli::trouble::Trouble;
use crate::net::visible;
use crate::policy::PolicyMode;

/// Runs a command line, given as its words behind the program's name.
pub(super) type RunWords = fn(&[&str]) -> Result<Exit, Failure>;

/// What the demo does next.
enum Step {
    /// Says what the following is about.
    Say(&'static str),
    /// Runs a command: its words behind the program's name.
    Run(&'static str),
    /// Locks the groups of [`LOCKED`].
    Lock,
}

const STEPS: &[Step] = &[
    Step::Say("The first week: closegate audits it and proposes a policy."),
    Step::Run("audit --flows week-1/flows --inventory week-1/inventory --out runs/week-1"),
    Step::Run("policy update runs/week-1 --policy policy"),
    Step::Say("The team decides. decisions.csv has a state, an owner and a reason for each entry."),
    Step::Run("policy decide --decisions decisions.csv --policy policy"),
    Step::Run("policy check --policy policy --inventory week-1/inventory --run runs/week-1"),
    Step::Say(
        "The team locks seven groups: in each file, mode = \"learn\" becomes mode = \"locked\".\n\
         In your account, wait until `closegate policy status` calls a group ready to lock.\n\
         Three days of logs, as here, are too few.",
    ),
    Step::Lock,
    Step::Say(
        "closegate writes the policy's rules. The team applies them with Terraform, then revokes\n\
         the open egress of the locked groups with the AWS CLI.",
    ),
    Step::Run(
        "rules --policy policy --inventory week-1/inventory --emit terraform-module --out rules/terraform",
    ),
    Step::Run(
        "rules --policy policy --inventory week-1/inventory --emit aws-cli --out rules/aws-cli",
    ),
    Step::Say(
        "A week later, week-2/ has the account and its logs.\n\
         A nightly job compares the account with the policy.",
    ),
    Step::Run("drift --policy policy --inventory week-2/inventory"),
    Step::Say("The second audit: the policy gets what is new as proposed entries."),
    Step::Run(
        "audit --flows week-2/flows --inventory week-2/inventory --policy policy --out runs/week-2",
    ),
    Step::Run("policy update runs/week-2 --policy policy"),
    Step::Run("policy status --policy policy --run runs/week-2"),
    Step::Say(
        "What happened: the payment provider added an address. The locked group web denied it, so an\n\
         administrator opened the group by hand. A worm on one of its hosts, whose connections the\n\
         lock had denied, then got out by Telnet.\n\
         closegate found the opening and quarantined the worm's connections. It proposes an entry\n\
         for the provider's address, and none for the worm.\n\
         What to do: accept that entry, apply the rules again, revoke the opening, clean the host.",
    ),
];

/// The groups that the team locks: ids, and names for people.
const LOCKED: &[(&str, &str)] = &[
    ("sg-0a1b2c3d4e5f90001", "load-balancer"),
    ("sg-0a1b2c3d4e5f90002", "web"),
    ("sg-0a1b2c3d4e5f90003", "db"),
    ("sg-0a1b2c3d4e5f90004", "cache"),
    ("sg-0a1b2c3d4e5f90008", "endpoints"),
    ("sg-0a1b2c3d4e5f90009", "base"),
    ("sg-0a1b2c3d4e5f90010", "monitoring"),
];

/// The policy, as the steps name it.
const POLICY: &str = "policy";

/// Walks through all steps in a directory, which has to be new or empty. Without one, the demo works in a temporary directory.
pub(super) fn run(out: Option<&Path>, run_words: RunWords) -> Result<Exit, Failure> {
    let place = Place::prepare(out)?;
    place.enter()?;
    let walked = STEPS
        .iter()
        .try_for_each(|step| perform(step, run_words))
        .and_then(|()| print(place.last_words()));
    place.leave();
    walked.map(|()| Exit::Done)
}

fn perform(step: &Step, run_words: RunWords) -> Result<(), Failure> {
    match step {
        Step::Say(text) => print(format!("\n{text}\n")),
        Step::Run(line) => {
            print(format!("\n$ closegate {line}\n"))?;
            let words: Vec<&str> = line.split(' ').collect();
            match run_words(&words)? {
                Exit::Done => Ok(()),
                Exit::Stands => print("exit code 1\n"),
                Exit::Unknown => print("exit code 2\n"),
            }
        }
        Step::Lock => lock(),
    }
}

/// Does what a person does in an editor.
fn lock() -> Result<(), Failure> {
    let before = PolicyDir::open_existing(Path::new(POLICY))?;
    let mut policy = before.set();
    let mut text = "\n".to_owned();
    for (id, name) in LOCKED {
        if let Some(group) = policy.groups.get_mut(*id) {
            group.mode = PolicyMode::Locked;
            writeln!(text, "  {POLICY}/{id}.toml  {name}")
                .expect("writing to a string does not fail");
        }
    }
    before.write(&policy)?;
    print(text)
}

/// Where the demo works.
struct Place {
    /// As it was named, if it was.
    named: Option<PathBuf>,
    dir: PathBuf,
    /// Where closegate was called.
    before: PathBuf,
    /// Removed with all that is in it; none where the user named the directory.
    _temporary: Option<TempDir>,
}

impl Place {
    /// Makes the directory, and writes the sample data into it.
    fn prepare(out: Option<&Path>) -> Result<Self, Failure> {
        let before = env::current_dir()
            .context("the current directory can't be read; change to one that exists")
            .map_err(Failure::usage)?;
        let (dir, temporary) = if let Some(out) = out {
            (before.join(out), None)
        } else {
            let made = tempfile::tempdir()
                .context("a temporary directory can't be made; name a directory with --out")
                .map_err(refused)?;
            (before.join(made.path()), Some(made))
        };
        if let Some(out) = out {
            make_empty(out, &dir).map_err(refused)?;
        }
        let place = Self {
            named: out.map(Path::to_path_buf),
            dir,
            before,
            _temporary: temporary,
        };
        place.fill().map_err(|error| {
            let dir = place.dir.display();
            Failure::output(anyhow::Error::new(error).context(format!("`{dir}` can't be written")))
        })?;
        Ok(place)
    }

    fn fill(&self) -> io::Result<()> {
        let first = INVENTORY.iter().chain(CUSTOM);
        let first = first.map(|(name, bytes)| (format!("week-1/{name}"), bytes));
        let others = SECOND_WEEK.iter().chain(DECISIONS);
        let others = others.map(|(name, bytes)| ((*name).to_owned(), bytes));
        for (name, bytes) in first.chain(others) {
            let path = self.dir.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// Makes it the current directory, so that the steps are what a user types there.
    fn enter(&self) -> Result<(), Failure> {
        let dir = self.dir.display();
        env::set_current_dir(&self.dir)
            .with_context(|| format!("`{dir}` can't be entered; name another with --out"))
            .map_err(refused)?;
        print(match &self.named {
            Some(named) => format!("$ cd {}\n", visible(&named.display().to_string(), 300)),
            None => "closegate works in a temporary directory; --out DIR keeps it.\n".to_owned(),
        })
    }

    /// What there is to look at.
    fn last_words(&self) -> &'static str {
        if self.named.is_some() {
            "\nLook around: runs/week-1/report.html, runs/week-2/report.html, policy/, rules/.\n"
        } else {
            "\nWith --out DIR, the reports, the policy and the rules stay there.\n"
        }
    }

    /// Goes back, so that a temporary directory can be removed everywhere.
    fn leave(&self) {
        // The demo is over: nothing depends on it where this fails.
        let _ = env::set_current_dir(&self.before);
    }
}

/// A directory that the demo can't have.
fn refused(error: anyhow::Error) -> Failure {
    Failure::usage(error).about(Trouble::OutputRefused)
}

/// Makes a directory unless there is an empty one.
fn make_empty(named: &Path, dir: &Path) -> anyhow::Result<()> {
    let cannot = || {
        let named = named.display();
        format!("output directory `{named}` can't be made; name one that can be written")
    };
    fs::create_dir_all(dir).with_context(cannot)?;
    match fs::read_dir(dir).with_context(cannot)?.next() {
        None => Ok(()),
        Some(_) => Err(anyhow!(
            "output directory `{}` is not empty; name a new one",
            named.display()
        )),
    }
}
