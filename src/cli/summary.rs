//! The end of a run, for somebody who has ten seconds.

use std::fmt::Write as _;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table};

use crate::audit::Audit;
use crate::emit::{duration, thousands};
use crate::findings::{Family, Finding};
use crate::inventory::Rule;
use crate::net::visible;
use crate::suggest::Status;

const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WIDTH: u16 = 80;

/// How many suspicious destinations are listed.
const LISTED: usize = 12;

/// The summary. Colours are in it; the stream decides whether they show.
pub(super) fn render(audit: &Audit, out: Option<&Path>) -> String {
    let mut text = String::new();
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
    if audit.repeated > 0 {
        let known = if audit.repeated == 1 {
            "finding"
        } else {
            "findings"
        };
        line(
            "known",
            format!("{} {known} of the baseline not repeated", audit.repeated),
        );
    }
    line("rules", rules(audit));
    line("replay", replay(audit));
    line("exposure", exposure(audit));
    line("ready", ready(audit));
    let table = destinations(audit);
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

fn read(audit: &Audit) -> String {
    let window = audit.intake.window.map_or(0, |(start, end)| end - start);
    format!(
        "{} records over {}, {} connections",
        thousands(audit.intake.records_read()),
        duration(window),
        thousands(audit.connections.len() as u64)
    )
}

/// What was not read, if anything; said in the summary because it costs accuracy.
fn unread(audit: &Audit) -> Option<String> {
    let intake = &audit.intake;
    let parts = [
        (intake.malformed, "malformed line", "malformed lines"),
        (intake.duplicates, "duplicate", "duplicates"),
        (
            intake.outside_window,
            "record outside the window",
            "records outside the window",
        ),
        (
            intake.skip_data,
            "gap where AWS dropped records",
            "gaps where AWS dropped records",
        ),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|&(number, one, many)| count(number, one, many))
        .collect();
    (!said.is_empty()).then(|| format!("not counted: {}", said.join(", ")))
}

fn open(audit: &Audit) -> String {
    let groups = audit.inventory.groups();
    let open: Vec<String> = groups
        .iter()
        .filter(|group| group.rules.iter().any(Rule::is_open_egress))
        .map(|group| visible(&group.name, 20))
        .collect();
    let style = if open.is_empty() { GOOD } else { BAD };
    let mut text = format!(
        "{style}{} of {} groups{style:#} let everything out",
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

fn suspicious(audit: &Audit) -> String {
    let destinations = audit
        .findings
        .iter()
        .filter(|f| f.kind.family == Family::Destination)
        .count();
    let style = if destinations + audit.replay.lost.len() == 0 {
        GOOD
    } else {
        BAD
    };
    format!(
        "{style}{}{style:#}; {} kept out of the rules",
        count(
            destinations as u64,
            "suspicious destination",
            "suspicious destinations"
        ),
        count(audit.replay.quarantined, "connection", "connections"),
    )
}

fn rules(audit: &Audit) -> String {
    let kept = audit
        .rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Keep)
        .count();
    format!(
        "{} to add, {kept} of today's in use, {} open ones to revoke",
        audit.additions(),
        audit.rules.revocations.len()
    )
}

fn replay(audit: &Audit) -> String {
    let replay = &audit.replay;
    let lost = replay.lost.len();
    let style = if lost == 0 { GOOD } else { BAD };
    format!(
        "{} permitted, {} quarantined, {} refused, {} unattributed,\n{:12}{style}{lost} lost{style:#}",
        replay.permitted, replay.quarantined, replay.refused, replay.unattributed, ""
    )
}

fn exposure(audit: &Audit) -> String {
    let exposure = &audit.exposure;
    format!(
        "{} allowed interface pairs today, {} after, {} seen",
        thousands(exposure.before),
        thousands(exposure.after),
        thousands(exposure.ideal)
    )
}

fn ready(audit: &Audit) -> String {
    let ready = audit.readiness.iter().filter(|r| r.is_ready()).count();
    let all = audit.readiness.len();
    let style = if ready == all { GOOD } else { BOLD };
    format!("{style}{ready} of {all} groups{style:#} in use are known well enough to be locked")
}

/// The suspicious destinations, the worst first.
fn destinations(audit: &Audit) -> String {
    let findings: Vec<&Finding> = audit
        .findings
        .iter()
        .filter(|f| f.kind.family == Family::Destination)
        .collect();
    if findings.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    for finding in findings.iter().take(LISTED) {
        let address =
            |address: Option<std::net::IpAddr>| address.map(|a| a.to_string()).unwrap_or_default();
        table.add_row([
            finding.severity.as_str().to_owned(),
            finding.kind.id.to_owned(),
            format!(
                "{} to {}",
                address(finding.found.local),
                address(finding.found.remote)
            ),
            finding
                .found
                .service
                .map(|s| s.to_string())
                .unwrap_or_default(),
            if finding.quarantined {
                "quarantined"
            } else {
                "rule written"
            }
            .to_owned(),
        ]);
    }
    let mut text: String = table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    if findings.len() > LISTED {
        writeln!(text, " and {} more", findings.len() - LISTED)
            .expect("writing to a string does not fail");
    }
    text
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(number),
        if number == 1 { one } else { many }
    )
}
