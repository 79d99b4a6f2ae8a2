//! A run merged into a policy.
//!
//! Decided entries take the evidence of every rule that they permit, and of every connection. Undecided ones are about one target and
//! service each, and take the evidence of rules about the same. That way the order in which runs are merged between two decisions makes no
//! difference.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::changed::Changed;
use super::entry::{EntryEvidence, EntryState, PolicyEntry, PolicyTarget, days_between, outermost};
use super::group::{GroupPolicy, PolicySet, is_group_id, is_list_id};
use super::key::new_key;
use super::prior::{AskedRule, DecidedBefore, PriorDecisions};
use crate::documents::{
    AuditDocument, ChangeDocument, ConnectionRow, Direction, GroupRow, Rating, RuleRow, TargetRow,
    VerdictTerm,
};
use crate::inventory::{Rule, Target};
use crate::net::{ConnectionId, HashMap, is_internal, visible};

/// Ids of rules and of connections that an entry names.
const EVIDENCE_AT_MOST: usize = 3;

/// A run that is merged.
#[derive(Debug)]
pub struct PolicyRun<'a> {
    /// The name of its directory.
    pub name: &'a str,
    /// Its `rules/rules.json`.
    pub change: &'a ChangeDocument,
    /// Its `audit.json`.
    pub audit: &'a AuditDocument<'a>,
    /// The one account that the policy is of; none for a policy of all that the run has.
    pub account: Option<&'a str>,
}

impl PolicyRun<'_> {
    /// Whether the policy has a file for a group.
    fn takes(&self, groups: &BTreeMap<&str, &GroupRow>, id: &str) -> bool {
        let owner = || groups.get(id).map(|row| row.owner.as_str());
        self.account.is_none_or(|account| owner() == Some(account))
    }
}

/// What merging a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateSummary {
    /// Keys of new entries.
    pub proposed: Vec<String>,
    /// Keys of deferred entries that changed and are proposed again.
    pub returned: Vec<String>,
    /// Entries that the run's rules need.
    pub seen: usize,
    /// Accepted and proposed entries of the run's groups that they don't need, by key, with the days since the last connection, if there
    /// was one.
    pub unseen: Vec<(String, Option<i64>)>,
    /// Rules that were left out: open egress, and rules that nothing but quarantined connections need.
    pub left_out: usize,
    /// Rules of groups of other accounts than the policy's.
    pub elsewhere: usize,
}

/// A rule of the run that the policy has to have an entry for.
struct Need<'a> {
    row: &'a RuleRow,
    rule: Rule,
    /// Whether the rule is half of a mutual pair.
    mutual: bool,
    /// The accepted connections that need it.
    connections: Vec<&'a ConnectionRow<'a>>,
    /// The quarantined ones that it permits all the same.
    quarantined: BTreeSet<ConnectionId>,
    /// What people decided about it before, as it is or about its connections.
    before: DecidedBefore,
}

/// What a run shows about an entry.
#[derive(Default)]
struct Seen<'a> {
    rules: BTreeSet<&'a str>,
    connections: BTreeSet<ConnectionId>,
    quarantined: BTreeSet<ConnectionId>,
    days: BTreeSet<Date>,
    /// Of its least sure rule.
    confidence: Option<Rating>,
}

/// Merges a run. The error says what in the run can't be used.
pub fn update(policy: &mut PolicySet, run: &PolicyRun<'_>) -> Result<UpdateSummary, String> {
    let mut summary = UpdateSummary::default();
    let groups: BTreeMap<&str, &GroupRow> = run
        .change
        .groups
        .iter()
        .map(|row| (row.id.as_str(), row))
        .collect();
    let needs = needs(policy, run, &groups, &mut summary)?;
    let until = timestamp(run.audit.window.end);
    let covered = cover(policy, run, &groups, until)?;
    let mut taken = policy.keys();
    for need in &needs {
        if let Some(group) = policy.groups.get_mut(&need.row.group_id) {
            place(group, need, (&groups, run.change), &mut taken, &mut summary);
        }
    }
    warn(policy, &needs);
    let seen = seen(policy, &needs);
    summary.seen = seen.len();
    let today = day(run.audit.window.end);
    for id in &covered {
        let Some(group) = policy.groups.get(*id) else {
            continue;
        };
        for (position, entry) in group.entries.iter().enumerate() {
            let counts = matches!(entry.state, EntryState::Accepted | EntryState::Proposed);
            if counts && !seen.contains_key(&((*id).to_owned(), position)) {
                let since = entry.last_seen().zip(today);
                let since = since.map(|(last, today)| days_between(last, today).max(0));
                summary.unseen.push((entry.key.clone(), since));
            }
        }
    }
    for ((id, position), seen) in &seen {
        if let Some(group) = policy.groups.get_mut(id) {
            record(&mut group.entries[*position], seen, run.name, until);
        }
    }
    Ok(summary)
}

