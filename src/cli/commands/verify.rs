//! `closegate verify`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::audit::{self, Judged};
use crate::cli::args::VerifyArgs;
use crate::cli::clock;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::next::{self, Against, Next};
use crate::cli::policy_dir::PolicyDir;
use crate::cli::settings::{self, Decided, Input};
use crate::cli::trouble::Trouble;
use crate::documents::{Confidence, SCHEMA_VERSION};
use crate::inventory::Inventory;
use crate::net::{ConnectionId, json, plural, thousands, visible};
use crate::policy::desired;
use crate::replay::{self, Change, Passage, RulesAfter, Verification};
use crate::resolve::End;

/// Missing rules that the text lists; JSON has every lost connection.
const LISTED: usize = 50;

pub(in crate::cli) fn run(args: VerifyArgs) -> Result<Exit, Failure> {
    let VerifyArgs {
        input,
        rules,
        current,
        policy,
        config,
        json,
    } = args;
    debug_assert!(
        u8::from(current) + u8::from(rules.is_some()) + u8::from(policy.is_some()) == 1,
        "clap takes exactly one"
    );
    let Decided { config, ranges } = settings::decide(config, None, &[])?;
    let against = match (&policy, current) {
        (Some(dir), _) => Against::Policy(dir.clone()),
        (None, true) => Against::Today,
        (None, false) => Against::Rules,
    };
    let (audit, snapshot) = (next::audit_of(&input), input.inventory.clone());
    let policy = policy
        .map(|dir| PolicyDir::read(&dir)?.sound())
        .transpose()?;
    let Input {
        evidence,
        inventory,
        reading,
    } = Input::resolve(input, ranges.as_deref())?;
    let (change, unknown) = match (&rules, &policy) {
        (Some(path), _) => proposed(path, &inventory)?,
        (None, Some(policy)) => {
            let today = clock::now().to_zoned(TimeZone::UTC).date();
            let state = desired(policy, &inventory, today);
            (state.change(&inventory), Vec::new())
        }
        (None, None) => (Change::default(), Vec::new()),
    };
    let (table, intake) = super::audit::read(&evidence, &inventory, &reading)?;
    let judged = audit::judge(inventory, table, intake, &config.policy);
    let rules = RulesAfter::new(&judged.inventory, &change);
    let mut result = replay::verify(&judged.inventory, &rules, &judged.connections);
    result.rejected += judged.probes.iter().map(|p| p.connections).sum::<u64>();
    print(if json {
        as_json(&judged, &result, &unknown)
    } else {
        as_text(&judged, &result, &unknown)
    })?;
    next::propose(Next::Verified {
        against,
        lost: result.lost.len(),
        audit,
        inventory: snapshot,
    });
    Ok(if result.lost.is_empty() {
        Exit::Done
    } else {
        Exit::Stands
    })
}

/// The change that a file or a run's directory proposes, and what is not known of it.
fn proposed(named: &Path, inventory: &Inventory) -> Result<(Change, Vec<String>), Failure> {
    let file = if named.is_dir() {
        named.join("rules/rules.json")
    } else {
        named.to_path_buf()
    };
    fs::read(&file)
        .with_context(|| {
            "it can't be read; name an audit's --out directory, its rules/rules.json, or what `terraform show -json` prints for a plan"
        })
        .and_then(|bytes| Ok(replay::proposal(inventory, &bytes)?))
        .with_context(|| format!("rules file `{}`", file.display()))
        .map_err(|error| Failure::usage(error).about(Trouble::Change))
}

/// The side that would deny.
const fn side(passage: Passage) -> &'static str {
    match (passage.egress.passes(), passage.ingress.passes()) {
        (false, false) => "egress and ingress",
        (false, true) => "egress",
        (true, _) => "ingress",
    }
}

