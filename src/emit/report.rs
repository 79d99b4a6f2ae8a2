//! The report of a run, as `report.json` has it.

use petgraph::visit::EdgeRef;

use super::accounts::Accounts;
use super::graph_files;
use crate::audit::Audit;
use crate::documents::{
    ChangeDocument, Counts, Direction, EdgeCells, FindingRow, PermissionRow, ProposedCells,
    ReportDocument, ReportGroup, ReportNode, ReportReadiness, SCHEMA_VERSION, SourceRow, Status,
    TargetRow, TodayCells, Tool, Window,
};
use crate::findings::{self, Finding};
use crate::flow::DAY;
use crate::graph::Node;
use crate::inventory::{GroupIx, Rule};
use crate::net::{HashMap, Service, visible};
use crate::proof::{BlastRadius, Reach, Readiness};

/// Connections that a finding names here; `audit.json` has all.
const EVIDENCE: usize = 20;

/// Sources that are listed here.
const SOURCES: usize = 200;

/// Characters that the page has room for.
const TEXT: usize = 400;

/// The report of an audit; `change` is the audit's.
pub fn report(audit: &Audit, change: &ChangeDocument) -> ReportDocument {
    let (start, end) = audit.intake.window.unwrap_or_default();
    let (nodes, edges) = graph(audit);
    let sources = audit.intake.sources.iter().take(SOURCES);
    let samples = audit.intake.samples.iter();
    let accounts = Accounts::new(audit);
    ReportDocument {
        schema_version: SCHEMA_VERSION,
        tool: Tool::default(),
        window: Window { start, end },
        verdict: audit.verdict(),
        counts: counts(audit),
        policy: audit.policy_in_words(),
        accounts: accounts.rows(),
        notes: audit
            .inventory
            .notes()
            .iter()
            .map(|note| visible(&note.0, TEXT))
            .collect(),
        sources: sources
            .map(|s| SourceRow {
                name: s.name.clone(),
                format: visible(&s.format, TEXT),
                records: s.records,
                malformed: s.malformed,
            })
            .collect(),
        malformed: samples
            .map(|s| (s.source.clone(), s.line, s.reason.clone()))
            .collect(),
        findings: audit
            .findings
            .iter()
            .map(|f| finding_row(&accounts, audit, f, EVIDENCE))
            .collect(),
        groups: groups(audit, change),
        nodes,
        edges,
        trade_off: audit
            .proof
            .trade_off
            .iter()
            .map(|t| {
                (
                    t.level.as_str().into(),
                    t.rules,
                    t.exposure,
                    rounded(t.addresses),
                )
            })
            .collect(),
        days: days(audit, start, end),
        stages: change.stages.clone(),
    }
}

fn counts(audit: &Audit) -> Counts {
    let (replay, intake) = (&audit.replay, &audit.intake);
    let threats = || audit.findings.iter().filter(|f| f.is_threat());
    let is_known = |f: &&Finding| f.known_since.is_some();
    let in_use = audit
        .rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Keep && !rule.evidence.is_empty());
    Counts {
        groups: audit.inventory.groups().len() as u64,
        open_groups: audit.open_groups() as u64,
        suspicious: findings::counted(threats()),
        suspicious_known: findings::counted(threats().filter(is_known)),
        rules_to_add: audit.additions() as u64,
        rules_in_use: in_use.count() as u64,
        revocations: audit.rules.revocations.len() as u64,
        connections: replay.connections,
        permitted: replay.permitted,
        quarantined: replay.quarantined,
        still_open: replay.still_open,
        rejected: replay.rejected,
        unattributed: replay.unattributed,
        lost: replay.lost.len() as u64,
        exposure_before: audit.proof.exposure.before,
        exposure_after: audit.proof.exposure.after,
        exposure_ideal: audit.proof.exposure.ideal,
        groups_in_use: audit.proof.readiness.len() as u64,
        groups_ready: audit
            .proof
            .readiness
            .iter()
            .filter(|r| r.is_ready())
            .count() as u64,
        records_read: intake.records_read(),
        records_duplicate: intake.duplicates,
        records_malformed: intake.malformed,
        records_skip_data: intake.skip_data,
        records_no_data: intake.no_data,
        bytes_read: intake.bytes,
        sources: intake.sources.len() as u64,
        findings: findings::counted(&audit.findings),
        repeated: findings::counted(audit.findings.iter().filter(is_known)),
    }
}

