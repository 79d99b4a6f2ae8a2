//! Stage 4: who opened which connection, between which interfaces, and whether
//! both gates let it through.
//!
//! A [`FlowTable`] and an [`Inventory`] in; [`Connection`]s out, in id order.
//! Every row belongs to exactly one connection, and replies belong to the
//! connection they answer.

mod connection;
mod conversation;
mod direction;
mod ends;
mod evidence;
mod hits;
mod id;
mod stranger;

pub use connection::{Connection, Quarantine, Seen, Totals, Unattributed, Verdict};
pub use direction::{Basis, Confidence};
pub use ends::{End, Place};
pub use evidence::{peer_of, visible_groups};
pub use hits::{Hits, hits};
pub use id::{ConnectionId, NoConnectionId, known_ids, stable_id};
pub use stranger::{aws_service, is_stranger};

use rayon::prelude::*;

use crate::flow::FlowTable;
use crate::inventory::{Gates, Inventory};
use connection::{Share, Sum, Tally};
use conversation::Sorted;
use ends::Placer;
use evidence::{Asked, Evidence};

/// Resolves every flow of the table. `gates` are today's.
pub fn resolve(table: &FlowTable, inventory: &Inventory, gates: &Gates) -> Vec<Connection> {
    let placer = Placer::new(table, inventory);
    let sorted = Sorted::new(table, &placer);
    let asked = Asked { inventory, gates };
    let (conversations, (evidence, tallies)) = sorted.conversations(table, |conversation| {
        (
            Evidence::collect(conversation, table, &asked),
            Tally::of(conversation, table),
        )
    });
    let decisions = direction::decide(&conversations, &evidence);
    // What is sorted is small; sums are large.
    let mut shares: Vec<Share> = conversations
        .par_iter()
        .zip(&decisions)
        .enumerate()
        .flat_map_iter(|(position, (conversation, decision))| {
            Share::of(position, conversation, decision)
        })
        .collect();
    shares.par_sort_unstable();
    let same: Vec<&[Share]> = shares.par_chunk_by(|a, b| a.key == b.key).collect();
    let sum = |share: &Share| {
        let Share {
            conversation,
            number,
            ..
        } = *share;
        Sum::of(
            &conversations[conversation],
            decisions[conversation],
            number,
            &tallies[conversation],
        )
    };
    let finished = |same: &[Share]| {
        let mut all = sum(&same[0]);
        for other in &same[1..] {
            all.merge(&sum(other));
        }
        all.finish(&asked, &table.observers)
    };
    let connections: Vec<Connection> = same.into_par_iter().map(finished).collect();
    let ids = connections.par_iter().map(|connection| connection.id);
    let mut order: Vec<(ConnectionId, usize)> = ids.zip(0..connections.len()).collect();
    order.par_sort_unstable();
    order
        .into_par_iter()
        .map(|(_, position)| connections[position].clone())
        .collect()
}
