//! Stage 8: how sure the change is, and what it is worth.
//!
//! Whether it permits anything that today's rules deny, how much stays open, whether the evidence is enough, what each generalisation
//! level would cost, and in which steps to apply it.

mod blast_radius;
mod exposure;
mod newcomers;
mod proven;
mod reachable;
mod readiness;
mod stages;
mod trade_off;
mod widening;

pub use blast_radius::{BlastRadius, Reach, blast_radius};
pub use exposure::{Exposure, exposure};
pub use newcomers::open_to_newcomers;
pub use proven::proven;
pub use readiness::{HoldOut, Readiness, readiness};
pub use stages::{Stage, StageName, stages, tightenings};
pub use trade_off::{TradeOff, trade_off};
pub use widening::{Widening, wider};
