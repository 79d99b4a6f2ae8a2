//! `report.json`: what a person asks of a run, without its connections; `report.html` carries it, and other tools' formats are made of it.
//!
//! Rows that come by the thousand are arrays, not objects: the page has to stay small.

use std::borrow::Cow;

use petgraph::visit::EdgeRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{ChangeDocument, PermissionRow, StageRow, StatusRow, TargetRow};
use super::graph_files;
use crate::audit::Audit;
use crate::documents::SCHEMA_VERSION;
use crate::findings::{self, Finding};
use crate::flow::DAY;
use crate::graph::Node;
use crate::inventory::{GroupIx, Rule};
use crate::net::{HashMap, visible};
use crate::replay::{Reach, Readiness};
use crate::resolve::{ConnectionId, known_ids};
use crate::suggest::Status;

/// Connections that a finding names here; `audit.json` has all.
const EVIDENCE: usize = 20;

/// Sources that are listed here.
const SOURCES: usize = 200;

/// Characters that the page has room for.
const TEXT: usize = 400;

/// The document. Times are Unix seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    schema_version: u32,
    pub(super) tool: Tool,
    pub(super) window: Window,
    /// Ready to lock, or what to wait for.
    pub(super) verdict: String,
    pub(super) counts: Counts,
    /// What the inventory lacks, and what that costs.
    pub(super) notes: Vec<String>,
    pub(super) sources: Vec<SourceBrief>,
    /// Lines that could not be read: source, line, reason.
    pub(super) malformed: Vec<(String, u64, String)>,
    pub(super) findings: Vec<FindingRow>,
    pub(super) groups: Vec<GroupBrief>,
    pub(super) nodes: Vec<NodeBrief>,
    pub(super) edges: Vec<EdgeCells>,
    /// Level, rules to add, exposure, addresses outside.
    pub(super) trade_off: Vec<(Cow<'static, str>, u64, u64, f64)>,
    /// By day of the window: its start, connections seen, of them for the first time, bytes of those that began on it.
    pub(super) days: Vec<(u64, u64, u64, u64)>,
    pub(super) stages: Vec<StageRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Tool {
    pub(super) name: Cow<'static, str>,
    pub(super) version: Cow<'static, str>,
}

/// Unix seconds of the evidence read; both 0 when nothing was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The figures of the first screen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Counts {
    pub(super) groups: u64,
    pub(super) open_groups: u64,
    /// Threat findings, new and known.
    pub(super) suspicious: u64,
    pub(super) rules_to_add: u64,
    pub(super) rules_in_use: u64,
    pub(super) revocations: u64,
    pub(super) connections: u64,
    pub(super) permitted: u64,
    pub(super) quarantined: u64,
    pub(super) refused: u64,
    pub(super) unattributed: u64,
    pub(super) lost: u64,
    pub(super) exposure_before: u64,
    pub(super) exposure_after: u64,
    pub(super) exposure_ideal: u64,
    pub(super) groups_in_use: u64,
    pub(super) groups_ready: u64,
    pub(super) records_read: u64,
    pub(super) records_duplicate: u64,
    pub(super) records_malformed: u64,
    pub(super) records_skip_data: u64,
    pub(super) records_no_data: u64,
    pub(super) bytes_read: u64,
    pub(super) sources: u64,
    /// Findings that the baseline had already.
    pub(super) repeated: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct SourceBrief {
    name: String,
    format: String,
    records: u64,
    malformed: u64,
}

/// A finding, as `audit.json` has it; there with all of its evidence.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct FindingRow {
    pub(super) id: String,
    pub(super) kind: Cow<'static, str>,
    /// `posture`, `destination`, `behaviour` or `evidence`.
    pub(super) family: Cow<'static, str>,
    pub(super) severity: Cow<'static, str>,
    pub(super) confidence: Cow<'static, str>,
    pub(super) title: Cow<'static, str>,
    pub(super) detail: String,
    pub(super) remediation: Cow<'static, str>,
    pub(super) group_id: Option<String>,
    pub(super) interface_id: Option<String>,
    pub(super) local: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) first_seen: u64,
    pub(super) last_seen: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) quarantined: bool,
    /// Whether it is a threat finding: a destination or a behaviour, of medium severity or worse.
    #[serde(default)]
    pub(super) threat: bool,
    /// What becomes of its connections after the change: `denied`, `still-open`, `rule-written` or `not-judged`; null for posture.
    #[serde(default)]
    pub(super) outcome: Option<Cow<'static, str>>,
    /// The baseline, if that run reported it already.
    #[serde(default)]
    pub(super) known_since: Option<String>,
    /// Controls of the usual benchmarks that it bears on.
    pub(super) benchmarks: Vec<Cow<'static, str>>,
    #[serde(deserialize_with = "known_ids")]
    pub(super) evidence: Vec<ConnectionId>,
}

