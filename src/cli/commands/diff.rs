//! `closegate diff`: what is new, gone and changed between two runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::args::DiffArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::past_run::{self, one_line, sentence, text};
use crate::documents::SCHEMA_VERSION;
use crate::net::{json, visible};

/// Lines of each sort that are shown; `--json` has them all.
const LISTED: usize = 20;

/// A list of a run: its key, what tells that one of its things has changed, and the thing in a line.
struct List {
    key: &'static str,
    changes: &'static [&'static str],
    line: fn(&Value) -> String,
}

const LISTS: [List; 4] = [
    List {
        key: "findings",
        changes: &["severity", "confidence", "outcome"],
        line: |f| {
            format!(
                "{} {}: {}",
                text(f, "severity"),
                text(f, "kind"),
                text(f, "detail")
            )
        },
    },
    List {
        key: "rules",
        changes: &["status", "confidence"],
        line: |rule| {
            format!(
                "{}: {}, {}",
                text(rule, "id"),
                sentence(rule),
                text(rule, "status")
            )
        },
    },
    List {
        key: "revocations",
        changes: &[],
        line: |r| {
            format!(
                "{} of {}, {}",
                text(r, "direction"),
                text(r, "group_id"),
                r["target"]
            )
        },
    },
    List {
        key: "connections",
        changes: &["verdict", "direction_confidence"],
        line: one_line,
    },
];

/// What differs in one list.
struct Difference<'a> {
    new: Vec<&'a Value>,
    gone: Vec<&'a Value>,
    changed: Vec<(&'a Value, &'a Value)>,
}

pub(in crate::cli) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let (a, b) = (past_run::load(&args.a)?, past_run::load(&args.b)?);
    let found: Vec<(&List, Difference<'_>)> = LISTS
        .iter()
        .map(|list| (list, difference(list, &a, &b)))
        .collect();
    print(if args.json {
        as_json(&a, &b, &found)
    } else {
        as_text(&a, &b, &found)
    })?;
    Ok(Exit::Done)
}

/// By id; a revocation has none, and is what it says.
fn by_id<'a>(list: &List, run: &'a Value) -> BTreeMap<String, &'a Value> {
    let things = run[list.key].as_array().map_or(&[][..], Vec::as_slice);
    let id = |thing: &Value| match text(thing, "id") {
        "" => thing.to_string(),
        id => id.to_owned(),
    };
    things.iter().map(|thing| (id(thing), thing)).collect()
}

fn difference<'a>(list: &List, a: &'a Value, b: &'a Value) -> Difference<'a> {
    let (a, b) = (by_id(list, a), by_id(list, b));
    let beside = |these: &BTreeMap<String, &'a Value>, those: &BTreeMap<String, &'a Value>| {
        let only = these.iter().filter(|(id, _)| !those.contains_key(*id));
        only.map(|(_, thing)| *thing).collect()
    };
    let both = a
        .iter()
        .filter_map(|(id, before)| Some((*before, *b.get(id)?)));
    let changed =
        both.filter(|(before, after)| list.changes.iter().any(|key| before[*key] != after[*key]));
    Difference {
        new: beside(&b, &a),
        gone: beside(&a, &b),
        changed: changed.collect(),
    }
}

fn as_json(a: &Value, b: &Value, found: &[(&List, Difference<'_>)]) -> String {
    let mut document = json!({
        "schema_version": SCHEMA_VERSION,
        "exposure": {"before": a["exposure"], "after": b["exposure"]},
    });
    for (list, Difference { new, gone, changed }) in found {
        let changed: Vec<Value> = changed
            .iter()
            .map(|(before, after)| json!({"before": before, "after": after}))
            .collect();
        document[list.key] = json!({"new": new, "gone": gone, "changed": changed});
    }
    json::pretty(&document)
}

fn as_text(a: &Value, b: &Value, found: &[(&List, Difference<'_>)]) -> String {
    let mut out = String::new();
    let mut line = |content: String| {
        // Every line may hold foreign text.
        writeln!(out, "{}", visible(&content, 400)).expect("writing to a string does not fail");
    };
    for (list, Difference { new, gone, changed }) in found {
        line(format!(
            "{:<12} {} new, {} gone, {} changed",
            list.key,
            new.len(),
            gone.len(),
            changed.len()
        ));
        let what = |before: &Value, after: &Value| {
            let differ = list
                .changes
                .iter()
                .filter(|key| before[**key] != after[**key]);
            let differ: Vec<String> = differ
                .map(|key| format!("{key} {} to {}", before[*key], after[*key]))
                .collect();
            differ.join(", ")
        };
        let new = new
            .iter()
            .map(|thing| format!("  new      {}", (list.line)(thing)));
        let gone = gone
            .iter()
            .map(|thing| format!("  gone     {}", (list.line)(thing)));
        let changed = changed.iter().map(|(before, after)| {
            format!(
                "  changed  {} ({})",
                (list.line)(after),
                what(before, after)
            )
        });
        let all: Vec<String> = new.chain(gone).chain(changed).collect();
        all.iter().take(LISTED).cloned().for_each(&mut line);
        if all.len() > LISTED {
            line(format!(
                "  and {} more; --json has them all",
                all.len() - LISTED
            ));
        }
    }
    let exposure = |run: &Value| {
        format!(
            "{} today, {} after",
            run["exposure"]["before"], run["exposure"]["after"]
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
