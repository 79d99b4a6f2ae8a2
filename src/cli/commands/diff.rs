//! `closegate diff`: what is new, gone and changed between two runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::DiffArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Next};
use crate::cli::past_run::{self, connection_in_words, rule_in_words};
use crate::documents::{
    AuditDocument, ConnectionRow, ExposureRow, FindingRow, Outcome, RevocationRow, RuleRow,
    SCHEMA_VERSION,
};
use crate::net::{json, thousands, visible};

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
    new: Vec<Part<'a, T>>,
    gone: Vec<Part<'a, T>>,
    changed: Vec<Changed<'a, T>>,
}

/// A row, or a part of what it stands for.
#[derive(Serialize)]
struct Part<'a, T> {
    #[serde(flatten)]
    row: &'a T,
    /// How many differ, of those that the row stands for.
    #[serde(rename = "differing", skip_serializing_if = "Option::is_none")]
    part: Option<usize>,
}

/// A row of each run. Where one of them stands for several that changed alike, the other is that of the first.
#[derive(Serialize)]
struct Changed<'a, T> {
    before: &'a T,
    after: &'a T,
    /// How many changed like this, where they are several.
    #[serde(rename = "differing", skip_serializing_if = "Option::is_none")]
    several: Option<usize>,
}

/// What tells that a row of the other run is the same.
type Key<'a> = Cow<'a, str>;

/// What may change of a row: its name, and how it is.
type Value = (&'static str, &'static str);

/// A row of a list that two runs have in common.
trait Row {
    /// The keys of what it stands for: of itself, for most rows.
    fn keys(&self) -> Vec<Key<'_>>;
    /// How many these are.
    fn count(&self) -> usize {
        1
    }
    /// What may change of it.
    fn values(&self) -> Vec<Value>;
    /// The row in a line.
    fn line(&self) -> String;
}

impl Row for FindingRow {
    /// One run may fold what the other does not: what is compared is each finding by itself.
    fn keys(&self) -> Vec<Key<'_>> {
        if self.stands_for.is_empty() {
            return vec![Cow::from(&*self.id)];
        }
        self.stands_for.iter().map(|id| Cow::from(&**id)).collect()
    }

    fn count(&self) -> usize {
        self.stands_for.len().max(1)
    }

    fn values(&self) -> Vec<Value> {
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
    fn keys(&self) -> Vec<Key<'_>> {
        vec![Cow::from(&*self.id)]
    }

    fn values(&self) -> Vec<Value> {
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
    fn keys(&self) -> Vec<Key<'_>> {
        vec![self.line().into()]
    }

    fn values(&self) -> Vec<Value> {
        Vec::new()
    }

    fn line(&self) -> String {
        format!("{}: {}", self.group_id, self.permission)
    }
}

impl Row for ConnectionRow<'_> {
    fn keys(&self) -> Vec<Key<'_>> {
        vec![self.id.to_string().into()]
    }

    fn values(&self) -> Vec<Value> {
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
    let new = document.findings.new.iter().map(|part| part.row);
    let worst = new.min_by_key(|finding| finding.severity);
    next::propose(Next::Differs {
        run: args.b.clone(),
        finding: worst.map(|finding| finding.id.clone()),
    });
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

/// The rows of a run by what they stand for.
struct Rows<'a, T> {
    rows: &'a [T],
    by_key: BTreeMap<Key<'a>, usize>,
}

impl<'a, T: Row> Rows<'a, T> {
    fn new(rows: &'a [T]) -> Self {
        let keys = rows.iter().enumerate();
        let keys =
            keys.flat_map(|(position, row)| row.keys().into_iter().map(move |key| (key, position)));
        Self {
            rows,
            by_key: keys.collect(),
        }
    }

    /// What the other run lacks, in the order of the keys.
    fn without(&self, other: &Self) -> Vec<Part<'a, T>> {
        let mut found: BTreeMap<usize, usize> = BTreeMap::new();
        let mut order = Vec::new();
        let lacking = self.by_key.iter();
        for (_, &position) in lacking.filter(|(key, _)| !other.by_key.contains_key(*key)) {
            let count = found.entry(position).or_default();
            if *count == 0 {
                order.push(position);
            }
            *count += 1;
        }
        let part = |position: usize| {
            let row = &self.rows[position];
            let count = found[&position];
            Part {
                row,
                part: (count < row.count()).then_some(count),
            }
        };
        order.into_iter().map(part).collect()
    }

    /// What both have, with other values there than here. What one row stands for and what changed alike is one.
    fn changed(&self, other: &Self) -> Vec<Changed<'a, T>> {
        let mut changed: Vec<(Changed<'a, T>, usize)> = Vec::new();
        let mut alike: BTreeMap<(bool, usize, Vec<Value>), usize> = BTreeMap::new();
        for (key, &position) in &self.by_key {
            let Some(&there) = other.by_key.get(key) else {
                continue;
            };
            let (before, after) = (&self.rows[position], &other.rows[there]);
            if before.values() == after.values() {
                continue;
            }
            let values: Vec<Value> = before.values().into_iter().chain(after.values()).collect();
            // The row that stands for several, of whichever run, says which of them go together.
            let is_after = after.count() > 1;
            let one = if is_after { there } else { position };
            let next = changed.len();
            let place = *alike.entry((is_after, one, values)).or_insert(next);
            if place == next {
                let row = Changed {
                    before,
                    after,
                    several: None,
                };
                changed.push((row, 0));
            }
            changed[place].1 += 1;
        }
        let several = |(row, count): (Changed<'a, T>, usize)| Changed {
            several: (count > 1).then_some(count),
            ..row
        };
        changed.into_iter().map(several).collect()
    }
}

fn difference<'a, T: Row>(a: &'a [T], b: &'a [T]) -> Difference<'a, T> {
    let (a, b) = (Rows::new(a), Rows::new(b));
    Difference {
        new: b.without(&a),
        gone: a.without(&b),
        changed: a.changed(&b),
    }
}

impl<T: Row> Part<'_, T> {
    fn count(&self) -> usize {
        self.part.unwrap_or_else(|| self.row.count())
    }

    fn line(&self) -> String {
        match self.part {
            Some(part) => format!("{} of these: {}", thousands(part as u64), self.row.line()),
            None => self.row.line(),
        }
    }
}

impl<T: Row> Difference<'_, T> {
    /// The counts, and the first rows.
    fn write(&self, name: &str, line: &mut impl FnMut(String)) {
        let Self { new, gone, changed } = self;
        line(format!(
            "{name:<12} {} new, {} gone, {} changed",
            new.iter().map(Part::count).sum::<usize>(),
            gone.iter().map(Part::count).sum::<usize>(),
            changed
                .iter()
                .map(|row| row.several.unwrap_or(1))
                .sum::<usize>()
        ));
        let new = new.iter().map(|row| format!("  new      {}", row.line()));
        let gone = gone.iter().map(|row| format!("  gone     {}", row.line()));
        let changed = changed.iter().map(Changed::line);
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

impl<T: Row> Changed<'_, T> {
    fn line(&self) -> String {
        let values = self.before.values().into_iter().zip(self.after.values());
        let differ = values.filter(|(before, after)| before != after);
        let mut differ: Vec<String> = differ
            .map(|((name, before), (_, after))| format!("{name} {before} to {after}"))
            .collect();
        if let Some(several) = self.several {
            differ.push(format!("{} of these", thousands(several as u64)));
        }
        format!("  changed  {} ({})", self.after.line(), differ.join(", "))
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
