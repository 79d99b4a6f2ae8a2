//! Why a change can't be written in a format.

/// Why a change can't be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum RuleFormatError {
    /// Not in YAML.
    #[error(
        "the template can't be written as YAML: {0}; take cloudformation-json, and please report this"
    )]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// Not as CSV.
    #[error("the table can't be written: {0}")]
    Csv(#[from] csv::Error),
    /// It is no text.
    #[error("the table is no text: {0}; please report this")]
    Text(#[from] std::string::FromUtf8Error),
}
