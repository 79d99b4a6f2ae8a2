//! Mutual pairs: a rule on each side, naming the other side's group.

use std::collections::BTreeMap;

use super::candidates::{Candidates, ClassIx};
use super::cover::{Choice, cover};
use super::demand::{Demand, Wanted, groups_of};
use super::ranges::Mutual;
use crate::inventory::{GroupIx, InterfaceIx};
use crate::net::{HashMap, HashSet, Service};

/// A group of initiators and a group of responders.
type Pair = (GroupIx, GroupIx);

/// Chooses pairs for every connection that a valid pair covers; returns them, and the
/// positions (in the demand) of the rest.
pub(super) fn choose(demand: &Demand, candidates: &Candidates<'_>) -> (Vec<Mutual>, Vec<usize>) {
    let eligible: Vec<(usize, &Wanted)> = demand
        .wanted
        .iter()
        .enumerate()
        .filter(|(_, w)| w.by_reference && w.initiator.is_some() && w.responder.is_some())
        .collect();
    let (lots, choices) = choices(&eligible, candidates, demand.service, |(a, b)| {
        candidates.pair_is_open(a, b, demand.service)
    });
    let covers = covers(&choices);
    let cover = cover(eligible.len(), &lots, choices);
    let mut covered: HashSet<usize> = HashSet::default();
    let mut chosen = Vec::new();
    for (a, b) in cover.chosen {
        let mut evidence = Vec::new();
        for &item in &covers[&(a, b)] {
            let (position, wanted) = eligible[item];
            covered.insert(position);
            evidence.push(wanted.connection);
        }
        chosen.push(Mutual {
            initiators: a,
            responders: b,
            service: demand.service,
            evidence,
        });
    }
    let rest = (0..demand.wanted.len()).filter(|position| !covered.contains(position));
    (chosen, rest.collect())
}

/// Every pair of groups that covers some of the connections and is valid, with
/// what it would grant without evidence: pairs of classes, and how many pairs of
/// interfaces of each were never observed.
pub(super) fn choices(
    eligible: &[(usize, &Wanted)],
    candidates: &Candidates<'_>,
    service: Service,
    valid: impl Fn(Pair) -> bool,
) -> (Vec<u64>, Vec<Choice<Pair>>) {
    let mut lots = Lots::default();
    for (_, wanted) in eligible {
        if let (Some(x), Some(y)) = (wanted.initiator, wanted.responder) {
            let pair = (candidates.class_of(x), candidates.class_of(y));
            lots.observed.entry(pair).or_default().insert((x, y));
        }
    }
    let mut covers: BTreeMap<Pair, Vec<usize>> = BTreeMap::new();
    for (item, (_, wanted)) in eligible.iter().enumerate() {
        let (Some(x), Some(y)) = (wanted.initiator, wanted.responder) else {
            continue;
        };
        for &a in groups_of(candidates.inventory, x) {
            for &b in groups_of(candidates.inventory, y) {
                covers.entry((a, b)).or_default().push(item);
            }
        }
    }
    let choices = covers
        .into_iter()
        .filter(|(pair, _)| valid(*pair))
        .map(|(pair, covers)| {
            let classes = candidates
                .classes_with(pair.0)
                .flat_map(|x| candidates.classes_with(pair.1).map(move |y| (x, y)));
            let grants = classes
                .map(|pair| lots.position(candidates, pair))
                .collect();
            let novel = !candidates.is_named(pair.0, pair.1, service);
            Choice {
                key: pair,
                covers,
                grants,
                novel,
            }
        })
        .collect();
    (lots.weights, choices)
}

/// What each choice covers.
pub(super) fn covers(choices: &[Choice<Pair>]) -> HashMap<Pair, Vec<usize>> {
    let covers = choices.iter();
    covers
        .map(|choice| (choice.key, choice.covers.clone()))
        .collect()
}

/// Pairs of classes that choices grant, each with its weight.
#[derive(Default)]
struct Lots {
    observed: HashMap<(ClassIx, ClassIx), HashSet<(InterfaceIx, InterfaceIx)>>,
    positions: HashMap<(ClassIx, ClassIx), usize>,
    weights: Vec<u64>,
}

impl Lots {
    fn position(&mut self, candidates: &Candidates<'_>, pair: (ClassIx, ClassIx)) -> usize {
        *self.positions.entry(pair).or_insert_with(|| {
            let (from, to) = (candidates.members_of(pair.0), candidates.members_of(pair.1));
            let itself = if pair.0 == pair.1 { from.len() } else { 0 };
            let seen = self
                .observed
                .get(&pair)
                .map_or(0, |seen| seen.iter().filter(|(x, y)| x != y).count());
            self.weights
                .push((from.len() * to.len() - itself - seen) as u64);
            self.weights.len() - 1
        })
    }
}
