//! `report.md`: the run for a ticket or a review.

use std::cmp::Reverse;

use askama::Template;
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef as _;

use super::accounts::{Accounts, between_accounts, threats_by_severity, unread_in_words};
use super::graph_files;
use super::rows::{Rows, Shown, shown};
use super::text::{duration, ends_with_www};
use crate::audit::Audit;
use crate::documents::{AccountRow, Rating};
use crate::findings::{self, Family, Finding, Outcome};
use crate::flow::DAY;
use crate::graph::Edge;
use crate::ingest::{MalformedSample, SourceIntake};
use crate::inventory::{Rule, Target};
use crate::net::{plural, visible};
use crate::proof::{BlastRadius, Reach, Readiness, Widening};
use crate::replay::Unjudged;
use crate::resolve::Connection;
use crate::suggest::{KeptOpen, KeptOpenBecause, Revocation, SuggestedRule};

#[derive(Template)]
#[template(path = "report.md", escape = "none")]
struct Report<'a> {
    audit: &'a Audit,
    window: String,
    accounts: Shown,
    /// Connections between accounts, in words.
    between: String,
    threats: Shown,
    posture: Shown,
    others: Shown,
    rules: Shown,
    revocations: Shown,
    commands: Shown,
    kept_open: Shown,
    excluded: Shown,
    talkers: Shown,
    still_open: Shown,
    /// Threat findings that the change does not stop.
    not_judged: Shown,
    left_out: Shown,
    blast: Shown,
    readiness: Shown,
    unjudged: Vec<Unjudged>,
    sources: Shown,
    samples: Shown,
    notes: Shown,
    weeks: String,
    sentence: String,
}

/// Files of a run that have every row of a table.
const FINDINGS: &str = "report/findings.csv";
const GROUPS: &str = "report/groups.csv";
const RULES: &str = "report/rules.csv";
const WITHOUT_A_RULE: &str = "report/without-a-rule.csv";

/// Which rows a cut table shows.
const WORST: &str = "the most severe";
const LARGEST: &str = "those with the most records";

pub(super) fn render(audit: &Audit) -> String {
    let (threats, rest): (Vec<&Finding>, Vec<&Finding>) =
        audit.findings.iter().partition(|f| f.is_threat());
    let (posture, others): (Vec<&Finding>, Vec<&Finding>) = rest
        .into_iter()
        .partition(|f| f.kind.family == Family::Posture);
    let of = |f: &&&Finding| f.outcome == Some(Outcome::NotJudged);
    let not_judged: Vec<&Finding> = threats.iter().filter(of).copied().collect();
    let owners = Accounts::new(audit);
    let mut rows = owners.rows();
    rows.retain(AccountRow::is_shown);
    let lists = [
        Rows::table(&rows, |_| 0, account).weighing(2),
        Rows::table(&threats, |_| 0, |f| threat(&owners, f))
            .all_in(FINDINGS, WORST)
            .weighing(6),
        posture_lines(audit, &posture),
        Rows::table(&others, |_| 0, |f| other(&owners, f))
            .all_in(FINDINGS, WORST)
            .weighing(2),
        rules(audit),
        revocations(audit),
        commands(audit),
        kept_open(audit),
        excluded(audit),
        talkers(audit),
        still_open(audit),
        Rows::list(&not_judged, |_| 0, |f| finding_item(f)).all_in(FINDINGS, WORST),
        left_out(audit),
        blast(audit),
        readiness(audit),
        sources(audit),
        samples(audit),
        Rows::list(audit.inventory.notes(), |_| 0, |note| md(&note.0)),
    ];
    let [
        accounts,
        threats,
        posture,
        others,
        rules,
        revocations,
        commands,
        kept_open,
        excluded,
        talkers,
        still_open,
        not_judged,
        left_out,
        blast,
        readiness,
        sources,
        samples,
        notes,
    ] = shown(lists);
    let report = Report {
        audit,
        window: window(audit),
        accounts,
        between: plural(between_accounts(&rows), "connection"),
        threats,
        posture,
        others,
        rules,
        revocations,
        commands,
        kept_open,
        excluded,
        talkers,
        still_open,
        not_judged,
        left_out,
        blast,
        readiness,
        unjudged: audit.unjudged(),
        sources,
        samples,
        notes,
        weeks: weeks(audit),
        sentence: audit.verdict(),
    };
    report.render().expect("the template only formats values")
}

/// What was found, with the account where there are several.
fn detail(owners: &Accounts<'_>, f: &Finding) -> String {
    let detail = md(&f.found.detail);
    match owners.of_finding(f) {
        Some(account) => format!("{account}: {detail}"),
        None => detail,
    }
}

