//! What went wrong, and the section of docs/troubleshooting.md that says what to do.

use crate::config::ConfigError;
use crate::emit::StateError;
use crate::ingest::{IngestError, LogFormatError};
use crate::inventory::{InventoryError, UnknownParty};
use crate::policy::PolicyError;
use crate::replay::ProposalError;
use crate::store::StoreError;

/// The page, as it lies in the project.
const FILE: &str = "docs/troubleshooting.md";

/// Where the files of the version that was built are shown. The workflow `release` sets it; other builds have none.
const FILES: Option<&str> = option_env!("CLOSEGATE_FILES");

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident => $anchor:literal,)*) => {
        /// What went wrong, by the section of the page that says what to do. An anchor stays what it is: notes and tickets
        /// lead to it.
        #[cfg_attr(
            not(feature = "aws"),
            expect(dead_code, reason = "a build that can't reach AWS never fails to")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Trouble {
            $($(#[$doc])* $name,)*
        }

        impl Trouble {
            /// Its anchor on the page.
            const fn anchor(self) -> &'static str {
                match self {
                    $(Self::$name => $anchor,)*
                }
            }
        }
    };
}

troubles! {
    /// An option or an argument is not what the command takes.
    Argument => "option-refused",
    /// No file behind `--flows` or `--cloudtrail`.
    SourceNotFound => "flow-source-not-found",
    /// Sources without a usable record.
    NothingRead => "no-records-read",
    /// Every record lies outside `--since` and `--until`.
    NothingInWindow => "no-records-in-the-window",
    /// A log format that can't be used.
    Format => "unknown-format",
    /// What an engine answered can't be used.
    Answer => "answer-of-an-engine-refused",
    /// A file of the inventory that can't be read.
    Inventory => "inventory-not-readable",
    /// An inventory without groups or interfaces.
    InventoryWithoutGroups => "inventory-without-groups-or-interfaces",
    /// An end that the inventory does not have.
    NotInInventory => "not-in-the-inventory",
    /// AWS said no.
    AwsRefused => "aws-refused",
    /// AWS did not answer.
    AwsNotReached => "aws-not-reached",
    /// A log in AWS that could not be read to its end.
    AwsBrokeOff => "reading-from-aws-broke-off",
    /// A file or directory that closegate must not or can't write.
    OutputRefused => "output-place-refused",
    /// Writing failed.
    NotWritten => "output-not-written",
    /// A directory that is no store.
    NotAStore => "not-a-store",
    /// A store whose files are not what closegate wrote.
    StoreDamaged => "store-damaged",
    /// A log or a store that does not fit what a store has.
    StoreRefuses => "store-refuses-a-file",
    /// A policy, or a decision about it, that can't be used.
    Policy => "policy-invalid",
    /// Another run writes the same policy or store.
    InUse => "in-use-by-another-run",
    /// A configuration that can't be used.
    Configuration => "configuration-refused",
    /// A table, blocklist or database that can't be used.
    Tables => "table-or-list-refused",
    /// A file of an earlier run that can't be used.
    Run => "run-not-readable",
    /// Rules, a plan or a state that can't be used.
    Change => "rules-plan-or-state-not-readable",
    /// A command or source that this build lacks.
    NotInThisBuild => "not-in-this-build",
}

impl Trouble {
    /// What an error is about, by the type of its cause.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let mut causes = error.chain();
        causes.find_map(of_cause).unwrap_or(Self::Argument)
    }

    /// Where to read it: an address in a release, else the file in the project.
    pub(super) fn place(self) -> String {
        let anchor = self.anchor();
        if let Some(files) = FILES {
            return format!("{files}/{FILE}#{anchor}");
        }
        format!("{FILE}#{anchor}")
    }
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    if let Some(error) = cause.downcast_ref::<InventoryError>() {
        return Some(match error {
            InventoryError::Missing { .. } => Trouble::InventoryWithoutGroups,
            InventoryError::NoTrail(_) => Trouble::SourceNotFound,
            InventoryError::NotADirectory(_)
            | InventoryError::Unreadable { .. }
            | InventoryError::Syntax { .. }
            | InventoryError::Value { .. } => Trouble::Inventory,
        });
    }
    if let Some(error) = cause.downcast_ref::<IngestError>() {
        return Some(match error {
            IngestError::Remote(_) => Trouble::NotInThisBuild,
            IngestError::NotFound(_)
            | IngestError::NoMatch(_)
            | IngestError::Pattern { .. }
            | IngestError::EmptyDirectory(_)
            | IngestError::Directory { .. } => Trouble::SourceNotFound,
        });
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return Some(of_store(error));
    }
    if cause.is::<LogFormatError>() {
        return Some(Trouble::Format);
    }
    if cause.is::<UnknownParty>() {
        return Some(Trouble::NotInInventory);
    }
    if cause.is::<ConfigError>() {
        return Some(Trouble::Configuration);
    }
    if cause.is::<PolicyError>() {
        return Some(Trouble::Policy);
    }
    if cause.is::<ProposalError>() || cause.is::<StateError>() {
        return Some(Trouble::Change);
    }
    None
}

const fn of_store(error: &StoreError) -> Trouble {
    match error {
        StoreError::Foreign { .. } | StoreError::None(_) => Trouble::NotAStore,
        StoreError::StoreManifest { .. }
        | StoreError::Fault { .. }
        | StoreError::Damaged { .. } => Trouble::StoreDamaged,
        StoreError::NotAFile(_)
        | StoreError::Changed(_)
        | StoreError::Late { .. }
        | StoreError::Conflict { .. } => Trouble::StoreRefuses,
        StoreError::Busy(_) => Trouble::InUse,
        StoreError::Unfetched { .. } => Trouble::AwsBrokeOff,
        StoreError::Source { .. } => Trouble::SourceNotFound,
        StoreError::Io { .. } => Trouble::OutputRefused,
        StoreError::Encode(_) => Trouble::NotWritten,
    }
}
