//! Every row of the report's tables, for a spreadsheet: `report.md` and `report.html` show as many as a report has room for.

use std::io::{self, Write};

use petgraph::visit::EdgeRef as _;

use super::accounts::Accounts;
use super::audit_json::interface_id;
use super::findings::stamp;
use super::formats::inert;
use super::graph_files;
use super::report_md::because;
use crate::audit::Audit;
use crate::documents::VerdictTerm;
use crate::inventory::GroupIx;
use crate::net::HashMap;
use crate::proof::{BlastRadius, Reach, Readiness};
use crate::replay::AfterState;
use crate::resolve::End;

/// Connections between groups and external destinations, by service and verdict: those with the most records first.
pub(super) fn group_connections(audit: &Audit, to: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    table.write_record([
        "from",
        "from_kind",
        "to",
        "to_kind",
        "protocol",
        "port",
        "verdict",
        "connections",
        "records",
        "bytes",
    ])?;
    let graph = &audit.graph;
    let mut edges: Vec<_> = graph.edge_references().collect();
    edges.sort_by_key(|edge| std::cmp::Reverse(edge.weight().records));
    for edge in edges {
        let (from, to, weight) = (&graph[edge.source()], &graph[edge.target()], edge.weight());
        table.write_record([
            inert(&graph_files::label(audit, from)),
            graph_files::kind(from).to_owned(),
            inert(&graph_files::label(audit, to)),
            graph_files::kind(to).to_owned(),
            weight.service.protocol.to_string(),
            port(weight.service.port()),
            weight.verdict.as_str().to_owned(),
            weight.connections.len().to_string(),
            weight.records.to_string(),
            weight.bytes.to_string(),
        ])?;
    }
    table.flush()
}

/// Every group: what an attacker on one of its interfaces reaches, whether its evidence is enough, and why its egress stays open. Where the
/// run has several accounts, the last column is the group's.
pub(super) fn groups(audit: &Audit, to: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    let columns = [
        "group_id",
        "group_name",
        "vpc",
        "interfaces",
        "open_egress",
        "stays_open_because",
        "one_hop_today",
        "any_hops_today",
        "any_port_today",
        "addresses_today",
        "one_hop_after",
        "any_hops_after",
        "any_port_after",
        "addresses_after",
        "ready_to_lock",
        "days",
        "connections_initiated",
        "seen_on_one_day_only",
        "risk_of_unseen_connections",
        "unseen_connections_at_least",
        "wait_for",
    ];
    let has_accounts = Accounts::new(audit).are_several();
    let last = has_accounts.then_some("account_id");
    table.write_record(columns.into_iter().chain(last))?;
    let reached = audit.proof.blast_radius.iter().map(|b| (b.group, b));
    let reached: HashMap<GroupIx, &BlastRadius> = reached.collect();
    let evidence = audit.proof.readiness.iter().map(|r| (r.group, r));
    let evidence: HashMap<GroupIx, &Readiness> = evidence.collect();
    let kept = audit.rules.kept_open.iter();
    let kept = kept.filter(|kept| kept.rule.is_none());
    let kept: HashMap<GroupIx, &str> = kept.map(|k| (k.group, because(k.because))).collect();
    for ix in audit.inventory.group_indexes() {
        let group = audit.inventory.group(ix);
        let is_open = if group.has_open_egress() { "yes" } else { "no" };
        let head = [
            inert(&group.id),
            inert(&group.name),
            inert(&group.vpc),
            group.members.len().to_string(),
            is_open.to_owned(),
            kept.get(&ix).copied().unwrap_or_default().to_owned(),
        ];
        let reached = reached.get(&ix);
        let before = reach(reached.map(|b| &b.before));
        let after = reach(reached.map(|b| &b.after));
        let tail = evidence
            .get(&ix)
            .map_or_else(Default::default, |r| ready(r));
        let account = has_accounts.then(|| inert(&group.owner));
        let cells = head.iter().chain(&before).chain(&after).chain(&tail);
        table.write_record(cells.chain(&account))?;
    }
    table.flush()
}

/// Cells about what is reached; empty for a group that no interface carries.
fn reach(reach: Option<&Reach>) -> [String; 4] {
    let Some(reach) = reach else {
        return Default::default();
    };
    [
        reach.one_hop.to_string(),
        reach.any_hops.to_string(),
        reach.any_port.to_string(),
        reach.addresses.to_string(),
    ]
}

fn ready(r: &Readiness) -> [String; 7] {
    let chance = r.chance_of_new.map(|chance| format!("{chance:.4}"));
    [
        if r.is_ready() { "yes" } else { "no" }.to_owned(),
        r.days.to_string(),
        r.connections.to_string(),
        r.once.to_string(),
        chance.unwrap_or_default(),
        format!("{:.1}", r.unseen),
        inert(&r.wait_for().join(", ")),
    ]
}

/// Every quarantined and every unattributed connection, in the order of the ids. Where a rule that stays permits one, the rule is named.
pub(super) fn without_a_rule(audit: &Audit, to: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    table.write_record([
        "id",
        "initiator",
        "initiator_interface_id",
        "responder",
        "responder_interface_id",
        "protocol",
        "port",
        "verdict",
        "reason",
        "after",
        "still_open_by",
        "records",
        "bytes",
        "first_seen",
        "last_seen",
    ])?;
    let interface = |end: End| interface_id(audit, end).map(inert).unwrap_or_default();
    for (c, after) in audit.connections.iter().zip(&audit.after) {
        let Some(reason) = c.verdict.reason() else {
            continue;
        };
        let is_open =
            c.verdict.term() == VerdictTerm::Quarantined && after.state == AfterState::Permitted;
        let rule = after.rules().next().filter(|_| is_open);
        let by = rule.map(|place| {
            let rule = audit.rules_after.rule(place);
            inert(&format!(
                "{} {} {} {}",
                audit.inventory.group(place.0).id,
                rule.services(),
                rule.direction.preposition(),
                rule.target
            ))
        });
        table.write_record([
            c.id.to_string(),
            c.initiator.address.to_string(),
            interface(c.initiator),
            c.responder.address.to_string(),
            interface(c.responder),
            c.service.protocol.to_string(),
            port(c.service.port()),
            c.verdict.term().as_str().to_owned(),
            reason.to_owned(),
            after.state.as_str().to_owned(),
            by.unwrap_or_default(),
            c.totals.records.to_string(),
            c.totals.bytes.to_string(),
            stamp(c.totals.first),
            stamp(c.totals.last),
        ])?;
    }
    table.flush()
}

/// What was read.
pub(super) fn sources(audit: &Audit, to: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    table.write_record(["source", "format", "records", "malformed", "bytes"])?;
    for source in &audit.intake.sources {
        table.write_record([
            inert(&source.name),
            inert(&source.format),
            source.records.to_string(),
            source.malformed.to_string(),
            source.bytes.to_string(),
        ])?;
    }
    table.flush()
}

fn port(port: Option<u16>) -> String {
    port.map_or_else(String::new, |port| port.to_string())
}