fn account(row: &AccountRow) -> String {
    let AccountRow {
        vpcs,
        groups,
        open_groups,
        rules_to_add,
        groups_ready,
        groups_in_use,
        ..
    } = row;
    format!(
        "| {} | {} | {vpcs} | {groups} | {open_groups} | {} | {rules_to_add} | {groups_ready} of {groups_in_use} | {} |",
        row.name(),
        md(&row.regions.join(", ")),
        threats_by_severity(row),
        unread_in_words(row)
    )
}

fn threat(owners: &Accounts<'_>, f: &Finding) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |",
        f.severity.as_str(),
        f.kind.id,
        detail(owners, f),
        f.confidence.as_str(),
        outcome(f),
        known(f),
        f.id
    )
}

/// A finding of which it does not matter whether it is known.
fn other(owners: &Accounts<'_>, f: &Finding) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} |",
        f.severity.as_str(),
        f.kind.id,
        detail(owners, f),
        f.confidence.as_str(),
        outcome(f),
        f.id
    )
}

fn finding_item(f: &Finding) -> String {
    format!("{} ({})", md(&f.found.detail), f.id)
}

/// Groups that a line names; the others are counted.
const NAMED: usize = 12;

/// A line for each kind and severity, the worst first.
fn posture_lines(audit: &Audit, findings: &[&Finding]) -> Rows {
    let same = |a: &&Finding, b: &&Finding| (a.severity, a.kind.id) == (b.severity, b.kind.id);
    let line = |of_kind: &&[&Finding]| {
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
        format!(
            "| {} | {} | {} | {} |",
            of_kind[0].severity.as_str(),
            of_kind[0].kind.id,
            findings::counted(of_kind.iter().copied()),
            names.join(", ")
        )
    };
    let kinds: Vec<&[&Finding]> = findings.chunk_by(same).collect();
    Rows::table(&kinds, |_| 0, line).all_in(FINDINGS, WORST)
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

/// Why a group keeps its open egress, or a rule for some ports to everybody.
pub(super) fn because(kept: KeptOpenBecause) -> &'static str {
    match kept {
        KeptOpenBecause::Unused => "no interface carries it, so it permits no traffic",
        KeptOpenBecause::Unseen => {
            "the logs have no record of its interfaces, so revoking would be a guess"
        }
        KeptOpenBecause::OverQuota => {
            "the rules that were to replace it are more than AWS takes, so they were left out; see quota-pressure"
        }
        KeptOpenBecause::Accepted => "an accepted entry of the policy wants it",
        KeptOpenBecause::TooManyAddresses => {
            "its destinations are too many to name, so the same rule would be needed again"
        }
        KeptOpenBecause::TooManyRules => {
            "with the rules that would replace it, the group would have more than AWS takes"
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

fn left_out(audit: &Audit) -> Rows {
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
    Rows::list(&audit.proof.left_out, |_| 0, line)
}

fn kept_open(audit: &Audit) -> Rows {
    let kept = &audit.rules.kept_open;
    let narrows = audit.rules.narrows();
    let line = |kept: &KeptOpen| {
        let what = match &kept.rule {
            Some(rule) => {
                let to = target(audit, &rule.target);
                format!(", {} to {to}", rule.services())
            }
            None if narrows => ", open egress".to_owned(),
            None => String::new(),
        };
        let group = group(audit, kept.group);
        format!("{group}{what}: {}.", because(kept.because))
    };
    Rows::list(kept, |_| 0, line).all_in(GROUPS, "the first")
}

fn still_open(audit: &Audit) -> Rows {
    let line = |&position: &usize| {
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
    let open: Vec<usize> = audit.still_open().collect();
    let records = |&position: &usize| Reverse(audit.connections[position].totals.records);
    Rows::list(&open, records, line)
        .all_in(WITHOUT_A_RULE, LARGEST)
        .weighing(2)
}

fn blast(audit: &Audit) -> Rows {
    let line = |b: &BlastRadius| {
        let pair = |of: fn(&Reach) -> u128| format!("{} → {}", of(&b.before), of(&b.after));
        format!(
            "| {} | {} | {} | {} | {} |",
            group(audit, b.group),
            pair(|r| r.one_hop.into()),
            pair(|r| r.any_hops.into()),
            pair(|r| r.any_port.into()),
            pair(|r| r.addresses)
        )
    };
    let reached = |b: &BlastRadius| Reverse(b.after.any_hops);
    Rows::table(&audit.proof.blast_radius, reached, line)
        .all_in(GROUPS, "those that reach the most after the change")
        .weighing(2)
}

fn readiness(audit: &Audit) -> Rows {
    let line = |r: &Readiness| {
        let chance = r.chance_of_new.map_or_else(
            || "-".to_owned(),
            |chance| format!("{:.0} %", chance * 100.0),
        );
        format!(
            "| {} | {} | {} | {} | {} | {chance} | {:.0} | {} |",
            group(audit, r.group),
            if r.is_ready() { "yes" } else { "no" },
            r.days,
            r.connections,
            r.once,
            r.unseen,
            r.wait_for().join("; ")
        )
    };
    let rank = |r: &Readiness| (r.is_ready(), Reverse(r.connections));
    Rows::table(&audit.proof.readiness, rank, line)
        .all_in(
            GROUPS,
            "those that are not ready, with the most connections,",
        )
        .weighing(2)
}

/// The window in weeks, to one decimal.
fn weeks(audit: &Audit) -> String {
    let (start, end) = audit.intake.window.unwrap_or_default();
    let tenths = (end - start) * 10 / (7 * DAY);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn rules(audit: &Audit) -> Rows {
    let line = |suggested: &SuggestedRule| {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            suggested.status.as_str(),
            group(audit, suggested.group),
            suggested.rule.direction.as_str(),
            suggested.rule.services(),
            target(audit, &suggested.rule.target),
            Rating::from(suggested.confidence).as_str(),
            suggested.evidence.len(),
            suggested.id
        )
    };
    let rank = |suggested: &SuggestedRule| (suggested.status, Reverse(suggested.evidence.len()));
    Rows::table(&audit.rules.rules, rank, line)
        .all_in(RULES, "those to add, with the most connections,")
        .weighing(3)
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

fn revocations(audit: &Audit) -> Rows {
    let line = |revocation: &Revocation| {
        format!(
            "| {} | {} | {} | {} |",
            group(audit, revocation.group),
            revocation.rule.services(),
            target(audit, &revocation.rule.target),
            md(revocation.rule.rule_id.as_deref().unwrap_or_default())
        )
    };
    Rows::table(&audit.rules.revocations, |_| 0, line).all_in(RULES, "the first")
}

fn commands(audit: &Audit) -> Rows {
    let commands = audit.rules.revocations.iter().map(|revocation| {
        let group_id = &audit.inventory.group(revocation.group).id;
        revoke_command(group_id, &revocation.rule)
    });
    let commands: Vec<String> = commands.filter(|command| !command.is_empty()).collect();
    Rows::code(&commands).all_in(RULES, "the first")
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

/// The quarantined and the unattributed connections.
fn excluded(audit: &Audit) -> Rows {
    let excluded = audit.connections.iter();
    let excluded: Vec<&Connection> = excluded.filter(|c| c.verdict.reason().is_some()).collect();
    let line = |c: &&Connection| {
        format!(
            "| {} | {} | {} | {} | {} |",
            c.initiator.address,
            c.responder.address,
            c.service,
            c.verdict.reason().unwrap_or_default(),
            c.id
        )
    };
    Rows::table(&excluded, |c| Reverse(c.totals.records), line)
        .all_in(WITHOUT_A_RULE, LARGEST)
        .weighing(2)
}

fn talkers(audit: &Audit) -> Rows {
    let graph = &audit.graph;
    let label = |node: NodeIndex| md(&visible(&graph_files::label(audit, &graph[node]), CELL));
    let mut talkers: Vec<EdgeReference<'_, Edge>> = graph.edge_references().collect();
    talkers.sort_by_key(|edge| Reverse(edge.weight().records));
    let line = |edge: &EdgeReference<'_, Edge>| {
        let weight = edge.weight();
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            label(edge.source()),
            label(edge.target()),
            weight.service,
            weight.verdict.as_str(),
            weight.connections.len(),
            weight.records
        )
    };
    Rows::table(&talkers, |_| 0, line)
        .all_in("report/group-connections.csv", LARGEST)
        .weighing(2)
}

fn sources(audit: &Audit) -> Rows {
    let line = |s: &SourceIntake| {
        format!(
            "| {} | {} | {} | {} |",
            md(&s.name),
            md(&s.format),
            s.records,
            s.malformed
        )
    };
    let rank = |s: &SourceIntake| (Reverse(s.malformed), Reverse(s.records));
    Rows::table(&audit.intake.sources, rank, line).all_in(
        "report/sources.csv",
        "those with the most malformed lines, and the largest,",
    )
}

fn samples(audit: &Audit) -> Rows {
    let line =
        |s: &MalformedSample| format!("| {} | {} | {} |", md(&s.source), s.line, md(&s.reason));
    Rows::table(&audit.intake.samples, |_| 0, line)
}
