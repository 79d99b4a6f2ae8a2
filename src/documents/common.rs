//! What several documents have in common.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TOOL;

/// The program that wrote a document.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tool {
    pub(crate) name: Cow<'static, str>,
    pub(crate) version: Cow<'static, str>,
}

impl Default for Tool {
    /// This program.
    fn default() -> Self {
        Self {
            name: TOOL.into(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// Unix seconds of the evidence read; both 0 when nothing was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Window {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A flow source that was read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SourceRow {
    /// As it was named.
    pub(crate) name: String,
    /// The format that its content has.
    pub(crate) format: String,
    /// Rows that parsed.
    pub(crate) records: u64,
    /// Rows that did not.
    pub(crate) malformed: u64,
}
