//! A policy as a change: every rule that it wants, whether it stands or not, and what it takes from locked groups.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::change::{keys, lists, revocation_row, what_to_do};
use crate::documents::{
    ChangeDocument, ChangeScope, GroupRow, NotWrittenRow, PermissionRow, Rating, RevocationRow,
    RuleRow, SCHEMA_VERSION, Status, TodayRow, WantedByRow,
};
use crate::inventory::{Group, Inventory, Rule, RulePorts, Target, Upkeep};
use crate::net::{aws_description, plural, service_name};
use crate::policy::{
    DesiredGroup, DesiredState, PolicyEntry, PolicySet, WantedBy, WantedRule, desired,
};
use crate::suggest::{RevokedBecause, rule_id};

/// The longest description that AWS takes.
const DESCRIPTION_AT_MOST: usize = 255;

/// How much of a description keys may take; those beyond are left out.
const KEYS_AT_MOST: usize = 180;

/// What a policy wants of an account on a day, as the document that every rule format is written from.
pub fn policy_change(policy: &PolicySet, inventory: &Inventory, today: Date) -> ChangeDocument {
    let state = desired(policy, inventory, today);
    let mut names = RuleNames {
        keys: policy.keys(),
        given: BTreeMap::new(),
    };
    let mut rules = Vec::new();
    let mut revocations = Vec::new();
    for group in state.groups.values() {
        for wanted in &group.wanted {
            rules.push(rule_row(inventory, group, wanted, &mut names));
        }
        let because = RevokedBecause::OutsidePolicy;
        let reopened = group.reopened();
        revocations.extend(reopened.map(|rule| revocation_row(group.group, rule, because)));
    }
    let not_written = state.not_written.iter();
    let not_written = not_written.map(|((group, entry), why)| NotWrittenRow {
        group_id: group.group.clone(),
        key: entry.key.clone(),
        why: why.as_str().into(),
    });
    ChangeDocument {
        schema_version: SCHEMA_VERSION,
        scope: ChangeScope::Policy,
        groups: groups(inventory, &state, &rules, &revocations),
        prefix_lists: lists(inventory, &rules),
        rules,
        revocations,
        tightenings: Vec::new(),
        // A policy has no replay, so what a stage would lose is not known.
        stages: Vec::new(),
        decisions: Vec::new(),
        left_out: 0,
        not_written: not_written.collect(),
    }
}

fn rule_row(
    inventory: &Inventory,
    group: &DesiredGroup<'_>,
    wanted: &WantedRule<'_>,
    names: &mut RuleNames,
) -> RuleRow {
    let WantedRule {
        rule,
        stands,
        because,
    } = wanted;
    let ix = inventory
        .group_by_id(group.id)
        .expect("the policy's groups are taken from the inventory");
    let first = because.first().expect("every rule has a reason");
    let pair = wanted.other_half(group.id);
    let words = if *stands {
        rule.description.clone()
    } else {
        wording(inventory, wanted)
    };
    let ratings = because.iter().filter_map(|by| by.entry.confidence);
    RuleRow {
        id: rule_id(inventory, ix, rule),
        group_id: group.id.to_owned(),
        group_name: group.group.name.clone(),
        permission: PermissionRow::new(rule),
        status: if *stands { Status::Keep } else { Status::Add },
        security_group_rule_id: rule.rule_id.clone(),
        pair: pair.and_then(|(other, half)| {
            Some(rule_id(inventory, inventory.group_by_id(other)?, &half))
        }),
        description: words.clone(),
        wording: words,
        tag_keys: keys(&rule.tags),
        why: "wanted by the policy".into(),
        confidence: ratings.max().unwrap_or(Rating::Low),
        evidence: Vec::new(),
        key: Some(first.entry.key.clone()),
        name: Some(names.name(first, rule)),
        wanted_by: because.iter().map(|by| wanted_by(by.entry)).collect(),
        tags: if names_its_key(wanted) {
            BTreeMap::new()
        } else {
            rule.tags.iter().cloned().collect()
        },
        managed_at: None,
    }
}

