//! The summary of a run on the terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table};

use crate::audit::Audit;
use crate::documents::AccountRow;
use crate::emit::{
    Accounts, between_accounts, duration, thousands, threats_by_severity, unread_in_words,
};
use crate::findings::{self, Finding, Outcome, Severity};
use crate::net::{plural, visible};
use crate::suggest::Status;

const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Columns where standard output is no terminal.
const WIDTH: u16 = 80;

/// A table needs so many columns, however narrow the terminal is.
const NARROWEST: u16 = 40;

/// How many rows of threat findings are listed.
const LISTED: usize = 12;

/// The summary. Colours are in it; the stream decides whether they show.
pub(super) fn render(audit: &Audit, out: Option<&Path>) -> String {
    let owners = Accounts::new(audit);
    let mut text = accounts(&owners, width());
    let mut line = |label: &str, content: String| {
        writeln!(text, "{BOLD}{label:<11}{BOLD:#} {content}")
            .expect("writing to a string does not fail");
    };
    line("read", read(audit));
    if let Some(unread) = unread(audit) {
        line("", unread);
    }
    line("open", open(audit));
    line("suspicious", suspicious(audit));
    line("rules", rules(audit));
    if let Some(policy) = audit.policy_in_words() {
        line("policy", policy);
    }
    line("replay", replay(audit));
    line("exposure", exposure(audit));
    line("ready", ready(audit));
    if let Some(left_out) = audit.left_out_in_words() {
        line("", format!("{BAD}{left_out}{BAD:#}"));
    }
    let table = threats(audit, &owners, width());
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table);
    }
    if let Some(out) = out {
        let report = out.join("report.html");
        write!(
            text,
            "\nReport: {}\n",
            visible(&report.display().to_string(), 300)
        )
        .expect("writing to a string does not fail");
    }
    text
}

/// The accounts, the worst first, where there are several; a blank line follows.
fn accounts(owners: &Accounts<'_>, width: u16) -> String {
    let mut rows = owners.rows();
    rows.retain(AccountRow::is_shown);
    if rows.is_empty() {
        return String::new();
    }
    let mut heads = vec![
        "account", "regions", "VPCs", "open", "threats", "to add", "ready",
    ];
    let unread = rows.iter().any(|row| !unread_in_words(row).is_empty());
    heads.extend(unread.then_some("not read"));
    let mut table = plain_table(width);
    table.add_row(heads);
    for row in rows.iter().take(LISTED) {
        let mut cells = vec![
            row.name().to_owned(),
            row.regions.join(", "),
            thousands(row.vpcs),
            format!("{} of {}", row.open_groups, row.groups),
            threats_by_severity(row),
            thousands(row.rules_to_add),
            format!("{} of {}", row.groups_ready, row.groups_in_use),
        ];
        cells.extend(unread.then(|| unread_in_words(row)));
        table.add_row(cells);
    }
    let mut text = lines(&table);
    if rows.len() > LISTED {
        let more = thousands((rows.len() - LISTED) as u64);
        writeln!(text, " and {more} more").expect("writing to a string does not fail");
    }
    let between = plural(between_accounts(&rows), "connection");
    writeln!(text, " {between} between accounts\n").expect("writing to a string does not fail");
    text
}

/// A table without lines.
fn plain_table(width: u16) -> Table {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}

/// A table as text.
fn lines(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// Columns of the terminal that shows standard output.
fn width() -> u16 {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDTH, |(width, _)| width.0.max(NARROWEST))
}

fn read(audit: &Audit) -> String {
    let window = audit.intake.window.map_or(0, |(start, end)| end - start);
    format!(
        "{} over {}, {}",
        plural(audit.intake.records_read(), "record"),
        duration(window),
        plural(audit.connection_count(), "connection")
    )
}

/// What was not read, if anything; said in the summary because it costs accuracy.
fn unread(audit: &Audit) -> Option<String> {
    let intake = &audit.intake;
    let parts = [
        (intake.malformed, "malformed line", ""),
        (intake.duplicates, "duplicate", ""),
        (
            intake.outside_window,
            "record",
            " outside --since and --until",
        ),
        (intake.skip_data, "interval", " with skipped records"),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|&(number, noun, rest)| plural(number, noun) + rest)
        .collect();
    (!said.is_empty()).then(|| format!("not counted: {}", said.join(", ")))
}

fn open(audit: &Audit) -> String {
    let groups = audit.inventory.groups();
    let open: Vec<String> = groups
        .iter()
        .filter(|group| group.has_open_egress())
        .map(|group| visible(&group.name, 20))
        .collect();
    let style = if open.is_empty() { GOOD } else { BAD };
    let mut text = format!(
        "{style}{} of {} groups{style:#} have open egress",
        open.len(),
        groups.len()
    );
    if !open.is_empty() {
        let (shown, rest) = open.split_at(open.len().min(6));
        write!(text, "\n{:12}{}", "", shown.join(", ")).expect("writing to a string does not fail");
        if !rest.is_empty() {
            write!(text, " and {} more", rest.len()).expect("writing to a string does not fail");
        }
    }
    text
}

