//! Whether a policy can be used: keys, expiries, contradictions, AWS's quotas, and what is quarantined.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::entry::{EntryState, PolicyEntry, PolicyTarget};
use super::group::{GroupPolicy, PlacedEntry, PolicySet};
use super::reach::{overlap, permits};
use crate::documents::{AuditDocument, ConnectionRow, Direction, VerdictTerm};
use crate::inventory::{Inventory, Rule, RulePorts};
use crate::net::{plural, visible};
use crate::suggest::{Quotas, counted, quotas};

/// What a policy is checked against.
#[derive(Debug)]
pub struct PolicyBasis<'a> {
    /// The day that expiries are compared with.
    pub today: Date,
    /// The account: what prefix lists weigh, and which quotas AWS has raised.
    pub inventory: Option<&'a Inventory>,
    /// A run, for what it quarantined.
    pub audit: Option<&'a AuditDocument<'a>>,
    /// What AWS takes, where the inventory does not show more.
    pub quotas: Quotas,
}

/// Something that keeps a policy from being used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyProblem {
    /// The group in whose file it is.
    pub group: String,
    /// The line, from 1.
    pub line: usize,
    /// The entry, if it is one.
    pub key: Option<String>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl PolicyProblem {
    fn of(group: &GroupPolicy, entry: &PolicyEntry, what: String) -> Self {
        Self {
            group: group.group.clone(),
            line: entry.line,
            key: Some(entry.key.clone()),
            what,
        }
    }
}

/// Everything that is wrong with a policy whose files can be read, by file and line.
pub fn check(policy: &PolicySet, basis: &PolicyBasis<'_>) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    for ((group, entry), (before, first)) in policy.repeated() {
        problems.push(PolicyProblem::of(
            group,
            entry,
            format!(
                "the key is in {}.toml, line {}, already; give the newer entry another",
                before.group, first.line
            ),
        ));
    }
    for (group, entry) in policy.entries() {
        if let Some(last) = entry.expires
            && entry.state == EntryState::Accepted
            && !entry.holds_on(basis.today)
        {
            let what = format!(
                "accepted until {last}, which is over; decide again, or give it another `expires`"
            );
            problems.push(PolicyProblem::of(group, entry, what));
        }
        if entry.state == EntryState::Declined && entry.reason.is_none() {
            let what = "declined without a reason; say why".to_owned();
            problems.push(PolicyProblem::of(group, entry, what));
        }
        if let PolicyTarget::Service(_) = entry.target
            && entry.state == EntryState::Accepted
        {
            let what = "accepted, and closegate writes no rules for to_service; write an entry with to_prefix_list or to_prefixes instead";
            problems.push(PolicyProblem::of(group, entry, what.to_owned()));
        }
    }
    permits_declined(policy, &mut problems);
    names_twice(policy, &mut problems);
    over_quota(policy, basis, &mut problems);
    if let Some(audit) = basis.audit {
        opens_quarantined(policy, audit, basis.inventory, &mut problems);
    }
    problems.sort();
    problems
}

