//! Choosing the few candidates that cover everything and grant the least.
//!
//! Weighted set cover. What a choice grants is a set of lots with weights, so that
//! what two choices both grant is paid for once. Components that share neither item
//! nor lot are solved apart: exactly up to [`EXACT_UP_TO`] choices, greedily above.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;

use crate::net::HashSet;

/// A choice: what it covers, and what it grants.
#[derive(Clone, Debug)]
pub(super) struct Choice<K> {
    /// What is chosen; also the last tie-breaker.
    pub(super) key: K,
    /// Positions of the items it covers.
    pub(super) covers: Vec<usize>,
    /// Positions of the lots it grants; see [`cover`].
    pub(super) grants: Vec<usize>,
    /// It says something that no rule of today says: an interface that joins the
    /// group tomorrow would be let through where today it is not.
    pub(super) novel: bool,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cover<K> {
    /// The chosen keys, in order.
    pub(super) chosen: Vec<K>,
    /// Items that no choice covers.
    pub(super) uncovered: Vec<usize>,
}

/// Components with more choices than this are covered greedily.
const EXACT_UP_TO: usize = 20;

/// Covers the items with the least weight of granted lots; then with the fewest
/// novel choices, then the fewest choices, then the smallest keys. The greedy
/// choice costs at most H(n) times the optimum for n items (Chvátal 1979). Leaves the choices in
/// the order of their keys.
pub(super) fn cover<K: Ord + Copy>(
    items: usize,
    lots: &[u64],
    choices: &mut [Choice<K>],
) -> Cover<K> {
    choices.sort_by_key(|choice| choice.key);
    let mut chosen: Vec<K> = Vec::new();
    for component in components(items, lots.len(), choices) {
        let search = Search {
            lots,
            choices: component.iter().map(|&c| &choices[c]).collect(),
        };
        let picked = if let [only] = search.choices[..]
            && !only.covers.is_empty()
        {
            vec![0]
        } else if component.len() <= EXACT_UP_TO {
            search.exact()
        } else {
            search.greedy()
        };
        chosen.extend(
            picked
                .into_iter()
                .map(|position| search.choices[position].key),
        );
    }
    chosen.sort_unstable();
    let mut covered = FixedBitSet::with_capacity(items);
    covered.extend(choices.iter().flat_map(|c| &c.covers).copied());
    let uncovered = (0..items).filter(|&item| !covered.contains(item)).collect();
    Cover { chosen, uncovered }
}

/// Choices that are joined by common items or lots, each component in order.
fn components<K>(items: usize, lots: usize, choices: &[Choice<K>]) -> Vec<Vec<usize>> {
    let mut joined = petgraph::unionfind::UnionFind::<usize>::new(items + lots + choices.len());
    let first = items + lots;
    for (position, choice) in choices.iter().enumerate() {
        for &item in &choice.covers {
            joined.union(item, first + position);
        }
        for &lot in &choice.grants {
            joined.union(items + lot, first + position);
        }
    }
    let mut by_root: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for position in 0..choices.len() {
        by_root
            .entry(joined.find(first + position))
            .or_default()
            .push(position);
    }
    by_root.into_values().collect()
}

/// One component.
struct Search<'a, K> {
    lots: &'a [u64],
    choices: Vec<&'a Choice<K>>,
}

/// What a set of choices costs; smaller is better. Positions follow the keys.
type Cost = (u64, usize, usize, Vec<usize>);

