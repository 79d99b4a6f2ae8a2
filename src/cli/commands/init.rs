//! `closegate init`: which flow logs there are, and the commands that audit them. It writes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::InitArgs;
use crate::cli::command_line::CommandLine;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::log_plan;
use crate::emit::quoted;
use crate::inventory::{FlowLogSetup, LogSetups, LoggedVpc};
use crate::net::{plural, visible};

/// What was asked, and what it takes to ask on.
struct Asked {
    /// Whose flow logs these are.
    whose: String,
    setups: LogSetups,
    /// The inventory that an audit is to read.
    inventory: PathBuf,
    /// The command that makes it, if it is still to be made.
    collect: Option<CommandLine>,
    profile: Option<String>,
    /// The region that AWS's tools use by themselves.
    region: Option<String>,
}

pub(in crate::cli) fn run(args: InitArgs) -> Result<Exit, Failure> {
    let asked = match args.inventory {
        Some(dir) => of_snapshot(&dir)?,
        #[cfg(feature = "aws")]
        None => of_account(&args.region, args.profile)?,
        #[cfg(not(feature = "aws"))]
        None => unreachable!("clap requires --inventory"),
    };
    print(in_words(&asked))?;
    Ok(Exit::Done)
}

fn of_snapshot(dir: &Path) -> Result<Asked, Failure> {
    Ok(Asked {
        whose: format!("snapshot `{}`", dir.display()),
        setups: LogSetups::load(dir).map_err(Failure::usage)?,
        inventory: dir.to_path_buf(),
        collect: None,
        profile: None,
        region: None,
    })
}

#[cfg(feature = "aws")]
fn of_account(regions: &[String], profile: Option<String>) -> Result<Asked, Failure> {
    use crate::aws::{Account, SignIn, log_setups};
    use crate::cli::remote;

    let account = Account::new(&SignIn {
        profile: profile.clone(),
        region: regions.first().cloned(),
        ..SignIn::default()
    })
    .map_err(|error| remote::failure(&error))?;
    let configured = account.region().map(str::to_owned);
    let asked: Vec<String> = if regions.is_empty() {
        configured.iter().cloned().collect()
    } else {
        regions.to_vec()
    };
    if asked.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!(
            "no region is configured; name the regions with --region"
        )));
    }
    let (number, setups) = log_setups(&account, &asked).map_err(|error| remote::failure(&error))?;
    let inventory = PathBuf::from("inventory");
    let collect = CommandLine::new(&["collect", "inventory"])
        .option("--out", &inventory)
        .values("--region", &asked)
        .values("--profile", &profile);
    Ok(Asked {
        whose: format!("account {number}, {}", asked.join(", ")),
        setups,
        inventory,
        collect: Some(collect),
        profile,
        // A region that was named here is named for the other commands as well.
        region: configured.filter(|_| regions.is_empty()),
    })
}

fn in_words(asked: &Asked) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        writeln!(text, "{line}").expect("writing to a string does not fail");
    };
    let logs = &asked.setups.flow_logs;
    let unlogged = log_plan::unlogged(&asked.setups);
    line(format!(
        "{}: {}, {}",
        visible(&asked.whose, 300),
        plural(logs.len() as u64, "flow log"),
        plural(asked.setups.vpcs.len() as u64, "VPC")
    ));
    for (id, log) in logs {
        line(String::new());
        describe(id, log, &mut line);
    }
    if !unlogged.is_empty() {
        line(String::new());
    }
    for (vpc, _, parts) in &unlogged {
        let vpc = visible(vpc, 60);
        line(match parts.as_slice() {
            [] => format!("{vpc} has no flow log that an audit can use"),
            parts => format!(
                "{vpc} has flow logs of {} only: {}",
                plural(parts.len() as u64, "subnet"),
                visible(&parts.join(", "), 300)
            ),
        });
    }
    let region = asked.region.as_deref();
    let audits = log_plan::audits(
        &asked.setups,
        &asked.inventory,
        (asked.profile.as_ref(), region),
    );
    if audits.is_empty() {
        switch_on(&unlogged, asked.profile.as_ref(), &mut line);
        return text;
    }
    line(String::new());
    let several = asked.collect.is_some() || audits.len() > 1;
    line(format!(
        "To audit {}, run:",
        if several {
            "them, one after the other"
        } else {
            "them"
        }
    ));
    for command in asked.collect.iter().chain(&audits) {
        line(if command.is_exact() {
            format!("  {command}")
        } else {
            "  (a name here can't be shown on a terminal: see docs/usage.md, and name the flow logs yourself)".to_owned()
        });
    }
    text
}

/// One flow log: what it logs, where to, and what is missing.
fn describe(id: &str, log: &FlowLogSetup, line: &mut impl FnMut(String)) {
    let shown = |text: &str| visible(text, 300);
    line(format!(
        "{} of {}: {} traffic, {}",
        shown(id),
        shown(&log.resource),
        shown(&log.traffic),
        shown(&log.status)
    ));
    match log_plan::source(log) {
        Ok(source) => line(format!("  read by     --flows {}", shown(&quoted(&source)))),
        Err(why) => line(format!("  not read    {}", shown(&why))),
    }
    if let Some(why) = &log.delivery_error {
        line(format!(
            "  fails       AWS can't deliver it: {}",
            shown(why)
        ));
    }
    if log.traffic == "ACCEPT" {
        line(
            "  misses      rejected connections: it records accepted traffic only, so scans and denials don't show"
                .to_owned(),
        );
    }
    for missing in log_plan::lacking(&log.format) {
        let names = missing.fields.join(", ");
        line(format!("  misses      {names}: {}", missing.cost));
    }
}

/// The AWS CLI's commands that switch flow logs on, a region each. closegate does not run them.
fn switch_on(
    unlogged: &[(&str, &LoggedVpc, Vec<&str>)],
    profile: Option<&String>,
    line: &mut impl FnMut(String),
) {
    line(String::new());
    if unlogged.is_empty() {
        line("There is no VPC here; look at another region or account.".to_owned());
        return;
    }
    line("An audit needs flow logs. closegate changes nothing: switch them on yourself, for example into a bucket".to_owned());
    line("of yours (put its name in the place of BUCKET), and wait. After some days of records, run this again.".to_owned());
    let mut regions: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for (vpc, logged, _) in unlogged {
        let region = logged.region.as_deref();
        regions.entry(region).or_default().push(vpc);
    }
    for (region, vpcs) in regions {
        let command = log_plan::create_flow_logs(&vpcs, region, profile.map(String::as_str));
        line(format!("  {command}"));
    }
    line("The format has the fields of version 2, and those of versions 3 and 5 that show which end is the initiator,".to_owned());
    line("which pod or host behind a NAT gateway it was, and which AWS service. A flow log's format can't be changed later.".to_owned());
}
