//! Stage 7: the rules that permit what was seen, and the open ones they replace.
//!
//! Accepted connections in; a [`RuleSet`] out. Nothing quarantined, rejected or
//! unattributed reaches this stage's rules, and no rule it adds permits
//! anything that today's rules deny.

mod candidates;
mod cover;
mod demand;
mod evidence;
mod kept_open;
mod ladder;
mod level;
mod notices;
mod other_accounts;
mod pairs;
mod quota;
mod ranges;
mod revoke;
mod rule;
mod singles;

pub use crate::documents::Status;
pub use evidence::RuleEvidence;
pub use kept_open::{KeptOpen, KeptOpenBecause};
pub use ladder::{QuotaOption, QuotaPressure, RuleCost, Rung};
pub use level::{Generalise, Level, Limits};
pub use notices::notices;
pub use other_accounts::{ForeignGroup, OtherHalf, other_halves};
pub use quota::{Quotas, counted, quotas};
pub use rule::{Reason, Revocation, RuleSet, SuggestedRule, rule_id};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::inventory::{Direction, Gates, GroupIx, Rule, Target};
use crate::net::AddressSet;
use candidates::Candidates;
use demand::Demand;
use ladder::GroupLimits;
use ranges::Mutual;
use rule::Draft;
use singles::Singles;

/// What the rules of every level have in common.
#[derive(Debug)]
pub struct RuleBasis<'a> {
    evidence: RuleEvidence<'a>,
    standing: Arc<Standing>,
    candidates: Candidates<'a>,
    demands: Vec<Demand>,
    mutuals: Vec<Mutual>,
    /// By demand, what no pair covers.
    alone: Vec<Vec<usize>>,
    /// By demand, the rules for what no pair covers, while everything goes that may.
    singles: Vec<Singles>,
    /// By group, what AWS takes.
    quotas: Arc<Vec<Quotas>>,
}

/// What becomes of today's rules.
#[derive(Debug)]
struct Standing {
    revocations: Vec<Revocation>,
    kept_open: Vec<KeptOpen>,
    /// Those that are not revoked, by group.
    remaining: Vec<Vec<Rule>>,
    surviving: Gates,
}

impl Standing {
    /// The open egress of groups over quota stays.
    fn new(evidence: &RuleEvidence<'_>, over_quota: &BTreeSet<GroupIx>) -> Self {
        let inventory = evidence.inventory;
        let (revocations, kept_open) = revoke::open_egress(evidence, over_quota);
        let remaining = revoke::remaining(inventory, &revocations);
        Self {
            surviving: Gates::new(inventory, |group| &remaining[group.index()]),
            revocations,
            kept_open,
            remaining,
        }
    }
}

impl<'a> RuleBasis<'a> {
    /// Finds out what goes, what has to be permitted, and which pairs of groups permit it.
    pub fn new(evidence: &RuleEvidence<'a>) -> Self {
        let standing = Arc::new(Standing::new(evidence, &BTreeSet::new()));
        let quotas = Arc::new(quota::quotas(evidence.inventory, evidence.quotas));
        Self::of(*evidence, standing, Candidates::new(evidence), quotas)
    }

    /// The same from connections that were first seen before some time alone; Unix seconds.
    #[must_use]
    pub fn before(&self, time: u64) -> Self {
        let evidence = RuleEvidence {
            before: Some(time),
            ..self.evidence
        };
        let candidates = self.candidates.of(&evidence);
        let (standing, quotas) = (Arc::clone(&self.standing), Arc::clone(&self.quotas));
        Self::of(evidence, standing, candidates, quotas)
    }

    fn of(
        evidence: RuleEvidence<'a>,
        standing: Arc<Standing>,
        candidates: Candidates<'a>,
        quotas: Arc<Vec<Quotas>>,
    ) -> Self {
        let demands = Demand::by_service(&evidence);
        let chosen: Vec<(Vec<Mutual>, Vec<usize>)> = demands
            .par_iter()
            .map(|demand| pairs::choose(demand, &candidates))
            .collect();
        let (mutuals, alone): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
        let singles = singles(&evidence, (&demands, &alone), &candidates, &standing);
        Self {
            evidence,
            standing,
            candidates,
            demands,
            mutuals: mutuals.into_iter().flatten().collect(),
            alone,
            singles,
            quotas,
        }
    }

