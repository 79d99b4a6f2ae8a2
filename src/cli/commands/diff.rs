//! `closegate diff`: what is new, gone and changed between two runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::DiffArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::past_run::{self, connection_in_words, rule_in_words};
use crate::documents::{
    AuditDocument, ConnectionRow, ExposureRow, FindingRow, Outcome, RevocationRow, RuleRow,
    SCHEMA_VERSION,
};
use crate::net::{json, visible};

/// Lines of each list that are shown; `--json` has them all.
const LISTED: usize = 20;

/// What `--json` prints.
#[derive(Serialize)]
struct DiffDocument<'a> {
    schema_version: u32,
    exposure: BeforeAndAfter<&'a ExposureRow>,
    findings: Difference<'a, FindingRow>,
    rules: Difference<'a, RuleRow>,
    revocations: Difference<'a, RevocationRow>,
    connections: Difference<'a, ConnectionRow<'a>>,
}

#[derive(Serialize)]
struct BeforeAndAfter<T> {
    before: T,
    after: T,
}

/// What differs in one list.
#[derive(Serialize)]
struct Difference<'a, T> {
    new: Vec<&'a T>,
    gone: Vec<&'a T>,
    changed: Vec<BeforeAndAfter<&'a T>>,
}

/// A row of a list that two runs have in common.
trait Row {
    /// What tells that a row of the other run is the same.
    fn key(&self) -> String;
    /// What may change of it: names and values.
    fn values(&self) -> Vec<(&'static str, &'static str)>;
    /// The row in a line.
    fn line(&self) -> String;
}

impl Row for FindingRow {
    fn key(&self) -> String {
        self.id.clone()
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("severity", self.severity.as_str()),
            ("confidence", self.confidence.as_str()),
            ("outcome", self.outcome.map_or("none", Outcome::as_str)),
        ]
    }

    fn line(&self) -> String {
        format!("{} {}: {}", self.severity.as_str(), self.kind, self.detail)
    }
}

impl Row for RuleRow {
    fn key(&self) -> String {
        self.id.clone()
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("status", self.status.as_str()),
            ("confidence", self.confidence.as_str()),
        ]
    }

    fn line(&self) -> String {
        format!(
            "{}: {}, {}",
            self.id,
            rule_in_words(self),
            self.status.as_str()
        )
    }
}

impl Row for RevocationRow {
    /// A rule of today may have no id: it is what it permits.
    fn key(&self) -> String {
        self.line()
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn line(&self) -> String {
        format!("{}: {}", self.group_id, self.permission)
    }
}

impl Row for ConnectionRow<'_> {
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("verdict", self.verdict.as_str()),
            ("after", self.after.state.as_str()),
            ("direction_confidence", self.direction_confidence.as_str()),
        ]
    }

    fn line(&self) -> String {
        connection_in_words(self)
    }
}

pub(in crate::cli) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let (a, b) = (past_run::load(&args.a)?, past_run::load(&args.b)?);
    let document = difference_of_runs(&a, &b);
    print(if args.json {
        json::pretty(&document)
    } else {
        as_text(&a, &b, &document)
    })?;
    Ok(Exit::Done)
}

fn difference_of_runs<'a>(a: &'a AuditDocument<'_>, b: &'a AuditDocument<'_>) -> DiffDocument<'a> {
    DiffDocument {
        schema_version: SCHEMA_VERSION,
        exposure: BeforeAndAfter {
            before: &a.exposure,
            after: &b.exposure,
        },
        findings: difference(&a.findings, &b.findings),
        rules: difference(&a.rules, &b.rules),
        revocations: difference(&a.revocations, &b.revocations),
        connections: difference(&a.connections, &b.connections),
    }
}

fn difference<'a, T: Row>(a: &'a [T], b: &'a [T]) -> Difference<'a, T> {
    let by_key = |rows: &'a [T]| -> BTreeMap<String, &'a T> {
        rows.iter().map(|row| (row.key(), row)).collect()
    };
    let (a, b) = (by_key(a), by_key(b));
    let only = |these: &BTreeMap<String, &'a T>, those: &BTreeMap<String, &'a T>| {
        let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
        only.map(|(_, row)| *row).collect()
    };
    let both = a.iter().filter_map(|(key, before)| {
        let after = *b.get(key)?;
        (before.values() != after.values()).then_some(BeforeAndAfter {
            before: *before,
            after,
        })
    });
    Difference {
        new: only(&b, &a),
        gone: only(&a, &b),
        changed: both.collect(),
    }
}

impl<T: Row> Difference<'_, T> {
    /// The counts, and the first rows.
    fn write(&self, name: &str, line: &mut impl FnMut(String)) {
        let Self { new, gone, changed } = self;
        line(format!(
            "{name:<12} {} new, {} gone, {} changed",
            new.len(),
            gone.len(),
            changed.len()
        ));
        let new = new.iter().map(|row| format!("  new      {}", row.line()));
        let gone = gone.iter().map(|row| format!("  gone     {}", row.line()));
        let changed = changed.iter().map(|BeforeAndAfter { before, after }| {
            let values = before.values().into_iter().zip(after.values());
            let differ = values.filter(|(before, after)| before != after);
            let differ: Vec<String> = differ
                .map(|((name, before), (_, after))| format!("{name} {before} to {after}"))
                .collect();
            format!("  changed  {} ({})", after.line(), differ.join(", "))
        });
        let all: Vec<String> = new.chain(gone).chain(changed).collect();
        all.iter().take(LISTED).cloned().for_each(&mut *line);
        if all.len() > LISTED {
            line(format!(
                "  and {} more; --json has them all",
                all.len() - LISTED
            ));
        }
    }
}

fn as_text(a: &AuditDocument<'_>, b: &AuditDocument<'_>, document: &DiffDocument<'_>) -> String {
    let mut out = String::new();
    let mut line = |content: String| {
        // Every line may hold foreign text.
        writeln!(out, "{}", visible(&content, 400)).expect("writing to a string does not fail");
    };
    document.findings.write("findings", &mut line);
    document.rules.write("rules", &mut line);
    document.revocations.write("revocations", &mut line);
    document.connections.write("connections", &mut line);
    let exposure = |run: &AuditDocument<'_>| {
        format!(
            "{} today, {} after",
            run.exposure.before, run.exposure.after
        )
    };
    line(format!(
        "{:<12} {}; now {}",
        "exposure",
        exposure(a),
        exposure(b)
    ));
    out
}
