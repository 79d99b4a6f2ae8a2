//! Stage 7: the rules that permit what was seen, and the open ones they replace.
//!
//! Accepted connections in; a [`RuleSet`] out. Nothing quarantined, rejected or
//! unattributed reaches this stage's rules, and no rule it proposes permits
//! anything that today's rules deny. Rules that a policy wants are people's.

mod candidates;
mod cover;
mod decided;
mod demand;
mod evidence;
mod kept_open;
mod ladder;
mod level;
mod limits;
mod locked;
mod notices;
mod other_accounts;
mod pairs;
mod quota;
mod ranges;
mod revoke;
mod rule;
mod singles;
mod width;

pub use crate::documents::Status;
pub use decided::{AcceptedRule, DecidedRules, GroupDecisions};
pub use evidence::RuleEvidence;
pub use kept_open::{KeptOpen, KeptOpenBecause};
pub use ladder::{QuotaOption, QuotaPressure, RuleCost, Rung};
pub use level::{Generalise, Level, Limits};
pub use notices::{mark_narrowed, notices};
pub use other_accounts::{ForeignGroup, OtherHalf, other_halves};
pub use quota::{Quotas, counted, quotas};
pub use rule::{Reason, Revocation, RevokedBecause, RuleSet, SuggestedRule, rule_id};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::inventory::{Direction, Gates, GroupIx, Rule, Target};
use crate::net::{AddressSet, Service, is_public};
use candidates::Candidates;
use demand::{Demand, Served};
use ladder::Rungs;
use limits::GroupLimits;
use ranges::Mutual;
use revoke::Staying;
use rule::Draft;
use singles::Singles;

