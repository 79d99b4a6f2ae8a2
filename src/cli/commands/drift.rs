//! `closegate drift`.

use std::env::current_dir;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use crate::audit::{self, Judged};
use crate::cli::args::{CloseArg, DriftArgs, DriftFormatArg};
use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::next::{self, Next, NextOfPolicy};
use crate::cli::output::OutFile;
use crate::cli::policy_dir::PolicyDir;
use crate::cli::settings::{self, Decided, Input};
use crate::cli::trouble::Trouble;
use crate::drift::{self, DriftBasis, DriftTraffic, PlannedChange};
use crate::emit::{self, DriftFacts};
use crate::inventory::Inventory;
use crate::net::json;
use crate::platform;
use crate::policy::POLICY_MARKER;
use crate::replay;

/// The account, and what flow logs show if there are some.
enum Compared {
    Account(Box<Inventory>),
    Traffic(Box<Judged>),
}

pub(in crate::cli) fn run(args: DriftArgs) -> Result<Exit, Failure> {
    let DriftArgs {
        input,
        policy: dir,
        plan,
        close,
        unused_days,
        config,
        format,
        out,
    } = args;
    let read = PolicyDir::read(&dir)?;
    let policy = read.readable()?;
    let out = OutFile::prepare(out.as_deref())?;
    let Decided { config, ranges } = settings::decide(config, None, &[])?;
    let (snapshot, with_plan) = (input.inventory.clone(), plan.is_some());
    let of_account = input.flows.is_empty() && input.store.is_none();
    let audit = (!of_account).then(|| next::audit_of(&input));
    let compared = if of_account {
        let account = Inventory::load_with(&input.inventory, ranges.as_deref(), std::iter::empty());
        Compared::Account(Box::new(account.map_err(Failure::usage)?))
    } else {
        let Input {
            evidence,
            inventory,
            reading,
        } = Input::resolve(input, ranges.as_deref())?;
        let (table, intake) = super::audit::read(&evidence, &inventory, &reading)?;
        let judged = audit::judge(inventory, table, intake, &config.policy);
        Compared::Traffic(Box::new(judged))
    };
    let (inventory, traffic) = match &compared {
        Compared::Account(inventory) => (&**inventory, None),
        Compared::Traffic(judged) => {
            let traffic = DriftTraffic {
                connections: &judged.connections,
                window: judged.intake.window.unwrap_or_default(),
            };
            (&judged.inventory, Some(traffic))
        }
    };
    let planned = plan.map(|file| planned(&file, inventory)).transpose()?;
    let today = clock::now().to_zoned(TimeZone::UTC).date();
    let found = drift::drift(&DriftBasis {
        policy: &policy,
        account: read.part_of(),
        inventory,
        today,
        closes_ingress: close == Some(CloseArg::Ingress),
        unused_days,
        traffic,
        plan: planned.as_ref(),
    });
    let facts = DriftFacts {
        today: &today.to_string(),
        window: traffic.map(|traffic| traffic.window),
    };
    let document = emit::drift_document(&found, &facts, |group| {
        let path = group.map_or_else(|| dir.join(POLICY_MARKER), |group| read.path(group));
        relative(&path)
    });
    out.write(match format {
        DriftFormatArg::Text => emit::drift_text(&document),
        DriftFormatArg::Json => json::pretty(&document),
        DriftFormatArg::Sarif => emit::drift_sarif(&document),
    })?;
    next::propose(Next::Policy(NextOfPolicy::Compared {
        policy: dir,
        inventory: snapshot,
        differs: found.differs(),
        with_plan,
        audit,
    }));
    Ok(if found.differs() {
        Exit::Stands
    } else {
        Exit::Done
    })
}

/// What a plan changes.
fn planned(file: &Path, inventory: &Inventory) -> Result<PlannedChange, Failure> {
    let read = || {
        let bytes = fs::read(file)
            .context("it can't be read; name what `terraform show -json` prints for a plan file")?;
        let (change, unknown) = replay::proposal(inventory, &bytes)?;
        anyhow::Ok(PlannedChange { change, unknown })
    };
    read()
        .with_context(|| format!("plan `{}`", file.display()))
        .map_err(|error| Failure::usage(error).about(Trouble::Change))
}

/// A path as code scanning wants it: below the directory in which closegate runs, if it lies there.
fn relative(path: &Path) -> String {
    let here = current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    let below = below.unwrap_or(path);
    let below = below.strip_prefix(".").unwrap_or(below);
    platform::portable(below)
}
