//! A live account, read only: its configuration, and its logs where they are.
//!
//! Every call that is made is a row of [`calls::CALLS`], and none of them changes anything.

mod account;
mod ahead;
mod asked;
mod athena;
pub mod calls;
mod collect;
mod history;
mod insights;
mod layout;
mod logs;
mod redact;
mod s3;
mod shapes;

pub use account::{Account, CallError, SignIn};
pub use asked::Asked;
pub use athena::{Table, connections};
pub use collect::{Answered, Collected, Identity, Manifest, Refused, collect};
pub use insights::{Group, ask};
pub use layout::Selection;
pub use logs::{Span, events};
pub use redact::redact;
pub use s3::objects;
