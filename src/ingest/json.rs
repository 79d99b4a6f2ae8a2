//! JSON: records with their fields apart, and lines that something has wrapped.
//!
//! Pages of `filter-log-events`, subscription payloads, Firehose's `{"message": …}` one
//! after the other, arrays and lines of records, results of Insights, and OCSF Network
//! Activity are all documents that may follow one another. A list is read element by
//! element, so the size of a page does not matter.

use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::elements::{self, JsonEvent, TextPosition};
use super::fields::{MESSAGE, column};
use super::item::Item;
use super::ocsf;
use super::texts::{Texts, text};
use crate::net::thousands;

/// Keys of an item that hold a whole record as a line: CloudWatch Logs and Firehose,
/// Insights, and what log shippers keep of the original.
const LINES: &[&str] = &["message", MESSAGE, "_raw"];

/// A list, which may be a row of Insights: a list of `{"field": …, "value": …}`.
#[derive(Default)]
struct List {
    row: Map<String, Value>,
    /// Some of it could not be read, so the rest is no row.
    is_damaged: bool,
}

/// Reads documents that follow one another, and hands out what they hold.
pub(super) fn records(reader: impl Read, mut take: impl FnMut(TextPosition, Item<'_>)) {
    let mut lists: Vec<List> = Vec::new();
    let mut is_lost = false;
    elements::each(reader, |place, found| match found {
        JsonEvent::List => lists.push(List::default()),
        JsonEvent::ListEnd => {
            let ended = lists.pop().filter(|list| !list.is_damaged);
            if let Some(list) = ended.filter(|list| !list.row.is_empty()) {
                item(place, &list.row, &mut take);
            }
        }
        JsonEvent::Lost(reason) => {
            lists.clear();
            is_lost = true;
            take(place, Item::Unreadable(reason));
        }
        JsonEvent::Failed(error) => {
            lists.clear();
            is_lost = true;
            take(place, Item::Failed(error));
        }
        JsonEvent::Bad(reason) => {
            damage(&mut lists);
            take(place, Item::Unreadable(at(place, &reason)));
        }
        JsonEvent::Element(json) => match serde_json::from_slice(json) {
            Ok(Unambiguous(Value::Object(pair)))
                if is_pair(&pair) && (is_lost || !lists.is_empty()) =>
            {
                if let Some(list) = lists.last_mut() {
                    list.add(pair);
                }
            }
            Ok(Unambiguous(Value::Object(object))) => item(place, &object, &mut take),
            Ok(Unambiguous(Value::String(line))) => take(place, Item::Line(line.as_bytes())),
            Ok(_) => {}
            Err(error) => {
                damage(&mut lists);
                take(place, Item::Unreadable(at(place, &error)));
            }
        },
    });
}

/// What is in these lists is no row of Insights any more.
fn damage(lists: &mut [List]) {
    for list in lists {
        list.is_damaged = true;
    }
}

/// Whether an object is part of a row of Insights.
fn is_pair(object: &Map<String, Value>) -> bool {
    object.len() <= 2 && object.contains_key("field")
}

impl List {
    fn add(&mut self, mut pair: Map<String, Value>) {
        if let Some(Value::String(field)) = pair.remove("field") {
            let value = pair.remove("value").unwrap_or(Value::Null);
            let known = self.row.insert(field, value);
            // A field with two values has none.
            self.is_damaged |= known.is_some();
        }
    }
}

/// A value in which no object has a key twice: it is unknown which of the two counts.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Unique).map(Self)
    }
}

struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Unambiguous(value) = map.next_value()?;
            match object.entry(key) {
                Entry::Vacant(new) => {
                    new.insert(value);
                }
                Entry::Occupied(known) => {
                    let key = known.key();
                    return Err(A::Error::custom(format_args!(
                        "the key {key:?} stands twice"
                    )));
                }
            }
        }
        Ok(object.into())
    }
}

/// Takes one object that holds no list: a line, an OCSF event, or a record.
fn item(
    place: TextPosition,
    object: &Map<String, Value>,
    take: &mut impl FnMut(TextPosition, Item<'_>),
) {
    let line = LINES.iter().find_map(|key| object.get(*key)?.as_str());
    if let Some(line) = line {
        take(place, Item::Line(line.as_bytes()));
    } else if ocsf::is_event(object) {
        record(place, &ocsf::texts(object), take);
    } else {
        let mut texts = Texts::default();
        for (key, value) in object {
            if let Some(column) = column(key) {
                texts.set(column, text(value));
            }
        }
        if texts.present < 2 {
            let what = at(place, "a JSON object that is no flow record");
            take(place, Item::Unreadable(what));
        } else {
            record(place, &texts, take);
        }
    }
}

fn record(place: TextPosition, texts: &Texts, take: &mut impl FnMut(TextPosition, Item<'_>)) {
    match texts.line() {
        Ok(line) => take(place, Item::Record(Ok(line))),
        Err(reason) => take(place, Item::Unreadable(at(place, reason))),
    }
}

/// A reason and its place: a page of many records may be one line.
fn at(place: TextPosition, reason: impl fmt::Display) -> String {
    format!("{reason}, in what begins at byte {}", thousands(place.byte))
}