/// A finding with so many of its connections, and of the ids that it stands for.
pub(super) fn finding_row(
    accounts: &Accounts<'_>,
    audit: &Audit,
    f: &Finding,
    evidence: usize,
) -> FindingRow {
    let found = &f.found;
    let text = |address: std::net::IpAddr| address.to_string();
    let folded = f.folded.as_ref();
    let ids = folded.into_iter().flat_map(|folded| &folded.ids);
    FindingRow {
        id: f.id.clone(),
        kind: f.kind.id.into(),
        family: f.kind.family,
        severity: f.severity,
        confidence: f.confidence,
        title: f.kind.title.into(),
        detail: found.detail.clone(),
        remediation: f.remediation().into(),
        account_id: accounts.of_finding(f).map(ToOwned::to_owned),
        group_id: found.group.map(|g| audit.inventory.group(g).id.clone()),
        interface_id: found.interface.clone(),
        local: found.local.map(text),
        remote: found.remote.map(text),
        protocol: found.service.map(|s| s.protocol.to_string()),
        port: found.service.and_then(Service::port),
        first_seen: f.first,
        last_seen: f.last,
        records: f.records,
        bytes: f.bytes,
        count: f.count(),
        pattern: folded.map(|folded| folded.pattern.to_string()),
        stands_for: ids.take(evidence).cloned().collect(),
        quarantined: f.quarantined,
        threat: f.is_threat(),
        outcome: f.outcome,
        known_since: f.known_since.clone(),
        benchmarks: findings::benchmarks(f.kind.id)
            .iter()
            .map(|&control| control.into())
            .collect(),
        evidence: f
            .evidence
            .iter()
            .take(evidence)
            .map(|&p| audit.connections[p].id)
            .collect(),
    }
}

fn groups(audit: &Audit, change: &ChangeDocument) -> Vec<ReportGroup> {
    let mut proposed: HashMap<&str, Vec<ProposedCells>> = HashMap::default();
    for rule in &change.rules {
        let PermissionRow {
            protocol,
            from_port,
            to_port,
            target,
            ..
        } = &rule.permission;
        proposed
            .entry(&rule.group_id)
            .or_default()
            .push(ProposedCells(
                rule.status == Status::Add,
                rule.permission.direction == Direction::Egress,
                protocol.clone(),
                *from_port,
                *to_port,
                named(change, target),
                rule.confidence,
                rule.evidence.len() as u64,
                rule.id.clone(),
                rule.wording.clone(),
            ));
    }
    let blast = audit.proof.blast_radius.iter().map(|b| (b.group, b));
    let blast: HashMap<GroupIx, &BlastRadius> = blast.collect();
    let ready = audit.proof.readiness.iter().map(|r| (r.group, r));
    let ready: HashMap<GroupIx, &Readiness> = ready.collect();
    let mut gone: HashMap<GroupIx, Vec<&Rule>> = HashMap::default();
    for revocation in &audit.rules.revocations {
        let of_group = gone.entry(revocation.group).or_default();
        of_group.push(&revocation.rule);
    }
    let reach = |r: &Reach| (r.one_hop, r.any_hops, r.any_port, rounded(r.addresses));
    let row = |ix: GroupIx| {
        let group = audit.inventory.group(ix);
        let blast = blast.get(&ix);
        let region = group
            .members
            .first()
            .map(|&ix| audit.inventory.interface(ix).region.clone());
        let nothing = (0, 0, 0, 0.0);
        ReportGroup {
            id: group.id.clone(),
            name: visible(&group.name, TEXT),
            vpc: group.vpc.clone(),
            owner: group.owner.clone(),
            region: region.unwrap_or_default(),
            members: group.members.len() as u64,
            open: group.has_open_egress(),
            kept_by: change.group(&group.id).and_then(|row| row.kept_by.clone()),
            reach_before: blast.map_or(nothing, |b| reach(&b.before)),
            reach_after: blast.map_or(nothing, |b| reach(&b.after)),
            readiness: ready.get(&ix).map(|r| readiness(r)),
            today: today(
                audit,
                change,
                ix,
                gone.get(&ix).map_or(&[][..], Vec::as_slice),
            ),
            proposed: proposed.get(group.id.as_str()).cloned().unwrap_or_default(),
        }
    };
    audit.inventory.group_indexes().map(row).collect()
}

