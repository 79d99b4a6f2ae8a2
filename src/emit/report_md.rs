//! `report.md`: the run for a ticket or a review.

use askama::Template;

use super::graph_files;
use super::text::{duration, ends_with_www};
use crate::audit::Audit;
use crate::documents::Rating;
use crate::findings::{Family, Finding, Outcome};
use crate::flow::DAY;
use crate::graph::Node;
use crate::inventory::{Rule, Target};
use crate::net::{ConnectionId, plural, visible};
use crate::proof::{BlastRadius, Reach, Readiness, Widening};
use crate::replay::Unjudged;
use crate::suggest::{KeptOpenBecause, Status};

#[derive(Template)]
#[template(path = "report.md", escape = "none")]
struct Report<'a> {
    audit: &'a Audit,
    window: String,
    threats: Vec<&'a Finding>,
    posture: Vec<PostureLine>,
    others: Vec<&'a Finding>,
    rules: Vec<RuleLine>,
    revocations: Vec<RevocationLine>,
    kept_open: Vec<(String, &'static str)>,
    excluded: Vec<Excluded>,
    talkers: Vec<Talker>,
    still_open: Vec<String>,
    /// Threat findings that the change does not stop.
    not_judged: Vec<&'a Finding>,
    left_out: Vec<String>,
    blast: Vec<BlastLine>,
    readiness: Vec<ReadinessLine>,
    unjudged: Vec<Unjudged>,
    weeks: String,
    sentence: String,
}

/// All findings of a kind.
struct PostureLine {
    severity: &'static str,
    kind: &'static str,
    count: usize,
    groups: String,
}

struct BlastLine {
    group: String,
    one_hop: String,
    any_hops: String,
    any_port: String,
    addresses: String,
}

struct ReadinessLine {
    group: String,
    ready: &'static str,
    days: u32,
    connections: u64,
    once: u64,
    chance: String,
    unseen: String,
    wait_for: String,
}

struct RuleLine {
    status: &'static str,
    group: String,
    direction: &'static str,
    service: String,
    target: String,
    confidence: &'static str,
    connections: usize,
    id: String,
}

struct RevocationLine {
    group: String,
    service: String,
    target: String,
    rule_id: String,
    command: String,
}

/// A quarantined or unattributed connection.
struct Excluded {
    from: String,
    to: String,
    service: String,
    reason: &'static str,
    id: ConnectionId,
}

struct Talker {
    from: String,
    to: String,
    service: String,
    verdict: &'static str,
    connections: usize,
    records: u64,
}

pub(super) fn render(audit: &Audit) -> String {
    let (threats, rest): (Vec<&Finding>, Vec<&Finding>) =
        audit.findings.iter().partition(|f| f.is_threat());
    let (posture, others): (Vec<&Finding>, Vec<&Finding>) = rest
        .into_iter()
        .partition(|f| f.kind.family == Family::Posture);
    let kept_open = audit
        .rules
        .kept_open
        .iter()
        .map(|kept| (group(audit, kept.group), because(kept.because)));
    let not_judged = threats.iter().copied();
    let not_judged = not_judged.filter(|f| f.outcome == Some(Outcome::NotJudged));
    let report = Report {
        not_judged: not_judged.collect(),
        audit,
        window: window(audit),
        threats,
        posture: posture_lines(audit, &posture),
        others,
        rules: rules(audit),
        revocations: revocations(audit),
        kept_open: kept_open.collect(),
        excluded: excluded(audit),
        talkers: talkers(audit),
        still_open: still_open(audit),
        left_out: left_out(audit),
        blast: blast(audit),
        readiness: readiness(audit),
        unjudged: audit.unjudged(),
        weeks: weeks(audit),
        sentence: audit.verdict(),
    };
    report.render().expect("the template only formats values")
}

/// Groups that a line names; the others are counted.
const NAMED: usize = 12;

/// A line for each kind and severity, the worst first.
fn posture_lines(audit: &Audit, findings: &[&Finding]) -> Vec<PostureLine> {
    let same = |a: &&Finding, b: &&Finding| (a.severity, a.kind.id) == (b.severity, b.kind.id);
    let line = |of_kind: &[&Finding]| {
        let names = of_kind.iter().filter_map(|f| f.found.group);
        let mut names: Vec<String> = names
            .map(|ix| md(&visible(&audit.inventory.group(ix).name, CELL)))
            .collect();
        names.dedup();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        PostureLine {
            severity: of_kind[0].severity.as_str(),
            kind: of_kind[0].kind.id,
            count: of_kind.len(),
            groups: names.join(", "),
        }
    };
    findings.chunk_by(same).map(line).collect()
}

