//! Mutual pairs: a rule on each side, naming the other side's group.

use fixedbitset::FixedBitSet;

use super::candidates::{Candidates, ClassIx};
use super::cover::{Choice, cover};
use super::demand::{Demand, Demanded, groups_of};
use super::ranges::Mutual;
use crate::inventory::{GroupIx, InterfaceIx};
use crate::net::{HashMap, Service};

/// A group of initiators and a group of responders.
type Pair = (GroupIx, GroupIx);

/// Chooses pairs for every connection that a valid pair covers; returns them, and the
/// positions (in the demand) of the rest.
pub(super) fn choose(demand: &Demand, candidates: &Candidates<'_>) -> (Vec<Mutual>, Vec<usize>) {
    let eligible: Vec<(usize, &Demanded)> = demand
        .wanted
        .iter()
        .enumerate()
        .filter(|(_, w)| w.by_reference && w.initiator.is_some() && w.responder.is_some())
        .collect();
    let (lots, mut choices) = choices(&eligible, candidates, demand.service, |(a, b)| {
        candidates.pair_is_open(a, b, demand.service)
    });
    let cover = cover(eligible.len(), &lots, &mut choices);
    let mut covered = FixedBitSet::with_capacity(demand.wanted.len());
    let mut chosen = Vec::new();
    for (a, b) in cover.chosen {
        let mut evidence = Vec::new();
        for &item in covered_by(&choices, (a, b)) {
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
    let rest = (0..demand.wanted.len()).filter(|&position| !covered.contains(position));
    (chosen, rest.collect())
}

/// Every pair of groups that covers some of the connections and is valid, with
/// what it would grant without evidence: pairs of classes, and how many pairs of
/// interfaces of each were never observed.
pub(super) fn choices(
    eligible: &[(usize, &Demanded)],
    candidates: &Candidates<'_>,
    service: Service,
    valid: impl Fn(Pair) -> bool,
) -> (Vec<u64>, Vec<Choice<Pair>>) {
    let ends = |wanted: &Demanded| wanted.initiator.zip(wanted.responder);
    let observed = eligible.iter().filter_map(|(_, w)| ends(w));
    let mut lots = Lots::new(candidates, service, observed);
    let mut covers: Vec<(Pair, usize)> = Vec::with_capacity(eligible.len());
    for (item, (_, wanted)) in eligible.iter().enumerate() {
        let Some((x, y)) = ends(wanted) else {
            continue;
        };
        for a in groups_of(candidates.inventory, x) {
            let pairs = groups_of(candidates.inventory, y).map(|b| (a, b));
            covers.extend(pairs.map(|pair| (pair, item)));
        }
    }
    covers.sort_unstable();
    let choices = covers
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|covers| (covers[0].0, covers.iter().map(|&(_, item)| item).collect()))
        .filter(|&(pair, _)| valid(pair) && !candidates.is_declined(pair, service))
        .map(|(pair, covers): (Pair, Vec<usize>)| {
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

/// What a choice covers; the choices are in the order of their keys.
pub(super) fn covered_by(choices: &[Choice<Pair>], key: Pair) -> &[usize] {
    let position = choices.binary_search_by_key(&key, |choice| choice.key);
    position.map_or(&[], |position| &choices[position].covers)
}

/// Pairs of classes that choices grant, each with its weight.
struct Lots {
    service: Service,
    /// How many pairs of two interfaces were observed.
    observed: HashMap<(ClassIx, ClassIx), usize>,
    positions: HashMap<(ClassIx, ClassIx), usize>,
    weights: Vec<u64>,
}

impl Lots {
    fn new(
        candidates: &Candidates<'_>,
        service: Service,
        observed: impl Iterator<Item = (InterfaceIx, InterfaceIx)>,
    ) -> Self {
        let mut pairs: Vec<(InterfaceIx, InterfaceIx)> = observed.filter(|(x, y)| x != y).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut observed = HashMap::default();
        for (x, y) in pairs {
            let classes = (candidates.class_of(x), candidates.class_of(y));
            *observed.entry(classes).or_default() += 1;
        }
        Self {
            service,
            observed,
            positions: HashMap::default(),
            weights: Vec::new(),
        }
    }

    fn position(&mut self, candidates: &Candidates<'_>, pair: (ClassIx, ClassIx)) -> usize {
        *self.positions.entry(pair).or_insert_with(|| {
            let (from, to) = (candidates.members_of(pair.0), candidates.members_of(pair.1));
            let itself = if pair.0 == pair.1 { from.len() } else { 0 };
            let seen = self.observed.get(&pair).copied().unwrap_or_default();
            // What the policy grants is granted whatever is chosen.
            self.weights
                .push(if candidates.is_granted(pair, self.service) {
                    0
                } else {
                    (from.len() * to.len() - itself - seen) as u64
                });
            self.weights.len() - 1
        })
    }
}
