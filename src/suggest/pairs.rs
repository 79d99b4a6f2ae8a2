//! Mutual pairs: a rule on each side, naming the other side's group.

use std::collections::BTreeMap;

use super::candidates::Candidates;
use super::cover::{Choice, cover};
use super::demand::{Demand, Wanted, groups_of};
use super::rule::Draft;
use crate::inventory::{GroupIx, InterfaceIx};
use crate::net::{HashSet, Service};

/// A group of initiators and a group of responders.
type Pair = (GroupIx, GroupIx);

/// Writes pairs for every connection that a valid pair covers; returns the
/// positions (in the demand) of the rest.
pub(super) fn write(
    demand: &Demand,
    candidates: &Candidates<'_>,
    draft: &mut Draft<'_>,
) -> Vec<usize> {
    let eligible: Vec<(usize, &Wanted)> = demand
        .wanted
        .iter()
        .enumerate()
        .filter(|(_, w)| w.by_reference && w.initiator.is_some() && w.responder.is_some())
        .collect();
    let choices = choices(&eligible, candidates, demand.service, |(a, b)| {
        candidates.pair_is_open(a, b, demand.service)
    });
    let (chosen, _) = cover(eligible.len(), choices);
    let mut covered: HashSet<usize> = HashSet::default();
    for (a, b) in chosen {
        let mut evidence = Vec::new();
        for &(position, wanted) in &eligible {
            if in_pair(candidates, wanted, (a, b)) {
                covered.insert(position);
                evidence.push(wanted.connection);
            }
        }
        draft.mutual(a, b, demand.service, &evidence);
    }
    (0..demand.wanted.len())
        .filter(|position| !covered.contains(position))
        .collect()
}

/// Every pair of groups that covers some of the connections and is valid, with
/// the pairs of interfaces it would grant without evidence as its cost.
pub(super) fn choices(
    eligible: &[(usize, &Wanted)],
    candidates: &Candidates<'_>,
    service: Service,
    valid: impl Fn(Pair) -> bool,
) -> Vec<Choice<Pair>> {
    let observed: HashSet<(InterfaceIx, InterfaceIx)> = eligible
        .iter()
        .filter_map(|(_, w)| Some((w.initiator?, w.responder?)))
        .collect();
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
    covers
        .into_iter()
        .filter(|(pair, _)| valid(*pair))
        .map(|(pair, covers)| {
            let (from, to) = (
                candidates.inventory.group(pair.0),
                candidates.inventory.group(pair.1),
            );
            let granted = from
                .members
                .iter()
                .flat_map(|x| to.members.iter().map(move |y| (*x, *y)));
            let cost = granted
                .filter(|(x, y)| x != y && !observed.contains(&(*x, *y)))
                .count() as u64;
            Choice {
                key: pair,
                covers,
                cost,
                novel: !candidates.is_named(pair.0, pair.1, service),
            }
        })
        .collect()
}

pub(super) fn in_pair(candidates: &Candidates<'_>, wanted: &Wanted, (a, b): Pair) -> bool {
    let carries = |interface: Option<InterfaceIx>, group: GroupIx| {
        interface.is_some_and(|ix| groups_of(candidates.inventory, ix).contains(&group))
    };
    carries(wanted.initiator, a) && carries(wanted.responder, b)
}