/// Whether a rule was made from a policy: its description ends with the key of an entry that wants it. Tags of such a rule are those
/// that Terraform's provider puts on everything, and not to be repeated.
fn names_its_key(wanted: &WantedRule<'_>) -> bool {
    let keys = wanted.rule.description.strip_suffix(']');
    let keys = keys.and_then(|text| text.rsplit_once('['));
    keys.is_some_and(|(_, keys)| {
        keys.split(", ")
            .any(|key| wanted.because.iter().any(|by| by.entry.key == key))
    })
}

fn wanted_by(entry: &PolicyEntry) -> WantedByRow {
    WantedByRow {
        key: entry.key.clone(),
        evidence: evidence(entry),
        confidence: entry.confidence,
        owner: entry.owner.clone(),
        reason: entry.reason.clone(),
        ticket: entry.ticket.clone(),
        expires: entry.expires.map(|last| last.to_string()),
    }
}

/// `1,204 connections on 12 days, first seen 2026-11-01, last seen 2026-11-12`; empty if no run has seen it.
fn evidence(entry: &PolicyEntry) -> String {
    let mut parts = Vec::new();
    let days = entry.days.len() as u64;
    match (entry.connections, days) {
        (0, 0) => {}
        (0, days) => parts.push(format!("connections on {}", plural(days, "day"))),
        (connections, 0) => parts.push(plural(connections, "connection")),
        (connections, days) => parts.push(format!(
            "{} on {}",
            plural(connections, "connection"),
            plural(days, "day")
        )),
    }
    parts.extend(entry.first_seen.map(|day| format!("first seen {day}")));
    parts.extend(entry.last_seen().map(|day| format!("last seen {day}")));
    parts.join(", ")
}

/// What a rule's description says: where it leads, why, and the keys of its entries.
fn wording(inventory: &Inventory, wanted: &WantedRule<'_>) -> String {
    let rule = &wanted.rule;
    let other = match &rule.target {
        Target::Group(id) => {
            let known = inventory.group_by_id(id);
            known.map_or_else(|| id.clone(), |ix| inventory.group(ix).name.clone())
        }
        Target::PrefixList(id) => {
            let known = inventory.prefix_list(id);
            known.map_or_else(|| id.clone(), |list| list.name.clone())
        }
        Target::Cidr(net) => net.to_string(),
    };
    let mut reasons: Vec<&str> = Vec::new();
    let mut keys = String::new();
    for by in &wanted.because {
        let reason = by.entry.reason.as_deref().unwrap_or_default();
        if !reason.is_empty() && !reasons.contains(&reason) {
            reasons.push(reason);
        }
        if keys.is_empty() {
            keys.clone_from(&by.entry.key);
        } else if keys.len() + by.entry.key.len() < KEYS_AT_MOST {
            keys = format!("{keys}, {}", by.entry.key);
        }
    }
    let service = || {
        let name = rule.single_service().and_then(service_name);
        name.map_or_else(|| rule.services(), ToOwned::to_owned)
    };
    let why = if reasons.is_empty() {
        service()
    } else {
        reasons.join("; ")
    };
    let text = format!("{} {other}: {why}", rule.direction.preposition());
    let room = DESCRIPTION_AT_MOST.saturating_sub(keys.len() + 3);
    let text: String = aws_description(&text).chars().take(room).collect();
    format!("{} [{keys}]", text.trim_end())
}

/// What rules are called, each name once.
struct RuleNames {
    /// Every key of the policy.
    keys: BTreeSet<String>,
    /// Name → what has it: key, position of the ports, and whether it is the half of another group.
    given: BTreeMap<String, (String, usize, bool)>,
}

