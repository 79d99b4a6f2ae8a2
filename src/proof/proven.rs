//! Of the rules that were made, those that hold up.

use std::collections::BTreeSet;

use super::widening::{Widening, wider};
use crate::inventory::GroupIx;
use crate::replay::{RulesAfter, replay};
use crate::suggest::{
    KeptOpen, KeptOpenBecause, QuotaPressure, Reason, Revocation, RevokedBecause, RuleEvidence,
    RuleSet, SuggestedRule,
};

/// Leaves out every proposal that would permit what today's rules deny, with the other half of its pair. No such rule should have been
/// made, so this is a second lock. Rules that a policy wants are no proposals: people decided about them, and may have decided to permit
/// more than today. Where a connection would be lost for it, the open rule that permits it stays. Returns what
/// holds up, applied, and one case of each rule that was left out.
pub fn proven(
    evidence: &RuleEvidence<'_>,
    mut rules: RuleSet,
) -> (RuleSet, RulesAfter, Vec<Widening>) {
    let RuleEvidence {
        inventory, today, ..
    } = *evidence;
    let mut left_out: Vec<Widening> = Vec::new();
    loop {
        let after = RulesAfter::new(inventory, &rules.change());
        let mut found = wider(inventory, today, &after);
        found.retain(|wider| !rules.is_of_policy(wider.group, &wider.rule));
        if found.is_empty() {
            // Rules that are left out for their number take no connection with them.
            let is_left_out = |pressure: &QuotaPressure| pressure.is_left_out();
            if rules.pressure.iter().any(is_left_out) {
                let losers = losers(evidence, &after);
                if stay_open(&mut rules, &losers, KeptOpenBecause::OverQuota) {
                    continue;
                }
            }
            left_out.sort_by(|a, b| (a.group, &a.rule).cmp(&(b.group, &b.rule)));
            return (rules, after, left_out);
        }
        leave_out(&mut rules.rules, &found);
        left_out.extend(found);
        let after = RulesAfter::new(inventory, &rules.change());
        let losers = losers(evidence, &after);
        stay_open(&mut rules, &losers, KeptOpenBecause::Unproven);
    }
}

/// The groups of initiators that would lose a connection.
fn losers(evidence: &RuleEvidence<'_>, after: &RulesAfter) -> BTreeSet<GroupIx> {
    let (inventory, connections) = (evidence.inventory, evidence.connections);
    let lost = replay(inventory, after, connections).lost.into_iter();
    lost.filter_map(|position| connections[position].initiator.interface())
        .flat_map(|ix| inventory.interface(ix).groups.iter().copied())
        .collect()
}

/// Takes rules away, and the other halves of their pairs.
fn leave_out(rules: &mut Vec<SuggestedRule>, found: &[Widening]) {
    let is_wider = |rule: &SuggestedRule| {
        found
            .iter()
            .any(|w| w.group == rule.group && w.rule.same_permission(&rule.rule))
    };
    let gone: BTreeSet<String> = rules
        .iter()
        .filter(|rule| is_wider(rule))
        .flat_map(|rule| std::iter::once(rule.id.clone()).chain(rule.pair.clone()))
        .collect();
    rules.retain(|rule| rule.reason == Reason::Policy || !gone.contains(&rule.id));
}

/// Lets groups keep their open rules; says whether some were to go.
fn stay_open(rules: &mut RuleSet, groups: &BTreeSet<GroupIx>, because: KeptOpenBecause) -> bool {
    let stays = |revocation: &mut Revocation| groups.contains(&revocation.group);
    let staying: Vec<Revocation> = rules.revocations.extract_if(.., stays).collect();
    // In the order of their groups, as the revocations are.
    for own in staying.chunk_by(|a, b| a.group == b.group) {
        let is_port = |gone: &Revocation| gone.because == RevokedBecause::OpenPort;
        let open = own.iter().map(|gone| is_port(gone).then_some(&gone.rule));
        let kept = KeptOpen::of(own[0].group, open, because);
        rules.kept_open.extend(kept);
    }
    let in_order = |a: &KeptOpen, b: &KeptOpen| (a.group, &a.rule).cmp(&(b.group, &b.rule));
    rules.kept_open.sort_by(in_order);
    !staying.is_empty()
}
