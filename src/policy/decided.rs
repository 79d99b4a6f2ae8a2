//! A policy's decisions in the terms of the stage that suggests rules.

use jiff::civil::Date;

use super::desired::desired;
use super::entry::{EntryState, PolicyTarget};
use super::group::PolicySet;
use crate::inventory::{GroupIx, Inventory, Rule};
use crate::suggest::{AcceptedRule, DecidedRules, GroupDecisions};

/// What a policy says on a day about the groups of an account. Entries of groups that the inventory lacks say nothing.
pub fn decided(policy: &PolicySet, inventory: &Inventory, today: Date) -> DecidedRules {
    let mut groups = vec![GroupDecisions::default(); inventory.groups().len()];
    for (id, group) in &desired(policy, inventory, today).groups {
        let Some(ix) = inventory.group_by_id(id) else {
            continue;
        };
        let own = &mut groups[ix.index()];
        own.outside = group.reopened().cloned().collect();
        let wanted = group.wanted.iter().filter_map(|wanted| {
            Some(AcceptedRule {
                key: wanted.because.first()?.entry.key.clone(),
                mutual: wanted
                    .other_half(id)
                    .and_then(|(other, half)| Some((inventory.group_by_id(other)?, half))),
                stands: wanted.stands,
                rule: wanted.rule.clone(),
            })
        });
        own.accepted = wanted.collect();
    }
    for (group, entry) in policy.entries() {
        if entry.holds_on(today) {
            continue;
        }
        let own = inventory.group_by_id(&group.group);
        if entry.state == EntryState::Declined {
            if let Some(ix) = own {
                groups[ix.index()].declined.extend(entry.rules());
            }
            continue;
        }
        let mut ask = |ix: Option<GroupIx>, rules: Vec<Rule>| {
            if let Some(ix) = ix {
                let rules = rules.into_iter().map(|rule| (entry.key.clone(), rule));
                groups[ix.index()].undecided.extend(rules);
            }
        };
        ask(own, entry.rules());
        if let PolicyTarget::Group(other) = &entry.target {
            ask(inventory.group_by_id(other), entry.other_half(&group.group));
        }
    }
    DecidedRules::new(inventory, groups)
}
