//! One file per verb.

pub(super) mod audit;
pub(super) mod can;
#[cfg(feature = "aws")]
pub(super) mod collect;
#[cfg(feature = "aws")]
mod collect_organization;
#[cfg(feature = "aws")]
mod collect_summary;
pub(super) mod config;
pub(super) mod demo;
pub(super) mod diff;
pub(super) mod doctor;
pub(super) mod drift;
pub(super) mod explain;
mod explain_entry;
pub(super) mod graph;
pub(super) mod ingest;
pub(super) mod init;
pub(super) mod policy;
pub(super) mod print;
pub(super) mod query;
pub(super) mod report;
pub(super) mod rules;
pub(super) mod store;
pub(super) mod tables;
pub(super) mod verify;
