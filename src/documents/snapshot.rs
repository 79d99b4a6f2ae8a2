//! `manifest.json` of a snapshot that `collect inventory` took. `inventory` reads its time and what was refused.

use serde::Serialize;

use super::TOOL;

/// `manifest.json` of a snapshot.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SnapshotManifest {
    /// The version of documents, [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program that made it.
    pub tool: ToolVersion,
    /// The snapshot's files, by path below its directory; this one is not in it.
    pub files: Vec<String>,
    /// When collecting began, Unix seconds.
    pub collected_at: u64,
    /// Who asked.
    pub identities: Vec<Identity>,
    /// What was asked, in order.
    pub calls: Vec<Answered>,
    /// What was refused, in order.
    pub refused: Vec<Refused>,
    /// The accounts of the organization, by number; none where the snapshot is not one of an organization.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<MemberAccount>,
}

/// The name of the program that wrote a document, and its version.
#[derive(Clone, Debug, Serialize)]
pub struct ToolVersion {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Default for ToolVersion {
    fn default() -> Self {
        Self {
            name: TOOL,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Who asked, as `sts get-caller-identity` prints it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Answered {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The operation.
    pub operation: &'static str,
    /// How many pages, of all that were asked for.
    pub pages: usize,
    /// How many things they held.
    pub items: usize,
}

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refused {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The operation.
    pub operation: &'static str,
    /// AWS's error code.
    pub code: String,
    /// What it costs.
    pub cost: &'static str,
}

/// An account of an organization, and whether the snapshot has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MemberAccount {
    /// The account's number.
    pub account: String,
    /// The name that the organization has for it.
    pub name: String,
    /// Whether the snapshot has it.
    pub state: MemberState,
    /// The operation that was refused, for an account that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// AWS's word for why it was left out: an error code, or the account's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Whether a snapshot has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// It has.
    Collected,
    /// The role could not be assumed, or the role may not describe groups and interfaces.
    Refused,
    /// It is suspended, closed, or about to be.
    Inactive,
    /// The command line leaves it out.
    LeftOut,
}
