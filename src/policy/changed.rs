//! The text of `changed`: what is new since a person decided, and what another decision speaks against.

use std::collections::BTreeSet;

use super::read::is_key;

const ADDS: &str = "adds ";
const PERMITS: &str = "permits what ";
const DECLINES: &str = " declines";
const BETWEEN: &str = "; ";

/// What `changed` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// What a person wrote.
    own: Vec<String>,
    /// Targets and services that came.
    pub(super) adds: BTreeSet<String>,
    /// Keys of declined entries that decline some of what the entry permits.
    pub(super) declined: BTreeSet<String>,
}

impl Changed {
    /// What a text says.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let mut changed = Self::default();
        let parts = text.unwrap_or_default().split(BETWEEN);
        for part in parts.filter(|part| !part.is_empty()) {
            let declined = part
                .strip_prefix(PERMITS)
                .and_then(|rest| rest.strip_suffix(DECLINES));
            if let Some(key) = declined.filter(|key| is_key(key)) {
                changed.declined.insert(key.to_owned());
            } else if let Some(adds) = part.strip_prefix(ADDS) {
                changed.adds.extend(adds.split(", ").map(str::to_owned));
            } else {
                changed.own.push(part.to_owned());
            }
        }
        changed
    }

    /// As a text; none if there is nothing to say.
    pub(super) fn to_text(&self) -> Option<String> {
        let mut parts = self.own.clone();
        if !self.adds.is_empty() {
            let adds: Vec<&str> = self.adds.iter().map(String::as_str).collect();
            parts.push(format!("{ADDS}{}", adds.join(", ")));
        }
        let declined = self.declined.iter();
        parts.extend(declined.map(|key| format!("{PERMITS}{key}{DECLINES}")));
        (!parts.is_empty()).then(|| parts.join(BETWEEN))
    }
}
