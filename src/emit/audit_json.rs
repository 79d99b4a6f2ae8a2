//! `audit.json`: everything a run found out.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::accounts::Accounts;
use super::current_rules::current_rules;
use super::report::finding_row;
use crate::audit::Audit;
use crate::documents::{
    AfterRow, AuditDocument, BlastRow, ChangeDocument, ConnectionRow, EndRow, ExposureRow,
    HoldOutRow, InputRow, MalformedRow, PolicyRow, ProbeRow, ProbesRow, ProofRow, ReachRow,
    ReadinessRow, ReplayRow, SCHEMA_VERSION, SourceRow, StillOpenRow, Tool, TradeOffRow,
    UnjudgedReasonRow, UnjudgedRow, WideningRow, Window,
};
use crate::net::{HashMap, json};
use crate::proof::{BlastRadius, Reach, Readiness, TradeOff, Widening};
use crate::replay::{RulePlace, Unjudged};
use crate::resolve::{Connection, End, Place, Probes, aws_service};
use crate::suggest::rule_id;

/// An end, or the text that was made of it before.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum EndText<'a> {
    Written(&'a RawValue),
    Row(EndRow<'a>),
}

/// What many connections have in common, as text.
struct Texts<'a> {
    audit: &'a Audit,
    /// The ends that are interfaces of the inventory.
    ends: HashMap<End, Box<RawValue>>,
    /// The ids of every group's rules after the change.
    rules: Vec<Vec<String>>,
}

impl<'a> Texts<'a> {
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
        let groups = audit.inventory.group_indexes();
        let ids = |group| {
            let rules = audit.rules_after.rules_of(group).iter();
            rules
                .map(|rule| rule_id(&audit.inventory, group, rule))
                .collect()
        };
        Self {
            audit,
            ends: written,
            rules: groups.map(ids).collect(),
        }
    }

    fn end(&self, place: End) -> EndText<'_> {
        match self.ends.get(&place) {
            Some(text) => EndText::Written(text),
            None => EndText::Row(end(self.audit, place)),
        }
    }

    fn after(&self, position: usize) -> AfterRow<'_> {
        let after = &self.audit.after[position];
        let id = |(group, position): RulePlace| Cow::from(&*self.rules[group.index()][position]);
        AfterRow {
            state: after.state,
            rules: after.rules().map(id).collect(),
        }
    }
}

/// A row for each connection, made when it is written.
struct Connections<'a>(&'a Texts<'a>);

impl Serialize for Connections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let connections = 0..self.0.audit.connections.len();
        serializer.collect_seq(connections.map(|position| connection(self.0, position)))
    }
}

fn probes<'a>(audit: &'a Audit, probes: &Probes) -> ProbesRow<'a> {
    let sample = |c: &Connection| ProbeRow {
        id: c.id,
        initiator: c.initiator.address.to_string(),
        responder: c.responder.address.to_string(),
        protocol: c.service.protocol.to_string(),
        port: c.service.port(),
        records: c.totals.records,
    };
    ProbesRow {
        id: probes.id.clone(),
        initiator: probes.initiator.map(|end| end.address.to_string()),
        responder: probes.responder.map(|responder| end(audit, responder)),
        connections: probes.connections,
        initiators: probes.initiators,
        responders: probes.responders,
        services: probes.services,
        records: probes.totals.records,
        bytes: probes.totals.bytes,
        packets: probes.totals.packets,
        first_seen: probes.totals.first,
        last_seen: probes.totals.last,
        samples: probes.samples.iter().map(sample).collect(),
    }
}

/// Writes the document of an audit; `change` is the audit's.
pub(super) fn write(audit: &Audit, change: &ChangeDocument, to: &mut dyn Write) -> io::Result<()> {
    let texts = Texts::new(audit);
    json::rows(&document(audit, change, Connections(&texts)), to)
}

fn document<'a>(
    audit: &'a Audit,
    change: &'a ChangeDocument,
    connections: Connections<'a>,
) -> AuditDocument<'a, Connections<'a>> {
    let intake = &audit.intake;
    let (start, end) = intake.window.unwrap_or_default();
    let accounts = Accounts::new(audit);
    let ids = |positions: &[usize]| positions.iter().map(|&p| audit.connections[p].id).collect();
    AuditDocument {
        schema_version: SCHEMA_VERSION,
        tool: Tool::default(),
        window: Window { start, end },
        input: input(audit),
        notes: audit
            .inventory
            .notes()
            .iter()
            .map(|note| note.0.clone())
            .collect(),
        accounts: accounts.rows(),
        connections,
        probes: audit.probes.iter().map(|p| probes(audit, p)).collect(),
        findings: audit
            .findings
            .iter()
            .map(|f| finding_row(&accounts, audit, f, usize::MAX))
            .collect(),
        rules: Cow::from(&change.rules),
        revocations: Cow::from(&change.revocations),
        replay: ReplayRow {
            connections: audit.replay.connections,
            permitted: audit.replay.permitted,
            quarantined: audit.replay.quarantined,
            still_open: audit.replay.still_open,
            rejected: audit.replay.rejected,
            unattributed: audit.replay.unattributed,
            unjudged: unjudged(audit),
            lost: audit.replay.lost.len() as u64,
            lost_connections: ids(&audit.replay.lost),
        },
        policy: audit.policy.map(|coverage| PolicyRow {
            permitted: coverage.permitted,
            beyond: coverage.beyond,
            declined: coverage.declined,
        }),
        exposure: ExposureRow {
            before: audit.proof.exposure.before,
            after: audit.proof.exposure.after,
            ideal: audit.proof.exposure.ideal,
        },
        readiness: audit
            .proof
            .readiness
            .iter()
            .map(|r| readiness(audit, r))
            .collect(),
        hold_out: HoldOutRow {
            cut: audit.proof.hold_out.cut,
            connections: audit.proof.hold_out.connections,
            lost: audit.proof.hold_out.lost,
        },
        generalise: audit.level.as_str().into(),
        trade_off: audit.proof.trade_off.iter().map(trade_off).collect(),
        proof: proof(audit),
        blast_radius: audit
            .proof
            .blast_radius
            .iter()
            .map(|b| blast(audit, b))
            .collect(),
        current_rules: current_rules(audit),
    }
}