/// The rules that the policy has to have entries for, in order.
fn needs<'a>(
    policy: &PolicySet,
    run: &'a PolicyRun<'a>,
    groups: &BTreeMap<&str, &GroupRow>,
    summary: &mut UpdateSummary,
) -> Result<Vec<Need<'a>>, String> {
    let decisions = PriorDecisions::of(policy);
    let mut accepted: HashMap<ConnectionId, &ConnectionRow<'a>> = HashMap::default();
    let mut still_open: BTreeMap<&str, BTreeSet<ConnectionId>> = BTreeMap::new();
    let mut quarantined: BTreeSet<ConnectionId> = BTreeSet::new();
    for connection in &run.audit.connections {
        if connection.verdict == VerdictTerm::Accepted {
            accepted.insert(connection.id, connection);
        } else if connection.verdict == VerdictTerm::Quarantined {
            quarantined.insert(connection.id);
            for rule in &connection.after.rules {
                let open = still_open.entry(&**rule).or_default();
                open.insert(connection.id);
            }
        }
    }
    let by_id: BTreeMap<&str, &RuleRow> = run
        .change
        .rules
        .iter()
        .map(|row| (row.id.as_str(), row))
        .collect();
    let mut needs = Vec::new();
    for row in &run.change.rules {
        if row.key.is_some() && row.evidence.is_empty() {
            // The policy wants it, and no connection of the run needs it.
            continue;
        }
        let other = row.pair.as_deref().and_then(|id| by_id.get(id));
        if row.permission.direction == Direction::Ingress && other.is_some() {
            // Its egress half has the entry of both.
            continue;
        }
        if !run.takes(groups, &row.group_id) {
            summary.elsewhere += 1;
            continue;
        }
        let known = row.evidence.iter().filter_map(|id| accepted.get(id));
        let connections: Vec<&ConnectionRow<'a>> = known.copied().collect();
        let rule = rule_of(row)?;
        let only_suspicious = connections.is_empty() && !row.evidence.is_empty();
        if only_suspicious || rule.is_open_egress() {
            summary.left_out += 1;
            continue;
        }
        let mutual = row.permission.direction == Direction::Egress && row.pair.is_some();
        let mut before = decisions.about(&AskedRule {
            group: &row.group_id,
            rule: &rule,
            mutual,
            connections: &connections,
        });
        let file = policy.groups.get(&row.group_id);
        let mut decided = file
            .into_iter()
            .flat_map(|file| &file.entries)
            .filter(|entry| entry.state.is_decided());
        before.is_settled |= decided.any(|entry| entry.covers(&rule, mutual));
        let own = row.evidence.iter().copied();
        let mut suspicious: BTreeSet<ConnectionId> =
            own.filter(|id| quarantined.contains(id)).collect();
        suspicious.extend(still_open.get(row.id.as_str()).into_iter().flatten());
        needs.push(Need {
            row,
            rule,
            mutual,
            connections,
            quarantined: suspicious,
            before,
        });
    }
    needs.sort_by(|a, b| (&a.row.group_id, &a.rule).cmp(&(&b.row.group_id, &b.rule)));
    Ok(needs)
}

