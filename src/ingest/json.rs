//! JSON: records with their fields apart, and lines that something has wrapped.
//!
//! Pages of `filter-log-events`, subscription payloads, Firehose's `{"message": …}` one
//! after the other, arrays and lines of records, results of Insights, and OCSF Network
//! Activity are all documents that may follow one another. A list is read item by
//! item, so the size of a page does not matter.

use std::io::Read;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::fields::{COLUMNS, Column, column};
use super::reading::Item;
use super::row::{BadLine, Cells, NONE, number_or_none, read_cells};
use super::{csv_table, ocsf};

/// Keys whose lists hold the items, wherever they stand.
const LISTS: &[&str] = &["events", "logEvents", "Records", "records", "results"];

/// Keys of an item that hold a whole record as a line: CloudWatch Logs and Firehose,
/// Insights, and what log shippers keep of the original.
const LINES: &[&str] = &["message", csv_table::MESSAGE, "_raw"];

/// Reads documents that follow one another, and hands out what they hold.
pub(super) fn records(reader: impl Read, mut take: impl FnMut(Item<'_>)) {
    let mut documents = serde_json::Deserializer::from_reader(std::io::BufReader::new(reader));
    loop {
        match documents.end() {
            Ok(()) => return,
            // Something follows; whether it is a document will show.
            Err(error) if error.is_syntax() => {}
            Err(error) => {
                take(Item::Unreadable(format!("the rest can't be read: {error}")));
                return;
            }
        }
        let items = Items { take: &mut take };
        if let Err(error) = items.deserialize(&mut documents) {
            take(Item::Unreadable(format!("not JSON: {error}")));
            return;
        }
    }
}

/// Hands out the items of a value.
struct Items<'t> {
    take: &'t mut dyn FnMut(Item<'_>),
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        // A row of Insights is a list of `{"field": …, "value": …}`.
        let mut pairs = Map::new();
        while let Some(value) = list.next_element_seed(Element {
            take: &mut *self.take,
        })? {
            if let Value::Object(mut pair) = value
                && let Some(Value::String(field)) = pair.remove("field")
            {
                pairs.insert(field, pair.remove("value").unwrap_or(Value::Null));
            }
        }
        if !pairs.is_empty() {
            item(&pairs, self.take);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let (object, listed) = object(map, self.take)?;
        if !listed {
            item(&object, self.take);
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.take)(Item::Line(text.as_bytes()));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// One element of a list: what is no part of a row of Insights is handed out.
struct Element<'t> {
    take: &'t mut dyn FnMut(Item<'_>),
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Value, A::Error> {
        Items { take: self.take }.visit_seq(list)?;
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let (object, listed) = object(map, self.take)?;
        if object.len() <= 2 && object.contains_key("field") {
            return Ok(Value::Object(object));
        }
        if !listed {
            item(&object, self.take);
        }
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        (self.take)(Item::Line(text.as_bytes()));
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// An object without its lists, whose items were handed out, and whether there was one.
fn object<'de, A: MapAccess<'de>>(
    mut map: A,
    take: &mut dyn FnMut(Item<'_>),
) -> Result<(Map<String, Value>, bool), A::Error> {
    let mut object = Map::new();
    let mut listed = false;
    while let Some(key) = map.next_key::<String>()? {
        if LISTS.contains(&key.as_str()) {
            listed = true;
            map.next_value_seed(Items { take: &mut *take })?;
        } else {
            object.insert(key, map.next_value()?);
        }
    }
    Ok((object, listed))
}

/// One object that holds no list: a line, an OCSF event, or a record.
fn item(object: &Map<String, Value>, take: &mut dyn FnMut(Item<'_>)) {
    let line = LINES.iter().find_map(|key| object.get(*key)?.as_str());
    if let Some(line) = line {
        take(Item::Line(line.as_bytes()));
    } else if ocsf::is_event(object) {
        let texts = ocsf::texts(object);
        take(Item::Record(read_cells(&texts.cells())));
    } else {
        let mut texts = Texts::default();
        for (key, value) in object {
            if let Some(column) = column(key) {
                texts.set(column, text(value));
            }
        }
        if texts.present < 2 {
            take(Item::Unreadable(
                "a JSON object that is no flow record".to_owned(),
            ));
        } else {
            take(Item::Record(read_cells(&texts.cells())));
        }
    }
}

/// A value as a flow log writes it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The values of a record as texts of its own.
#[derive(Debug, Default)]
pub(super) struct Texts {
    values: [Option<String>; COLUMNS],
    columns: [bool; COLUMNS],
    /// How many columns of a record were there.
    present: usize,
}

impl Texts {
    pub(super) fn set(&mut self, column: Column, value: Option<String>) {
        self.present += usize::from(!self.columns[column as usize]);
        self.columns[column as usize] = true;
        self.values[column as usize] = value;
    }

    pub(super) fn cells(&self) -> TextCells<'_> {
        TextCells(self)
    }
}

/// The same, to read a record from.
pub(super) struct TextCells<'a>(&'a Texts);

impl<'a> Cells<'a> for TextCells<'a> {
    fn text(&self, column: Column) -> &'a [u8] {
        let value = &self.0.values[column as usize];
        value.as_deref().map_or(NONE, str::as_bytes)
    }

    fn number(&self, column: Column) -> Result<Option<u64>, BadLine> {
        number_or_none(self.text(column))
    }

    fn has(&self, column: Column) -> bool {
        self.0.columns[column as usize]
    }
}
