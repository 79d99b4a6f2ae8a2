//! What the page holds of a report: as much as a page has room for, the most important first.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::room::shares;
use crate::documents::{
    AccountRow, Counts, EdgeCells, FindingRow, ProposedCells, ReportDocument, ReportGroup,
    ReportNode, SourceRow, TodayCells, VerdictTerm,
};
use crate::net::{HashMap, json};

/// Edges that a browser draws in a moment.
const EDGES: usize = 10_000;

/// Where there is no room for all, one in so many bytes is the most that the rules of a group take in one table.
const RULES_OF_A_GROUP: usize = 64;

/// The data of the page. Rows are those of `report.json`.
#[derive(Debug, Serialize)]
pub(super) struct PageData<'a> {
    counts: Counts,
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<&'a [AccountRow]>,
    findings: Vec<&'a FindingRow>,
    groups: Vec<Cow<'a, ReportGroup>>,
    nodes: Vec<ReportNode>,
    edges: Vec<EdgeCells>,
    notes: Vec<&'a String>,
    sources: Vec<&'a SourceRow>,
    malformed: Vec<&'a (String, u64, String)>,
    trade_off: &'a [(Cow<'static, str>, u64, u64, f64)],
    days: &'a [(u64, u64, u64, u64)],
    stages: Vec<StageCells<'a>>,
    all: AllRows,
}

/// A stage: its name, rules, groups, connections that are permitted, that are lost, and that AWS drops.
#[derive(Debug, Serialize)]
struct StageCells<'a>(&'a str, u64, usize, u64, u64, usize);

/// How many rows the report has of what the page may hold in part.
#[derive(Debug, Serialize)]
struct AllRows {
    findings: usize,
    groups: usize,
    edges: usize,
    notes: usize,
    malformed: usize,
    rules: Vec<AllRules>,
}

/// A group of which the page lacks rules: its position on the page, its rules of today and those that should stand, and how many of
/// them go and come.
#[derive(Debug, Serialize)]
struct AllRules(usize, usize, usize, usize, usize);

/// How long each row of a report is as JSON, in bytes.
#[derive(Debug)]
pub(super) struct Lengths {
    findings: Vec<usize>,
    groups: Vec<GroupLengths>,
    nodes: Vec<usize>,
    edges: Vec<usize>,
    notes: Vec<usize>,
    sources: Vec<usize>,
    malformed: Vec<usize>,
}

#[derive(Debug)]
struct GroupLengths {
    /// Without its rules.
    bare: usize,
    today: Vec<usize>,
    proposed: Vec<usize>,
}

impl Lengths {
    pub(super) fn of(report: &ReportDocument) -> Self {
        let group = |group: &ReportGroup| {
            let (today, proposed) = (lengths(&group.today), lengths(&group.proposed));
            let rules = total(&today) + total(&proposed);
            GroupLengths {
                bare: length(group).saturating_sub(rules),
                today,
                proposed,
            }
        };
        Self {
            findings: lengths(&report.findings),
            groups: report.groups.iter().map(group).collect(),
            nodes: lengths(&report.nodes),
            edges: lengths(&report.edges),
            notes: lengths(&report.notes),
            sources: lengths(&report.sources),
            malformed: lengths(&report.malformed),
        }
    }

    /// The length of the whole, but for what is small in every report.
    pub(super) fn sum(&self) -> usize {
        let groups = self.groups.iter();
        let groups = groups.map(|group| group.bare + total(&group.today) + total(&group.proposed));
        let lists = [
            &self.findings,
            &self.nodes,
            &self.edges,
            &self.notes,
            &self.sources,
            &self.malformed,
        ];
        lists.map(|list| total(list)).iter().sum::<usize>() + groups.sum::<usize>()
    }
}

/// With what separates it from the next.
fn length(row: &impl Serialize) -> usize {
    json::line(row).len() + 1
}

fn lengths<T: Serialize>(rows: &[T]) -> Vec<usize> {
    rows.iter().map(length).collect()
}

fn total(lengths: &[usize]) -> usize {
    lengths.iter().sum()
}

/// Positions of the first of an order that there is room for, from the least.
fn taken(order: impl IntoIterator<Item = usize>, lengths: &[usize], mut room: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    for position in order {
        let Some(left) = room.checked_sub(lengths[position]) else {
            break;
        };
        room = left;
        taken.push(position);
    }
    taken.sort_unstable();
    taken
}

