//! closegate reads VPC Flow Logs and an account's security groups, works out
//! which group really talks to which, and writes the mutual rules that close
//! open egress, with proof.
//!
//! The modules are the pipeline, in order; each imports only from those above it:
//!
//! 1. [`net`]: leaf types. [`documents`]: what every JSON file of ours has in common.
//! 2. [`inventory`]: `aws ec2 describe-*` JSON → groups, interfaces, gates.
//! 3. [`ingest`]: log files → rows, and an account of every line.
//! 4. [`flow`]: rows → folded flows, nothing decided.
//!    [`query`] and `aws`: the same out of engines and buckets.
//! 5. [`resolve`]: flows → connections with an initiator and a responder.
//! 6. [`findings`]: what is open and what is suspicious.
//! 7. [`suggest`]: the mutual rules and the revocations.
//! 8. [`graph`]: connections → the graph of who talks to whom.
//! 9. [`replay`]: every connection against the rules as they would be.
//!    [`outcome`]: what becomes of every finding.
//! 10. [`audit`]: the stages above in one call.
//! 11. [`emit`]: the files of a run, each a pure function.
//! 12. [`cli`]: arguments, progress, exit codes; the only part that knows a terminal.

pub mod net;

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

pub mod suggest;

pub mod graph;

pub mod replay;

pub mod outcome;

pub mod config;

pub mod audit;

pub mod emit;

pub mod cli;