/// Threat findings, by whether the baseline has them and by what becomes of them.
fn suspicious(audit: &Audit) -> String {
    let threats: Vec<&Finding> = audit.findings.iter().filter(|f| f.is_threat()).collect();
    let style = if threats.is_empty() { GOOD } else { BAD };
    let mut text = format!("{style}{}{style:#}", audit.threats_in_words());
    let outcomes = [
        Outcome::Denied,
        Outcome::StillOpen,
        Outcome::RuleWritten,
        Outcome::NotJudged,
    ];
    let said: Vec<String> = outcomes
        .into_iter()
        .filter_map(|outcome| {
            let of_it = threats.iter().filter(|f| f.outcome == Some(outcome));
            let count = findings::counted(of_it.copied());
            (count > 0).then(|| format!("{} {}", thousands(count), outcome.words()))
        })
        .collect();
    if !said.is_empty() {
        write!(text, ": {}", said.join(", ")).expect("writing to a string does not fail");
    }
    text
}

fn rules(audit: &Audit) -> String {
    let kept = audit
        .rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Keep && !rule.evidence.is_empty())
        .count();
    format!(
        "{} to add, {kept} of today's in use, {} to revoke",
        audit.additions(),
        audit.rules.revocations.len()
    )
}

fn replay(audit: &Audit) -> String {
    let replay = &audit.replay;
    let first = if replay.lost.is_empty() {
        format!(
            "{GOOD}nothing breaks{GOOD:#}: {} still permitted",
            plural(replay.permitted, "connection")
        )
    } else {
        format!(
            "{BAD}{} would be lost{BAD:#}, {} still permitted",
            plural(replay.lost.len() as u64, "accepted connection"),
            thousands(replay.permitted)
        )
    };
    let still_open = match replay.still_open {
        0 => String::new(),
        some => format!(" ({} still open)", thousands(some)),
    };
    let unknown = audit.unknown_in_words().map_or(String::new(), |unknown| {
        format!("\n{:12}{BAD}{unknown}{BAD:#}", "")
    });
    format!(
        "{first},\n{:12}{} quarantined{still_open}, {} rejected, {} unattributed{unknown}",
        "",
        thousands(replay.quarantined),
        thousands(replay.rejected),
        thousands(replay.unattributed)
    )
}

fn exposure(audit: &Audit) -> String {
    let exposure = &audit.proof.exposure;
    format!(
        "{} reachable pairs today, {} after the change, {} in use",
        thousands(exposure.before),
        thousands(exposure.after),
        thousands(exposure.ideal)
    )
}

fn ready(audit: &Audit) -> String {
    let ready = audit
        .proof
        .readiness
        .iter()
        .filter(|r| r.is_ready())
        .count();
    let all = audit.proof.readiness.len();
    let style = if ready == all { GOOD } else { BOLD };
    format!("{style}{ready} of {all} groups{style:#} in use have enough evidence to lock")
}

/// What a row of the table says of a finding. Findings that say the same share a row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ThreatRow {
    severity: Severity,
    kind: &'static str,
    who: String,
    /// An address, or a network of several; empty for a behaviour without one destination.
    to: String,
    service: String,
    outcome: &'static str,
}

impl ThreatRow {
    fn of(audit: &Audit, owners: &Accounts<'_>, finding: &Finding) -> Self {
        let found = &finding.found;
        let group = found
            .group
            .map(|ix| visible(&audit.inventory.group(ix).name, 20));
        let address = |address: Option<std::net::IpAddr>| address.map(|a| a.to_string());
        let who = group.or_else(|| address(found.local)).unwrap_or_default();
        let folded = finding.folded.as_ref();
        let pattern = folded.map(|folded| folded.pattern.to_string());
        Self {
            severity: finding.severity,
            kind: finding.kind.id,
            who: match owners.of_finding(finding) {
                Some(account) => format!("{account} {who}"),
                None => who,
            },
            to: address(found.remote).or(pattern).unwrap_or_default(),
            service: found.service.map(|s| s.to_string()).unwrap_or_default(),
            outcome: finding.outcome.map_or("", Outcome::as_str),
        }
    }
}

/// The threat findings, the worst first.
fn threats(audit: &Audit, owners: &Accounts<'_>, width: u16) -> String {
    let mut rows: BTreeMap<ThreatRow, u64> = BTreeMap::new();
    for finding in audit.findings.iter().filter(|f| f.is_threat()) {
        *rows
            .entry(ThreatRow::of(audit, owners, finding))
            .or_default() += finding.count();
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut table = plain_table(width);
    for (row, &count) in rows.iter().take(LISTED) {
        let times = if count > 1 {
            format!(" ×{}", thousands(count))
        } else {
            String::new()
        };
        let arrow = if row.to.is_empty() { "" } else { " → " };
        table.add_row([
            row.severity.as_str().to_owned(),
            format!("{}{times}", row.kind),
            format!("{}{arrow}{}", row.who, row.to),
            row.service.clone(),
            row.outcome.replace('-', " "),
        ]);
    }
    let mut text = lines(&table);
    if rows.len() > LISTED {
        writeln!(
            text,
            " and {} more",
            thousands((rows.len() - LISTED) as u64)
        )
        .expect("writing to a string does not fail");
    }
    text
}
