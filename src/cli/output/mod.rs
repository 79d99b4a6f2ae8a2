//! Where results go: a directory, a file, a device, a pipe, or standard output.
//!
//! closegate deletes and replaces only what it made itself. docs/usage.md lists all of it.

mod directory;
mod file;
mod place;
mod working;

pub(super) use directory::{Made, OutDir};
pub(super) use file::OutFile;
pub(super) use working::{other_accounts, write_account_rule_files, write_rule_files};
