//! `audit.json`: everything a run found out.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::brief::{FindingRow, Tool, Window};
use super::change::{ChangeDocument, RevocationRow, RuleRow};
use super::current_rules::{CurrentRow, current_rules};
use crate::audit::Audit;
use crate::documents::SCHEMA_VERSION;
use crate::graph::verdict_word;
use crate::net::{HashMap, json};
use crate::replay::{BlastRadius, Reach, Readiness, StillOpen, TradeOff, Widening};
use crate::resolve::{
    Connection, ConnectionId, End, Place, Quarantine, Seen, Verdict, aws_service,
};

/// The document. Times are Unix seconds; connections are referred to by id.
#[derive(Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    schema_version: u32,
    tool: Tool,
    window: Window,
    input: Input,
    /// What the inventory lacks, and what that costs.
    notes: Vec<String>,
    #[schemars(with = "Vec<ConnectionRow<'_>>")]
    connections: Connections<'a>,
    findings: Vec<FindingRow>,
    rules: &'a [RuleRow],
    revocations: &'a [RevocationRow],
    replay: ReplayRow,
    exposure: ExposureRow,
    readiness: Vec<ReadinessRow>,
    hold_out: HoldOutRow,
    /// How far the rules go beyond what was seen: exact, balanced or compact.
    generalise: &'static str,
    /// What each level would cost, the narrowest first.
    trade_off: Vec<TradeOffRow>,
    proof: ProofRow,
    blast_radius: Vec<BlastRow>,
    /// Every rule of today, with what it let through.
    current_rules: Vec<CurrentRow>,
}

