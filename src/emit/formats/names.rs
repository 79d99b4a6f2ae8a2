//! What rules are called where a format wants a name: from the names of groups, kept apart, and the same in every run.

use std::collections::BTreeMap;

use crate::documents::{
    ChangeDocument, ChangeScope, Direction, PermissionRow, RuleRow, Status, TargetRow,
};
use crate::net::{HashMap, HashSet, identifier};

/// Which rules go into the module, which stand alone, and what they are called.
pub(super) struct ResourceNames<'a> {
    /// Key of the module's map → egress and ingress rule.
    pub(super) pairs: BTreeMap<String, (&'a RuleRow, &'a RuleRow)>,
    /// Resource name → rule.
    pub(super) others: BTreeMap<String, &'a RuleRow>,
}

impl<'a> ResourceNames<'a> {
    /// Pairs that a module can say, and the rest.
    pub(super) fn new(
        change: &'a ChangeDocument,
        fits: impl Fn(&ChangeDocument, &RuleRow, &RuleRow) -> bool,
    ) -> Self {
        let by_id: HashMap<&str, &RuleRow> = change
            .rules
            .iter()
            .map(|rule| (rule.id.as_str(), rule))
            .collect();
        let mut in_module: HashSet<&str> = HashSet::default();
        let mut pairs = Vec::new();
        let egress = change
            .rules
            .iter()
            .filter(|rule| rule.permission.direction == Direction::Egress);
        for egress in egress {
            let Some(ingress) = egress.pair.as_deref().and_then(|id| by_id.get(id)) else {
                continue;
            };
            if is_written(change, egress, ingress) && fits(change, egress, ingress) {
                in_module.extend([egress.id.as_str(), ingress.id.as_str()]);
                pairs.push((name(change, egress, "-"), (egress, *ingress)));
            }
        }
        let others = change
            .written()
            .filter(|rule| !in_module.contains(rule.id.as_str()))
            .map(|rule| (name(change, rule, "_").replace('-', "_"), rule));
        Self {
            pairs: unique(pairs, |(egress, _)| &egress.id),
            others: unique(others.collect(), |rule| &rule.id),
        }
    }

    /// Every rule that has a name here.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'a RuleRow> {
        let pairs = self.pairs.values();
        let halves = pairs.flat_map(|(egress, ingress)| [*egress, *ingress]);
        halves.chain(self.others.values().copied())
    }

    /// Every rule by itself.
    pub(super) fn alone(change: &'a ChangeDocument) -> Self {
        Self::new(change, |_, _, _| false)
    }
}

impl<'a> ResourceNames<'a> {
    /// Rules of today that the module adopts and that carry tags. It has one map of tags for all rules, so Terraform takes
    /// each rule's own away (variables.tf of the module).
    pub(super) fn losing_tags(&self) -> Vec<&'a RuleRow> {
        let halves = self
            .pairs
            .values()
            .flat_map(|&(egress, ingress)| [egress, ingress]);
        let mut losing: Vec<&RuleRow> = halves
            .filter(|rule| rule.status == Status::Keep && !rule.tag_keys.is_empty())
            .collect();
        // Several pairs may share a half.
        losing.sort_by(|a, b| a.id.cmp(&b.id));
        losing.dedup_by(|a, b| a.id == b.id);
        losing
    }
}

/// Whether a pair belongs into a file: of additions, if a half is new; of a policy, if nothing else manages a half.
fn is_written(change: &ChangeDocument, egress: &RuleRow, ingress: &RuleRow) -> bool {
    let ours = change.is_ours(&egress.group_id) && change.is_ours(&ingress.group_id);
    let halves = [egress, ingress];
    ours && match change.scope {
        ChangeScope::Additions => halves.iter().any(|rule| rule.status == Status::Add),
        ChangeScope::Policy => halves.iter().all(|rule| rule.managed_at.is_none()),
    }
}

/// What the module's 2.x can say: two groups of one account, a protocol with ports or ICMP, and an id for whatever stands already. It
/// wants a description and has one map of tags for all rules, so a policy's files leave to others what has none, or tags of its own.
pub(super) fn fits_module(change: &ChangeDocument, egress: &RuleRow, ingress: &RuleRow) -> bool {
    let importable = |rule: &RuleRow| match change.scope {
        ChangeScope::Additions => {
            rule.status == Status::Add || rule.security_group_rule_id.is_some()
        }
        ChangeScope::Policy => !rule.wording.is_empty() && rule.tags.is_empty(),
    };
    change
        .foreign_owner(&egress.group_id, &ingress.group_id)
        .is_none()
        && importable(egress)
        && importable(ingress)
        && egress.permission.api_ports().is_some()
}

/// `10_0_0_0_16`, `2001_db8___32`.
pub(super) fn prefix_words(net: &str) -> String {
    net.replace(['.', ':', '/'], "_")
}

/// `web-to-db-tcp-3306`, made of identifiers only; of a policy its own name, with the prefix where there is one.
fn name(change: &ChangeDocument, rule: &RuleRow, separator: &str) -> String {
    if let Some(name) = &rule.name {
        return match &rule.permission.target {
            TargetRow::CidrIpv4(net) | TargetRow::CidrIpv6(net) => {
                format!("{name}_net_{}", prefix_words(net))
            }
            TargetRow::SecurityGroup(_) | TargetRow::PrefixList(_) => name.clone(),
        };
    }
    let PermissionRow {
        direction,
        protocol,
        from_port,
        to_port,
        target,
        ..
    } = &rule.permission;
    let other = match target {
        TargetRow::SecurityGroup(id) => identifier(change.group_name(id)),
        TargetRow::PrefixList(id) => {
            identifier(change.list_name(id).trim_start_matches("com.amazonaws."))
        }
        TargetRow::CidrIpv4(net) | TargetRow::CidrIpv6(net) => {
            identifier(&format!("net-{net}")).replace('.', "-")
        }
    };
    let own = identifier(&rule.group_name);
    let mut parts = vec![
        own,
        direction.preposition().to_owned(),
        other,
        protocol.clone(),
    ];
    if let Some(from) = from_port {
        parts.push(from.to_string());
        parts.extend(to_port.filter(|to| to != from).map(|to| to.to_string()));
    }
    parts.join(separator)
}

/// Keeps names apart: those that clash all get the end of their rule's id, so
/// that none depends on the order of the others; and the whole of it where somebody has taken that name as well.
pub(super) fn unique<T>(named: Vec<(String, T)>, id: impl Fn(&T) -> &str) -> BTreeMap<String, T> {
    let mut counts: HashMap<String, u32> = HashMap::default();
    for (name, _) in &named {
        *counts.entry(name.clone()).or_default() += 1;
    }
    let mut apart = BTreeMap::new();
    for (name, value) in named {
        let id = identifier(id(&value));
        let separator = if name.contains('-') { "-" } else { "_" };
        let longer = |end: &str| format!("{name}{separator}{}", end.replace('-', separator));
        let mut unique = name.clone();
        if counts[&name] > 1 {
            unique = longer(&id[id.len().saturating_sub(8)..]);
        }
        while counts[&name] > 1 && counts.contains_key(&unique) || apart.contains_key(&unique) {
            unique = longer(&format!("{id}{separator}{}", apart.len()));
        }
        apart.insert(unique, value);
    }
    apart
}
