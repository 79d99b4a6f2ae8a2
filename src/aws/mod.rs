//! A live account, read only: its configuration, and its logs where they are.
//!
//! Every call that is made is a row of [`calls::CALLS`], and none of them changes anything.

mod account;
mod athena;
mod balancers;
pub mod calls;
mod collect;
mod history;
mod insights;
mod layout;
mod logs;
mod organization;
mod permissions;
mod query_progress;
mod read_ahead;
mod redact;
mod s3;
mod setups;
mod shapes;
mod trail;

pub use account::{Account, CallError, SignIn};
pub use athena::{Table, connections};
pub use collect::{
    Answered, Collected, Identity, MemberAccount, MemberState, Refused, SnapshotManifest, collect,
};
pub use insights::{LogGroup, ask};
pub use layout::{Delivery, Selection};
pub use logs::{Span, events};
pub use organization::{
    CollectedMember, MemberRole, MemberSnapshots, OrganizationAccounts, SnapshotScope,
    organization_accounts,
};
pub use permissions::{HeldCall, held};
pub use query_progress::QueryProgress;
pub use redact::Redaction;
pub use s3::objects;
pub use setups::log_setups;
