//! OCSF Network Activity, as Security Lake writes flow records (class 4001; the mapping
//! of the OCSF examples, source versions 1 and 2).

use serde_json::{Map, Value};

use super::fields::Column;
use super::row::BadLine;
use super::texts::{Texts, text};

/// The class of network activity.
const NETWORK_ACTIVITY: u64 = 4001;

/// Where each field stands; the first that is there counts. Version 1.0.0-rc.2 calls some
/// of them otherwise.
pub(super) const PATHS: &[(Column, &[&[&str]])] = &[
    (Column::PktSrcAddr, &[&["src_endpoint", "ip"]]),
    (Column::PktDstAddr, &[&["dst_endpoint", "ip"]]),
    (Column::SrcPort, &[&["src_endpoint", "port"]]),
    (Column::DstPort, &[&["dst_endpoint", "port"]]),
    (Column::PktSrcService, &[&["src_endpoint", "svc_name"]]),
    (Column::PktDstService, &[&["dst_endpoint", "svc_name"]]),
    (Column::Protocol, &[&["connection_info", "protocol_num"]]),
    (Column::TcpFlags, &[&["connection_info", "tcp_flags"]]),
    (Column::Packets, &[&["traffic", "packets"]]),
    (Column::Bytes, &[&["traffic", "bytes"]]),
    (
        Column::Start,
        &[&["start_time"], &["start_time_dt"], &["time"]],
    ),
    (Column::End, &[&["end_time"], &["end_time_dt"]]),
    (Column::LogStatus, &[&["status_code"]]),
];

/// The interface that recorded the row is at the end that the direction says.
pub(super) const INTERFACES: [&[&str]; 2] = [
    &["dst_endpoint", "interface_uid"],
    &["src_endpoint", "interface_uid"],
];

/// `direction_id`: 1 is inbound, 2 outbound.
pub(super) const DIRECTION: &[&str] = &["connection_info", "direction_id"];

/// What says whether it was let through, and the values that mean yes and no: actions,
/// dispositions (rc.2), and the activities Traffic and Refuse.
pub(super) const ACTIONS: &[(&str, u64, u64)] = &[
    ("action_id", 1, 2),
    ("disposition_id", 1, 2),
    ("activity_id", 6, 5),
];

/// Addresses that the interface shows instead of the packet's.
const SHOWN: &[(Column, Column, &str)] = &[
    (Column::SrcAddr, Column::PktSrcAddr, "src_endpoint"),
    (Column::DstAddr, Column::PktDstAddr, "dst_endpoint"),
];

pub(super) fn is_event(object: &Map<String, Value>) -> bool {
    object.get("class_uid").and_then(Value::as_u64) == Some(NETWORK_ACTIVITY)
}

/// A record's values.
pub(super) fn texts(event: &Map<String, Value>) -> Texts {
    let at = |path: &[&str]| {
        let mut value = event.get(path[0])?;
        for key in &path[1..] {
            value = value.get(key)?;
        }
        Some(value)
    };
    let mut texts = Texts::default();
    for (column, paths) in PATHS {
        let value = paths.iter().find_map(|path| scalar(at(path)?).transpose());
        let value = value.transpose();
        if value != Ok(None) || *column != Column::LogStatus {
            texts.set(*column, value);
        }
    }
    for (shown, _, endpoint) in SHOWN {
        let addresses = at(&[endpoint, "intermediate_ips"]).and_then(Value::as_array);
        let first = addresses.and_then(|list| list.first());
        texts.set(*shown, first.map_or(Ok(None), text));
    }
    let direction = at(DIRECTION).and_then(Value::as_u64);
    let way = way(direction).map(ToOwned::to_owned);
    texts.set(Column::FlowDirection, Ok(way));
    let order = if direction == Some(2) { [1, 0] } else { [0, 1] };
    let interface = order
        .iter()
        .find_map(|&end| text(at(INTERFACES[end])?).transpose());
    texts.set(Column::InterfaceId, interface.transpose());
    let action = ACTIONS.iter().find_map(|&(key, yes, no)| {
        let value = event.get(key)?.as_u64()?;
        verdict(value, yes, no)
    });
    texts.set(Column::Action, Ok(action.map(ToOwned::to_owned)));
    texts
}

/// `flow-direction` of a `direction_id`.
pub(super) const fn way(direction: Option<u64>) -> Option<&'static str> {
    match direction {
        Some(1) => Some("ingress"),
        Some(2) => Some("egress"),
        _ => None,
    }
}

/// `action` of one of the [`ACTIONS`].
pub(super) const fn verdict(value: u64, yes: u64, no: u64) -> Option<&'static str> {
    if value == yes {
        Some("ACCEPT")
    } else if value == no {
        Some("REJECT")
    } else {
        None
    }
}

/// A text or a number; a time of day becomes Unix seconds.
fn scalar(value: &Value) -> Result<Option<String>, BadLine> {
    let text = text(value)?;
    Ok(text.map(|text| match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_second().to_string(),
        Err(_) => text,
    }))
}
