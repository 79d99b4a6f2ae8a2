//! How findings of a kind are found.

use super::context::Context;
use super::destination::Test;
use super::finding::Found;

/// How findings of a kind are found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    /// By the destination of a connection.
    Destination(Test),
    /// By a function of its own.
    Function(fn(&Context<'_>) -> Vec<Found>),
    /// From the suggested rules: a later stage finds it.
    Rules,
}
