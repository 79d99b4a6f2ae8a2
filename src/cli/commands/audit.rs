//! `closegate audit`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::audit::{self, Audit};
use crate::cli::args::AuditArgs;
use crate::cli::exit::{self, Exit, Failure};
use crate::cli::next::{self, Next};
use crate::cli::output::{Made, OutDir};
use crate::cli::policy_dir::PolicyDir;
use crate::cli::settings::{self, Decided, Evidence, Input};
use crate::cli::trouble::Trouble;
use crate::cli::{clock, past_run, progress, summary};
use crate::config::Config;
use crate::emit::day;
use crate::findings::{self, Family, Finding, Severity};
use crate::flow::FlowTable;
use crate::ingest::{Intake, NO_FORMAT, Settings, Source};
use crate::inventory::Inventory;
use crate::net::{plural, thousands, visible};
use crate::policy::PolicySet;
use crate::store;

pub(in crate::cli) fn run(args: AuditArgs) -> Result<Exit, Failure> {
    let AuditArgs {
        input,
        out,
        config,
        blocklist,
        baseline,
        policy,
        maxmind,
        tables,
        generalise,
        narrow,
        fail_on,
        fail_on_family,
    } = args;
    let Decided { mut config, ranges } = settings::decide(config, tables, &maxmind)?;
    config.policy.baseline = baseline.map(|run| past_run::baseline(&run)).transpose()?;
    config.policy.blocklists = settings::blocklists(&blocklist)?;
    if let Some(level) = generalise {
        config.generalise.level = level.into();
    }
    config.generalise.narrow |= narrow;
    let policy_dir = policy.clone();
    let policy = policy
        .map(|dir| PolicyDir::read(&dir)?.sound())
        .transpose()?;
    let Input {
        evidence,
        inventory,
        reading,
    } = Input::resolve(input, ranges.as_deref())?;
    let run = OutDir::prepare(&out, Made::Run)?;
    let audit = audit(&evidence, inventory, &reading, (&config, policy.as_ref()))?;
    finish(&audit, Some((run, &out)))?;
    next::propose(next_of(&audit, out, policy_dir));
    let families: Vec<Family> = fail_on_family.into_iter().map(Family::from).collect();
    let kinds = fail_on.map(|limit| tripping(&audit, limit.into(), &families));
    let exit = match kinds {
        _ if !audit.proof.left_out.is_empty() => {
            progress::print(&audit.left_out_in_words().expect("some were left out"));
            Exit::Stands
        }
        Some(kinds) if !kinds.is_empty() => {
            let kinds = kinds
                .iter()
                .map(|(kind, count)| format!("{kind} ×{}", thousands(*count)));
            // The reason of the exit code stays under --quiet.
            progress::print(&format!(
                "--fail-on: {}",
                kinds.collect::<Vec<_>>().join(", ")
            ));
            Exit::Stands
        }
        _ => Exit::Done,
    };
    // The program ends here, and the system takes its memory back faster than piece by piece.
    std::mem::forget(audit);
    Ok(exit)
}

/// What the run leads to.
fn next_of(audit: &Audit, run: PathBuf, policy: Option<PathBuf>) -> Next {
    let readiness = &audit.proof.readiness;
    let new_threats = audit.findings.iter();
    let new_threats = new_threats.filter(|f| f.is_threat() && f.known_since.is_none());
    Next::Audited {
        run,
        policy,
        ready: (
            readiness.iter().filter(|group| group.is_ready()).count(),
            readiness.len(),
        ),
        threat: new_threats.min_by_key(|f| f.severity).map(|f| f.id.clone()),
    }
}

/// Reads and audits, against a policy if there is one, with progress.
pub(super) fn audit(
    evidence: &Evidence,
    inventory: Inventory,
    reading: &Settings,
    (config, policy): (&Config, Option<&PolicySet>),
) -> Result<Audit, Failure> {
    let (table, intake) = read(evidence, &inventory, reading)?;
    Ok(progress::stage(
        || match policy {
            Some(policy) => {
                let today = clock::now().to_zoned(TimeZone::UTC).date();
                audit::audit_against(inventory, table, intake, config, (policy, today))
            }
            None => audit::audit(inventory, table, intake, config),
        },
        |audit| {
            format!(
                "audited: {}, {}, {}",
                plural(audit.connection_count(), "connection"),
                plural(findings::counted(&audit.findings), "finding"),
                plural(audit.rules.rules.len() as u64, "rule")
            )
        },
    ))
}

