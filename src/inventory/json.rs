//! JSON values into the types of [`wire`](super::wire), with the place of whatever is wrong.
//!
//! Errors name the place as the AWS CLI's `--query` would (`SecurityGroups[3].GroupId`), what was found, and what is
//! wanted. serde's errors say neither the place nor the field's words, so the values are read here.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::net::visible;

/// Where a value stands in a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum JsonPath<'a> {
    /// The document itself, or a list by its key.
    Top(&'a str),
    /// A member of an object.
    Key(&'a Self, &'a str),
    /// An element of a list.
    Item(&'a Self, usize),
}

impl<'a> JsonPath<'a> {
    pub(super) const fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    pub(super) const fn item(&'a self, position: usize) -> Self {
        Self::Item(self, position)
    }

    /// What is wrong with the value here: `is …`, `has no …`.
    pub(super) fn wrong(&self, what: impl fmt::Display) -> Misfit {
        Misfit(format!("{self} {what}"))
    }

    /// The value here is not of the kind that is wanted.
    fn unwanted(&self, value: &Value, wanted: &str) -> Misfit {
        self.wrong(format_args!("is {}, not {wanted}", found(value)))
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top("") => f.write_str("the document"),
            Self::Top(key) => f.write_str(&visible(key, 60)),
            Self::Key(Self::Top(""), key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(Self::Top(""), position) => write!(f, "[{position}]"),
            Self::Item(parent, position) => write!(f, "{parent}[{position}]"),
        }
    }
}

/// A value that closegate can't use: its place, what was found, and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

/// A value in words.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {}", visible(&number.to_string(), 40)),
        Value::String(text) => format!("the text `{}`", visible(text, 40)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// What can be read from JSON.
pub(super) trait Wire: Sized {
    /// Reads a value that is neither absent nor null.
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit>;

    /// Puts lists in order, so that two answers of AWS about the same thing are equal.
    fn sort(&mut self) {}
}

/// Takes a member of an object; the default if it is absent or null.
pub(super) fn may<T: Wire + Default>(
    object: &mut Map<String, Value>,
    keys: &[&str],
    at: JsonPath<'_>,
) -> Result<T, Misfit> {
    match take(object, keys) {
        Some((key, value)) => T::read(value, at.key(key)),
        None => Ok(T::default()),
    }
}

/// Takes a member that has to be there.
pub(super) fn must<T: Wire>(
    object: &mut Map<String, Value>,
    keys: &[&str],
    at: JsonPath<'_>,
) -> Result<T, Misfit> {
    match take(object, keys) {
        Some((key, Value::String(text))) if text.is_empty() => Err(at.key(key).wrong("is empty")),
        Some((key, value)) => T::read(value, at.key(key)),
        None => Err(at.wrong(format_args!("has no {}", keys[0]))),
    }
}

fn take<'k>(object: &mut Map<String, Value>, keys: &[&'k str]) -> Option<(&'k str, Value)> {
    keys.iter().find_map(|&key| match object.remove(key) {
        None | Some(Value::Null) => None,
        Some(value) => Some((key, value)),
    })
}

/// The object that a value has to be.
pub(super) fn object(value: Value, at: JsonPath<'_>) -> Result<Map<String, Value>, Misfit> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(at.unwanted(&other, "an object")),
    }
}

impl Wire for String {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(at.unwanted(&other, "a text")),
        }
    }
}

impl Wire for bool {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        value
            .as_bool()
            .ok_or_else(|| at.unwanted(&value, "true or false"))
    }
}

impl Wire for i64 {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        value
            .as_i64()
            .ok_or_else(|| at.unwanted(&value, "a whole number"))
    }
}

impl Wire for u64 {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        value
            .as_u64()
            .ok_or_else(|| at.unwanted(&value, "a whole number from 0 on"))
    }
}

impl Wire for IpAddr {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let address = value.as_str().and_then(|text| text.parse().ok());
        address.ok_or_else(|| at.unwanted(&value, "an IP address"))
    }
}

/// In the form that AWS stores: the bits behind the prefix are 0 (`API_IpRange.html`).
impl Wire for IpNet {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let net = value.as_str().and_then(|text| text.parse().ok());
        net.map(|net: Self| net.trunc())
            .ok_or_else(|| at.unwanted(&value, "a prefix such as 10.0.0.0/16"))
    }
}

/// An empty text means the same as none.
impl<T: Wire> Wire for Option<T> {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        match value {
            Value::String(text) if text.is_empty() => Ok(None),
            value => T::read(value, at).map(Some),
        }
    }

    fn sort(&mut self) {
        self.iter_mut().for_each(T::sort);
    }
}

impl<T: Wire + Ord> Wire for Vec<T> {
    fn read(value: Value, at: JsonPath<'_>) -> Result<Self, Misfit> {
        let Value::Array(list) = value else {
            return Err(at.unwanted(&value, "a list"));
        };
        let items = list.into_iter().enumerate();
        items
            .map(|(position, value)| T::read(value, at.item(position)))
            .collect()
    }

    fn sort(&mut self) {
        self.iter_mut().for_each(T::sort);
        self.sort_unstable();
    }
}