impl RuleNames {
    /// The key; further ports of the entry, and the ingress half of another group, have an ending. Rules for the prefixes of an entry
    /// share a name.
    fn name(&mut self, by: &WantedBy<'_>, rule: &Rule) -> String {
        let mut name = by.entry.key.clone();
        if by.ports > 0 {
            name = format!("{name}_{}", ports(rule.ports));
        }
        if by.is_other_half {
            name += "_ingress";
        }
        let whose = (by.entry.key.clone(), by.ports, by.is_other_half);
        let is_plain = name == by.entry.key;
        // Somebody may have chosen a key that looks like another one's ending.
        let taken = |name: &String| {
            !is_plain && self.keys.contains(name)
                || self.given.get(name).is_some_and(|other| *other != whose)
        };
        while taken(&name) {
            name += "_x";
        }
        self.given.insert(name.clone(), whose);
        name
    }
}

/// `443`, `1024_2048`, `8_0`, `all`.
fn ports(ports: RulePorts) -> String {
    match ports {
        RulePorts::Ports(range) if range.from() == range.to() => range.from().to_string(),
        RulePorts::Ports(range) => format!("{}_{}", range.from(), range.to()),
        RulePorts::Icmp {
            kind: Some(kind),
            code: Some(code),
        } => format!("{kind}_{code}"),
        RulePorts::Icmp {
            kind: Some(kind), ..
        } => kind.to_string(),
        RulePorts::Icmp { .. } | RulePorts::Any => "all".to_owned(),
    }
}

/// Every group of the policy, and those that rules name, in order.
fn groups(
    inventory: &Inventory,
    state: &DesiredState<'_>,
    rules: &[RuleRow],
    revocations: &[RevocationRow],
) -> Vec<GroupRow> {
    let mut ids: BTreeSet<&str> = state.groups.keys().copied().collect();
    let permissions = rules.iter().map(|rule| &rule.permission);
    let permissions = permissions.chain(revocations.iter().map(|gone| &gone.permission));
    ids.extend(permissions.filter_map(|row| row.target.group()));
    for group in state.groups.values() {
        ids.extend(group.group.named_groups());
    }
    let kept = state.groups.values().filter(|group| {
        let gains = group.wanted.iter().any(|wanted| !wanted.stands);
        group.group.upkeep != Upkeep::Own && gains
    });
    let kept: BTreeSet<&str> = kept.map(|group| group.id).collect();
    let row = |id: &str| {
        let group = inventory.group(inventory.group_by_id(id)?);
        let desired = state.groups.get(id);
        let region = group.members.first();
        let region = region.map(|&ix| inventory.interface(ix).region.clone());
        let today = group.rules.iter().filter(|_| desired.is_some());
        let today = today.map(TodayRow::new);
        Some(GroupRow {
            id: group.id.clone(),
            name: group.name.clone(),
            vpc: group.vpc.clone(),
            owner: group.owner.clone(),
            region: region.unwrap_or_default(),
            kept_by: what_to_do(&group.upkeep),
            waits_for: waits_for(inventory, group, &kept),
            connections: desired.map_or(0, connections),
            today: today.collect(),
            locked: desired.is_some_and(DesiredGroup::is_locked),
            // Whoever locks a group has decided that it is.
            ready: desired.is_some_and(DesiredGroup::is_locked).then_some(true),
            ..GroupRow::default()
        })
    };
    ids.into_iter().filter_map(row).collect()
}

/// The most connections that a run had for each of a group's entries, added up.
fn connections(group: &DesiredGroup<'_>) -> u64 {
    let most = |wanted: &WantedRule<'_>| {
        let entries = wanted.because.iter().map(|by| by.entry.connections);
        entries.max().unwrap_or_default()
    };
    group.wanted.iter().map(most).sum()
}

/// The groups among `kept`, maintained elsewhere, that a group's interfaces carry too.
fn waits_for(inventory: &Inventory, group: &Group, kept: &BTreeSet<&str>) -> Vec<String> {
    let beside = group.members.iter().flat_map(|&member| {
        let groups = inventory.interface(member).groups.iter();
        groups.map(|&ix| inventory.group(ix).id.as_str())
    });
    let beside: BTreeSet<&str> = beside
        .filter(|id| *id != group.id && kept.contains(id))
        .collect();
    beside.into_iter().map(ToOwned::to_owned).collect()
}