impl<K> Search<'_, K> {
    fn cost(&self, picked: &[usize]) -> Cost {
        let mut granted: Vec<usize> = picked
            .iter()
            .flat_map(|&p| &self.choices[p].grants)
            .copied()
            .collect();
        granted.sort_unstable();
        granted.dedup();
        let weight = granted.iter().map(|&lot| self.lots[lot]).sum();
        let novel = picked.iter().filter(|&&p| self.choices[p].novel).count();
        let mut order = picked.to_vec();
        order.sort_unstable();
        (weight, novel, picked.len(), order)
    }

    /// Branch and bound: the item with the fewest choices left is covered by each
    /// of them in turn; a branch ends where it already costs more than the best.
    fn exact(&self) -> Vec<usize> {
        let mut by_item: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, choice) in self.choices.iter().enumerate() {
            for &item in &choice.covers {
                by_item.entry(item).or_default().push(position);
            }
        }
        // Items with the same choices are one.
        let mut wanted: Vec<Vec<usize>> = by_item.into_values().collect();
        wanted.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        wanted.dedup();
        let mut best = self.cost(&self.greedy());
        self.branch(&wanted, &mut Vec::new(), &mut best);
        best.3
    }

    fn branch(&self, wanted: &[Vec<usize>], picked: &mut Vec<usize>, best: &mut Cost) {
        let Some((next, rest)) = wanted.split_first() else {
            let cost = self.cost(picked);
            if cost < *best {
                *best = cost;
            }
            return;
        };
        if next.iter().any(|choice| picked.contains(choice)) {
            return self.branch(rest, picked, best);
        }
        for &choice in next {
            picked.push(choice);
            let (weight, novel, count, _) = self.cost(picked);
            if (weight, novel, count) <= (best.0, best.1, best.2) {
                self.branch(rest, picked, best);
            }
            picked.pop();
        }
    }

    /// The least newly granted weight per newly covered item first, then what
    /// today's rules say already, then the most newly covered, then the smallest
    /// key; what turned out superfluous is dropped at the end, the latest key first.
    fn greedy(&self) -> Vec<usize> {
        let mut covered: HashSet<usize> = HashSet::default();
        let mut granted: HashSet<usize> = HashSet::default();
        let mut picked: Vec<usize> = Vec::new();
        loop {
            let worth = |position: usize| {
                let choice = self.choices[position];
                let new = choice
                    .covers
                    .iter()
                    .filter(|item| !covered.contains(item))
                    .count();
                let fresh = choice.grants.iter().filter(|lot| !granted.contains(lot));
                (fresh.map(|&lot| self.lots[lot]).sum::<u64>(), new as u64)
            };
            let useful = (0..self.choices.len())
                .map(|p| (p, worth(p)))
                .filter(|(_, (_, new))| *new > 0);
            // weight / new, compared without dividing
            let best = useful.min_by(|&(p, (weight_p, new_p)), &(q, (weight_q, new_q))| {
                let (a, b) = (
                    u128::from(weight_p) * u128::from(new_q),
                    u128::from(weight_q) * u128::from(new_p),
                );
                a.cmp(&b)
                    .then(self.choices[p].novel.cmp(&self.choices[q].novel))
                    .then(Reverse(new_p).cmp(&Reverse(new_q)))
            });
            let Some((position, _)) = best else { break };
            picked.push(position);
            covered.extend(&self.choices[position].covers);
            granted.extend(&self.choices[position].grants);
        }
        picked.sort_unstable();
        for position in picked.clone().into_iter().rev() {
            let others = || {
                picked
                    .iter()
                    .filter(|&&p| p != position)
                    .flat_map(|&p| &self.choices[p].covers)
            };
            if self.choices[position]
                .covers
                .iter()
                .all(|item| others().any(|other| other == item))
            {
                picked.retain(|&p| p != position);
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Choice, Search, cover};

    fn choices() -> impl Strategy<Value = Vec<Choice<usize>>> {
        let choice = (
            prop::collection::btree_set(0usize..6, 1..4),
            prop::collection::btree_set(0usize..8, 0..5),
            any::<bool>(),
        );
        prop::collection::vec(choice, 1..9).prop_map(|list| {
            let with_key = |(key, (covers, grants, novel)): (usize, (_, _, bool))| {
                let (covers, grants): (
                    std::collections::BTreeSet<usize>,
                    std::collections::BTreeSet<usize>,
                ) = (covers, grants);
                Choice {
                    key,
                    covers: covers.into_iter().collect(),
                    grants: grants.into_iter().collect(),
                    novel,
                }
            };
            list.into_iter().enumerate().map(with_key).collect()
        })
    }

    proptest! {
        /// No other set of choices that covers as much is better: all are tried.
        #[test]
        fn the_cover_is_the_best_there_is(choices in choices(), lots in prop::collection::vec(0u64..9, 8)) {
            let found = cover(6, &lots, &mut choices.clone());
            let search = Search { lots: &lots, choices: choices.iter().collect() };
            let covers = |picked: &[usize], item| picked.iter().any(|&p| choices[p].covers.contains(&item));
            let coverable: Vec<usize> = (0..6).filter(|i| choices.iter().any(|c| c.covers.contains(i))).collect();
            let best = (0u32..1 << choices.len())
                .map(|set| (0..choices.len()).filter(|p| set >> p & 1 == 1).collect::<Vec<_>>())
                .filter(|picked| coverable.iter().all(|&item| covers(picked, item)))
                .map(|picked| search.cost(&picked))
                .min()
                .expect("all choices together cover what can be covered");
            let cost = search.cost(&found.chosen);
            prop_assert_eq!((cost.0, cost.1, cost.2), (best.0, best.1, best.2));
            prop_assert!(coverable.iter().all(|item| !found.uncovered.contains(item)));
        }

        /// The exact search never does worse than the greedy one it starts from.
        #[test]
        fn the_exact_cover_is_never_worse_than_the_greedy_one(choices in choices(), lots in prop::collection::vec(0u64..9, 8)) {
            let search = Search { lots: &lots, choices: choices.iter().collect() };
            prop_assert!(search.cost(&search.exact()) <= search.cost(&search.greedy()));
        }
    }
}
