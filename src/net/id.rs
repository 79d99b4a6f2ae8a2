//! Ids that depend on nothing but what they are of: the same in every run.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A connection's id, in texts `c-` and 16 hexadecimal digits. Every rule names the ids of what it rests on, so
/// there are several times as many as connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// From what makes the connection.
    pub fn of(parts: &[&str]) -> Self {
        Self(number(parts))
    }

    /// Runs `with` on the text.
    fn text<T>(self, with: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"c-................";
        for (pair, byte) in text[2..].chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        with(std::str::from_utf8(&text).expect("digits are text"))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text(|text| f.pad(text))
    }
}

/// A text that is no connection's id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no connection's id: they are c- and 16 hexadecimal digits")]
pub struct NoConnectionId(String);

impl FromStr for ConnectionId {
    type Err = NoConnectionId;

    fn from_str(text: &str) -> Result<Self, NoConnectionId> {
        let digits = text.strip_prefix("c-").filter(|digits| digits.len() == 16);
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let id = number.map(Self);
        // A sign or capital letters would not come out as they went in.
        id.filter(|id| id.text(|own| own == text))
            .ok_or_else(|| NoConnectionId(text.to_owned()))
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for ConnectionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ConnectionId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// An id of anything else.
pub fn stable_id(prefix: &str, parts: &[&str]) -> String {
    format!("{prefix}-{:016x}", number(parts))
}

fn number(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    digest[..8]
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ConnectionId, stable_id};

    proptest! {
        /// Texts are in the order of their ids, and are read back; and no other text is.
        #[test]
        fn texts_and_ids_are_one(a: u64, b: u64, at in 0usize..18, other in "[a-fA-F0-9+c -]") {
            let (a, b) = (ConnectionId(a), ConnectionId(b));
            let (first, second) = (a.to_string(), b.to_string());
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(first.parse::<ConnectionId>().unwrap(), a);
            let mut changed = first.clone();
            changed.replace_range(at..=at, &other);
            if let Ok(read) = changed.parse::<ConnectionId>() {
                prop_assert_eq!(read.to_string(), changed);
            }
            prop_assert!(first[1..].parse::<ConnectionId>().is_err());
        }
    }

    #[test]
    fn ids_do_not_change() {
        let parts = ["eni-1", "10.0.0.1"];
        assert_eq!(stable_id("c", &parts), ConnectionId::of(&parts).to_string());
    }
}