/// What the rules of every level have in common.
#[derive(Debug)]
pub struct RuleBasis<'a> {
    evidence: RuleEvidence<'a>,
    standing: Arc<Standing>,
    candidates: Candidates<'a>,
    demands: Vec<Demand>,
    /// What the policy permits already.
    served: Served,
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
    /// What is named as staying does not go.
    fn new(evidence: &RuleEvidence<'_>, staying: &Staying) -> Self {
        let inventory = evidence.inventory;
        let (mut revocations, mut kept_open) = revoke::open_rules(evidence, staying);
        if let Some(policy) = evidence.policy {
            let (over_quota, today) = (&staying.over_quota, (revocations, kept_open));
            (revocations, kept_open) = locked::beside_policy(inventory, policy, over_quota, today);
        }
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
        let standing = Arc::new(Standing::new(evidence, &Staying::default()));
        let quotas = Arc::new(quotas(evidence.inventory, evidence.quotas));
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
        let (demands, served) = Demand::by_service(&evidence);
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
            served,
            mutuals: mutuals.into_iter().flatten().collect(),
            alone,
            singles,
            quotas,
        }
    }

    /// How many accepted connections that rules judge a policy permits, and how many it does not.
    pub fn beside_policy(&self) -> (u64, u64) {
        let beyond = self.demands.iter().map(|demand| demand.wanted.len() as u64);
        (self.served.connections, beyond.sum())
    }

    /// Makes the rules, at a level. A group that would have more rules than AWS takes goes up the ladder of [`Rung`]s, alone and
    /// by direction, as far as it has to. Where nothing fits, its rules to add are left out: open egress stays, and ingress of today
    /// goes on serving. A rule for some ports stays earlier than that: where it would be made again, or where what replaces it is too
    /// much.
    pub fn rules(&self, level: Level) -> RuleSet {
        let mut rungs = Rungs::default();
        let mut pressure: BTreeMap<(GroupIx, Direction), QuotaPressure> = BTreeMap::new();
        let mut standing = Arc::clone(&self.standing);
        let mut staying = Staying::default();
        let mut made: Option<Vec<Singles>> = None;
        loop {
            let beside = made.as_ref().unwrap_or(&self.singles);
            let mut set = self.draft(level, &rungs, &standing, beside);
            let mut stay = staying.clone();
            stay.ports.extend(revoke::made_again(&self.evidence, &set));
            if stay == staying {
                leave_out(&mut set.rules, &rungs);
                if !self.climb(&set.rules, &mut rungs, &mut pressure) {
                    set.pressure = pressure.into_values().collect();
                    return set;
                }
                stay.over_quota = self.over_quota(&rungs);
                let left_out = rungs.left_out(Direction::Egress);
                let gone = &standing.revocations;
                let crowding = revoke::crowding(self.evidence.inventory, gone, left_out);
                stay.ports.extend(crowding);
            }
            if stay.ports != staying.ports {
                // Connections that a rule of today goes on permitting need no rule, so every group may fit at the foot of the ladder.
                (rungs, pressure) = (Rungs::default(), BTreeMap::new());
                stay.over_quota.clear();
            }
            if stay != staying {
                staying = stay;
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

    /// Takes every group that has more rules than AWS takes a rung up; says whether there was one.
    fn climb(
        &self,
        rules: &[SuggestedRule],
        rungs: &mut Rungs,
        pressure: &mut BTreeMap<(GroupIx, Direction), QuotaPressure>,
    ) -> bool {
        let inventory = self.evidence.inventory;
        let added = rules.iter().filter(|rule| rule.status == Status::Add);
        let counts = quota::counts(inventory, added.map(|rule| (rule.group, &rule.rule)));
        let mut climbed = false;
        for group in inventory.group_indexes() {
            let (own, quotas) = (&counts[group.index()], self.quotas[group.index()]);
            for &direction in Direction::ALL {
                let rung = rungs.of(group, direction);
                let key = (group, direction);
                let is_over = own.of(direction) > quotas.rules_per_group;
                if !is_over && !pressure.contains_key(&key) || rung == Rung::LeftOut {
                    continue;
                }
                let cost = RuleCost {
                    rules: own.of(direction),
                    addresses: addresses_opened(rules, group, direction),
                };
                let known = pressure.entry(key).or_insert(QuotaPressure {
                    group,
                    direction,
                    at_level: cost,
                    rung,
                    fewest: cost,
                    quotas,
                });
                (known.rung, known.fewest) = (rung, cost);
                let Some(mut next) = rung.next(direction).filter(|_| is_over) else {
                    continue;
                };
                climbed = true;
                if next == Rung::OnePort {
                    let over = own.families(direction);
                    let over = over.map(|rules| rules.saturating_sub(quotas.rules_per_group));
                    rungs.open(group, widest_services(rules, group, over));
                } else if rung == Rung::OnePort {
                    // What was to be opened may not be; the other services are left.
                    let all = widest_services(rules, group, [u64::MAX; 2]);
                    if rungs.open(group, all) {
                        next = rung;
                    }
                }
                known.rung = next;
                rungs.climb(group, direction, next);
            }
        }
        climbed
    }

    /// The groups whose open egress has to stay: those whose rules are left out, or, where such a group has none that goes, those
    /// beside it.
    fn over_quota(&self, rungs: &Rungs) -> BTreeSet<GroupIx> {
        let inventory = self.evidence.inventory;
        let goes = |group: GroupIx| {
            let gone = &self.standing.revocations;
            let from = gone.partition_point(|gone| gone.group < group);
            let mut own = gone[from..].iter().take_while(|gone| gone.group == group);
            own.any(|gone| gone.rule.is_open_egress())
        };
        let mut staying = BTreeSet::new();
        for group in rungs.left_out(Direction::Egress) {
            if goes(group) {
                staying.insert(group);
                continue;
            }
            for &member in &inventory.group(group).members {
                staying.extend(&inventory.interface(member).groups);
            }
        }
        staying
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
            policy,
            ..
        } = self.evidence;
        let limits = |group: GroupIx, direction: Direction| {
            let (rung, opened) = (rungs.of(group, direction), rungs.opened(group));
            let most = self.quotas[group.index()].rules_per_group;
            GroupLimits::new(generalise, level, rung, opened, most)
        };
        let of_pair = |initiators, responders| {
            let egress = limits(initiators, Direction::Egress).level;
            egress.max(limits(responders, Direction::Ingress).level)
        };
        let mut draft = Draft::new(inventory, &standing.remaining, connections);
        for (place, accepted) in policy.into_iter().flat_map(DecidedRules::accepted) {
            let served = self.served.by_rule.get(&place).map(Vec::as_slice);
            draft.accept(place.0, accepted, served.unwrap_or_default());
        }
        let candidates = &self.candidates;
        ranges::write(&self.mutuals, generalise, of_pair, candidates, &mut draft);
        let groups = inventory.group_indexes();
        let egress: Vec<GroupLimits<'_>> = groups
            .map(|group| limits(group, Direction::Egress))
            .collect();
        for single in singles {
            single.write(candidates, &egress, &mut draft);
        }
        let mut set = draft.finish(standing.revocations.clone(), standing.kept_open.clone());
        if let Some(policy) = policy {
            locked::beside_entries(policy, &mut set);
        }
        set
    }
}

/// How many addresses a group's rules to add name, each counted once; prefix lists apart.
fn addresses_opened(rules: &[SuggestedRule], group: GroupIx, direction: Direction) -> u128 {
    let added = added_of(rules, group, direction);
    let prefixes = added.filter_map(|rule| match &rule.rule.target {
        Target::Cidr(net) => Some(net),
        Target::Group(_) | Target::PrefixList(_) => None,
    });
    AddressSet::new(prefixes).count()
}

/// The services for which a group would have the most rules to public addresses, as many as have to be opened to the whole internet so
/// that `over` rules of each family fewer are left.
fn widest_services(
    rules: &[SuggestedRule],
    group: GroupIx,
    mut over: [u64; 2],
) -> BTreeSet<Service> {
    let mut counts: BTreeMap<Service, [u64; 2]> = BTreeMap::new();
    let added = added_of(rules, group, Direction::Egress);
    // What the policy wants is written whatever is opened.
    for suggested in added.filter(|rule| rule.reason != Reason::Policy) {
        if let Target::Cidr(net) = &suggested.rule.target
            && let Some(service) = suggested.rule.single_service()
            && is_public(net.addr())
        {
            counts.entry(service).or_default()[usize::from(net.addr().is_ipv6())] += 1;
        }
    }
    let mut order: Vec<(Service, [u64; 2])> = counts.into_iter().collect();
    order.sort_by_key(|&(service, [v4, v6])| (Reverse(v4.max(v6)), service));
    let mut opened = BTreeSet::new();
    for (service, families) in order {
        if over == [0; 2] {
            break;
        }
        for (over, count) in over.iter_mut().zip(families) {
            *over = over.saturating_sub(count.saturating_sub(1));
        }
        opened.insert(service);
    }
    opened
}

/// A group's rules to add of one direction.
fn added_of(
    rules: &[SuggestedRule],
    group: GroupIx,
    direction: Direction,
) -> impl Iterator<Item = &SuggestedRule> {
    let from = rules.partition_point(|rule| rule.group < group);
    let to = rules.partition_point(|rule| rule.group <= group);
    rules[from..to]
        .iter()
        .filter(move |rule| rule.status == Status::Add && rule.rule.direction == direction)
}

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
/// ingress half the egress half stays, for ingress of today is never revoked with it. What a policy wants is never left out.
fn leave_out(rules: &mut Vec<SuggestedRule>, rungs: &Rungs) {
    let may_go = |rule: &SuggestedRule| rule.status == Status::Add && rule.reason != Reason::Policy;
    let is_left_out = |rule: &SuggestedRule| {
        let rung = rungs.of(rule.group, rule.rule.direction);
        may_go(rule) && rung == Rung::LeftOut
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
    rules.retain(|rule| !may_go(rule) || !gone.contains(&rule.id));
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