/// A group, before and after.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct GroupBrief {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) vpc: String,
    pub(super) owner: String,
    pub(super) region: String,
    members: u64,
    open: bool,
    kept_by: Option<String>,
    /// Interfaces in one hop, in any number of hops, on any port; addresses outside.
    reach_before: (u64, u64, u64, f64),
    reach_after: (u64, u64, u64, f64),
    /// Null for groups that nothing carries.
    readiness: Option<ReadinessBrief>,
    today: Vec<TodayCells>,
    proposed: Vec<ProposedCells>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ReadinessBrief {
    ready: bool,
    wait_for: Vec<String>,
    days: u32,
    connections: u64,
    chance_of_new: Option<f64>,
    unseen_at_least: f64,
    new_by_day: Vec<u64>,
}

/// A rule of today: egress, services, target, id, connections, alone, last hit, whether it goes, description.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct TodayCells(
    bool,
    String,
    String,
    Option<String>,
    u64,
    u64,
    Option<u64>,
    bool,
    String,
);

/// A rule that should stand: whether it is to add, egress, protocol, first and last port, target, confidence, connections, id, description.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ProposedCells(
    bool,
    bool,
    String,
    Option<u16>,
    Option<u16>,
    String,
    Cow<'static, str>,
    u64,
    String,
    String,
);

/// A node of the graph.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct NodeBrief {
    pub(super) kind: Cow<'static, str>,
    pub(super) label: String,
    /// Position among the groups.
    pub(super) group: Option<usize>,
}

/// Positions of the two nodes, service, verdict, records, bytes, connections.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct EdgeCells(usize, usize, String, Cow<'static, str>, u64, u64, u64);

