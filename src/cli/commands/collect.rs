//! `closegate collect`.

use super::{collect_organization, collect_summary};
use crate::aws::{self, Account, Collected, Redaction, SignIn};
use crate::cli::args::{CollectArgs, CollectCommand, CollectInventoryArgs};
use crate::cli::clock::seconds_now;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::output::{Made, OutDir};
use crate::cli::{progress, remote};
use crate::net::json;

pub(in crate::cli) fn run(args: CollectArgs) -> Result<Exit, Failure> {
    match args.what {
        CollectCommand::Inventory(args) if args.members.organization => {
            collect_organization::run(args)
        }
        CollectCommand::Inventory(args) => inventory(args),
    }
}

fn inventory(args: CollectInventoryArgs) -> Result<Exit, Failure> {
    let CollectInventoryArgs {
        out,
        region,
        profile,
        role_arn,
        external_id,
        redact,
        history,
        members: _,
    } = args;
    let dir = OutDir::prepare(&out, Made::Snapshot)?;
    let now = seconds_now();
    // It is shown if all goes well.
    next::propose(Next::Collected {
        snapshot: out.clone(),
    });
    let mut collected = Collected::default();
    for sign_in in sign_ins(&profile, &role_arn, external_id.as_ref(), region.first()) {
        let account = Account::new(&sign_in).map_err(|error| remote::failure(&error))?;
        let bar = progress::collecting();
        let shown = bar.clone();
        let on_call = move |region: &str, operation: &str, items: usize| {
            progress::detail(|| format!("{region} {operation}: {items} more"));
            shown.set_message(format!("{region} {operation}"));
            shown.inc(items as u64);
        };
        let found = aws::collect(&account, &region, history, now, on_call);
        bar.finish_and_clear();
        collected.add(found.map_err(|error| remote::failure(&error))?);
    }
    if redact {
        Redaction::default().snapshot(&mut collected);
    }
    dir.write(|write| {
        for (path, content) in &collected.files {
            write(path, json::pretty(content).as_bytes())?;
        }
        write(
            "manifest.json",
            json::pretty(&collected.manifest).as_bytes(),
        )
    })?;
    let place = out.display().to_string();
    print(collect_summary::summary(&collected.manifest, &place))?;
    Ok(Exit::Done)
}

/// One for each account.
fn sign_ins(
    profiles: &[String],
    roles: &[String],
    external_id: Option<&String>,
    region: Option<&String>,
) -> Vec<SignIn> {
    let base = |profile: Option<&String>| SignIn {
        profile: profile.cloned(),
        region: region.cloned(),
        ..SignIn::default()
    };
    let bases: Vec<SignIn> = match profiles {
        [] => vec![base(None)],
        profiles => profiles.iter().map(|profile| base(Some(profile))).collect(),
    };
    if roles.is_empty() {
        return bases;
    }
    let with_role = |base: &SignIn, role: &String| SignIn {
        role: Some(role.clone()),
        external_id: external_id.cloned(),
        ..base.clone()
    };
    bases
        .iter()
        .flat_map(|base| roles.iter().map(|role| with_role(base, role)))
        .collect()
}
