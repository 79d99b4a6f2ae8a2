//! How the account, the traffic and a Terraform plan differ from the policy.
//!
//! A policy and an inventory in, with connections and a planned change if there are some; [`Difference`]s out, the group with the worst one
//! first. Which rules the policy wants is [`crate::policy::desired()`]'s to say. What the inventory does not tell is said to be unknown, and
//! never taken for missing.

mod account;
mod basis;
mod difference;
mod fold;
mod permitted;
mod plan;
mod policy_rules;
mod traffic;
mod unused;

pub use basis::{DriftBasis, DriftTraffic, PlannedChange};
pub use difference::Difference;

use std::collections::BTreeMap;

use crate::documents::{DriftKind, DriftLevel};
use crate::policy::{self, DesiredState};
use crate::replay::RulesAfter;
use policy_rules::PolicyRules;

/// Every difference, and what could not be judged.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// By group: the one with the worst difference first, and in it the worst first.
    pub differences: Vec<Difference>,
    /// Accepted connections that the inventory does not tell enough to judge.
    pub not_judged: u64,
    /// Whether a plan was compared.
    pub with_plan: bool,
}

impl Drift {
    /// Whether a difference stands that decides the exit code.
    pub fn differs(&self) -> bool {
        let mut all = self.differences.iter();
        all.any(|difference| difference.decides(self.with_plan))
    }
}

/// Compares a policy with everything that is given.
pub fn drift(basis: &DriftBasis<'_>) -> Drift {
    let desired = policy::desired(basis.policy, basis.inventory, basis.today);
    let mut differences = Vec::new();
    let mut not_judged = 0;
    account::account(basis, &desired, &mut differences);
    let after = basis
        .plan
        .map(|planned| plan::plan(basis, &desired, planned, &mut differences));
    match basis.traffic {
        None => unused::unused(basis, None, &mut differences),
        Some(connections) => {
            let rules = PolicyRules::new(basis, &desired);
            let seen = traffic::traffic(basis, &rules, connections, &mut differences);
            not_judged = seen.not_judged;
            unused::unused(basis, Some(&seen.used), &mut differences);
            if let (Some(planned), Some(after)) = (basis.plan, &after) {
                let found = &mut differences;
                let lost = plan::loses(basis, &rules, planned, after, connections, found);
                not_judged = not_judged.max(lost);
            }
        }
    }
    if let Some(after) = &after {
        mark_ended(basis, &desired, after, &mut differences);
    }
    sort(&mut differences);
    Drift {
        differences,
        not_judged,
        with_plan: basis.plan.is_some(),
    }
}

/// Marks the differences of today that a plan ends.
fn mark_ended(
    basis: &DriftBasis<'_>,
    desired: &DesiredState<'_>,
    after: &RulesAfter,
    differences: &mut [Difference],
) {
    for difference in differences {
        let group = difference.group.as_deref();
        let Some((group, rule)) = group.zip(difference.rule.as_ref()) else {
            continue;
        };
        let Some(ix) = basis.inventory.group_by_id(group) else {
            continue;
        };
        if !desired.groups.contains_key(group) {
            continue;
        }
        let mut rules = after.rules_of(ix).iter();
        let stands = rules.any(|own| own.same_permission(rule));
        difference.ended_by_plan = match difference.kind {
            DriftKind::RuleMissing => stands,
            DriftKind::GroupReopened
            | DriftKind::RuleOutside
            | DriftKind::RuleCovered
            | DriftKind::IngressOutside => !stands,
            _ => false,
        };
    }
}

/// The group with the worst difference first, and in it the worst first. What is about no group comes last.
fn sort(differences: &mut [Difference]) {
    let mut worst: BTreeMap<Option<String>, DriftLevel> = BTreeMap::new();
    for difference in differences.iter() {
        let level = worst
            .entry(difference.group.clone())
            .or_insert(difference.level);
        *level = (*level).min(difference.level);
    }
    differences.sort_by(|a, b| {
        let key = |d: &Difference| (d.group.is_none(), worst.get(&d.group).copied());
        let places = key(a).cmp(&key(b)).then_with(|| a.group.cmp(&b.group));
        places
            .then_with(|| (a.level, a.kind).cmp(&(b.level, b.kind)))
            .then_with(|| (&a.key, &a.rule, &a.about).cmp(&(&b.key, &b.rule, &b.about)))
            .then_with(|| a.what.cmp(&b.what))
    });
}