/// A target with the name that people give it.
fn named(change: &ChangeDocument, target: &TargetRow) -> String {
    let known = match target {
        TargetRow::SecurityGroup(id) => change.group_name(id),
        TargetRow::PrefixList(id) => change.list_name(id),
        TargetRow::CidrIpv4(text) | TargetRow::CidrIpv6(text) => text,
    };
    if known == target.text() {
        known.to_owned()
    } else {
        format!("{} ({})", visible(known, TEXT), target.text())
    }
}

/// A group's rules of today; `gone` are those that the change revokes.
fn today(audit: &Audit, change: &ChangeDocument, ix: GroupIx, gone: &[&Rule]) -> Vec<TodayCells> {
    let group = audit.inventory.group(ix);
    let goes = |rule: &Rule| gone.iter().any(|gone| gone.same_permission(rule));
    let rules = group.rules.iter().zip(&audit.hits[ix.index()]);
    rules
        .map(|(rule, hits)| {
            TodayCells(
                rule.direction == Direction::Egress,
                rule.services(),
                named(change, &TargetRow::new(&rule.target)),
                rule.rule_id.clone(),
                hits.connections,
                hits.alone,
                hits.seen.map(|(_, last)| last),
                goes(rule),
                visible(&rule.description, TEXT),
            )
        })
        .collect()
}

fn readiness(r: &Readiness) -> ReportReadiness {
    ReportReadiness {
        ready: r.is_ready(),
        wait_for: r.wait_for(),
        days: r.days,
        connections: r.connections,
        chance_of_new: r.chance_of_new,
        unseen_at_least: r.unseen,
        new_by_day: r.new_by_day.clone(),
    }
}

fn graph(audit: &Audit) -> (Vec<ReportNode>, Vec<EdgeCells>) {
    let node = |node: &Node| ReportNode {
        kind: graph_files::kind(node).into(),
        label: visible(&graph_files::label(audit, node), TEXT),
        group: match node {
            Node::Group(ix) => Some(ix.index()),
            _ => None,
        },
    };
    let edges = audit.graph.edge_references().map(|edge| {
        let weight = edge.weight();
        EdgeCells(
            edge.source().index(),
            edge.target().index(),
            weight.service.to_string(),
            weight.verdict,
            weight.records,
            weight.bytes,
            weight.connections.len() as u64,
        )
    });
    (
        audit.graph.node_weights().map(node).collect(),
        edges.collect(),
    )
}

fn days(audit: &Audit, start: u64, end: u64) -> Vec<(u64, u64, u64, u64)> {
    let (first, last) = (start / DAY, end / DAY);
    if end == 0 || last - first >= crate::flow::Days::LONGEST {
        return Vec::new();
    }
    let mut days: Vec<_> = (first..=last).map(|day| (day * DAY, 0, 0, 0)).collect();
    for connection in &audit.connections {
        let totals = &connection.totals;
        for (day, row) in (first..=last).zip(&mut days) {
            row.1 += u64::from(totals.days.has(day));
            if totals.first / DAY == day {
                row.2 += 1;
                row.3 = u64::saturating_add(row.3, totals.bytes);
            }
        }
    }
    days
}

#[expect(
    clippy::cast_precision_loss,
    reason = "JSON numbers past 2^53 are no better"
)]
const fn rounded(count: u128) -> f64 {
    count as f64
}
