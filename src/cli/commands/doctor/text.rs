//! What was found out, for people.

use std::fmt::Write as _;

use crate::documents::{
    DoctorDocument, DoctorFormatRow, DoctorInventoryRow, DoctorSourceRow, FlowLogCoverageRow,
    HeldCallRow, HeldRow, HeldTerm, InterfaceCoverageRow, NextRow, Window,
};
use crate::emit::duration;
use crate::net::{day, plural, thousands, visible};

/// Things of a list that are named before the rest is counted; `--json` has all.
const NAMED: usize = 5;

/// Columns of a label.
const LABEL: usize = 16;

/// Lines of a label and a text.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, text: &str) {
        writeln!(self.0, "{label:<LABEL$}{text}").expect("writing to a string does not fail");
    }

    fn gap(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }
}

/// The document as text: foreign text in it is escaped.
pub(super) fn render(document: &DoctorDocument) -> String {
    let mut lines = Lines::default();
    for row in &document.sources {
        lines.gap();
        source(&mut lines, row);
    }
    if let Some(format) = &document.recommended_log_format {
        lines.gap();
        lines.add(
            "log format",
            "the flow logs lack fields; new ones should have these:",
        );
        lines.add("", &format!("'{format}'"));
    }
    if let Some(row) = &document.inventory {
        lines.gap();
        inventory(&mut lines, row);
    }
    if let Some(row) = &document.interfaces {
        lines.gap();
        interfaces(&mut lines, row);
    }
    if let Some(row) = &document.flow_logs {
        lines.gap();
        flow_logs(&mut lines, row);
    }
    if let Some(row) = &document.aws {
        lines.gap();
        held(&mut lines, row);
    }
    next(&mut lines, &document.next);
    lines.0
}

