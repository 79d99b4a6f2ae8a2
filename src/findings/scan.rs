//! What port scans and host sweeps have in common: much of something in little time.

use crate::inventory::InterfaceIx;
use crate::net::HashMap;
use crate::resolve::Connection;

use super::finding::{Context, Found};

/// Seconds within which attempts count together.
const WITHIN: u64 = 3600;

/// Positions of connections that one interface of ours opened, by what else they have in common; refused ones as well, for
/// an attempt is what is looked for.
pub(super) fn attempts<K: std::hash::Hash + Eq + Ord + Copy>(
    context: &Context<'_>,
    key: impl Fn(&Connection) -> Option<K>,
) -> Vec<((InterfaceIx, K), Vec<usize>)> {
    let mut by_key: HashMap<(InterfaceIx, K), Vec<usize>> = HashMap::default();
    for (position, connection) in context.connections.iter().enumerate() {
        if let (Some(initiator), Some(key)) = (connection.initiator.interface(), key(connection))
            && !context.inventory.interface(initiator).kind.forwards()
            && !context.policy.approves(context.inventory, connection)
        {
            by_key.entry((initiator, key)).or_default().push(position);
        }
    }
    let mut all: Vec<_> = by_key.into_iter().collect();
    all.sort_by_key(|(key, _)| *key);
    all
}

/// The connections of the busiest time: those that began within an hour of each other, the most of them that there are.
pub(super) fn busiest(context: &Context<'_>, mut positions: Vec<usize>) -> Vec<usize> {
    let began = |position: usize| context.connections[position].totals.first;
    positions.sort_by_key(|&position| (began(position), position));
    let (mut best, mut start) = (0..0, 0);
    for end in 0..positions.len() {
        while began(positions[end]) - began(positions[start]) > WITHIN {
            start += 1;
        }
        if end + 1 - start > best.len() {
            best = start..end + 1;
        }
    }
    positions[best].to_vec()
}

/// How many of them were never answered.
pub(super) fn unanswered(context: &Context<'_>, positions: &[usize]) -> usize {
    let answers = |position: &&usize| context.connections[**position].seen.answers;
    positions
        .iter()
        .filter(|position| answers(position) == 0)
        .count()
}

/// A finding about attempts of one interface; `tried` is what it tried, in words.
pub(super) fn found(
    context: &Context<'_>,
    initiator: InterfaceIx,
    positions: Vec<usize>,
    tried: &str,
) -> Found {
    let interface = context.inventory.interface(initiator);
    let local = context.connections[positions[0]].initiator.address;
    Found {
        detail: format!(
            "{local} tried {tried} within an hour; {} of them never answered.",
            unanswered(context, &positions)
        ),
        group: interface.groups.first().copied(),
        interface: Some(interface.id.clone()),
        local: Some(local),
        evidence: positions,
        ..Found::default()
    }
}