fn outcome(finding: &Finding) -> &'static str {
    finding.outcome.map_or("", Outcome::words)
}

/// For the template, which passes fields by reference.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "askama passes a reference"
)]
fn counted(number: &u64, noun: &str) -> String {
    plural(*number, noun)
}

fn length(length: usize, noun: &str) -> String {
    plural(length as u64, noun)
}

fn known(finding: &Finding) -> String {
    md(finding.known_since.as_deref().unwrap_or_default())
}

fn because(kept: KeptOpenBecause) -> &'static str {
    match kept {
        KeptOpenBecause::Unused => "no interface carries it, so it permits no traffic",
        KeptOpenBecause::Unseen => {
            "the logs have no record of its interfaces, so revoking would be a guess"
        }
        KeptOpenBecause::OverQuota => {
            "the rules that were to replace it are more than AWS takes, so they were left out; see quota-pressure"
        }
        KeptOpenBecause::Unproven => {
            "a rule that was to replace it would permit what today's rules deny, so that rule was left out"
        }
    }
}

/// Longer names are cut: a table cell has room for so much.
const CELL: usize = 80;

/// Text for a Markdown table cell, list item or paragraph. Whatever Markdown or HTML
/// could take for markup is escaped, and nothing invisible or multi-line is left.
pub(super) fn md(text: &str) -> String {
    let text = visible(text, CELL * 8);
    // Five spaces behind the mark of a list item would begin a block of code.
    let text = text.trim_matches(' ');
    let first = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let before = &text[..at];
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '|' | '#' | '~' | '!' | '$' | '@' => {
                out.extend(['\\', c]);
            }
            // `- x`, `+ x` and `1. x` are lists, and `===` makes a heading of the line above.
            '-' | '+' | '=' if at == 0 => out.extend(['\\', c]),
            '.' | ')' if at > 0 && at == text.len() - first.len() => out.extend(['\\', c]),
            // Viewers turn bare addresses of the web into links.
            ':' if text[at..].starts_with("://") => out.extend(['\\', c]),
            '.' if ends_with_www(before) => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

fn group(audit: &Audit, ix: crate::inventory::GroupIx) -> String {
    let group = audit.inventory.group(ix);
    format!("{} ({})", md(&visible(&group.name, CELL)), md(&group.id))
}

fn window(audit: &Audit) -> String {
    let Some((start, end)) = audit.intake.window else {
        return "nothing".to_owned();
    };
    let time = |seconds: u64| {
        i64::try_from(seconds)
            .ok()
            .filter(|&seconds| seconds > 0)
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .map_or_else(|| "unknown".to_owned(), |time| time.to_string())
    };
    format!(
        "{} to {} ({})",
        time(start),
        time(end),
        duration(end - start)
    )
}

fn left_out(audit: &Audit) -> Vec<String> {
    let line = |w: &Widening| {
        md(&format!(
            "{} of {} to {}: {} for {} and {}",
            w.rule.direction.as_str(),
            visible(&audit.inventory.group(w.group).name, CELL),
            w.rule.target,
            w.services,
            audit.inventory.interface(w.at).id,
            w.peer
        ))
    };
    audit.proof.left_out.iter().map(line).collect()
}

fn still_open(audit: &Audit) -> Vec<String> {
    let line = |position: usize| {
        let c = &audit.connections[position];
        let by = audit.after[position].rules().next().map_or_else(
            || "no group judges its interface".to_owned(),
            |place| {
                let rule = audit.rules_after.rule(place);
                format!(
                    "permitted by the rule of {} for {} {} {}",
                    group(audit, place.0),
                    rule.services(),
                    rule.direction.preposition(),
                    target(audit, &rule.target)
                )
            },
        );
        format!(
            "{} to {} on {}: {by} ({})",
            c.initiator.address, c.responder.address, c.service, c.id
        )
    };
    audit.still_open().map(line).collect()
}

fn blast(audit: &Audit) -> Vec<BlastLine> {
    let line = |b: &BlastRadius| {
        let pair = |of: fn(&Reach) -> u128| format!("{} → {}", of(&b.before), of(&b.after));
        BlastLine {
            group: group(audit, b.group),
            one_hop: pair(|r| r.one_hop.into()),
            any_hops: pair(|r| r.any_hops.into()),
            any_port: pair(|r| r.any_port.into()),
            addresses: pair(|r| r.addresses),
        }
    };
    audit.proof.blast_radius.iter().map(line).collect()
}

fn readiness(audit: &Audit) -> Vec<ReadinessLine> {
    let line = |r: &Readiness| ReadinessLine {
        group: group(audit, r.group),
        ready: if r.is_ready() { "yes" } else { "no" },
        days: r.days,
        connections: r.connections,
        once: r.once,
        chance: r.chance_of_new.map_or_else(
            || "-".to_owned(),
            |chance| format!("{:.0} %", chance * 100.0),
        ),
        unseen: format!("{:.0}", r.unseen),
        wait_for: r.wait_for().join("; "),
    };
    audit.proof.readiness.iter().map(line).collect()
}

/// The window in weeks, to one decimal.
fn weeks(audit: &Audit) -> String {
    let (start, end) = audit.intake.window.unwrap_or_default();
    let tenths = (end - start) * 10 / (7 * DAY);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn rules(audit: &Audit) -> Vec<RuleLine> {
    audit
        .rules
        .rules
        .iter()
        .map(|suggested| RuleLine {
            status: match suggested.status {
                Status::Add => "add",
                Status::Keep => "keep",
            },
            group: group(audit, suggested.group),
            direction: suggested.rule.direction.as_str(),
            service: suggested.rule.services(),
            target: target(audit, &suggested.rule.target),
            confidence: Rating::from(suggested.confidence).as_str(),
            connections: suggested.evidence.len(),
            id: suggested.id.clone(),
        })
        .collect()
}

fn target(audit: &Audit, target: &Target) -> String {
    match target {
        Target::Cidr(net) => net.to_string(),
        Target::PrefixList(id) => match audit.inventory.prefix_list(id) {
            Some(list) => format!("{} ({})", md(&visible(&list.name, CELL)), md(id)),
            None => md(id),
        },
        Target::Group(id) => audit
            .inventory
            .group_by_id(id)
            .map_or_else(|| md(id), |ix| group(audit, ix)),
    }
}

fn revocations(audit: &Audit) -> Vec<RevocationLine> {
    audit
        .rules
        .revocations
        .iter()
        .map(|revocation| {
            let group_id = &audit.inventory.group(revocation.group).id;
            let rule_id = revocation.rule.rule_id.clone().unwrap_or_default();
            RevocationLine {
                group: group(audit, revocation.group),
                service: revocation.rule.services(),
                target: target(audit, &revocation.rule.target),
                command: revoke_command(group_id, &revocation.rule),
                rule_id,
            }
        })
        .collect()
}

/// The command that revokes a rule: by its id, or, where the snapshot does not have
/// it, by what it says. Only ids that look like ids go into a shell.
fn revoke_command(group: &str, rule: &Rule) -> String {
    let is_id = |text: &str, prefix: &str| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
    };
    if !is_id(group, "sg-") {
        return String::new();
    }
    let which = match (rule.rule_id.as_deref(), &rule.target, rule.port_pair()) {
        (Some(id), ..) if is_id(id, "sgr-") => format!("--security-group-rule-ids {id}"),
        (_, Target::Cidr(net), ports) => {
            let (ranges, cidr) = if net.addr().is_ipv4() {
                ("IpRanges", "CidrIp")
            } else {
                ("Ipv6Ranges", "CidrIpv6")
            };
            let ports = ports.map_or_else(String::new, |(from, to)| {
                format!(",\"FromPort\":{from},\"ToPort\":{to}")
            });
            format!(
                "--ip-permissions '[{{\"IpProtocol\":\"{}\"{ports},\"{ranges}\":[{{\"{cidr}\":\"{net}\"}}]}}]'",
                rule.protocol
            )
        }
        _ => return String::new(),
    };
    format!("aws ec2 revoke-security-group-egress --group-id {group} {which}")
}

fn excluded(audit: &Audit) -> Vec<Excluded> {
    audit
        .connections
        .iter()
        .filter_map(|c| {
            let reason = c.verdict.reason()?;
            Some(Excluded {
                from: c.initiator.address.to_string(),
                to: c.responder.address.to_string(),
                service: c.service.to_string(),
                reason,
                id: c.id,
            })
        })
        .collect()
}

fn talkers(audit: &Audit) -> Vec<Talker> {
    let label = |node: &Node| md(&visible(&graph_files::label(audit, node), CELL));
    let graph = &audit.graph;
    let mut talkers: Vec<Talker> = graph
        .edge_indices()
        .filter_map(|edge| {
            let (from, to) = graph.edge_endpoints(edge)?;
            let weight = &graph[edge];
            Some(Talker {
                from: label(&graph[from]),
                to: label(&graph[to]),
                service: weight.service.to_string(),
                verdict: weight.verdict.as_str(),
                connections: weight.connections.len(),
                records: weight.records,
            })
        })
        .collect();
    talkers.sort_by_key(|t| std::cmp::Reverse(t.records));
    talkers
}