/// What the change leaves open, by name.
#[derive(Debug, Serialize, JsonSchema)]
struct ProofRow {
    /// Suspicious connections that are denied after the change.
    quarantine_denied: u64,
    /// Those that are not, with the rule that still lets them out.
    quarantine_still_open: Vec<StillOpenRow>,
    /// Rules to add that would also hold for interfaces that join the named group
    /// later, where today's rules would not.
    open_to_newcomers: Vec<String>,
    /// Rules to add that would let through what today's rules do not, over every
    /// pair of interfaces, every address and every port; one case of each.
    wider: Vec<WideningRow>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct WideningRow {
    group_id: String,
    rule: String,
    interface_id: String,
    peer: String,
    services: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StillOpenRow {
    connection: ConnectionId,
    group_id: Option<String>,
    security_group_rule_id: Option<String>,
    rule: Option<String>,
}

/// What an attacker on one of a group's interfaces reaches.
#[derive(Debug, Serialize, JsonSchema)]
struct BlastRow {
    group_id: String,
    before: ReachRow,
    after: ReachRow,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ReachRow {
    /// Interfaces in one hop, on the services in use.
    one_hop: u64,
    /// In any number of hops.
    any_hops: u64,
    /// In any number of hops, on any port.
    any_port: u64,
    /// Addresses that the group's egress rules open by prefix or list.
    addresses: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TradeOffRow {
    level: &'static str,
    rules_to_add: u64,
    /// Allowed interface pairs afterwards, as in `exposure`.
    exposure: u64,
    /// Addresses outside that the added egress rules name; prefix lists apart.
    outside_addresses: f64,
    groups_over_quota: u64,
}

/// How well a group is known; see the report's "Is the window long enough?".
#[derive(Debug, Serialize, JsonSchema)]
struct ReadinessRow {
    group_id: String,
    ready: bool,
    /// What to wait for; empty when ready.
    wait_for: Vec<String>,
    days_covered: u32,
    days_without_records: u32,
    skipped_share: f64,
    connections: u64,
    seen_on_one_day: u64,
    new_by_day: Vec<u64>,
    /// Good-Turing; null without connections.
    chance_of_new: Option<f64>,
    /// Chao2, a lower bound.
    unseen_at_least: f64,
    missed_by_hold_out: u64,
}

/// Rules made from what was first seen before `cut`, against what was seen after.
#[derive(Debug, Serialize, JsonSchema)]
struct HoldOutRow {
    cut: u64,
    connections: u64,
    lost: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Input {
    /// Distinct rows that parsed: connection rows + `no_data` + `skip_data`.
    records_read: u64,
    records_no_data: u64,
    records_skip_data: u64,
    records_duplicate: u64,
    records_malformed: u64,
    /// Rows outside `--since` and `--until`.
    records_outside_window: u64,
    /// Before decompression.
    bytes_read: u64,
    sources: Vec<SourceRow>,
    malformed_samples: Vec<MalformedRow>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SourceRow {
    name: String,
    format: String,
    records: u64,
    malformed: u64,
}

/// `line` is 0 when the source as a whole could not be read.
#[derive(Debug, Serialize, JsonSchema)]
struct MalformedRow {
    source: String,
    line: u64,
    reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ConnectionRow<'a> {
    id: ConnectionId,
    #[schemars(with = "EndRow<'_>")]
    initiator: EndText<'a>,
    #[schemars(with = "EndRow<'_>")]
    responder: EndText<'a>,
    protocol: String,
    /// The responder's port; null where the protocol has none.
    port: Option<u16>,
    verdict: &'static str,
    /// Why it is quarantined or not attributed.
    reason: Option<&'static str>,
    direction_confidence: &'static str,
    /// What the direction rests on.
    direction_basis: &'static str,
    records: u64,
    /// At one end, both directions.
    bytes: u64,
    packets: u64,
    first_seen: u64,
    last_seen: u64,
    /// The rows by gate and action.
    seen: SeenRow,
}

/// Rows of the initiator's packets at its own interface, at the responder's, and
/// in between; and rows of the responder's answers, anywhere.
#[derive(Debug, Serialize, JsonSchema)]
struct SeenRow {
    let_out: u64,
    refused_out: u64,
    let_in: u64,
    refused_in: u64,
    passed_between: u64,
    /// Refused answers are in it.
    refused_between: u64,
    answers: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EndRow<'a> {
    interface_id: Option<&'a str>,
    #[schemars(with = "String")]
    address: IpAddr,
    groups: Vec<&'a str>,
    aws_service: Option<&'a str>,
}

/// An end, or what was written of it before.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EndText<'a> {
    Written(&'a RawValue),
    Row(EndRow<'a>),
}

/// The ends that are interfaces of the inventory, as text: each is in many rows.
struct Ends<'a> {
    audit: &'a Audit,
    written: HashMap<End, Box<RawValue>>,
}

impl<'a> Ends<'a> {
    fn new(audit: &'a Audit) -> Self {
        let ends = audit.connections.iter();
        let local = ends
            .flat_map(|c| [c.initiator, c.responder])
            .filter(|end| end.interface().is_some());
        let mut written = HashMap::default();
        for place in local {
            written.entry(place).or_insert_with(|| {
                RawValue::from_string(json::line(&end(audit, place))).expect("it is JSON")
            });
        }
        Self { audit, written }
    }

    fn text(&self, place: End) -> EndText<'_> {
        match self.written.get(&place) {
            Some(text) => EndText::Written(text),
            None => EndText::Row(end(self.audit, place)),
        }
    }
}

/// A row for each connection, made when it is written.
struct Connections<'a>(&'a Ends<'a>);

impl Serialize for Connections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let connections = self.0.audit.connections.iter();
        serializer.collect_seq(connections.map(|c| connection(self.0, c)))
    }
}

/// The five outcomes add up to `connections`.
#[derive(Debug, Serialize, JsonSchema)]
struct ReplayRow {
    connections: u64,
    permitted: u64,
    quarantined: u64,
    refused: u64,
    unattributed: u64,
    lost: u64,
    lost_connections: Vec<ConnectionId>,
}

/// Allowed (initiator interface, responder interface, protocol, port) tuples over
/// the services of accepted connections.
#[derive(Debug, Serialize, JsonSchema)]
struct ExposureRow {
    before: u64,
    after: u64,
    ideal: u64,
}

/// Makes the document, and hands it over to be written.
pub(super) fn with_document<T>(
    audit: &Audit,
    change: &ChangeDocument,
    write: impl FnOnce(&Document<'_>) -> T,
) -> T {
    let ends = Ends::new(audit);
    write(&document(audit, change, &ends))
}

fn document<'a>(audit: &'a Audit, change: &'a ChangeDocument, ends: &'a Ends<'_>) -> Document<'a> {
    let intake = &audit.intake;
    let (start, end) = intake.window.unwrap_or_default();
    let ids = |positions: &[usize]| positions.iter().map(|&p| audit.connections[p].id).collect();
    Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
        window: Window { start, end },
        input: input(audit),
        notes: audit
            .inventory
            .notes()
            .iter()
            .map(|note| note.0.clone())
            .collect(),
        connections: Connections(ends),
        findings: audit
            .findings
            .iter()
            .map(|f| FindingRow::new(audit, f, usize::MAX))
            .collect(),
        rules: &change.rules,
        revocations: &change.revocations,
        replay: ReplayRow {
            connections: audit.replay.connections,
            permitted: audit.replay.permitted,
            quarantined: audit.replay.quarantined,
            refused: audit.replay.refused,
            unattributed: audit.replay.unattributed,
            lost: audit.replay.lost.len() as u64,
            lost_connections: ids(&audit.replay.lost),
        },
        exposure: ExposureRow {
            before: audit.exposure.before,
            after: audit.exposure.after,
            ideal: audit.exposure.ideal,
        },
        readiness: audit
            .readiness
            .iter()
            .map(|r| readiness(audit, r))
            .collect(),
        hold_out: HoldOutRow {
            cut: audit.hold_out.cut,
            connections: audit.hold_out.connections,
            lost: audit.hold_out.lost,
        },
        generalise: audit.level.as_str(),
        trade_off: audit.trade_off.iter().map(trade_off).collect(),
        proof: proof(audit),
        blast_radius: audit.blast.iter().map(|b| blast(audit, b)).collect(),
        current_rules: current_rules(audit),
    }
}

fn proof(audit: &Audit) -> ProofRow {
    let suspicious = audit
        .connections
        .iter()
        .filter(|c| matches!(c.verdict, Verdict::Quarantined(Quarantine::Finding(_))));
    ProofRow {
        quarantine_denied: (suspicious.count() - audit.still_open.len()) as u64,
        quarantine_still_open: audit
            .still_open
            .iter()
            .map(|open| still_open(audit, open))
            .collect(),
        open_to_newcomers: audit
            .open_to_newcomers
            .iter()
            .map(|&r| audit.rules.rules[r].id.clone())
            .collect(),
        wider: audit.wider.iter().map(|w| widening(audit, w)).collect(),
    }
}

fn widening(audit: &Audit, w: &Widening) -> WideningRow {
    WideningRow {
        group_id: audit.inventory.group(w.group).id.clone(),
        rule: format!(
            "{} {} {}",
            w.rule.direction.as_str(),
            w.rule.services(),
            w.rule.target
        ),
        interface_id: audit.inventory.interface(w.at).id.clone(),
        peer: w.peer.to_string(),
        services: w.services.clone(),
    }
}

fn still_open(audit: &Audit, open: &StillOpen) -> StillOpenRow {
    let rule = open.rule.as_ref();
    StillOpenRow {
        connection: audit.connections[open.connection].id,
        group_id: rule.map(|(group, _)| audit.inventory.group(*group).id.clone()),
        security_group_rule_id: rule.and_then(|(_, rule)| rule.rule_id.clone()),
        rule: rule.map(|(_, rule)| format!("{} to {}", rule.services(), rule.target)),
    }
}

fn blast(audit: &Audit, b: &BlastRadius) -> BlastRow {
    BlastRow {
        group_id: audit.inventory.group(b.group).id.clone(),
        before: reach(&b.before),
        after: reach(&b.after),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "JSON numbers past 2^53 are no better"
)]
const fn reach(reach: &Reach) -> ReachRow {
    let Reach {
        one_hop,
        any_hops,
        any_port,
        addresses,
    } = *reach;
    ReachRow {
        one_hop,
        any_hops,
        any_port,
        addresses: addresses as f64,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "JSON numbers past 2^53 are no better"
)]
fn trade_off(t: &TradeOff) -> TradeOffRow {
    TradeOffRow {
        level: t.level.as_str(),
        rules_to_add: t.rules,
        exposure: t.exposure,
        outside_addresses: t.addresses as f64,
        groups_over_quota: t.over_quota,
    }
}

fn readiness(audit: &Audit, r: &Readiness) -> ReadinessRow {
    ReadinessRow {
        group_id: audit.inventory.group(r.group).id.clone(),
        ready: r.is_ready(),
        wait_for: r.wait_for(),
        days_covered: r.days,
        days_without_records: r.gaps,
        skipped_share: r.skipped,
        connections: r.connections,
        seen_on_one_day: r.once,
        new_by_day: r.new_by_day.clone(),
        chance_of_new: r.chance_of_new,
        unseen_at_least: r.unseen,
        missed_by_hold_out: r.missed,
    }
}

fn input(audit: &Audit) -> Input {
    let intake = &audit.intake;
    let sources = intake.sources.iter().map(|s| SourceRow {
        name: s.name.clone(),
        format: s.format.clone(),
        records: s.records,
        malformed: s.malformed,
    });
    let samples = intake.samples.iter().map(|s| MalformedRow {
        source: s.source.clone(),
        line: s.line,
        reason: s.reason.clone(),
    });
    Input {
        records_read: intake.records_read(),
        records_no_data: intake.no_data,
        records_skip_data: intake.skip_data,
        records_duplicate: intake.duplicates,
        records_malformed: intake.malformed,
        records_outside_window: intake.outside_window,
        bytes_read: intake.bytes,
        sources: sources.collect(),
        malformed_samples: samples.collect(),
    }
}

fn connection<'a>(ends: &'a Ends<'_>, c: &'a Connection) -> ConnectionRow<'a> {
    ConnectionRow {
        id: c.id,
        initiator: ends.text(c.initiator),
        responder: ends.text(c.responder),
        protocol: c.service.protocol.to_string(),
        port: c.service.port(),
        verdict: verdict_word(c.verdict),
        reason: reason(c.verdict),
        direction_confidence: c.confidence.as_str(),
        direction_basis: c.basis.as_str(),
        records: c.totals.records,
        bytes: c.totals.bytes,
        packets: c.totals.packets,
        first_seen: c.totals.first,
        last_seen: c.totals.last,
        seen: seen(&c.seen),
    }
}

const fn seen(seen: &Seen) -> SeenRow {
    let Seen {
        let_out,
        refused_out,
        let_in,
        refused_in,
        passed_between,
        refused_between,
        answers,
    } = *seen;
    SeenRow {
        let_out,
        refused_out,
        let_in,
        refused_in,
        passed_between,
        refused_between,
        answers,
    }
}

/// Why a connection is not simply accepted.
pub(super) const fn reason(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Accepted | Verdict::Refused => None,
        Verdict::Quarantined(why) => Some(why.as_str()),
        Verdict::Unattributed(why) => Some(why.as_str()),
    }
}

fn end(audit: &Audit, end: End) -> EndRow<'_> {
    let groups = end
        .interface()
        .map_or(&[][..], |ix| &audit.inventory.interface(ix).groups);
    EndRow {
        interface_id: interface_id(audit, end),
        address: end.address,
        groups: groups
            .iter()
            .map(|&g| audit.inventory.group(g).id.as_str())
            .collect(),
        aws_service: aws_service(&audit.inventory, &audit.table, end),
    }
}

/// `eni-…`, whether or not the inventory has it.
pub(super) fn interface_id(audit: &Audit, end: End) -> Option<&str> {
    match end.place {
        Place::Local(ix) => Some(&audit.inventory.interface(ix).id),
        Place::Unlisted(ix) => Some(&audit.table.observers[ix.index()]),
        Place::Outside => None,
    }
}