fn proof(audit: &Audit) -> ProofRow {
    ProofRow {
        quarantine_denied: audit.replay.quarantined - audit.replay.still_open,
        quarantine_still_open: audit
            .still_open()
            .map(|open| still_open(audit, open))
            .collect(),
        open_to_newcomers: audit
            .proof
            .open_to_newcomers
            .iter()
            .map(|&r| audit.rules.rules[r].id.clone())
            .collect(),
        wider: audit
            .proof
            .left_out
            .iter()
            .map(|w| widening(audit, w))
            .collect(),
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

fn still_open(audit: &Audit, position: usize) -> StillOpenRow {
    let place = audit.after[position].rules().next();
    let rule = place.map(|place| audit.rules_after.rule(place));
    StillOpenRow {
        connection: audit.connections[position].id,
        group_id: place.map(|(group, _)| audit.inventory.group(group).id.clone()),
        security_group_rule_id: rule.and_then(|rule| rule.rule_id.clone()),
        rule: rule.map(|rule| {
            let word = rule.direction.preposition();
            format!("{} {word} {}", rule.services(), rule.target)
        }),
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
fn trade_off(t: &TradeOff) -> TradeOffRow<'static> {
    TradeOffRow {
        level: t.level.as_str().into(),
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
        unknown_members: r.unknown_members,
        connections_to_unknown: r.unknown_peers,
        interfaces_not_logged: r.unlogged,
        guessed_directions: r.guessed,
        vouched: r.vouched,
    }
}

fn unjudged(audit: &Audit) -> UnjudgedRow {
    let reasons = audit.unjudged();
    let sum = |of: fn(&Unjudged) -> u64| reasons.iter().map(of).fold(0, u64::saturating_add);
    UnjudgedRow {
        connections: sum(|u| u.connections),
        records: sum(|u| u.records),
        bytes: sum(|u| u.bytes),
        reasons: reasons
            .iter()
            .map(|u| UnjudgedReasonRow {
                reason: u.reason.to_owned(),
                connections: u.connections,
                records: u.records,
                bytes: u.bytes,
                interfaces: u.interfaces,
            })
            .collect(),
    }
}

fn input(audit: &Audit) -> InputRow {
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
    InputRow {
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

fn connection<'a>(texts: &'a Texts<'_>, position: usize) -> ConnectionRow<'a, EndText<'a>> {
    let connections = &texts.audit.connections;
    let c = &connections[position];
    let legs = c.leg_of.iter().map(|&leg| connections[leg].id);
    ConnectionRow {
        id: c.id,
        initiator: texts.end(c.initiator),
        responder: texts.end(c.responder),
        protocol: c.service.protocol.to_string().into(),
        port: c.service.port(),
        verdict: c.verdict.term(),
        reason: c.verdict.reason().map(Cow::from),
        leg_of: legs.clone().next(),
        leg_of_all: if c.leg_of.len() > 1 {
            legs.collect()
        } else {
            Vec::new()
        },
        after: texts.after(position),
        names: Vec::new(),
        direction_confidence: c.confidence,
        direction_basis: c.basis.as_str().into(),
        records: c.totals.records,
        bytes: c.totals.bytes,
        packets: c.totals.packets,
        first_seen: c.totals.first,
        last_seen: c.totals.last,
        seen: c.seen,
    }
}

fn end(audit: &Audit, end: End) -> EndRow<'_> {
    let groups = end
        .interface()
        .map_or(&[][..], |ix| &audit.inventory.interface(ix).groups);
    EndRow {
        interface_id: interface_id(audit, end).map(Cow::from),
        address: end.address,
        groups: groups
            .iter()
            .map(|&g| Cow::from(&*audit.inventory.group(g).id))
            .collect(),
        groups_known_from: end
            .interface()
            .map(|ix| audit.inventory.interface(ix).grade.as_str().into()),
        through: match end.place {
            Place::Balanced(ix) => Some(Cow::from(&*audit.inventory.balancer(ix).name)),
            _ => None,
        },
        aws_service: aws_service(&audit.inventory, &audit.table, end).map(Cow::from),
    }
}

/// `eni-…`, whether or not the inventory has it.
pub(super) fn interface_id(audit: &Audit, end: End) -> Option<&str> {
    match end.place {
        Place::Local(ix) => Some(&audit.inventory.interface(ix).id),
        Place::Unlisted(ix) => {
            Some(audit.table.observers[ix.index()].as_str()).filter(|id| id.starts_with("eni-"))
        }
        Place::Balanced(_) | Place::Outside => None,
    }
}
