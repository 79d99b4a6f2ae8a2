//! The JSON documents that closegate writes and reads again: one file each, with the words that they share in `terms`.
//!
//! A reader refuses a version that it does not know. A newer closegate may have given a key another meaning.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

mod account;
mod audit;
mod common;
mod doctor;
mod drift;
mod finding;
mod for_account;
mod graph;
mod report;
mod rules;
#[cfg(feature = "aws")]
mod snapshot;
mod store;
mod terms;

pub use audit::{AuditDocument, ConnectionRow, EndRow, RecordCounts};
pub use doctor::DoctorDocument;
pub use drift::DriftDocument;
pub use for_account::ForAccountDocument;
pub use graph::GraphDocument;
pub use report::ReportDocument;
pub use rules::ChangeDocument;
#[cfg(feature = "aws")]
pub use snapshot::{
    Answered, Identity, MemberAccount, MemberState, Refused, SnapshotManifest, ToolVersion,
};
pub use terms::{
    AfterState, Confidence, Direction, DriftKind, DriftLevel, DriftSubject, Family, HeldTerm,
    Outcome, Rating, Severity, Status, VerdictTerm,
};

pub(crate) use account::AccountRow;
pub(crate) use audit::{
    AfterRow, BlastRow, CurrentRow, ExposureRow, HoldOutRow, InputRow, MalformedRow, PolicyRow,
    ProbeRow, ProbesRow, ProofRow, ReachRow, ReadinessRow, ReplayRow, StillOpenRow, TradeOffRow,
    UnjudgedReasonRow, UnjudgedRow, WideningRow,
};
pub(crate) use common::{SourceRow, Tool, Window};
pub(crate) use doctor::{
    DoctorFormatRow, DoctorInventoryRow, DoctorSourceRow, FlowLogCoverageRow, FlowLogRow,
    HeldCallRow, HeldRow, InterfaceCoverageRow, MissingFieldRow, NextRow, UnlistedRow,
    UnrecordedRow,
};
pub(crate) use drift::{DifferenceRow, DriftCounts};
pub(crate) use finding::FindingRow;
pub(crate) use for_account::ForAccountRow;
pub(crate) use graph::{EdgeRow, NodeRow};
pub(crate) use report::{
    Counts, EdgeCells, ProposedCells, ReportGroup, ReportNode, ReportReadiness, TodayCells,
};
pub(crate) use rules::{
    ChangeScope, DecisionRow, GroupRow, ListRow, NotWrittenRow, OptionRow, PermissionRow,
    ProposedChange, RevocationRow, RuleRow, StageRow, TargetRow, TodayRow, WantedByRow,
};
pub(crate) use store::{FileEntry, SourceEntry, StoreManifest, TableEntry};

/// The version that closegate writes into every document, and the only one that it reads.
pub const SCHEMA_VERSION: u32 = 2;

/// The version of a store's manifest that closegate writes. It reads [`DAILY_VERSION`] as well.
pub(crate) const STORE_VERSION: u32 = 3;

/// The version of stores that have tables of one day only.
const DAILY_VERSION: u32 = 2;

/// The name of this program in the `tool` of a document.
pub const TOOL: &str = "closegate";

/// Why a file is not a document that closegate can read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or a key that is missing or of another type.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// No `schema_version`.
    #[error("it has no schema_version, so closegate did not write it")]
    NoVersion,
    /// A `schema_version` of another closegate.
    #[error(
        "its schema_version is {0}, and this closegate reads {SCHEMA_VERSION}; use the closegate that wrote it, or run the audit again"
    )]
    Version(Value),
    /// A `schema_version` of a store of another closegate.
    #[error(
        "its schema_version is {0}, and this closegate reads stores of {DAILY_VERSION} and {STORE_VERSION}; use the closegate that wrote it"
    )]
    StoreVersion(Value),
}

/// Reads a document of the one version that closegate knows.
pub fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, DocumentError> {
    match first(json, "schema_version")? {
        None => Err(DocumentError::NoVersion),
        Some(version) if version == SCHEMA_VERSION => Ok(serde_json::from_slice(json)?),
        Some(version) => Err(DocumentError::Version(version)),
    }
}

/// Whether closegate wrote a document: it says so in `tool.name`.
pub fn is_ours(json: impl Read) -> bool {
    first(std::io::BufReader::new(json), "tool")
        .is_ok_and(|tool| tool.is_some_and(|tool| tool["name"] == TOOL))
}

/// The value of a key of the outermost object. Reads no further than that value, so that the size of the document does not matter.
fn first(json: impl Read, key: &str) -> Result<Option<Value>, serde_json::Error> {
    let mut found = None;
    let seed = First {
        key,
        found: &mut found,
    };
    let read = seed.deserialize(&mut serde_json::Deserializer::from_reader(json));
    match read {
        Err(error) if found.is_none() => Err(error),
        _ => Ok(found),
    }
}

/// Looks for a key, and stops at it.
struct First<'a> {
    key: &'a str,
    found: &'a mut Option<Value>,
}

impl<'de> DeserializeSeed<'de> for First<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == self.key {
                *self.found = Some(map.next_value()?);
                return Err(A::Error::custom("found"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
