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
mod level;
mod notices;
mod other_accounts;
mod over_quota;
mod pairs;
mod quota;
mod ranges;
mod revoke;
mod rule;
mod singles;

pub use crate::documents::Status;
pub use evidence::RuleEvidence;
pub use kept_open::{KeptOpen, KeptOpenBecause};
pub use level::{Generalise, Level, Limits};
pub use notices::notices;
pub use other_accounts::{ForeignGroup, OtherHalf, other_halves};
pub use over_quota::OverQuota;
pub use quota::{GROUPS_PER_INTERFACE, RULES_PER_GROUP};
pub use rule::{Reason, Revocation, RuleSet, SuggestedRule, rule_id};

use std::sync::Arc;

use rayon::prelude::*;

use crate::inventory::{Gates, Rule};
use candidates::Candidates;
use demand::Demand;
use level::GroupLimits;
use ranges::Mutual;
use rule::Draft;

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
    fn new(evidence: &RuleEvidence<'_>) -> Self {
        let inventory = evidence.inventory;
        let (revocations, kept_open) = revoke::open_egress(evidence);
        let remaining: Vec<_> = inventory
            .group_indexes()
            .map(|group| revoke::remaining(inventory, group, &revocations))
            .collect();
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
        let standing = Arc::new(Standing::new(evidence));
        Self::of(*evidence, standing, Candidates::new(evidence))
    }

    /// The same from connections that were first seen before some time alone; Unix seconds.
    #[must_use]
    pub fn before(&self, time: u64) -> Self {
        let evidence = RuleEvidence {
            before: Some(time),
            ..self.evidence
        };
        let candidates = self.candidates.of(&evidence);
        Self::of(evidence, Arc::clone(&self.standing), candidates)
    }

    fn of(evidence: RuleEvidence<'a>, standing: Arc<Standing>, candidates: Candidates<'a>) -> Self {
        let demands = Demand::by_service(&evidence);
        let chosen: Vec<(Vec<Mutual>, Vec<usize>)> = demands
            .par_iter()
            .map(|demand| pairs::choose(demand, &candidates))
            .collect();
        let (mutuals, alone): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
        Self {
            evidence,
            standing,
            candidates,
            demands,
            mutuals: mutuals.into_iter().flatten().collect(),
            alone,
        }
    }

    /// Makes the rules, at a level. A group that would have more rules than
    /// AWS takes does without prefix lists that count for more rules than the addresses they stand for, then goes to a wider level,
    /// alone, as far as there is one.
    pub fn rules(&self, level: Level) -> RuleSet {
        let inventory = self.evidence.inventory;
        let mut levels = vec![level; inventory.groups().len()];
        let mut thrifty = vec![false; inventory.groups().len()];
        loop {
            let mut set = self.draft(&levels, &thrifty);
            let over = quota::over(inventory, &set, &self.standing.remaining);
            let mut widened = false;
            for found in &over {
                let group = found.group.index();
                if !thrifty[group] {
                    thrifty[group] = true;
                    widened = true;
                } else if let Some(wider) = levels[group].wider() {
                    levels[group] = wider;
                    widened = true;
                }
            }
            if !widened {
                set.over_quota = over;
                return set;
            }
        }
    }

    /// The rules, with each group at a level of its own; a thrifty one has no list that costs more than it stands for.
    fn draft(&self, levels: &[Level], thrifty: &[bool]) -> RuleSet {
        let RuleEvidence {
            inventory,
            connections,
            generalise,
            ..
        } = self.evidence;
        let mut draft = Draft::new(inventory, &self.standing.remaining, connections);
        let limits: Vec<GroupLimits<'_>> = levels
            .iter()
            .zip(thrifty)
            .map(|(&level, &thrifty)| GroupLimits {
                beyond_exact: generalise.limits(level),
                thrifty,
            })
            .collect();
        let candidates = &self.candidates;
        ranges::write(&self.mutuals, (generalise, levels), candidates, &mut draft);
        for (demand, alone) in self.demands.iter().zip(&self.alone) {
            singles::write(
                demand,
                alone,
                candidates,
                &self.standing.surviving,
                &limits,
                &mut draft,
            );
        }
        let Standing {
            revocations,
            kept_open,
            ..
        } = &*self.standing;
        draft.finish(revocations.clone(), kept_open.clone())
    }
}
