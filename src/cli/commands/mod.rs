//! One file per verb.

pub(super) mod audit;
pub(super) mod can;
pub(super) mod demo;
pub(super) mod print;