fn source(lines: &mut Lines, row: &DoctorSourceRow) {
    lines.add("source", &visible(&row.name, 300));
    if row.files > 0 {
        let files = match (row.files, row.files_read) {
            (all, read) if all == read => plural(all, "file"),
            (all, read) => format!("{} of {}", thousands(read), plural(all, "file")),
        };
        let parts = [
            (row.records_rejected, "rejected"),
            (row.records_no_data, "NODATA"),
            (row.records_skip_data, "SKIPDATA"),
            (row.records_duplicate, "duplicate"),
            (row.records_outside, "outside the window"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts = parts.map(|&(count, what)| format!(", {} {what}", thousands(count)));
        let records = plural(row.records, "record");
        let malformed = plural(row.malformed, "malformed line");
        lines.add(
            "  read",
            &format!(
                "{files}: {records}{}, {malformed}",
                parts.collect::<Vec<_>>().concat()
            ),
        );
    }
    if let Some(reason) = &row.not_read {
        lines.add("", &visible(reason, 600));
    }
    for file in row.files_cut.iter().take(NAMED) {
        lines.add("", &format!("only the start of {}", visible(file, 300)));
    }
    more(
        lines,
        row.files_cut.len(),
        "file of which only the start was read",
        "files of which only the start was read",
    );
    if let Some(window) = row.window {
        lines.add("  time", &span(window));
    }
    for format in &row.formats {
        format_of_files(lines, format);
    }
    for sample in &row.malformed_samples {
        let place = match sample.line {
            0 => String::new(),
            line => format!(", line {}", thousands(line)),
        };
        let (name, reason) = (visible(&sample.source, 200), visible(&sample.reason, 400));
        lines.add("  malformed", &format!("{name}{place}: {reason}"));
    }
}

fn format_of_files(lines: &mut Lines, row: &DoctorFormatRow) {
    let files = plural(row.files, "file");
    let version = row.version;
    let version = version.map_or(String::new(), |version| format!(", version {version}"));
    lines.add(
        "  format",
        &format!(
            "{}, {}{version} ({files})",
            row.container,
            visible(&row.format, 800)
        ),
    );
    if row.fields.is_none() {
        lines.add("", "its fields are not known");
    }
    for missing in &row.missing {
        let fields = missing.fields.join(", ");
        lines.add("  missing", &format!("{fields}: {}", missing.cost));
    }
}

fn inventory(lines: &mut Lines, row: &DoctorInventoryRow) {
    lines.add("inventory", &visible(&row.name, 300));
    let accounts = named(&row.accounts);
    let regions = named(&row.regions);
    lines.add(
        "  holds",
        &format!(
            "{}, {}; accounts: {accounts}; regions: {regions}",
            plural(row.groups, "security group"),
            plural(row.interfaces, "interface")
        ),
    );
    lines.add("  documents", &row.documents.join(", "));
    match (row.taken, &row.age) {
        (Some(taken), age) => {
            let age = age.as_ref().map_or(String::new(), |age| format!(", {age}"));
            lines.add("  taken", &format!("{}{age}", span(taken)));
        }
        (None, Some(age)) => lines.add("  taken", age),
        (None, None) => {}
    }
    for note in &row.notes {
        lines.add("  note", &visible(note, 600));
    }
}

fn interfaces(lines: &mut Lines, row: &InterfaceCoverageRow) {
    lines.add(
        "interfaces",
        &format!(
            "{} of {} of the inventory have records of traffic, {} only idle intervals",
            thousands(row.with_records),
            thousands(row.interfaces),
            thousands(row.idle)
        ),
    );
    if !row.without_records.is_empty() {
        lines.add(
            "  without",
            &format!(
                "{} without any record that was looked at: {}",
                thousands(row.without_records.len() as u64),
                named(&row.without_records)
            ),
        );
    }
    if !row.unlisted.is_empty() {
        let ids: Vec<String> = row
            .unlisted
            .iter()
            .map(|u| u.interface_id.clone())
            .collect();
        lines.add(
            "  not listed",
            &format!(
                "{} in the records that the inventory lacks, with {} ({}): {}",
                thousands(row.unlisted.len() as u64),
                plural(row.unlisted_records, "record"),
                share(row.unlisted_records, row.records),
                named(&ids)
            ),
        );
    }
    if row.unnamed_records > 0 {
        lines.add(
            "  not named",
            &format!(
                "{} ({}) name no interface",
                plural(row.unnamed_records, "record"),
                share(row.unnamed_records, row.records)
            ),
        );
    }
}

fn flow_logs(lines: &mut Lines, row: &FlowLogCoverageRow) {
    lines.add(
        "flow logs",
        &format!(
            "{} in the inventory; active ones record {} of {}",
            thousands(row.flow_logs.len() as u64),
            thousands(row.recorded),
            plural(row.interfaces, "interface")
        ),
    );
    for unrecorded in &row.unrecorded {
        let vpc = match visible(&unrecorded.vpc_id, 60) {
            vpc if vpc.is_empty() => "no VPC that the inventory tells".to_owned(),
            vpc => vpc,
        };
        let interfaces = plural(unrecorded.interfaces, "interface");
        lines.add(
            "  not recorded",
            &format!("{interfaces} of {vpc}, by any active flow log"),
        );
    }
    for problem in &row.problems {
        lines.add("  problem", &visible(problem, 600));
    }
}

fn held(lines: &mut Lines, row: &HeldRow) {
    let region = row.region.as_deref().unwrap_or("no region");
    lines.add(
        "AWS",
        &format!(
            "{} in account {}, {}",
            visible(&row.arn, 300),
            visible(&row.account, 60),
            visible(region, 60)
        ),
    );
    let of = |held: HeldTerm| row.calls.iter().filter(move |call| call.held == held);
    lines.add(
        "  permitted",
        &format!(
            "{} of {} that closegate makes for a snapshot and these sources",
            thousands(of(HeldTerm::Permitted).count() as u64),
            plural(row.calls.len() as u64, "call")
        ),
    );
    for call in of(HeldTerm::Denied) {
        lines.add("  denied", &call_in_words(call));
    }
    for call in of(HeldTerm::Unknown) {
        lines.add("  unknown", &call_in_words(call));
    }
}

/// A call that was not permitted, or of which nobody knows.
fn call_in_words(row: &HeldCallRow) -> String {
    let mut text = row.operation.clone();
    let mut add = |before: &str, part: Option<&str>, after: &str| {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text += before;
            text += &visible(part, 300);
            text += after;
        }
    };
    add(" of ", row.resource.as_deref(), "");
    add(" (", row.reason.as_deref(), ")");
    add(": ", Some(row.cost.as_str()), "");
    if row.held == HeldTerm::Denied {
        let policy = format!("docs/iam/{}.json permits {}", row.policy, row.action);
        add("; ", Some(policy.as_str()), "");
    }
    text
}

fn next(lines: &mut Lines, rows: &[NextRow]) {
    for row in rows {
        lines.gap();
        // A shell's words: they are escaped already, and whole.
        lines.add("next", &row.command);
        lines.add("", &row.why);
    }
}

/// The first few of some names, and how many more there are.
fn named(names: &[String]) -> String {
    if names.is_empty() {
        return "not known".to_owned();
    }
    let first = names.iter().take(NAMED).map(|name| visible(name, 60));
    let first = first.collect::<Vec<String>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {} more", thousands(more as u64)),
    }
}

/// How many more there are of what was named.
fn more(lines: &mut Lines, all: usize, one: &str, several: &str) {
    match all.saturating_sub(NAMED) {
        0 => {}
        1 => lines.add("", &format!("1 more {one}")),
        more => lines.add("", &format!("{} more {several}", thousands(more as u64))),
    }
}

/// A share in whole percent.
fn share(part: u64, all: u64) -> String {
    match part.saturating_mul(100).checked_div(all) {
        None => "0%".to_owned(),
        Some(0) if part > 0 => "less than 1%".to_owned(),
        Some(percent) => format!("{percent}%"),
    }
}

/// The days of a time, and how long it is.
fn span(window: Window) -> String {
    let (from, to) = (day(window.start), day(window.end));
    if window.start == window.end {
        return from;
    }
    let length = duration(window.end.saturating_sub(window.start));
    if from == to {
        format!("{from} ({length})")
    } else {
        format!("{from} to {to} ({length})")
    }
}
