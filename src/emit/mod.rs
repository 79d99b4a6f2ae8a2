//! Stage 9: the files of a run.
//!
//! One format, one file, a pure function of the [`Audit`]. The shapes on disk are
//! types of their own, so that they can stay while the domain changes.

mod account_change;
mod accounts;
mod audit_json;
mod change;
mod connection_table;
mod current_rules;
mod drift;
mod error;
mod findings;
mod for_account;
mod formats;
mod graph_files;
mod policy_change;
mod report;
mod report_csv;
mod report_html;
mod report_md;
mod report_page;
mod room;
mod rows;
mod schema;
mod text;

pub use account_change::account_changes;
pub use connection_table::connection_table;
pub use drift::{DriftFacts, drift_document, drift_sarif, drift_text};
pub use error::EmitError;
pub use findings::{Places, asff, csv, ocsf, sarif};
pub use for_account::is_for_account;
pub(crate) use formats::quoted;
pub use formats::{
    FORMATS, Ids, PolicyFileOptions, RuleFileOrigin, RuleFileSplit, RuleFormat, RuleFormatError,
    RuleFormatOptions, StateError, TerraformState, group_lines, is_same_form, rule_file_origin,
};
pub use policy_change::policy_change;
pub use report::report;
pub use report_html::html;
pub use schema::{SCHEMAS, schema};

pub(crate) use crate::net::{day, thousands};
pub(crate) use accounts::{Accounts, between_accounts, threats_by_severity, unread_in_words};
pub use text::duration;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::audit::Audit;
use crate::documents::ChangeDocument;
use crate::net::json::{self, BUFFER};

/// Every file of a run, by path below its directory, but for those of other accounts ([`is_for_account`]).
pub const PATHS: &[&str] = &[
    "audit.json",
    "connections.parquet",
    "findings.sarif",
    "graph.dot",
    "graph.json",
    "report/findings.csv",
    "report/group-connections.csv",
    "report/groups.csv",
    "report/rules.csv",
    "report/sources.csv",
    "report/without-a-rule.csv",
    "report.html",
    "report.json",
    "report.md",
    "rules/apply.sh",
    "rules/mutual.tf",
    "rules/other.tf",
    "rules/plan.md",
    "rules/rollback.sh",
    "rules/rules.json",
];

/// What writes a file.
type Maker = fn(&Audit, &ChangeDocument, &mut dyn Write) -> Result<(), EmitError>;

/// What writes a file about the change alone.
type ChangeMaker = fn(&ChangeDocument) -> String;

/// The files about the change: path below the run's directory, and what writes it.
const CHANGE_FILES: &[(&str, ChangeMaker)] = &[
    ("rules/apply.sh", formats::apply),
    ("rules/mutual.tf", formats::mutual),
    ("rules/other.tf", formats::other),
    ("rules/plan.md", formats::plan),
    ("rules/rollback.sh", formats::rollback),
];

/// Every other file of a run: path below the run's directory, and what writes it.
const FILES: &[(&str, Maker)] = &[
    ("audit.json", |audit, change, to| {
        Ok(audit_json::write(audit, change, to)?)
    }),
    ("graph.dot", |audit, _, to| {
        Ok(to.write_all(graph_files::document(audit).dot().as_bytes())?)
    }),
    ("graph.json", |audit, _, to| {
        Ok(json::rows(&graph_files::document(audit), to)?)
    }),
    ("report.md", |audit, _, to| {
        Ok(to.write_all(report_md::render(audit).as_bytes())?)
    }),
    ("report/group-connections.csv", |audit, _, to| {
        Ok(report_csv::group_connections(audit, to)?)
    }),
    ("report/groups.csv", |audit, _, to| {
        Ok(report_csv::groups(audit, to)?)
    }),
    ("report/sources.csv", |audit, _, to| {
        Ok(report_csv::sources(audit, to)?)
    }),
    ("report/without-a-rule.csv", |audit, _, to| {
        Ok(report_csv::without_a_rule(audit, to)?)
    }),
];

/// Writes every file of a run; `create` is told its path below the run's directory.
pub fn write<W: Write>(
    audit: &Audit,
    create: impl Fn(&str) -> io::Result<W> + Sync,
) -> Result<(), EmitError> {
    let open = |path: &str| io::Result::Ok(BufWriter::with_capacity(BUFFER, create(path)?));
    let table = || {
        let mut file = open("connections.parquet")?;
        connection_table(audit, &mut file)?;
        Ok(file.flush()?)
    };
    let others = || {
        let change = change::change(audit);
        // The longest comes first, and whoever is done with the table takes from the others.
        let whole = || {
            FILES.par_iter().try_for_each(|&(path, make)| {
                let mut file: BufWriter<W> = open(path)?;
                make(audit, &change, &mut file)?;
                Ok(file.flush()?)
            })
        };
        let (a, b) = rayon::join(whole, || write_change(audit, &change, &open));
        a.and(b)
    };
    // The table is written by one, and needs nothing of the change.
    let (a, b): (Result<(), EmitError>, _) = rayon::join(table, others);
    a.and(b)
}

/// Writes the files that are about the change.
fn write_change<W: Write>(
    audit: &Audit,
    change: &ChangeDocument,
    open: &impl Fn(&str) -> io::Result<BufWriter<W>>,
) -> Result<(), EmitError> {
    let put = |path: &str, text: &[u8]| {
        let mut file = open(path)?;
        file.write_all(text)?;
        file.flush()
    };
    let mut file = open("rules/rules.json")?;
    json::rows(change, &mut file)?;
    file.flush()?;
    let report = report(audit, change);
    let mut file = open("report.json")?;
    json::rows(&report, &mut file)?;
    file.flush()?;
    put("report.html", html(&report)?.as_bytes())?;
    put("findings.sarif", sarif(&report, &Places::new()).as_bytes())?;
    put("report/findings.csv", csv(&report)?.as_bytes())?;
    let table = RuleFormat::named("csv").expect("it is one of the formats");
    let rules = table.write(change, &RuleFormatOptions::default())?;
    put("report/rules.csv", rules.as_bytes())?;
    for (path, make) in CHANGE_FILES {
        put(path, make(change).as_bytes())?;
    }
    for (path, text) in for_account::files(audit) {
        put(&path, text.as_bytes())?;
    }
    Ok(())
}

/// Every file of a run: path below the run's directory, and content, in order.
pub fn files(audit: &Audit) -> Result<Vec<(String, Vec<u8>)>, EmitError> {
    let made = Made::default();
    write(audit, |path| {
        Ok(InMemory {
            path: path.to_owned(),
            made: &made,
        })
    })?;
    let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(made.into_iter().collect())
}

/// Files by path.
type Made = Mutex<BTreeMap<String, Vec<u8>>>;

/// A file that is kept in memory.
struct InMemory<'a> {
    path: String,
    made: &'a Made,
}

impl Write for InMemory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(self.path.clone())
            .or_default()
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
