//! Leaf types: protocols, port ranges, address sets, ids, and foreign text.
//!
//! Everything else imports from here; nothing here imports from the pipeline.

mod account;
mod address;
mod count;
mod id;
mod interval;
pub(crate) mod json;
mod port;
mod protocol;
mod text;
mod well_known;

pub use account::is_account_id;
pub use address::{AddressSet, is_internal, is_public, may_be_public, not_public, prefix_of};
pub use count::{day, plural, thousands};
pub use id::{ConnectionId, NoConnectionId, stable_id};
pub use interval::IntervalSet;
pub use port::PortRange;
pub use protocol::{Protocol, Service};
pub use text::{aws_description, identifier, is_invisible, visible};
pub use well_known::service_name;

/// The hash map of this crate: seeded, since an attacker chooses addresses,
/// ports and names.
#[expect(clippy::disallowed_types, reason = "the alias everybody else uses")]
pub type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The hash set of this crate: seeded, like [`HashMap`].
#[expect(clippy::disallowed_types, reason = "the alias everybody else uses")]
pub type HashSet<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;