/// A rule of the run. An id that would not be safe in a file, or as its name, is refused.
fn rule_of(row: &RuleRow) -> Result<Rule, String> {
    let wrong = |what: &str| {
        format!(
            "rule {} {what}; use a run that closegate wrote",
            visible(&row.id, 60)
        )
    };
    let permission = &row.permission;
    let target = match &permission.target {
        TargetRow::SecurityGroup(id) if !is_group_id(id) => None,
        TargetRow::PrefixList(id) if !is_list_id(id) => None,
        TargetRow::SecurityGroup(id) => Some(Target::Group(id.clone())),
        TargetRow::PrefixList(id) => Some(Target::PrefixList(id.clone())),
        TargetRow::CidrIpv4(text) | TargetRow::CidrIpv6(text) => Target::cidr(text),
    };
    let target = target.ok_or_else(|| wrong("has a target that is no id and no prefix"))?;
    if !is_group_id(&row.group_id) {
        return Err(wrong("belongs to a group whose id is none of AWS's"));
    }
    let any = |number: Option<u8>| Some(number.map_or(-1, i64::from));
    let (from, to) = if matches!(permission.protocol.as_str(), "icmp" | "icmpv6") {
        (any(permission.icmp_type), any(permission.icmp_code))
    } else {
        (
            permission.from_port.map(i64::from),
            permission.to_port.map(i64::from),
        )
    };
    let rule = Rule::from_parts(permission.direction, &permission.protocol, from, to, target);
    rule.ok_or_else(|| wrong("has a protocol or ports that AWS does not take"))
}

/// Makes the groups that the run's rules belong to or name, and brings up to date what is known of them. Gives their ids.
fn cover<'a>(
    policy: &mut PolicySet,
    run: &'a PolicyRun<'a>,
    groups: &BTreeMap<&str, &GroupRow>,
    until: Option<Timestamp>,
) -> Result<BTreeSet<&'a str>, String> {
    let rules = run.change.rules.iter().map(|row| row.group_id.as_str());
    let gone = run.change.revocations.iter();
    let owners: BTreeSet<&str> = rules.chain(gone.map(|row| row.group_id.as_str())).collect();
    let ready = run.audit.readiness.iter();
    let in_use = ready.map(|row| row.group_id.as_str());
    // Of a group that the change does not name, no name is known.
    let covered: BTreeSet<&str> = in_use
        .filter(|id| groups.contains_key(id))
        .chain(owners)
        .filter(|id| run.takes(groups, id))
        .collect();
    for id in &covered {
        if !is_group_id(id) {
            let id = visible(id, 60);
            return Err(format!(
                "{id} is no id of a group; use a run that closegate wrote"
            ));
        }
        if !policy.groups.contains_key(*id) {
            policy.groups.insert((*id).to_owned(), GroupPolicy::new(id));
        }
    }
    for id in &covered {
        let Some(group) = policy.groups.get_mut(*id) else {
            continue;
        };
        if group.as_of.is_some() && group.as_of > until {
            continue;
        }
        group.as_of = until;
        if let Some(row) = groups.get(id) {
            group.name.clone_from(&row.name);
            group.vpc.clone_from(&row.vpc);
            group.account.clone_from(&row.owner);
            if group.owner.is_none() {
                group.owner.clone_from(&row.owner_tag);
            }
        }
        for entry in &mut group.entries {
            let name = name_of(&entry.target, groups, run.change);
            if name.is_some() {
                entry.target_name = name;
            }
        }
    }
    Ok(covered)
}

/// A target's name in the run.
fn name_of(
    target: &PolicyTarget,
    groups: &BTreeMap<&str, &GroupRow>,
    change: &ChangeDocument,
) -> Option<String> {
    match target {
        PolicyTarget::Group(id) => Some(groups.get(id.as_str())?.name.clone()),
        PolicyTarget::PrefixList(id) => {
            let row = change.prefix_lists.iter().find(|row| row.id == *id)?;
            Some(row.name.clone())
        }
        PolicyTarget::Prefixes(_) | PolicyTarget::Service(_) => None,
    }
}