/// All positions, the least of a rank first; those of one rank in order.
fn ranked<T, K: Ord>(rows: &[T], rank: impl Fn(&T) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&position| rank(&rows[position]));
    order
}

/// The rows at these positions.
fn at<'a, T>(rows: &'a [T], positions: &[usize]) -> Vec<&'a T> {
    positions.iter().map(|&position| &rows[position]).collect()
}

/// What there is of a report in so many bytes of JSON, besides what is small in every report.
pub(super) fn data<'a>(report: &'a ReportDocument, lengths: &Lengths, room: usize) -> PageData<'a> {
    let is_whole = lengths.sum() <= room;
    let rules = if is_whole {
        usize::MAX
    } else {
        room / RULES_OF_A_GROUP
    };
    let groups = report.groups.iter().zip(&lengths.groups);
    let shortened: Vec<Shortened<'a>> = groups
        .map(|(group, lengths)| Shortened::new(group, lengths, rules))
        .collect();
    let group_lengths: Vec<usize> = shortened.iter().map(|group| group.length).collect();
    let shares = shares(
        &[
            (total(&lengths.findings), 6),
            (total(&group_lengths), 6),
            (total(&lengths.nodes) + total(&lengths.edges), 4),
            (total(&lengths.notes), 1),
            (total(&lengths.sources), 1),
            (total(&lengths.malformed), 1),
        ],
        room,
    );
    let in_order =
        |lengths: &[usize], share: usize| taken(0..lengths.len(), lengths, shares[share]);
    let groups = taken(
        ranked(&report.groups, importance),
        &group_lengths,
        shares[1],
    );
    let (nodes, edges) = graph(report, lengths, &groups, shares[2]);
    let stages = report.stages.iter().map(|stage| {
        let (groups, cut) = (stage.groups.len(), stage.cut_at_once.len());
        StageCells(
            &stage.name,
            stage.rules,
            groups,
            stage.permitted,
            stage.lost,
            cut,
        )
    });
    let shown = groups.iter().map(|&position| &shortened[position]);
    let rules = shown.clone().enumerate();
    let rules = rules.filter_map(|(place, group)| group.all_rules(place));
    PageData {
        counts: report.counts,
        accounts: Some(&*report.accounts).filter(|accounts| !accounts.is_empty()),
        findings: at(&report.findings, &in_order(&lengths.findings, 0)),
        nodes,
        edges,
        notes: at(&report.notes, &in_order(&lengths.notes, 3)),
        sources: at(&report.sources, &in_order(&lengths.sources, 4)),
        malformed: at(&report.malformed, &in_order(&lengths.malformed, 5)),
        trade_off: &report.trade_off,
        days: &report.days,
        stages: stages.collect(),
        all: AllRows {
            findings: report.findings.len(),
            groups: report.groups.len(),
            edges: report.edges.len(),
            notes: report.notes.len(),
            malformed: report.malformed.len(),
            rules: rules.collect(),
        },
        groups: shown.map(|group| group.row.clone()).collect(),
    }
}

/// Groups with open egress come first, then those with the most connections, then those with the most interfaces.
fn importance(group: &ReportGroup) -> (bool, Reverse<u64>, Reverse<u64>) {
    let connections = group.readiness.as_ref().map_or(0, |r| r.connections);
    (!group.open, Reverse(connections), Reverse(group.members))
}

/// A group with as many of its rules as there is room for.
struct Shortened<'a> {
    row: Cow<'a, ReportGroup>,
    length: usize,
    /// The group as it is.
    whole: &'a ReportGroup,
}

