//! What CloudTrail remembers of interfaces and rules: management events of 90 days (`API_LookupEvents.html`).

use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::account::{Account, CallError};
use crate::inventory::TRAIL_EVENTS;

/// The name of the call.
pub(super) const OPERATION: &str = "LookupEvents";

/// AWS takes two of these calls a second of an account in a region (`API_LookupEvents.html`).
const BETWEEN_CALLS: Duration = Duration::from_millis(550);

/// What a record has that nothing here is concluded from, and that people chose or that tells more than is needed.
const DROPPED: &[&str] = &[
    "description",
    "groupDescription",
    "groupName",
    "tagSet",
    "tagSpecificationSet",
    "tags",
    "keyName",
    "iamInstanceProfile",
    "launchTemplate",
    "userData",
    "privateDnsName",
    "dnsName",
    "macAddress",
    "clientToken",
    "requestId",
];

/// The records of a region in the order in which AWS gives them, and how many calls that took.
pub(super) async fn records(
    account: &Account,
    region: &str,
) -> Result<(Vec<Value>, usize), CallError> {
    let client = Client::new(&account.in_region(region));
    let (mut records, mut calls) = (Vec::new(), 0);
    for name in TRAIL_EVENTS {
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(*name)
            .build()
            .map_err(|error| CallError::other(OPERATION, error.to_string()))?;
        let mut token = None;
        loop {
            if calls > 0 {
                sleep(BETWEEN_CALLS).await;
            }
            calls += 1;
            let said = client
                .lookup_events()
                .lookup_attributes(attribute.clone())
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CallError::new(OPERATION, &error))?;
            let events = said.events.unwrap_or_default();
            let texts = events
                .iter()
                .map(|event| event.cloud_trail_event().unwrap_or_default());
            records.extend(texts.filter_map(|text| record(name, text)));
            token = said.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
    }
    Ok((records, calls))
}

/// The record of an event of that name as trail files have it, with what is needed of it; nothing if the call failed. Of a
/// damaged record the name is left, for who reads the snapshot to count it.
fn record(name: &str, text: &str) -> Option<Value> {
    let read = serde_json::from_str(text)
        .ok()
        .filter(|record: &Value| record.is_object());
    let Some(mut record) = read else {
        return Some(json!({ "eventName": name }));
    };
    if !record["errorCode"].is_null() {
        return None;
    }
    let identity = &record["userIdentity"];
    let who = json!({"type": identity["type"], "arn": identity["arn"], "invokedBy": identity["invokedBy"]});
    let mut kept = json!({ "userIdentity": who });
    for key in ["eventID", "eventName", "eventTime", "awsRegion"] {
        kept[key] = record[key].take();
    }
    for key in ["requestParameters", "responseElements"] {
        kept[key] = record[key].take();
        prune(&mut kept[key]);
    }
    Some(kept)
}

fn prune(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !DROPPED.contains(&key.as_str()));
            object.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_what_is_needed() {
        let text = r#"{"eventName":"CreateNetworkInterface","eventTime":"2023-07-10T11:55:14Z","eventID":"1","awsRegion":"us-east-1",
            "sourceIPAddress":"198.51.100.1","userIdentity":{"type":"IAMUser","arn":"arn:a","accessKeyId":"AKIA"},
            "requestParameters":{"tagSpecificationSet":{"items":[]}},
            "responseElements":{"networkInterface":{"networkInterfaceId":"eni-1","description":"d","groupSet":{"items":[{"groupId":"sg-1","groupName":"n"}]}}}}"#;
        let expected = json!({
            "eventName": "CreateNetworkInterface", "eventTime": "2023-07-10T11:55:14Z", "eventID": "1", "awsRegion": "us-east-1",
            "userIdentity": {"type": "IAMUser", "arn": "arn:a", "invokedBy": null}, "requestParameters": {},
            "responseElements": {"networkInterface": {"networkInterfaceId": "eni-1", "groupSet": {"items": [{"groupId": "sg-1"}]}}},
        });
        assert_eq!(record("CreateNetworkInterface", text), Some(expected));
        for damaged in ["", "{", "[]", "7"] {
            let expected = json!({ "eventName": "RunInstances" });
            assert_eq!(record("RunInstances", damaged), Some(expected), "{damaged}");
        }
        let failed = r#"{"errorCode":"Client.UnauthorizedOperation"}"#;
        assert_eq!(record("RunInstances", failed), None);
    }
}
