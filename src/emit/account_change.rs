//! A policy's change as the accounts apply it: each its own part, for nobody has credentials of two.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{ChangeDocument, TargetRow};
use crate::policy::{NO_ACCOUNT, PolicySet, account_directory};

/// What a policy wants of each account, by the name of the account's directory. Accounts in which nothing is wanted are there if the
/// policy has a group of theirs. A rule is its group's: so the halves of a pair between two accounts are in two parts.
pub fn account_changes(
    change: &ChangeDocument,
    policy: &PolicySet,
) -> BTreeMap<String, ChangeDocument> {
    let places = Places { change, policy };
    let mut accounts: BTreeSet<&str> = BTreeSet::new();
    accounts.extend(policy.groups.keys().map(|id| places.of(id)));
    accounts.extend(change.rules.iter().map(|rule| places.of(&rule.group_id)));
    let parts = accounts.into_iter().map(|account| (account, empty(change)));
    let mut parts: BTreeMap<&str, ChangeDocument> = parts.collect();
    for row in &change.rules {
        if let Some(part) = parts.get_mut(places.of(&row.group_id)) {
            part.rules.push(row.clone());
        }
    }
    for row in &change.revocations {
        if let Some(part) = parts.get_mut(places.of(&row.group_id)) {
            part.revocations.push(row.clone());
        }
    }
    for row in &change.not_written {
        if let Some(part) = parts.get_mut(places.of(&row.group_id)) {
            part.not_written.push(row.clone());
        }
    }
    for row in &change.groups {
        if let Some(part) = parts.get_mut(places.of(&row.id)) {
            part.groups.push(row.clone());
        }
    }
    for (account, part) in &mut parts {
        let named = named(part);
        let others = named.iter().filter_map(|id| change.group(id));
        let others = others.filter(|row| places.of(&row.id) != *account);
        part.groups.extend(others.cloned());
        // Groups are found by their order.
        part.groups.sort_by(|a, b| a.id.cmp(&b.id));
        let lists = change.prefix_lists.iter();
        let lists = lists.filter(|list| named.contains(&list.id));
        part.prefix_lists.extend(lists.cloned());
    }
    let parts = parts.into_iter();
    parts
        .map(|(account, part)| (account.to_owned(), part))
        .collect()
}

/// A change of the same kind in which nothing changes.
fn empty(change: &ChangeDocument) -> ChangeDocument {
    ChangeDocument {
        schema_version: change.schema_version,
        scope: change.scope,
        rules: Vec::new(),
        revocations: Vec::new(),
        tightenings: Vec::new(),
        groups: Vec::new(),
        prefix_lists: Vec::new(),
        stages: Vec::new(),
        decisions: Vec::new(),
        left_out: change.left_out,
        not_written: Vec::new(),
    }
}

/// Which account a group is of.
struct Places<'a> {
    change: &'a ChangeDocument,
    policy: &'a PolicySet,
}

impl<'a> Places<'a> {
    /// As the inventory has it, else as the group's file has it.
    fn of(&self, group: &str) -> &'a str {
        let known = self.change.group(group).map(|row| row.owner.as_str());
        let known = known.map_or(NO_ACCOUNT, account_directory);
        if known != NO_ACCOUNT {
            return known;
        }
        let file = self.policy.groups.get(group);
        file.map_or(NO_ACCOUNT, |file| account_directory(&file.account))
    }
}

/// The ids of groups and lists that the rules of a part name, those of today too.
fn named(part: &ChangeDocument) -> BTreeSet<String> {
    let rules = part.rules.iter().map(|row| &row.permission);
    let gone = part.revocations.iter().map(|row| &row.permission);
    let today = part.groups.iter().flat_map(|group| &group.today);
    let today = today.map(|row| &row.permission);
    let ids = rules.chain(gone).chain(today);
    let ids = ids.filter_map(|row| match &row.target {
        TargetRow::SecurityGroup(id) | TargetRow::PrefixList(id) => Some(id.clone()),
        TargetRow::CidrIpv4(_) | TargetRow::CidrIpv6(_) => None,
    });
    ids.collect()
}