/// Makes or grows the entry for a rule, if there is none that has it already.
fn place(
    group: &mut GroupPolicy,
    need: &Need<'_>,
    (groups, change): (&BTreeMap<&str, &GroupRow>, &ChangeDocument),
    taken: &mut BTreeSet<String>,
    summary: &mut UpdateSummary,
) {
    let mut entries = group.entries.iter();
    if need.before.is_settled || entries.any(|entry| takes(entry, need)) {
        return;
    }
    let grows = |entry: &&mut PolicyEntry| {
        !entry.state.is_decided() && is_about(entry, &need.rule) && entry.ports == [need.rule.ports]
    };
    let entries = group.entries.iter_mut().filter(grows);
    if let Some(entry) = entries.min_by(|a, b| a.key.cmp(&b.key)) {
        grow(entry, need, summary);
        return;
    }
    let accepted = group.entries.iter().filter(|entry| {
        let same_service = entry.ports.contains(&need.rule.ports);
        entry.state == EntryState::Accepted
            && is_about(entry, &need.rule)
            && (same_service || !matches!(entry.target, PolicyTarget::Prefixes(_)))
    });
    let base = accepted.min_by(|a, b| a.key.cmp(&b.key));
    let target = match &need.rule.target {
        Target::Cidr(net) => PolicyTarget::Prefixes(vec![*net]),
        Target::PrefixList(id) => PolicyTarget::PrefixList(id.clone()),
        Target::Group(id) => PolicyTarget::Group(id.clone()),
    };
    let mut entry = PolicyEntry {
        key: String::new(),
        direction: need.rule.direction,
        target_name: name_of(&target, groups, change),
        target,
        mutual: need.mutual,
        protocol: need.rule.protocol,
        ports: vec![need.rule.ports],
        state: EntryState::Proposed,
        owner: None,
        reason: None,
        ticket: None,
        expires: None,
        first_seen: None,
        days: BTreeSet::new(),
        connections: 0,
        confidence: None,
        evidence: None,
        extends: base.map(|base| base.key.clone()),
        changed: base.and_then(|base| {
            let mut changed = Changed::default();
            changed.add(addition(need, base));
            changed.to_text()
        }),
        line: 0,
    };
    entry.key = new_key(group, &entry, taken);
    taken.insert(entry.key.clone());
    summary.proposed.push(entry.key.clone());
    group.entries.push(entry);
}

/// Whether an entry has a rule, and takes its evidence. One that nobody has decided has to be about the rule's very target and service, and
/// what others settle is not about it.
fn takes(entry: &PolicyEntry, need: &Need<'_>) -> bool {
    let same = || is_about(entry, &need.rule) && entry.ports.contains(&need.rule.ports);
    entry.covers(&need.rule, need.mutual)
        && (entry.state.is_decided() || (!need.before.is_settled && same()))
}

/// Whether an entry is about the target and the protocol of a rule. Internal prefixes are one target, and all others one.
fn is_about(entry: &PolicyEntry, rule: &Rule) -> bool {
    let same_target = match (&entry.target, &rule.target) {
        (PolicyTarget::Group(own), Target::Group(other))
        | (PolicyTarget::PrefixList(own), Target::PrefixList(other)) => own == other,
        // What leaves the account's own address space is decided by itself.
        (PolicyTarget::Prefixes(nets), Target::Cidr(net)) => {
            nets.iter().all(is_internal) == is_internal(net)
        }
        _ => false,
    };
    same_target && entry.direction == rule.direction && entry.protocol == rule.protocol
}

/// Adds what a rule needs to an undecided entry. One that was decided before is proposed again, and says what was added.
fn grow(entry: &mut PolicyEntry, need: &Need<'_>, summary: &mut UpdateSummary) {
    let added = addition(need, entry);
    if let (PolicyTarget::Prefixes(nets), Target::Cidr(net)) =
        (&mut entry.target, &need.rule.target)
    {
        nets.push(*net);
        *nets = outermost(std::mem::take(nets));
    }
    entry.mutual |= need.mutual;
    let returns = entry.state == EntryState::Deferred;
    if returns {
        entry.state = EntryState::Proposed;
        summary.returned.push(entry.key.clone());
    }
    let mut changed = Changed::parse(entry.changed.as_deref());
    if returns || changed.has_added() {
        changed.add(added);
        entry.changed = changed.to_text();
    }
}