/// Reads, with progress.
pub(super) fn read(
    evidence: &Evidence,
    inventory: &Inventory,
    reading: &Settings,
) -> Result<(FlowTable, Intake), Failure> {
    let start = || gather(evidence, inventory, reading);
    let (table, intake) = progress::stage(start, |gathered| match gathered {
        Ok((table, intake)) => format!(
            "read: {}, {} bytes, {}, {}",
            plural(intake.sources.len() as u64, "source"),
            thousands(intake.bytes),
            plural(intake.records_read(), "record"),
            plural(table.flows.len() as u64, "flow")
        ),
        Err(_) => "reading failed".to_owned(),
    })?;
    progress::sources(&intake);
    if intake.records_read() == 0 {
        return Err(nothing_read(&intake));
    }
    Ok((table, intake))
}

fn gather(
    evidence: &Evidence,
    inventory: &Inventory,
    reading: &Settings,
) -> Result<(FlowTable, Intake), Failure> {
    let cuts = audit::cuts(inventory);
    Ok(match evidence {
        Evidence::Logs(sources) => {
            let bar = progress::reading(sources.iter().map(|s| s.size).sum());
            let read = audit::read_apart(sources, reading, cuts, |bytes| bar.inc(bytes));
            bar.finish_and_clear();
            // Logs that are there and could not be fetched are no evidence of nothing.
            if let Some(reason) = sources.iter().find_map(Source::failure) {
                return Err(settings::broke_off(&reason));
            }
            read
        }
        Evidence::Answers(answers) => answers.read()?,
        Evidence::Store(dir, days) => store::load_days(dir, *days, cuts).map_err(Failure::usage)?,
        #[cfg(feature = "aws")]
        Evidence::Engine(query) => query.run()?,
    })
}

/// Writes the run if it has a place, and prints the summary.
pub(super) fn finish(audit: &Audit, run: Option<(OutDir, &Path)>) -> Result<(), Failure> {
    let place = run.as_ref().map(|(_, place)| *place);
    if let Some((run, _)) = run {
        progress::stage(|| run.write_run(audit), |_| "wrote the run".to_owned())?;
    }
    exit::print_coloured(&summary::render(audit, place))
}

/// The findings that `--fail-on` counts: new ones of that severity or worse, and known threats that are quarantined at high
/// or above, for a baseline is no permission.
fn tripping(audit: &Audit, limit: Severity, families: &[Family]) -> BTreeMap<&'static str, u64> {
    let counts = |f: &&Finding| {
        let goes_on = f.is_threat() && f.quarantined && f.severity <= Severity::High;
        f.severity <= limit
            && (families.is_empty() || families.contains(&f.kind.family))
            && (f.known_since.is_none() || goes_on)
    };
    let mut kinds = BTreeMap::new();
    for finding in audit.findings.iter().filter(counts) {
        *kinds.entry(finding.kind.id).or_default() += finding.count();
    }
    kinds
}

/// What was wrong with the sources, in one sentence.
pub(super) fn nothing_read(intake: &Intake) -> Failure {
    if let Some((first, last)) = intake.outside {
        return Failure::nothing_read(format!(
            "nothing in the window: --since and --until leave out {}; the logs cover {}{}",
            plural(intake.outside_window, "record"),
            span(first, last),
            match intake.malformed {
                0 => String::new(),
                lines => format!(" (and {} can't be read)", plural(lines, "line")),
            },
        ))
        .about(Trouble::NothingInWindow);
    }
    let first = intake.samples.first();
    let trouble = match first {
        Some(sample) if sample.reason == NO_FORMAT => Trouble::Format,
        _ => Trouble::NothingRead,
    };
    Failure::nothing_read(match first {
        Some(sample) => format!(
            "nothing usable could be read from the flow sources: {}{}: {}{}",
            visible(&sample.source, 200),
            if sample.line == 0 { String::new() } else { format!(", line {}", sample.line) },
            sample.reason,
            match intake.malformed {
                0 | 1 => String::new(),
                more => format!(" (and {} more)", plural(more - 1, "line")),
            },
        ),
        None => "nothing usable could be read from the flow sources: they are empty; check that they are the files the flow log delivered".to_owned(),
    })
    .about(trouble)
}

/// From one time to another in UTC: days, or times where both are of one day.
fn span(first: u64, last: u64) -> String {
    let (from, to) = (day(first), day(last));
    if from != to {
        return format!("{from} to {to}");
    }
    let clock = |seconds: u64| {
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
    };
    format!("{from}, {} to {} UTC", clock(first), clock(last))
}
