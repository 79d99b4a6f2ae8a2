//! Groups that would have more rules than AWS takes.

mod account;
mod ladder;
mod left_out;
mod random;