fn as_text(judged: &Judged, result: &Verification, unknown: &[String]) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: String| {
        writeln!(text, "{label:<14}{content}").expect("writing to a string does not fail");
    };
    line("permitted", plural(result.permitted, "connection"));
    line("lost", plural(result.lost.len() as u64, "connection"));
    line(
        "suspicious",
        format!(
            "{} denied, {} still permitted",
            thousands(result.denied),
            thousands(result.still_open.len() as u64)
        ),
    );
    line(
        "not replayed",
        format!(
            "{} rejected in the logs, {} unattributed",
            thousands(result.rejected),
            thousands(result.unattributed)
        ),
    );
    if !result.unjudged.is_empty() {
        line(
            "unknown",
            format!(
                "{}: the inventory does not tell whether a rule that goes permits them",
                plural(result.unjudged.len() as u64, "connection")
            ),
        );
    }
    let connection = |position: usize| {
        let c = &judged.connections[position];
        format!(
            "{} to {} {}, {} ({})",
            c.initiator.address,
            c.responder.address,
            c.service,
            plural(c.totals.records, "record"),
            c.id
        )
    };
    let missing = missing_rules(judged, result);
    for (rule, lost) in missing.iter().take(LISTED) {
        let example = &judged.connections[lost.example];
        line(
            "",
            format!(
                "no {rule}: {}, {}, such as {}",
                plural(lost.connections, "connection"),
                plural(lost.records, "record"),
                example.id
            ),
        );
    }
    if missing.len() > LISTED {
        let more = plural((missing.len() - LISTED) as u64, "missing rule");
        line("", format!("and {more}; --json has every connection"));
    }
    for &position in &result.still_open {
        line("", format!("still permitted: {}", connection(position)));
    }
    for text in unknown {
        line("", format!("not known: {}", visible(text, 200)));
    }
    text
}

/// An end by its groups, which a rule would name; else by its address.
fn end(inventory: &Inventory, end: End) -> String {
    let groups = end.interface().map(|ix| &inventory.interface(ix).groups);
    match groups.map(Vec::as_slice) {
        None | Some([]) => end.address.to_string(),
        Some(groups) => {
            let named = groups.iter().map(|&ix| {
                let group = inventory.group(ix);
                format!("{} ({})", group.name, group.id)
            });
            named.collect::<Vec<_>>().join(" or ")
        }
    }
}

/// Connections that lack one rule.
struct Lost {
    connections: u64,
    records: u64,
    /// Position of the first of the connections.
    example: usize,
}

/// The lost connections by the rule that they lack.
fn missing_rules(judged: &Judged, result: &Verification) -> BTreeMap<String, Lost> {
    let mut missing: BTreeMap<String, Lost> = BTreeMap::new();
    for &(position, passage) in &result.lost {
        let c = &judged.connections[position];
        let rule = format!(
            "{} rule for {} from {} to {}",
            side(passage),
            c.service,
            end(&judged.inventory, c.initiator),
            end(&judged.inventory, c.responder),
        );
        let lost = missing.entry(visible(&rule, 300)).or_insert(Lost {
            connections: 0,
            records: 0,
            example: position,
        });
        lost.connections += 1;
        lost.records += c.totals.records;
    }
    missing
}

/// What `--json` prints.
#[derive(Serialize)]
struct VerifyDocument<'a> {
    schema_version: u32,
    connections: u64,
    permitted: u64,
    lost: usize,
    lost_connections: Vec<ReplayedRow>,
    suspicious_denied: u64,
    suspicious_still_open: Vec<ReplayedRow>,
    rejected: u64,
    unattributed: u64,
    /// Of these the inventory does not tell whether a rule that goes permits them.
    unjudged: Vec<ReplayedRow>,
    /// What a plan knows only after it is applied.
    not_known: &'a [String],
}

/// A connection that was replayed.
#[derive(Serialize)]
struct ReplayedRow {
    id: ConnectionId,
    initiator: IpAddr,
    responder: IpAddr,
    protocol: String,
    port: Option<u16>,
    records: u64,
    direction_confidence: Confidence,
    first_seen: u64,
    last_seen: u64,
    /// The side that denies it, of lost connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_by: Option<&'static str>,
}

fn row(judged: &Judged, position: usize, denied_by: Option<&'static str>) -> ReplayedRow {
    let c = &judged.connections[position];
    ReplayedRow {
        id: c.id,
        initiator: c.initiator.address,
        responder: c.responder.address,
        protocol: c.service.protocol.to_string(),
        port: c.service.port(),
        records: c.totals.records,
        direction_confidence: c.confidence,
        first_seen: c.totals.first,
        last_seen: c.totals.last,
        denied_by,
    }
}

fn as_json(judged: &Judged, result: &Verification, unknown: &[String]) -> String {
    let lost = result.lost.iter();
    let still_open = result.still_open.iter();
    let unjudged = result.unjudged.iter();
    json::pretty(&VerifyDocument {
        schema_version: SCHEMA_VERSION,
        connections: judged.connection_count(),
        permitted: result.permitted,
        lost: result.lost.len(),
        lost_connections: lost
            .map(|&(position, passage)| row(judged, position, Some(side(passage))))
            .collect(),
        suspicious_denied: result.denied,
        suspicious_still_open: still_open
            .map(|&position| row(judged, position, None))
            .collect(),
        rejected: result.rejected,
        unattributed: result.unattributed,
        unjudged: unjudged
            .map(|&position| row(judged, position, None))
            .collect(),
        not_known: unknown,
    })
}
