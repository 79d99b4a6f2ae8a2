//! `closegate.toml`: what a team decides once.
//!
//! Everything has a default. A key that is not known is an error, with its line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::suggest::{Generalise, Level, Limits};

/// Where it is looked for when nobody says.
pub const FILE: &str = "closegate.toml";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not TOML, has a key that nobody knows, or a value of the wrong kind.
    #[error("configuration `{}`: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what, with the line.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("configuration `{}`: {what}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, the value and what is expected.
        what: String,
    },
}

/// Everything that can be decided.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How far rules go beyond what was seen.
    pub generalise: Generalise,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    generalise: GeneraliseTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GeneraliseTable {
    level: Option<Level>,
    #[serde(default)]
    balanced: LimitsTable,
    #[serde(default)]
    compact: LimitsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsTable {
    exact_up_to: Option<usize>,
    coverage: Option<u64>,
    widest: Option<u8>,
    range_from: Option<usize>,
    unpinned_ports: Option<Ports>,
}

/// Ports by number, or the word `any`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a list of ports such as [80, 443], or \"any\"")]
enum Ports {
    Listed(Vec<u16>),
    Any(AnyPort),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnyPort {
    Any,
}

impl Config {
    /// Reads a file's text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|source| ConfigError::Syntax {
            path: path.to_path_buf(),
            source: Box::new(source),
        })?;
        let generalise = file.generalise;
        let defaults = Generalise::default();
        let limits = |name: &str, table, default| {
            with(table, default).map_err(|what| ConfigError::Value {
                path: path.to_path_buf(),
                what: format!("generalise.{name}.{what}"),
            })
        };
        Ok(Self {
            generalise: Generalise {
                level: generalise.level.unwrap_or_default(),
                balanced: limits("balanced", generalise.balanced, defaults.balanced)?,
                compact: limits("compact", generalise.compact, defaults.compact)?,
            },
        })
    }
}

/// The defaults, with what the table changes.
fn with(table: LimitsTable, mut limits: Limits) -> Result<Limits, String> {
    let LimitsTable {
        exact_up_to,
        coverage,
        widest,
        range_from,
        unpinned_ports,
    } = table;
    limits.exact_up_to = exact_up_to.unwrap_or(limits.exact_up_to);
    limits.coverage = coverage.unwrap_or(limits.coverage);
    limits.widest = widest.unwrap_or(limits.widest);
    limits.range_from = range_from.unwrap_or(limits.range_from);
    match unpinned_ports {
        Some(Ports::Listed(ports)) => limits.unpinned_ports = Some(ports),
        Some(Ports::Any(AnyPort::Any)) => limits.unpinned_ports = None,
        None => {}
    }
    if limits.coverage == 0 {
        return Err(
            "coverage is 0; give 1 for prefixes that were seen in full, or more".to_owned(),
        );
    }
    if !(8..=32).contains(&limits.widest) {
        return Err(format!(
            "widest is {}; give a prefix length from 8 to 32",
            limits.widest
        ));
    }
    if limits.range_from < 2 {
        return Err(format!(
            "range-from is {}; a range needs at least 2 used ports",
            limits.range_from
        ));
    }
    Ok(limits)
}
