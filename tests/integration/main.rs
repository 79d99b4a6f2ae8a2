//! The one test binary. Each module says what belongs there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

// What the tests share.
mod common;
mod containers;
mod peers;
mod prepared;
mod small;

// The sample data's generator, to compare what it makes with what is checked in.
mod browser;
#[path = "../../sample-data/shop/mod.rs"]
mod shop;
mod stages;
mod store;
mod store_files;
mod store_layout;
mod tables;

// The command line as a user meets it: exit codes, messages, streams.
mod cli;
mod help;
mod init;
mod terminal;
mod troubleshooting;

// What can be read, what is missing, and the next command.
mod doctor;

// The walk through a policy's loop.
mod demo;

// What becomes of findings, and what every output says of it.
mod documents;
mod outcome;

// What commands write, and what they leave alone.
mod outputs;

// `--threads`, of every command that has it.
mod threads;

// Which sources the arguments name, and which time of them is read.
mod sources;

// What a team decides, and what is wrong with it.
mod configuration;

// What AWS really does with a packet.
mod aws_semantics;

// Replaying logs against rules, and the chain behind one line.
mod addresses;
mod trail;
mod trail_sources;
mod unknown;
mod verify;

// What the change leaves open, and what an attacker reaches.
mod left_out;
mod proof;
mod reachable;

// What each of today's rules let through.
mod hits;

// The list of connections that a team keeps, and what differs from it.
mod drift;
mod policy;

// Several accounts, in a report and in a policy.
mod accounts;

// How far rules go beyond what was seen, and what AWS takes of them.
mod level;
mod narrow;
mod quota;

// Whether the evidence is enough to lock a group.
mod readiness;

// Every way a flow record can be written.
mod ingest;
mod parquet;

// What is damaged, or written as few programs write it.
mod damaged_input;
mod encodings;

// What input doesn't say.
mod unknown_input;
mod unknown_inventory;

// Every way the AWS CLI writes an account down.
mod inventory;
mod inventory_damage;
mod inventory_files;
mod inventory_mutations;
mod shared_vpc;

// Who opened what, what that is worth, and what is counted together.
mod probes;
mod resolve;

// The rules, and the proof of them.
mod rules;

// One file per kind of finding.
mod findings;

// One file per format we write.
mod emit;

// The scripts that apply the change and undo it, stopped at any call.
mod applying;

// What there is too much of: how it is folded, and how large files get.
mod folding;
mod report_sizes;

// The sample data from end to end: the generator's truth against the audit's answer.
mod pipeline;

// Properties over generated input.
mod properties;

// Hostile text through every command, read back by real parsers.
mod payloads;

// Random networks with known truth.
mod churn;
mod world;

// The files under queries/, run by DuckDB on a run of ours.
mod partitions;
mod queries;

// The same, asked of every engine for real, and what becomes of the answers.
mod answers;
mod engine_logs;
mod engines;

// A live account, on loopback.
#[cfg(feature = "aws")]
mod aws;

// The project's own pipelines, and those that people run.
mod pipelines;

// The guides: their commands, the output they show, their place in the book.
mod guides;

// The project's own rules about itself.
mod imports;
mod tidy;
