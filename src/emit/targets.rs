//! Rules and their targets as the JSON files spell them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::Audit;
use crate::inventory::{Rule, Target};
use crate::resolve::Confidence;
use crate::suggest::{Revocation, Status, SuggestedRule};

/// A rule that should stand after the change.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RuleRow {
    id: String,
    direction: &'static str,
    group_id: String,
    /// The group's name, for people.
    group_name: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all (only on kept rules).
    protocol: String,
    /// Null where the protocol has no ports.
    from_port: Option<u16>,
    to_port: Option<u16>,
    target: TargetRow,
    status: &'static str,
    /// The rule's id in AWS, where it stands today and the snapshot names it.
    security_group_rule_id: Option<String>,
    /// The other half of the mutual pair.
    pair: Option<String>,
    description: String,
    /// Why this rule and no other: the group, and the width.
    why: &'static str,
    confidence: &'static str,
    /// Connections that need it.
    evidence: Vec<String>,
}

/// A rule of today that goes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RevocationRow {
    group_id: String,
    group_name: String,
    direction: &'static str,
    security_group_rule_id: Option<String>,
    protocol: String,
    from_port: Option<u16>,
    to_port: Option<u16>,
    target: TargetRow,
    reason: &'static str,
}

/// A rule of today, with its hits: what AWS does not count.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CurrentRow {
    group_id: String,
    direction: &'static str,
    security_group_rule_id: Option<String>,
    protocol: String,
    from_port: Option<u16>,
    to_port: Option<u16>,
    target: TargetRow,
    /// Connections it let through, alone or with other rules of the interface.
    connections: u64,
    /// Those that no other rule of the interface let through.
    connections_alone: u64,
    records: u64,
    bytes: u64,
    first_hit: Option<u64>,
    last_hit: Option<u64>,
    /// Another rule of the group lets everything through that this one does: its
    /// position among the group's rules here, from 0.
    covered_by: Option<usize>,
}

/// Every rule of every known group, in order.
pub(super) fn current_rules(audit: &Audit) -> Vec<CurrentRow> {
    let groups = audit.inventory.groups().iter().zip(&audit.hits);
    let rows = groups.flat_map(|(group, hits)| {
        group
            .rules
            .iter()
            .zip(hits)
            .enumerate()
            .map(|(position, (rule, hits))| {
                let (from_port, to_port) = ports(rule);
                let others = group
                    .rules
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != position);
                // Two rules that cover each other are told apart by their place.
                let covering = others
                    .filter(|(other, r)| r.covers(rule) && (!rule.covers(r) || *other < position));
                CurrentRow {
                    group_id: group.id.clone(),
                    direction: rule.direction.as_str(),
                    security_group_rule_id: rule.rule_id.clone(),
                    protocol: rule.protocol.to_string(),
                    from_port,
                    to_port,
                    target: TargetRow::new(&rule.target),
                    connections: hits.connections,
                    connections_alone: hits.alone,
                    records: hits.records,
                    bytes: hits.bytes,
                    first_hit: hits.seen.map(|(first, _)| first),
                    last_hit: hits.seen.map(|(_, last)| last),
                    covered_by: covering.map(|(other, _)| other).next(),
                }
            })
    });
    rows.collect()
}

/// Exactly one target.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetRow {
    SecurityGroup(String),
    CidrIpv4(String),
    CidrIpv6(String),
    PrefixList(String),
}

/// The rows of the whole change, for every file that carries it.
pub(super) fn rows(audit: &Audit) -> (Vec<RuleRow>, Vec<RevocationRow>) {
    let (rules, revocations) = (&audit.rules.rules, &audit.rules.revocations);
    (
        rules.iter().map(|r| RuleRow::new(audit, r)).collect(),
        revocations
            .iter()
            .map(|r| RevocationRow::new(audit, r))
            .collect(),
    )
}

impl TargetRow {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::Group(id) => Self::SecurityGroup(id.clone()),
            Target::PrefixList(id) => Self::PrefixList(id.clone()),
            Target::Cidr(net) if net.addr().is_ipv4() => Self::CidrIpv4(net.to_string()),
            Target::Cidr(net) => Self::CidrIpv6(net.to_string()),
        }
    }
}

impl RuleRow {
    pub(super) fn new(audit: &Audit, suggested: &SuggestedRule) -> Self {
        let group = audit.inventory.group(suggested.group);
        let (from_port, to_port) = ports(&suggested.rule);
        Self {
            id: suggested.id.clone(),
            direction: suggested.rule.direction.as_str(),
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            protocol: suggested.rule.protocol.to_string(),
            from_port,
            to_port,
            target: TargetRow::new(&suggested.rule.target),
            status: match suggested.status {
                Status::Add => "add",
                Status::Keep => "keep",
            },
            security_group_rule_id: suggested.rule.rule_id.clone(),
            pair: suggested.pair.clone(),
            description: suggested.rule.description.clone(),
            why: suggested.reason.as_str(),
            confidence: rating(suggested.confidence),
            evidence: suggested
                .evidence
                .iter()
                .map(|&c| audit.connections[c].id.clone())
                .collect(),
        }
    }
}

impl RevocationRow {
    pub(super) fn new(audit: &Audit, revocation: &Revocation) -> Self {
        let group = audit.inventory.group(revocation.group);
        let (from_port, to_port) = ports(&revocation.rule);
        Self {
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            direction: revocation.rule.direction.as_str(),
            security_group_rule_id: revocation.rule.rule_id.clone(),
            protocol: revocation.rule.protocol.to_string(),
            from_port,
            to_port,
            target: TargetRow::new(&revocation.rule.target),
            reason: "open-egress",
        }
    }
}

fn ports(rule: &Rule) -> (Option<u16>, Option<u16>) {
    rule.port_pair().unzip()
}

/// A rule is as sure as the direction of its best connection.
pub(super) const fn rating(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "high",
        Confidence::Likely => "medium",
        Confidence::Guessed => "low",
    }
}