/// Says in every proposed entry what it permits of what other entries decline. Which of them are declined still is seen anew; what was
/// found in other runs stays.
fn warn(policy: &mut PolicySet, needs: &[Need<'_>]) {
    let states = policy.entries();
    let declined: BTreeSet<String> = states
        .filter(|(_, entry)| entry.state == EntryState::Declined)
        .map(|(_, entry)| entry.key.clone())
        .collect();
    for group in policy.groups.values_mut() {
        for entry in &mut group.entries {
            if entry.state != EntryState::Proposed {
                continue;
            }
            let mut changed = Changed::parse(entry.changed.as_deref());
            let before = changed.clone();
            changed.declined.retain(|key| declined.contains(key));
            for need in needs {
                if need.row.group_id == group.group && takes(entry, need) {
                    let found = need.before.declined.iter().cloned();
                    changed.declined.extend(found);
                }
            }
            if changed != before {
                entry.changed = changed.to_text();
            }
        }
    }
}

/// What a rule needs that an entry about the same does not permit.
fn addition(need: &Need<'_>, entry: &PolicyEntry) -> String {
    match &need.rule.target {
        Target::Cidr(net) => net.to_string(),
        _ if entry.covers(&need.rule, false) => "the ingress rule of the other group".to_owned(),
        _ => need.rule.services(),
    }
}

impl<'a> Seen<'a> {
    fn add(&mut self, need: &Need<'a>, connections: &[&'a ConnectionRow<'a>]) {
        self.rules.insert(&need.row.id);
        for connection in connections {
            self.connections.insert(connection.id);
            let days = [connection.first_seen, connection.last_seen];
            self.days.extend(days.into_iter().filter_map(day));
        }
        let sure = need.row.confidence;
        self.confidence = Some(self.confidence.map_or(sure, |before| before.min(sure)));
    }
}

/// What the run shows, by group and position of the entry.
fn seen<'a>(policy: &PolicySet, needs: &[Need<'a>]) -> BTreeMap<(String, usize), Seen<'a>> {
    let mut seen: BTreeMap<(String, usize), Seen<'a>> = BTreeMap::new();
    for need in needs {
        let id = &need.row.group_id;
        let Some(group) = policy.groups.get(id) else {
            continue;
        };
        for (position, entry) in group.entries.iter().enumerate() {
            if takes(entry, need) {
                let found = seen.entry((id.clone(), position)).or_default();
                found.add(need, &need.connections);
                // The entry permits all that the rule does.
                found.quarantined.extend(&need.quarantined);
            }
        }
        for (place, at) in &need.before.by_entry {
            let connections = at.iter().map(|&at| need.connections[at]);
            let connections: Vec<&ConnectionRow<'a>> = connections.collect();
            let found = seen.entry(place.clone()).or_default();
            found.add(need, &connections);
        }
    }
    seen
}

/// Records what a run shows about an entry.
fn record(entry: &mut PolicyEntry, seen: &Seen<'_>, run: &str, until: Option<Timestamp>) {
    entry.add_days(seen.days.first().copied(), seen.days.iter().copied());
    entry.connections = entry.connections.max(seen.connections.len() as u64);
    entry.confidence = entry.confidence.max(seen.confidence);
    let rules = seen.rules.iter().take(EVIDENCE_AT_MOST);
    let first = |ids: &BTreeSet<ConnectionId>| -> Vec<String> {
        let ids = ids.iter().take(EVIDENCE_AT_MOST);
        ids.map(ToString::to_string).collect()
    };
    let shown = until.map(|until| EntryEvidence {
        until,
        run: run.to_owned(),
        rules: rules.map(|id| (*id).to_owned()).collect(),
        connections: first(&seen.connections),
        quarantined: first(&seen.quarantined),
    });
    // What a person decided on stays, so that files don't change with every run; only what speaks against it is news.
    let is_settled = entry.state.is_decided() && entry.evidence.is_some();
    if !is_settled || !seen.quarantined.is_empty() {
        entry.evidence = entry.evidence.take().max(shown);
    }
}

/// A time of a document; none where it is 0 or beyond the calendar.
fn timestamp(seconds: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds).ok().filter(|&seconds| seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}

/// Its day, UTC.
fn day(seconds: u64) -> Option<Date> {
    Some(timestamp(seconds)?.to_zoned(TimeZone::UTC).date())
}
