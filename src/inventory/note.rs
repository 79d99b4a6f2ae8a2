//! What the report says about the inventory itself.

/// Something the report says about the inventory: what is missing or odd, and
/// what it costs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note(pub String);

impl Note {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
