//! What port scans and host sweeps have in common: much of something in little time.

use rayon::prelude::*;

use crate::inventory::InterfaceIx;
use crate::resolve::Connection;

use super::context::Context;
use super::finding::Found;

/// Seconds within which attempts count together.
const WITHIN: u64 = 3600;

/// A connection by what else those have in common that one interface of ours opened.
pub(super) type Attempt<K> = ((InterfaceIx, K), usize);

/// Positions of such connections, in order; refused ones as well, for an attempt is what is looked for.
pub(super) fn attempts<K: Ord + Copy + Send>(
    context: &Context<'_>,
    key: impl Fn(&Connection) -> Option<K> + Sync,
) -> Vec<Attempt<K>> {
    let attempt = |(position, connection): (usize, &Connection)| {
        let initiator = connection.initiator.interface()?;
        let key = key(connection)?;
        let counts = !context.inventory.interface(initiator).kind.forwards()
            && !context.policy.approves(context.inventory, connection);
        counts.then_some(((initiator, key), position))
    };
    let connections = context.connections.par_iter().enumerate();
    let mut all: Vec<Attempt<K>> = connections.filter_map(attempt).collect();
    all.par_sort_unstable();
    all
}

/// The attempts with one key.
pub(super) fn by_key<K: Eq>(attempts: &[Attempt<K>]) -> impl Iterator<Item = &[Attempt<K>]> {
    attempts.chunk_by(|(a, _), (b, _)| a == b)
}

/// The connections of the busiest time: those that began within an hour of each other, the most of them that there are.
pub(super) fn busiest<K>(context: &Context<'_>, attempts: &[Attempt<K>]) -> Vec<usize> {
    let mut positions: Vec<usize> = attempts.iter().map(|&(_, position)| position).collect();
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
    let answers = |position: &&usize| context.connections[**position].seen.replies;
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
            "{local} tried {tried} within an hour; {} of these connections have no reply.",
            unanswered(context, &positions)
        ),
        group: interface.groups.first().copied(),
        interface: Some(interface.id.clone()),
        local: Some(local),
        evidence: positions,
        ..Found::default()
    }
}
