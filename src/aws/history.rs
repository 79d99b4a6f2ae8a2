//! Interfaces that are gone, as AWS Config remembers them.

use std::sync::Arc;

use aws_sdk_config::Client;
use aws_sdk_config::types::{
    ChronologicalOrder, ConfigurationItem, ConfigurationItemStatus, ResourceType,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::account::{Account, CallError};

/// Calls under way at a time; Config allows fewer than EC2.
const AT_ONCE: usize = 4;

/// The interfaces of a region that Config has seen deleted, as they were last, in the shape of
/// describe-network-interfaces; with when they were last seen, as `ClosegateLastSeen`.
pub(super) async fn gone(account: &Account, region: &str) -> Result<Vec<Value>, CallError> {
    let client = Client::new(&account.in_region(region));
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for id in deleted(&client).await? {
        let (client, at_once) = (client.clone(), Arc::clone(&at_once));
        tasks.spawn(async move {
            let _permit = at_once.acquire_owned().await;
            last(&client, &id).await
        });
    }
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let interface =
            done.map_err(|error| CallError::other("GetResourceConfigHistory", error.to_string()))??;
        found.extend(interface);
    }
    found.sort_by_key(|interface| {
        interface["NetworkInterfaceId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    Ok(found)
}

async fn deleted(client: &Client) -> Result<Vec<String>, CallError> {
    let mut ids = Vec::new();
    let mut token = None;
    loop {
        let said = client
            .list_discovered_resources()
            .resource_type(ResourceType::NetworkInterface)
            .include_deleted_resources(true)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| CallError::new("ListDiscoveredResources", &error))?;
        let found = said.resource_identifiers.unwrap_or_default().into_iter();
        ids.extend(
            found
                .filter(|r| r.resource_deletion_time.is_some())
                .filter_map(|r| r.resource_id),
        );
        token = said.next_token;
        if token.as_ref().is_none_or(String::is_empty) {
            return Ok(ids);
        }
    }
}

/// The last state before the end.
async fn last(client: &Client, id: &str) -> Result<Option<Value>, CallError> {
    let said = client
        .get_resource_config_history()
        .resource_type(ResourceType::NetworkInterface)
        .resource_id(id)
        .chronological_order(ChronologicalOrder::Reverse)
        .limit(5)
        .send()
        .await
        .map_err(|error| CallError::new("GetResourceConfigHistory", &error))?;
    let items = said.configuration_items.unwrap_or_default();
    Ok(items.iter().find_map(|item| {
        let gone = matches!(
            item.configuration_item_status,
            Some(
                ConfigurationItemStatus::ResourceDeleted
                    | ConfigurationItemStatus::ResourceDeletedNotRecorded
            )
        );
        if gone { None } else { interface(item, &items) }
    }))
}

/// An item's configuration, JSON inside a string, is the answer of the describe call in lower camel case
/// (`API_GetResourceConfigHistory.html`); the CLI begins with capitals.
fn interface(item: &ConfigurationItem, all: &[ConfigurationItem]) -> Option<Value> {
    let text = item.configuration.as_deref()?;
    let Value::Object(mut interface) = capitalised(serde_json::from_str(text).ok()?) else {
        return None;
    };
    let seen = all
        .iter()
        .filter_map(|item| item.configuration_item_capture_time)
        .map(|time| time.secs());
    interface.insert("ClosegateLastSeen".to_owned(), seen.max().into());
    interface.get("NetworkInterfaceId")?;
    Some(Value::Object(interface))
}

fn capitalised(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| {
                let mut letters = key.chars();
                let key = letters
                    .next()
                    .map(|first| first.to_ascii_uppercase())
                    .into_iter()
                    .chain(letters)
                    .collect();
                (key, capitalised(value))
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(list) => list.into_iter().map(capitalised).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_interface_is_what_describe_would_have_said() {
        let configuration = r#"{"networkInterfaceId":"eni-1","groups":[{"groupId":"sg-1","groupName":"app"}],"privateIpAddresses":[{"privateIpAddress":"10.0.0.1","primary":true}],"tagSet":[]}"#;
        let item = ConfigurationItem::builder()
            .configuration(configuration)
            .build();
        let expected = serde_json::json!({
            "NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1", "GroupName": "app"}],
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", "Primary": true}], "TagSet": [], "ClosegateLastSeen": null,
        });
        assert_eq!(interface(&item, &[]), Some(expected));
        assert_eq!(
            interface(
                &ConfigurationItem::builder().configuration("{").build(),
                &[]
            ),
            None
        );
    }
}
