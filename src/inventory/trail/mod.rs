//! What CloudTrail remembers: which groups an interface carried when, and which rules stood when.
//!
//! Trail files hold `{"Records": […]}`, and `LookupEvents` answers `{"Events": [{"CloudTrailEvent": "…"}]}` with the same record as text
//! (`API_LookupEvents.html`). The shapes of requests and answers follow EC2's; what AWS does not document is read in every spelling that
//! is known. A record that cannot be read is counted, and costs what it would have told.

mod lives;
mod rules;

pub(super) use lives::{Known, lives};
pub use rules::{Birth, PastRule};
pub(super) use rules::{RuleHistory, rule_history};

use serde_json::Value;

use super::note::Note;
use crate::net::{plural, visible};

/// An event that changes an interface or a rule.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Unix seconds.
    pub(super) time: u64,
    /// `eventID`: the same event may be in several files.
    id: String,
    pub(super) name: EventName,
    /// Who did it; made visible.
    pub(super) who: String,
    pub(super) request: Value,
    pub(super) response: Value,
}

macro_rules! event_names {
    ($($name:ident),* $(,)?) => {
        /// The events that are read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum EventName {
            $($name,)*
        }

        /// The names of the events that tell something of interfaces and rules.
        pub const TRAIL_EVENTS: &[&str] = &[$(stringify!($name),)*];

        impl EventName {
            const ALL: &'static [(&'static str, Self)] = &[$((stringify!($name), Self::$name),)*];
        }
    };
}

event_names! {
    CreateNetworkInterface,
    RunInstances,
    ModifyNetworkInterfaceAttribute,
    ModifyInstanceAttribute,
    AssignPrivateIpAddresses,
    UnassignPrivateIpAddresses,
    AssignIpv6Addresses,
    UnassignIpv6Addresses,
    DeleteNetworkInterface,
    TerminateInstances,
    CreateSecurityGroup,
    AuthorizeSecurityGroupEgress,
    AuthorizeSecurityGroupIngress,
    RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
    ModifySecurityGroupRules,
}

impl EventName {
    fn of(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|&(_, name)| name)
    }

    pub(super) const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// Everything that was read, in any order.
#[derive(Debug, Default)]
pub(super) struct Trail {
    events: Vec<Event>,
    damaged: u64,
    /// Anything of CloudTrail's was there at all.
    present: bool,
}

impl Trail {
    /// Reads the value of `Records`, or of `Events`; false if it is something else of that name.
    pub(super) fn read(&mut self, value: &Value) -> bool {
        let Some(list) = value.as_array() else {
            return false;
        };
        let is_record = |thing: &Value| {
            thing.get("eventName").is_some() || thing.get("CloudTrailEvent").is_some()
        };
        if !list.is_empty() && !list.iter().any(is_record) {
            return false;
        }
        self.present = true;
        for thing in list {
            let text = thing.get("CloudTrailEvent").and_then(Value::as_str);
            let read = match text {
                Some(text) => match serde_json::from_str(text) {
                    Ok(record) => event(&record),
                    Err(_) => Err(()),
                },
                None => event(thing),
            };
            match read {
                Ok(event) => self.events.extend(event),
                Err(()) => self.damaged += 1,
            }
        }
        true
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.events.append(&mut other.events);
        self.damaged += std::mem::take(&mut other.damaged);
        self.present |= other.present;
    }

    /// The events in the order in which they happened, each once.
    pub(super) fn settled(mut self, notes: &mut Vec<Note>) -> Vec<Event> {
        let by_time = |a: &Event, b: &Event| {
            (a.time, a.name, &a.id, &a.who)
                .cmp(&(b.time, b.name, &b.id, &b.who))
                .then_with(|| a.request.to_string().cmp(&b.request.to_string()))
                .then_with(|| a.response.to_string().cmp(&b.response.to_string()))
        };
        self.events.sort_by(by_time);
        self.events.dedup_by(|a, b| {
            a.time == b.time
                && a.name == b.name
                && a.id == b.id
                && (!a.id.is_empty() || (a.request == b.request && a.response == b.response))
        });
        if self.damaged > 0 {
            notes.push(Note::new(format!(
                "closegate can't read {} of CloudTrail: what they tell is missing",
                plural(self.damaged, "record")
            )));
        }
        self.events
    }
}

/// An event that matters, if a record is one; an error if it is one and can't be read.
fn event(record: &Value) -> Result<Option<Event>, ()> {
    let name = record.get("eventName").and_then(Value::as_str).ok_or(())?;
    let (Some(name), None) = (EventName::of(name), text(record, "errorCode")) else {
        return Ok(None);
    };
    let time = text(record, "eventTime").and_then(|time| time.parse().ok());
    let time: jiff::Timestamp = time.ok_or(())?;
    let identity = &record["userIdentity"];
    let who = ["arn", "invokedBy", "principalId", "type"];
    let who = who.into_iter().find_map(|key| text(identity, key));
    Ok(Some(Event {
        time: u64::try_from(time.as_second()).map_err(|_past| ())?,
        id: text(record, "eventID").unwrap_or_default().to_owned(),
        name,
        who: visible(who.unwrap_or("somebody unknown"), 120),
        request: record["requestParameters"].clone(),
        response: record["responseElements"].clone(),
    }))
}

/// A member that is a text and not empty.
fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    let text = value.get(key)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// The elements of a list, which CloudTrail writes as `{"items": […]}`, `{"item": […]}`, or as it is.
fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    let list = &value[key];
    let list = ["items", "item"]
        .iter()
        .find_map(|key| list.get(key))
        .unwrap_or(list);
    list.as_array().into_iter().flatten()
}

/// The texts of all members of a name, however deep.
fn all_of<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    _ => all_of(value, key, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| all_of(value, key, found)),
        _ => {}
    }
}