/// Accepted entries that permit what another one declines. One that is narrower than what is declined is an exception that somebody made.
fn permits_declined(policy: &PolicySet, problems: &mut Vec<PolicyProblem>) {
    let mut declined: BTreeMap<&str, Vec<(PlacedEntry<'_>, Vec<Rule>)>> = BTreeMap::new();
    for placed in policy.entries() {
        if placed.1.state == EntryState::Declined {
            let own = declined.entry(&placed.0.group).or_default();
            own.push((placed, placed.1.rules()));
        }
    }
    for (group, entry) in policy.entries() {
        if entry.state != EntryState::Accepted {
            continue;
        }
        let mut sides = vec![(group.group.as_str(), entry.rules())];
        if let PolicyTarget::Group(other) = &entry.target {
            sides.push((other.as_str(), entry.other_half(&group.group)));
        }
        for (id, rules) in sides {
            for ((file, other), theirs) in declined.get(id).into_iter().flatten() {
                let mut pairs = rules
                    .iter()
                    .flat_map(|rule| theirs.iter().map(move |their| (rule, their)));
                let contradicts = |(rule, their): (&Rule, &Rule)| {
                    let is_exception = their.covers(rule) && !rule.covers(their);
                    overlap(rule, their) && !is_exception
                };
                if pairs.any(contradicts) {
                    let what = format!(
                        "accepted, and permits what {} declines ({}.toml, line {}); narrow it, or change one of the two decisions",
                        other.key, file.group, other.line
                    );
                    problems.push(PolicyProblem::of(group, entry, what));
                }
            }
        }
    }
}

/// Keys that are also the name of another entry's further ports, `KEY_PORTS`, in the files that are written for the policy.
fn names_twice(policy: &PolicySet, problems: &mut Vec<PolicyProblem>) {
    let mut further: BTreeMap<String, PlacedEntry<'_>> = BTreeMap::new();
    for placed in policy.entries() {
        for ports in placed.1.ports.iter().skip(1) {
            if let RulePorts::Ports(range) = ports {
                let ports = range.to_string().replace('-', "_");
                further.insert(format!("{}_{ports}", placed.1.key), placed);
            }
        }
    }
    for (group, entry) in policy.entries() {
        if let Some((file, other)) = further.get(&entry.key) {
            let what = format!(
                "the key is also the name of further ports of {} ({}.toml, line {}); give one of them another key",
                other.key, file.group, other.line
            );
            problems.push(PolicyProblem::of(group, entry, what));
        }
    }
}

/// Groups whose accepted entries are more rules than AWS takes.
fn over_quota(policy: &PolicySet, basis: &PolicyBasis<'_>, problems: &mut Vec<PolicyProblem>) {
    let mut rules: BTreeMap<(&str, Direction), Vec<Rule>> = BTreeMap::new();
    let accepted = policy
        .entries()
        .filter(|(_, entry)| entry.state == EntryState::Accepted);
    for (group, entry) in accepted {
        let own = rules
            .entry((group.group.as_str(), entry.direction))
            .or_default();
        own.extend(entry.rules());
        if let PolicyTarget::Group(other) = &entry.target
            && policy.groups.contains_key(other)
        {
            let half = rules
                .entry((other.as_str(), Direction::Ingress))
                .or_default();
            half.extend(entry.other_half(&group.group));
        }
    }
    let raised = basis
        .inventory
        .map(|inventory| (inventory, quotas(inventory, basis.quotas)));
    for ((group, direction), mut rules) in rules {
        rules.sort();
        rules.dedup();
        let known = raised.as_ref().and_then(|(inventory, quotas)| {
            let ix = inventory.group_by_id(group)?;
            quotas.get(ix.index())
        });
        let most = known.unwrap_or(&basis.quotas).rules_per_group;
        let found = counted(basis.inventory, &rules);
        if found > most {
            problems.push(PolicyProblem {
                group: group.to_owned(),
                line: 1,
                key: None,
                what: format!(
                    "the accepted entries are {} for {}, and AWS takes {most}; decline some, name wider prefixes, or have the quota raised",
                    plural(found, "rule"),
                    direction.as_str()
                ),
            });
        }
    }
}

/// Accepted entries that permit a connection which the run quarantined.
fn opens_quarantined(
    policy: &PolicySet,
    audit: &AuditDocument<'_>,
    inventory: Option<&Inventory>,
    problems: &mut Vec<PolicyProblem>,
) {
    let quarantined: Vec<&ConnectionRow<'_>> = audit
        .connections
        .iter()
        .filter(|connection| {
            // What a person declined and accepts by now is no danger.
            connection.verdict == VerdictTerm::Quarantined
                && connection.reason.as_deref() != Some("declined")
        })
        .collect();
    for (group, entry) in policy.entries() {
        if entry.state != EntryState::Accepted {
            continue;
        }
        let rules = entry.rules();
        let opened: Vec<&&ConnectionRow<'_>> = quarantined
            .iter()
            .filter(|connection| {
                let (own, other) = match entry.direction {
                    Direction::Egress => (&connection.initiator, &connection.responder),
                    Direction::Ingress => (&connection.responder, &connection.initiator),
                };
                // Between two groups the initiator's decides.
                let judges = entry.direction == Direction::Egress || other.groups.is_empty();
                judges
                    && own.groups.iter().any(|id| *id == group.group)
                    && rules
                        .iter()
                        .any(|rule| permits(rule, connection, other, inventory))
            })
            .collect();
        if let Some(first) = opened.first() {
            let reason = first.reason.as_deref().unwrap_or("a finding");
            let what = format!(
                "accepted, and opens {} that the run quarantined, such as {} ({}); decline it or narrow it, or approve the connection in closegate.toml",
                plural(opened.len() as u64, "connection"),
                first.id,
                visible(reason, 60)
            );
            problems.push(PolicyProblem::of(group, entry, what));
        }
    }
}
