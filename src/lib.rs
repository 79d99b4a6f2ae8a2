//! closegate reads VPC Flow Logs and an account's security groups, works out
//! which group really talks to which, and writes the mutual rules that close
//! open egress, with proof.
//!
//! The modules are the pipeline, in order; each imports only from those above it:
//!
//! 1. [`net`]: leaf types. `platform`: what differs between systems. [`documents`]: the JSON files that closegate writes and reads again.
//! 2. [`inventory`]: `aws ec2 describe-*` JSON → groups, interfaces, gates.
//! 3. [`ingest`]: log files → rows, and an account of every line.
//! 4. [`flow`]: rows → folded flows, nothing decided.
//!    [`query`] and `aws`: the same out of engines and buckets.
//! 5. [`resolve`]: flows → connections with an initiator and a responder.
//! 6. [`findings`]: connections → what is open and what is suspicious.
//! 7. [`replay`]: connections against a rule set of any origin.
//! 8. [`suggest`]: accepted connections → the mutual rules and the revocations.
//! 9. [`proof`]: how sure the change is, and what it is worth.
//!    [`outcome`]: what the change does with every finding.
//!    [`policy`]: what a team decided about each connection.
//!    [`drift`]: how account, traffic and plans differ from that.
//!    [`doctor`]: what can be read, and what is missing.
//! 10. [`graph`]: connections → the graph of groups.
//! 11. [`audit`]: the stages above in one call.
//! 12. [`emit`]: the files of a run, each a pure function.
//! 13. [`cli`]: arguments, progress, exit codes; the only part that knows a terminal.

#![forbid(unsafe_code)]

pub mod net;

mod platform;

pub mod documents;
mod toml_file;

pub mod inventory;

pub mod ingest;

pub mod flow;

pub mod store;

pub mod query;

#[cfg(feature = "aws")]
pub mod aws;

pub mod resolve;

pub mod findings;

pub mod replay;

pub mod suggest;

pub mod proof;

pub mod outcome;

pub mod policy;

pub mod drift;

pub mod doctor;

pub mod graph;

pub mod config;

pub mod audit;

pub mod emit;

pub mod cli;