impl Brief {
    /// Of an audit.
    pub fn of(audit: &Audit, change: &ChangeDocument) -> Self {
        let (start, end) = audit.intake.window.unwrap_or_default();
        let (nodes, edges) = graph(audit);
        let sources = audit.intake.sources.iter().take(SOURCES);
        let samples = audit.intake.samples.iter();
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            window: Window { start, end },
            verdict: audit.verdict(),
            counts: counts(audit),
            notes: audit
                .inventory
                .notes()
                .iter()
                .map(|note| visible(&note.0, TEXT))
                .collect(),
            sources: sources
                .map(|s| SourceBrief {
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
                .map(|f| FindingRow::new(audit, f, EVIDENCE))
                .collect(),
            groups: groups(audit, change),
            nodes,
            edges,
            trade_off: audit
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
}

fn counts(audit: &Audit) -> Counts {
    let (replay, intake) = (&audit.replay, &audit.intake);
    let in_use = audit
        .rules
        .rules
        .iter()
        .filter(|rule| rule.status == Status::Keep);
    Counts {
        groups: audit.inventory.groups().len() as u64,
        open_groups: audit.open_groups() as u64,
        suspicious: audit.findings.iter().filter(|f| f.is_threat()).count() as u64,
        rules_to_add: audit.additions() as u64,
        rules_in_use: in_use.count() as u64,
        revocations: audit.rules.revocations.len() as u64,
        connections: replay.connections,
        permitted: replay.permitted,
        quarantined: replay.quarantined,
        refused: replay.refused,
        unattributed: replay.unattributed,
        lost: replay.lost.len() as u64,
        exposure_before: audit.exposure.before,
        exposure_after: audit.exposure.after,
        exposure_ideal: audit.exposure.ideal,
        groups_in_use: audit.readiness.len() as u64,
        groups_ready: audit.readiness.iter().filter(|r| r.is_ready()).count() as u64,
        records_read: intake.records_read(),
        records_duplicate: intake.duplicates,
        records_malformed: intake.malformed,
        records_skip_data: intake.skip_data,
        records_no_data: intake.no_data,
        bytes_read: intake.bytes,
        sources: intake.sources.len() as u64,
        repeated: audit
            .findings
            .iter()
            .filter(|f| f.known_since.is_some())
            .count() as u64,
    }
}

impl FindingRow {
    /// With so many of its connections.
    pub(super) fn new(audit: &Audit, f: &Finding, evidence: usize) -> Self {
        let found = &f.found;
        let text = |address: std::net::IpAddr| address.to_string();
        Self {
            id: f.id.clone(),
            kind: f.kind.id.into(),
            family: f.kind.family.as_str().into(),
            severity: f.severity.as_str().into(),
            confidence: f.confidence.as_str().into(),
            title: f.kind.title.into(),
            detail: found.detail.clone(),
            remediation: f.kind.remediation.into(),
            group_id: found.group.map(|g| audit.inventory.group(g).id.clone()),
            interface_id: found.interface.clone(),
            local: found.local.map(text),
            remote: found.remote.map(text),
            protocol: found.service.map(|s| s.protocol.to_string()),
            port: found.service.and_then(crate::net::Service::port),
            first_seen: f.first,
            last_seen: f.last,
            records: f.records,
            bytes: f.bytes,
            quarantined: f.quarantined,
            threat: f.is_threat(),
            outcome: f.outcome.map(|outcome| outcome.as_str().into()),
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
}

fn groups(audit: &Audit, change: &ChangeDocument) -> Vec<GroupBrief> {
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
                rule.status == StatusRow::Add,
                rule.permission.direction == super::change::Way::Egress,
                protocol.clone(),
                *from_port,
                *to_port,
                named(change, target),
                rule.confidence.clone(),
                rule.evidence.len() as u64,
                rule.id.clone(),
                rule.wording.clone(),
            ));
    }
    let reach = |r: &Reach| (r.one_hop, r.any_hops, r.any_port, rounded(r.addresses));
    let row = |ix: GroupIx| {
        let group = audit.inventory.group(ix);
        let blast = audit.blast.iter().find(|b| b.group == ix);
        let region = group
            .members
            .first()
            .map(|&ix| audit.inventory.interface(ix).region.clone());
        let nothing = (0, 0, 0, 0.0);
        GroupBrief {
            id: group.id.clone(),
            name: visible(&group.name, TEXT),
            vpc: group.vpc.clone(),
            owner: group.owner.clone(),
            region: region.unwrap_or_default(),
            members: group.members.len() as u64,
            open: group.rules.iter().any(Rule::is_open_egress),
            kept_by: change.group(&group.id).and_then(|row| row.kept_by.clone()),
            reach_before: blast.map_or(nothing, |b| reach(&b.before)),
            reach_after: blast.map_or(nothing, |b| reach(&b.after)),
            readiness: audit
                .readiness
                .iter()
                .find(|r| r.group == ix)
                .map(readiness),
            today: today(audit, change, ix),
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

fn today(audit: &Audit, change: &ChangeDocument, ix: GroupIx) -> Vec<TodayCells> {
    let group = audit.inventory.group(ix);
    let goes = |rule: &Rule| {
        let mut gone = audit.rules.revocations.iter();
        gone.any(|r| r.group == ix && r.rule.same_permission(rule))
    };
    let rules = group.rules.iter().zip(&audit.hits[ix.index()]);
    rules
        .map(|(rule, hits)| {
            TodayCells(
                rule.direction == crate::inventory::Direction::Egress,
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

fn readiness(r: &Readiness) -> ReadinessBrief {
    ReadinessBrief {
        ready: r.is_ready(),
        wait_for: r.wait_for(),
        days: r.days,
        connections: r.connections,
        chance_of_new: r.chance_of_new,
        unseen_at_least: r.unseen,
        new_by_day: r.new_by_day.clone(),
    }
}

fn graph(audit: &Audit) -> (Vec<NodeBrief>, Vec<EdgeCells>) {
    let node = |node: &Node| NodeBrief {
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
            weight.verdict.into(),
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
