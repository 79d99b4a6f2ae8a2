//! Stage 4: who opened which connection, between which interfaces, and whether
//! both gates let it through.
//!
//! A [`FlowTable`] and an [`Inventory`] in; [`Connection`]s out, in id order.
//! Every row belongs to exactly one connection, and replies belong to the
//! connection they answer.

mod connection;
mod conversation;
mod correct;
mod direction;
mod ends;
mod evidence;
mod external;
mod guess;
mod hits;
mod legs;
mod probes;
mod verdict;

pub use crate::documents::{Confidence, RecordCounts};
pub use connection::{Connection, Totals};
pub use direction::DirectionBasis;
pub use ends::{End, Place};
pub use evidence::{admission, is_unlisted, peer_of, visible_groups};
pub use external::{aws_service, is_unknown_external};
pub use guess::guess;
pub use hits::{Hits, hits, unknown_members};
pub use probes::{FOLDED_FROM, Probes, ProbesAlone};
pub use verdict::{Quarantine, Unattributed, Verdict};

use rayon::prelude::*;

use crate::flow::{FlowTable, prefetched_map};
use crate::inventory::{Gates, Inventory};
use connection::{Share, Sum, Tally};
use conversation::{Conversation, Sorted};
use correct::Corrections;
use direction::Decision;
use ends::Placer;
use evidence::{CurrentRules, DirectionEvidence};

/// Every connection of some logs.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// In id order.
    pub connections: Vec<Connection>,
    /// Rejected connections from outside that are not among the others, in id order.
    pub probes: Vec<Probes>,
}

/// Resolves every flow of the table. `gates` are today's.
pub fn resolve(table: &FlowTable, inventory: &Inventory, gates: &Gates) -> Resolved {
    let placer = Placer::new(table, inventory);
    let mut sorted = Sorted::new(table, &placer);
    let past = Gates::past(inventory);
    let rules = CurrentRules {
        inventory,
        gates,
        past: past.as_ref(),
    };
    let probes = probes::take(&mut sorted, table, &rules);
    let corrections = Corrections::new(&sorted, inventory, gates);
    let put_right = |conversation: &mut Conversation<'_>| {
        if let Some(corrections) = &corrections {
            corrections.apply(conversation);
        }
    };
    let (conversations, (evidence, tallies)) =
        sorted.conversations(table, put_right, |conversation| {
            (
                DirectionEvidence::collect(conversation, table, &rules),
                Tally::of(conversation, table),
            )
        });
    let decisions = direction::decide(&conversations, &evidence);
    // What is sorted is small; sums are large.
    let id = |key| connection::id(inventory, &table.observers, key);
    let mut shares: Vec<Share> = conversations
        .par_iter()
        .zip(&decisions)
        .enumerate()
        .flat_map_iter(|(position, (conversation, decision))| {
            Share::of(position, conversation, *decision, id)
        })
        .collect();
    let key = |share: &Share| {
        let position = share.conversation;
        share.key(&conversations[position], decisions[position])
    };
    // Nothing says that two connections can't have one id.
    shares.par_sort_unstable_by(|a, b| a.id.cmp(&b.id).then_with(|| key(a).cmp(&key(b))));
    let same: Vec<&[Share]> = shares
        .par_chunk_by(|a, b| a.id == b.id && key(a) == key(b))
        .collect();
    let sum = |share: &Share| {
        let position = share.conversation;
        let (conversation, decision) = (&conversations[position], decisions[position]);
        if decision.basis == DirectionBasis::Symmetric {
            let initiator = decision.initiators().nth(share.number);
            let initiator = initiator.expect("a share of this conversation");
            let tally = Tally::sent_by(conversation, table, &[initiator]);
            let decision = Decision {
                initiator,
                ..decision
            };
            return Sum::of(conversation, decision, 0, &tally);
        }
        Sum::of(conversation, decision, share.number, &tallies[position])
    };
    let finished = |same: &[Share]| {
        let mut all = sum(&same[0]);
        for other in &same[1..] {
            all.merge(&sum(other));
        }
        all.finish(same[0].id, &rules)
    };
    let load = |same: &&[Share]| tallies[same[0].conversation].prefetch();
    let mut connections: Vec<Connection> =
        prefetched_map(&same, load, |same| finished(same)).collect();
    legs::attach(inventory, &mut connections);
    Resolved {
        connections,
        probes,
    }
}
