//! What of the planted incidents is found, and what else is taken for one.

use std::collections::BTreeMap;

use closegate::findings::Family;
use closegate::inventory::Rule;
use closegate::net::{Protocol, Service};

use super::network::text;
use super::traffic::{HOSTILE, LISTED, REPORTED};
use super::{Format, Run, run, seeds};

/// Right ones, wrong ones, and missed ones.
#[derive(Debug, Default)]
struct Score {
    found: u64,
    wrong: u64,
    missed: u64,
}

impl Score {
    fn precision(&self) -> f64 {
        part(self.found, self.wrong)
    }

    fn recall(&self) -> f64 {
        part(self.found, self.missed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a test")]
fn part(of: u64, beside: u64) -> f64 {
    if of + beside == 0 {
        1.0
    } else {
        of as f64 / (of + beside) as f64
    }
}

/// The kind of finding that a connection of the story has to be, if any.
fn kind_of((_, to, service): &(String, String, String)) -> &'static str {
    let listed = LISTED.iter().find(|(address, _)| text(*address) == *to);
    let by_port = HOSTILE
        .iter()
        .chain(REPORTED)
        .find(|&&(protocol, port, _)| {
            to.starts_with("203.0.113.")
                && Service::new(Protocol(protocol), port).to_string() == *service
        });
    let listed = listed.map(|(_, kind)| *kind);
    listed
        .or(by_port.map(|(_, _, kind)| *kind))
        .unwrap_or_default()
}

fn count(run: &Run, scores: &mut BTreeMap<&'static str, Score>) {
    let mut reported = Vec::new();
    for finding in &run.audit.findings {
        if finding.kind.family != Family::Destination {
            continue;
        }
        for &position in &finding.evidence {
            let c = &run.audit.connections[position];
            reported.push((
                finding.kind.id,
                (
                    c.initiator.address.to_string(),
                    c.responder.address.to_string(),
                    c.service.to_string(),
                ),
            ));
        }
    }
    let planted = |kind: &str, key| run.truth.contains_key(key) && kind_of(key) == kind;
    for (kind, key) in &reported {
        let score = scores.entry(kind).or_default();
        if planted(kind, key) {
            score.found += 1;
        } else {
            score.wrong += 1;
        }
    }
    for key in run.truth.keys() {
        let kind = kind_of(key);
        if !kind.is_empty()
            && !reported
                .iter()
                .any(|(found, which)| *found == kind && which == key)
        {
            scores.entry(kind).or_default().missed += 1;
        }
    }
    let score = scores.entry("open-egress").or_default();
    for (ix, group) in run
        .audit
        .inventory
        .group_indexes()
        .zip(run.audit.inventory.groups())
    {
        let reported = run
            .audit
            .findings
            .iter()
            .any(|f| f.kind.id == "open-egress" && f.found.group == Some(ix));
        match (group.rules.iter().any(Rule::is_open_egress), reported) {
            (true, true) => score.found += 1,
            (true, false) => score.missed += 1,
            (false, true) => score.wrong += 1,
            (false, false) => {}
        }
    }
}

/// Precision and recall per kind over all worlds; `make worlds` prints them.
#[test]
#[expect(clippy::print_stdout, reason = "the table, on request")]
fn planted_incidents_are_found_and_nothing_else() {
    for format in [Format::Default, Format::Custom] {
        let mut scores = BTreeMap::new();
        for seed in 0..seeds() {
            count(&run(seed, format), &mut scores);
        }
        for (kind, score) in &scores {
            println!(
                "{format:?} {kind:<18} planted {:>5}  precision {:.4}  recall {:.4}",
                score.found + score.missed,
                score.precision(),
                score.recall()
            );
        }
        let by_port = HOSTILE.iter().chain(REPORTED).map(|(_, _, kind)| kind);
        for kind in by_port.chain(LISTED.iter().map(|(_, kind)| kind)) {
            assert!(scores.contains_key(kind), "{kind} was never planted");
        }
        for (kind, score) in &scores {
            assert!(
                score.wrong == 0 && score.missed == 0,
                "{format:?} {kind}: {score:?}"
            );
        }
    }
}