    /// Makes the rules, at a level. A group that would have more rules than AWS takes goes up the ladder of [`Rung`]s, alone and
    /// by direction, as far as it has to. Where nothing fits, its rules to add are left out: open egress stays, and ingress of today
    /// goes on serving.
    pub fn rules(&self, level: Level) -> RuleSet {
        let inventory = self.evidence.inventory;
        let mut rungs = Rungs::new();
        let mut pressure: BTreeMap<(GroupIx, Direction), QuotaPressure> = BTreeMap::new();
        let mut standing = Arc::clone(&self.standing);
        let mut made: Option<Vec<Singles>> = None;
        loop {
            let beside = made.as_ref().unwrap_or(&self.singles);
            let mut set = self.draft(level, &rungs, &standing, beside);
            leave_out(&mut set.rules, &rungs);
            let counts = quota::counts(inventory, &set.rules, &standing.remaining);
            let mut climbed = false;
            for group in inventory.group_indexes() {
                let quotas = self.quotas[group.index()];
                for &direction in Direction::ALL {
                    let rules = counts[group.index()].of(direction);
                    let rung = rungs.get(&(group, direction)).copied().unwrap_or_default();
                    let size = || RuleCost {
                        rules,
                        addresses: addresses_opened(&set.rules, group, direction),
                    };
                    if let Some(known) = pressure.get_mut(&(group, direction))
                        && rung != Rung::LeftOut
                    {
                        (known.rung, known.fewest) = (rung, size());
                    }
                    let is_over = rules > quotas.rules_per_group;
                    if let Some(next) = rung.next(direction).filter(|_| is_over) {
                        rungs.insert((group, direction), next);
                        let found = pressure.entry((group, direction));
                        let found = found.or_insert_with(|| QuotaPressure {
                            group,
                            direction,
                            at_level: size(),
                            rung,
                            fewest: size(),
                            quotas,
                        });
                        if next == Rung::LeftOut {
                            found.rung = next;
                        }
                        climbed = true;
                    }
                }
            }
            if !climbed {
                set.pressure = pressure.into_values().collect();
                return set;
            }
            let left_out = rungs.iter().filter(|(_, rung)| **rung == Rung::LeftOut);
            let egress = left_out.filter(|((_, direction), _)| *direction == Direction::Egress);
            let staying: BTreeSet<GroupIx> = egress.map(|((group, _), _)| *group).collect();
            if !staying.is_empty() {
                standing = Arc::new(Standing::new(&self.evidence, &staying));
                let demands = (&self.demands[..], &self.alone[..]);
                made = Some(singles(
                    &self.evidence,
                    demands,
                    &self.candidates,
                    &standing,
                ));
            }
        }
    }

    /// The rules, with each group on a rung of its own.
    fn draft(
        &self,
        level: Level,
        rungs: &Rungs,
        standing: &Standing,
        singles: &[Singles],
    ) -> RuleSet {
        let RuleEvidence {
            inventory,
            connections,
            generalise,
            ..
        } = self.evidence;
        let limits = |group: GroupIx, direction: Direction| {
            let rung = rungs.get(&(group, direction)).copied().unwrap_or_default();
            let most = self.quotas[group.index()].rules_per_group;
            GroupLimits::new(generalise, level, rung, most)
        };
        let of_pair = |initiators, responders| {
            let egress = limits(initiators, Direction::Egress).level;
            egress.max(limits(responders, Direction::Ingress).level)
        };
        let mut draft = Draft::new(inventory, &standing.remaining, connections);
        let candidates = &self.candidates;
        ranges::write(&self.mutuals, generalise, of_pair, candidates, &mut draft);
        let groups = inventory.group_indexes();
        let egress: Vec<GroupLimits<'_>> = groups
            .map(|group| limits(group, Direction::Egress))
            .collect();
        for single in singles {
            single.write(candidates, &egress, &mut draft);
        }
        draft.finish(standing.revocations.clone(), standing.kept_open.clone())
    }
}

/// How many addresses a group's rules to add name, each counted once; prefix lists apart.
fn addresses_opened(rules: &[SuggestedRule], group: GroupIx, direction: Direction) -> u128 {
    let from = rules.partition_point(|rule| rule.group < group);
    let to = rules.partition_point(|rule| rule.group <= group);
    let added = rules[from..to]
        .iter()
        .filter(|rule| rule.status == Status::Add && rule.rule.direction == direction);
    let prefixes = added.filter_map(|rule| match &rule.rule.target {
        Target::Cidr(net) => Some(net),
        Target::Group(_) | Target::PrefixList(_) => None,
    });
    AddressSet::new(prefixes).count()
}

/// Where groups are on the ladder that are not at its foot.
type Rungs = BTreeMap<(GroupIx, Direction), Rung>;

/// By demand, the rules for what no pair covers.
fn singles(
    evidence: &RuleEvidence<'_>,
    (demands, alone): (&[Demand], &[Vec<usize>]),
    candidates: &Candidates<'_>,
    standing: &Standing,
) -> Vec<Singles> {
    let (inventory, connections) = (evidence.inventory, evidence.connections);
    let both = demands.par_iter().zip(alone);
    both.map(|(demand, alone)| {
        let draft = Draft::new(inventory, &standing.remaining, connections);
        Singles::new(demand, alone, candidates, &standing.surviving, draft)
    })
    .collect()
}

/// Takes away the rules to add of groups for which nothing fits. An egress rule takes the other half of its pair with it; without an
/// ingress half the egress half stays, for ingress of today is never revoked with it.
fn leave_out(rules: &mut Vec<SuggestedRule>, rungs: &Rungs) {
    let is_left_out = |rule: &SuggestedRule| {
        let rung = rungs.get(&(rule.group, rule.rule.direction));
        rule.status == Status::Add && rung == Some(&Rung::LeftOut)
    };
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for rule in rules.iter().filter(|rule| is_left_out(rule)) {
        gone.insert(rule.id.clone());
        if rule.rule.direction == Direction::Egress {
            gone.extend(rule.pair.clone());
        }
    }
    if gone.is_empty() {
        return;
    }
    rules.retain(|rule| rule.status == Status::Keep || !gone.contains(&rule.id));
    let left: BTreeSet<String> = rules.iter().map(|rule| rule.id.clone()).collect();
    for rule in rules {
        if rule.pair.as_ref().is_some_and(|pair| !left.contains(pair)) {
            rule.pair = None;
            if rule.rule.direction == Direction::Egress && rule.status == Status::Add {
                rule.reason = Reason::IngressFull;
            }
        }
    }
}
