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
            let texts = events.iter().filter_map(|event| event.cloud_trail_event());
            records.extend(texts.filter_map(record));
            token = said.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
    }
    Ok((records, calls))
}

/// A record as trail files have it, with what is needed of it.
fn record(text: &str) -> Option<Value> {
    let mut record: Value = serde_json::from_str(text).ok()?;
    if record.get("errorCode").is_some() {
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
        assert_eq!(record(text), Some(expected));
        assert_eq!(record("{"), None);
        assert_eq!(
            record(r#"{"errorCode":"Client.UnauthorizedOperation"}"#),
            None
        );
    }
}
