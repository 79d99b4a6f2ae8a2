//! `closegate verify`.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context;
use serde_json::json;

use crate::audit::{self, Judged};
use crate::cli::args::VerifyArgs;
use crate::cli::exit::{Exit, Failure, print};
use crate::cli::settings::{self, Decided, Input};
use crate::emit;
use crate::inventory::Gates;
use crate::net::visible;
use crate::replay::{self, Against, Change, Passage};

/// Broken connections that the text lists; JSON has all of them.
const LISTED: usize = 50;

pub(in crate::cli) fn run(args: VerifyArgs) -> Result<Exit, Failure> {
    let VerifyArgs {
        input,
        rules,
        current,
        json,
    } = args;
    debug_assert!(current != rules.is_some(), "clap takes exactly one");
    let Decided { config, ranges } = settings::decide(None, None, &[])?;
    let Input {
        evidence,
        inventory,
        reading,
    } = Input::resolve(input, ranges.as_deref())?;
    let (change, unknown) = match &rules {
        None => (Change::default(), Vec::new()),
        Some(path) => fs::read(path)
            .map_err(anyhow::Error::new)
            .and_then(|bytes| Ok(replay::proposal(&inventory, &bytes)?))
            .with_context(|| format!("rules file `{}`", path.display()))
            .map_err(Failure::usage)?,
    };
    let (table, intake) = super::audit::read(&evidence, &reading)?;
    let judged = audit::judge(inventory, table, intake, &config.policy);
    let rules = replay::after(&judged.inventory, &change);
    let gates = Gates::new(&judged.inventory, |group| &rules[group.index()]);
    let result = replay::against(&judged.inventory, &gates, &judged.connections);
    print(if json {
        as_json(&judged, &result, &unknown)
    } else {
        as_text(&judged, &result, &unknown)
    })?;
    Ok(if result.broken.is_empty() {
        Exit::Done
    } else {
        Exit::Stands
    })
}

/// The side that would refuse.
const fn side(passage: Passage) -> &'static str {
    match (passage.egress, passage.ingress) {
        (false, false) => "egress and ingress",
        (false, true) => "egress",
        (true, _) => "ingress",
    }
}

fn as_text(judged: &Judged, result: &Against, unknown: &[String]) -> String {
    let mut text = String::new();
    let mut line = |label: &str, content: String| {
        writeln!(text, "{label:<12}{content}").expect("writing to a string does not fail");
    };
    line("permitted", result.permitted.to_string());
    line("broken", result.broken.len().to_string());
    line(
        "suspicious",
        format!(
            "{} denied, {} still let through",
            result.denied,
            result.still_open.len()
        ),
    );
    line(
        "not replayed",
        format!(
            " {} refused already, {} unattributed",
            result.refused, result.unattributed
        ),
    );
    let connection = |position: usize| {
        let c = &judged.connections[position];
        format!(
            "{} to {} {}, {} records ({})",
            c.initiator.address, c.responder.address, c.service, c.totals.records, c.id
        )
    };
    for &(position, passage) in result.broken.iter().take(LISTED) {
        line(
            "",
            format!("broken by {}: {}", side(passage), connection(position)),
        );
    }
    if result.broken.len() > LISTED {
        line(
            "",
            format!(
                "and {} more; --json has them all",
                result.broken.len() - LISTED
            ),
        );
    }
    for &position in &result.still_open {
        line("", format!("still let through: {}", connection(position)));
    }
    for text in unknown {
        line("", format!("not known: {}", visible(text, 200)));
    }
    text
}

fn as_json(judged: &Judged, result: &Against, unknown: &[String]) -> String {
    let row = |position: usize| {
        let c = &judged.connections[position];
        json!({
            "id": c.id,
            "initiator": c.initiator.address,
            "responder": c.responder.address,
            "protocol": c.service.protocol.to_string(),
            "port": c.service.port(),
            "records": c.totals.records,
            "direction_confidence": c.confidence.as_str(),
            "first_seen": c.totals.first,
            "last_seen": c.totals.last,
        })
    };
    let broken = |&(position, passage): &(usize, Passage)| {
        let mut row = row(position);
        row["refused_by"] = side(passage).into();
        row
    };
    let document = json!({
        "schema_version": emit::SCHEMA_VERSION,
        "connections": judged.connections.len(),
        "permitted": result.permitted,
        "lost": result.broken.len(),
        "lost_connections": result.broken.iter().map(broken).collect::<Vec<_>>(),
        "suspicious_denied": result.denied,
        "suspicious_still_open": result.still_open.iter().map(|&p| row(p)).collect::<Vec<_>>(),
        "refused": result.refused,
        "unattributed": result.unattributed,
        "not_known": unknown,
    });
    format!("{document:#}\n")
}