impl<'a> Shortened<'a> {
    fn new(group: &'a ReportGroup, lengths: &GroupLengths, room: usize) -> Self {
        let (today, proposed) = (total(&lengths.today), total(&lengths.proposed));
        if today <= room && proposed <= room {
            return Self {
                row: Cow::Borrowed(group),
                length: lengths.bare + today + proposed,
                whole: group,
            };
        }
        let goes_or_used = |cells: &TodayCells| (!cells.7, Reverse(cells.4));
        let comes_or_used = |cells: &ProposedCells| (!cells.0, Reverse(cells.7));
        let today = taken(ranked(&group.today, goes_or_used), &lengths.today, room);
        let proposed = taken(
            ranked(&group.proposed, comes_or_used),
            &lengths.proposed,
            room,
        );
        let sum = |positions: &[usize], lengths: &[usize]| -> usize {
            positions.iter().map(|&position| lengths[position]).sum()
        };
        let length = lengths.bare + sum(&today, &lengths.today) + sum(&proposed, &lengths.proposed);
        let row = ReportGroup {
            today: at(&group.today, &today).into_iter().cloned().collect(),
            proposed: at(&group.proposed, &proposed)
                .into_iter()
                .cloned()
                .collect(),
            ..bare(group)
        };
        Self {
            row: Cow::Owned(row),
            length,
            whole: group,
        }
    }

    /// How many rules there are, if the row at this place lacks some.
    fn all_rules(&self, place: usize) -> Option<AllRules> {
        let Self { row, whole, .. } = self;
        let (today, proposed) = (whole.today.len(), whole.proposed.len());
        let goes = whole.today.iter().filter(|cells| cells.7).count();
        let comes = whole.proposed.iter().filter(|cells| cells.0).count();
        let lacks = row.today.len() < today || row.proposed.len() < proposed;
        lacks.then_some(AllRules(place, today, proposed, goes, comes))
    }
}

/// A group without its rules.
fn bare(group: &ReportGroup) -> ReportGroup {
    ReportGroup {
        id: group.id.clone(),
        name: group.name.clone(),
        vpc: group.vpc.clone(),
        owner: group.owner.clone(),
        region: group.region.clone(),
        members: group.members,
        open: group.open,
        kept_by: group.kept_by.clone(),
        reach_before: group.reach_before,
        reach_after: group.reach_after,
        readiness: group.readiness.clone(),
        today: Vec::new(),
        proposed: Vec::new(),
    }
}

/// Nodes and edges between the groups that the page has, with all positions as on the page. A part of the room is for quarantined
/// connections; the rest goes to the edges with the most records.
fn graph(
    report: &ReportDocument,
    lengths: &Lengths,
    groups: &[usize],
    room: usize,
) -> (Vec<ReportNode>, Vec<EdgeCells>) {
    let places: HashMap<usize, usize> = groups
        .iter()
        .enumerate()
        .map(|(to, &at)| (at, to))
        .collect();
    let is_there = |node: usize| {
        let node = report.nodes.get(node);
        node.is_some_and(|node| node.group.is_none_or(|group| places.contains_key(&group)))
    };
    let mut nodes: BTreeSet<usize> = BTreeSet::new();
    let mut edges: BTreeSet<usize> = BTreeSet::new();
    let mut left = room;
    let by_records = ranked(&report.edges, |edge| Reverse(edge.4));
    let is_quarantined = |edge: &&usize| report.edges[**edge].3 == VerdictTerm::Quarantined;
    let quarantined = by_records.iter().filter(is_quarantined).take(EDGES / 2);
    // An edge that does not fit ends its part.
    let parts: [(Vec<usize>, usize); 2] =
        [(quarantined.copied().collect(), room / 2), (by_records, 0)];
    for (order, keep) in parts {
        for edge in order {
            let EdgeCells(from, to, ..) = report.edges[edge];
            if edges.contains(&edge) || !is_there(from) || !is_there(to) {
                continue;
            }
            let new = BTreeSet::from([from, to]);
            let new = new.difference(&nodes).map(|&node| lengths.nodes[node]);
            let needed = lengths.edges[edge] + new.sum::<usize>();
            if edges.len() == EDGES || left < keep + needed {
                break;
            }
            left -= needed;
            nodes.extend([from, to]);
            edges.insert(edge);
        }
    }
    let of_nodes: HashMap<usize, usize> =
        nodes.iter().enumerate().map(|(to, &at)| (at, to)).collect();
    let node = |&node: &usize| {
        let node = &report.nodes[node];
        ReportNode {
            group: node.group.map(|group| places[&group]),
            ..node.clone()
        }
    };
    let edge = |&edge: &usize| {
        let mut cells = report.edges[edge].clone();
        cells.0 = of_nodes[&cells.0];
        cells.1 = of_nodes[&cells.1];
        cells
    };
    (
        nodes.iter().map(node).collect(),
        edges.iter().map(edge).collect(),
    )
}
