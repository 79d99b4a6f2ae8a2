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
mod stranger;

pub use connection::{Connection, Quarantine, Seen, Totals, Unattributed, Verdict, stable_id};
pub use direction::{Basis, Confidence};
pub use ends::{End, Place};
pub use evidence::{peer_of, visible_groups};
pub use hits::{Hits, hits};
pub use stranger::{aws_service, is_stranger};

use rayon::prelude::*;

use crate::flow::FlowTable;
use crate::inventory::{Gates, Inventory};
use connection::Sum;
use conversation::conversations;
use ends::Placer;
use evidence::{Asked, Evidence};

/// Resolves every flow of the table. `gates` are today's.
pub fn resolve(table: &FlowTable, inventory: &Inventory, gates: &Gates) -> Vec<Connection> {
    let placer = Placer::new(table, inventory);
    let conversations = conversations(table, &placer);
    let asked = Asked { inventory, gates };
    let evidence: Vec<Evidence> = conversations
        .par_iter()
        .map(|conversation| Evidence::collect(conversation, table, &asked))
        .collect();
    let decisions = direction::decide(&conversations, &evidence);
    let mut sums: Vec<Sum> = conversations
        .par_iter()
        .zip(decisions)
        .flat_map_iter(|(conversation, decision)| Sum::of(conversation, decision, table))
        .collect();
    sums.par_sort_by_key(Sum::key);
    let mut folded: Vec<Sum> = Vec::new();
    for sum in sums {
        match folded.last_mut() {
            Some(last) if last.key() == sum.key() => last.merge(&sum),
            _ => folded.push(sum),
        }
    }
    let mut connections: Vec<Connection> = folded
        .into_par_iter()
        .map(|sum| sum.finish(&asked, &table.observers))
        .collect();
    connections.par_sort_unstable_by(|a, b| a.id.cmp(&b.id));
    connections
}
