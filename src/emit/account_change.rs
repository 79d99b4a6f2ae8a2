//! A policy's change as the accounts apply it: each its own part, for nobody has credentials of two.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{ChangeDocument, GroupRow, TargetRow};
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
    let part = |account: &str| (account.to_owned(), places.part(account));
    accounts.into_iter().map(part).collect()
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

    fn part(&self, account: &str) -> ChangeDocument {
        let is_own = |group: &str| self.of(group) == account;
        let mut part = self.change.clone();
        part.rules.retain(|row| is_own(&row.group_id));
        part.revocations.retain(|row| is_own(&row.group_id));
        part.tightenings.retain(|row| is_own(&row.group_id));
        part.decisions.retain(|row| is_own(&row.group_id));
        part.not_written.retain(|row| is_own(&row.group_id));
        let groups = std::mem::take(&mut part.groups).into_iter();
        let (own, others): (Vec<GroupRow>, Vec<GroupRow>) = groups.partition(|row| is_own(&row.id));
        part.groups = own;
        let named = named(&part);
        let others = others.into_iter();
        part.groups
            .extend(others.filter(|row| named.contains(&row.id)));
        part.prefix_lists.retain(|list| named.contains(&list.id));
        // Groups are found by their order.
        part.groups.sort_by(|a, b| a.id.cmp(&b.id));
        part
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
