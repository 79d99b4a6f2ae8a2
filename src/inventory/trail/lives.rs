//! Interfaces over time: periods in which one carried the same groups under the same addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Event, EventName, all_of, items, text};

/// An interface for a time, as the trail knows it.
#[derive(Clone, Debug)]
pub(in crate::inventory) struct Known {
    /// In the shape of describe-network-interfaces; without `Groups` where these are unknown.
    pub(in crate::inventory) interface: Value,
    /// From when on; nothing if it was there before the trail knows it. Unix seconds.
    pub(in crate::inventory) from: Option<u64>,
    /// Until when; nothing if no event ended it.
    pub(in crate::inventory) until: Option<u64>,
}

/// What is known of an interface at some time of the trail.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    vpc: String,
    subnet: String,
    kind: String,
    description: String,
    instance: Option<String>,
    ends_with_instance: bool,
    primary: Option<String>,
    addresses: BTreeSet<String>,
    prefixes: BTreeSet<String>,
    /// Unknown before the first event that says.
    groups: Option<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Life {
    state: State,
    since: Option<u64>,
    past: Vec<(State, Option<u64>, u64)>,
    ended: bool,
}

impl Life {
    /// The interface is something else from now on.
    fn change(&mut self, time: u64, change: impl FnOnce(&mut State)) {
        let before = self.state.clone();
        change(&mut self.state);
        if self.state != before && self.since != Some(time) {
            self.past.push((before, self.since, time));
            self.since = Some(time);
        }
    }

    fn end(&mut self, time: u64) {
        if !self.ended {
            self.past.push((self.state.clone(), self.since, time));
            self.ended = true;
        }
    }
}

/// Every interface that events are about → its periods, in order. The last one of an interface that did not end goes on.
pub(in crate::inventory) fn lives(events: &[Event]) -> BTreeMap<String, Vec<Known>> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for event in events {
        tell(event, &mut lives);
    }
    let periods = |(id, life): (String, Life)| {
        let last = (!life.ended).then(|| (life.state.clone(), life.since, None));
        let past = life.past.into_iter();
        let past = past.map(|(state, from, until)| (state, from, Some(until)));
        let known = past.chain(last).map(|(state, from, until)| Known {
            interface: described(&id, &state),
            from,
            until,
        });
        let known: Vec<Known> = known.collect();
        (id, known)
    };
    lives.into_iter().map(periods).collect()
}

fn tell(event: &Event, lives: &mut BTreeMap<String, Life>) {
    let Event {
        time,
        request,
        response,
        ..
    } = event;
    match event.name {
        EventName::CreateNetworkInterface => {
            appear(&response["networkInterface"], *time, None, lives);
        }
        EventName::RunInstances => {
            for instance in items(response, "instancesSet") {
                let id = text(instance, "instanceId");
                for interface in items(instance, "networkInterfaceSet") {
                    appear(interface, *time, id, lives);
                }
            }
        }
        EventName::ModifyNetworkInterfaceAttribute => {
            if let Some(id) = text(request, "networkInterfaceId") {
                regroup(request, *time, lives.entry(id.to_owned()).or_default());
            }
        }
        EventName::ModifyInstanceAttribute => {
            let instance = text(request, "instanceId");
            let mut of_instance = lives
                .values_mut()
                .filter(|life| !life.ended && life.state.instance.as_deref() == instance);
            // Groups of an instance are those of its only interface: EC2 refuses the call where it has several.
            if let (Some(_), Some(life), None) = (instance, of_instance.next(), of_instance.next())
            {
                regroup(request, *time, life);
            }
        }
        EventName::AssignPrivateIpAddresses
        | EventName::AssignIpv6Addresses
        | EventName::UnassignPrivateIpAddresses
        | EventName::UnassignIpv6Addresses => readdress(event, lives),
        EventName::DeleteNetworkInterface => {
            if let Some(id) = text(request, "networkInterfaceId") {
                lives.entry(id.to_owned()).or_default().end(*time);
            }
        }
        EventName::TerminateInstances => {
            let mut ended = Vec::new();
            all_of(request, "instanceId", &mut ended);
            all_of(response, "instanceId", &mut ended);
            for life in lives.values_mut() {
                let state = &life.state;
                let of = state.instance.as_deref();
                if state.ends_with_instance && of.is_some_and(|of| ended.contains(&of)) {
                    life.end(*time);
                }
            }
        }
        _ => {}
    }
}

/// An interface is made, or an instance starts with it.
fn appear(
    interface: &Value,
    time: u64,
    instance: Option<&str>,
    lives: &mut BTreeMap<String, Life>,
) {
    let Some(id) = text(interface, "networkInterfaceId") else {
        return;
    };
    let is_new = !lives.contains_key(id);
    let life = lives.entry(id.to_owned()).or_default();
    let set = |state: &mut State| {
        let known = |old: &mut String, key| {
            if let Some(new) = text(interface, key) {
                new.clone_into(old);
            }
        };
        known(&mut state.vpc, "vpcId");
        known(&mut state.subnet, "subnetId");
        known(&mut state.kind, "interfaceType");
        known(&mut state.description, "description");
        if let Some(primary) = text(interface, "privateIpAddress") {
            state.primary = Some(primary.to_owned());
        }
        let (addresses, prefixes) = addresses(&[interface]);
        state.addresses.extend(addresses);
        state.prefixes.extend(prefixes);
        if let Some(groups) = groups(interface) {
            state.groups = Some(groups);
        }
        if let Some(instance) = instance {
            state.instance = Some(instance.to_owned());
            let end = interface["attachment"]["deleteOnTermination"].as_bool();
            state.ends_with_instance = end.unwrap_or(true);
        }
    };
    if is_new {
        set(&mut life.state);
        life.since = Some(time);
    } else {
        life.change(time, set);
    }
}

/// The groups that a value's `groupSet` names; nothing if there is none.
fn groups(value: &Value) -> Option<BTreeSet<String>> {
    let set = ["groupSet", "groups"]
        .iter()
        .find_map(|key| value.get(key))?;
    let mut found = Vec::new();
    all_of(set, "groupId", &mut found);
    (!found.is_empty()).then(|| found.into_iter().map(str::to_owned).collect())
}

fn regroup(request: &Value, time: u64, life: &mut Life) {
    if let Some(groups) = groups(request) {
        life.change(time, |state| state.groups = Some(groups));
    }
}

fn readdress(event: &Event, lives: &mut BTreeMap<String, Life>) {
    let Some(id) = text(&event.request, "networkInterfaceId") else {
        return;
    };
    let (addresses, prefixes) = addresses(&[&event.request, &event.response]);
    let comes = matches!(
        event.name,
        EventName::AssignPrivateIpAddresses | EventName::AssignIpv6Addresses
    );
    let life = lives.entry(id.to_owned()).or_default();
    life.change(event.time, |state| {
        if comes {
            state.addresses.extend(addresses);
            state.prefixes.extend(prefixes);
        } else {
            state.addresses.retain(|a| !addresses.contains(a));
            state.prefixes.retain(|p| !prefixes.contains(p));
        }
    });
}

/// Addresses and prefixes, wherever they stand; what is none is passed over.
fn addresses(values: &[&Value]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut addresses, mut prefixes) = (Vec::new(), Vec::new());
    for value in values {
        all_of(value, "privateIpAddress", &mut addresses);
        all_of(value, "ipv6Address", &mut addresses);
        all_of(value, "ipv4Prefix", &mut prefixes);
        all_of(value, "ipv6Prefix", &mut prefixes);
    }
    let is_address = |text: &&str| text.parse::<IpAddr>().is_ok();
    let is_prefix = |text: &&str| text.parse::<ipnet::IpNet>().is_ok();
    let addresses = addresses.into_iter().filter(is_address).map(str::to_owned);
    let prefixes = prefixes.into_iter().filter(is_prefix).map(str::to_owned);
    (addresses.collect(), prefixes.collect())
}

/// As describe-network-interfaces would have printed it.
fn described(id: &str, state: &State) -> Value {
    let v6 = |text: &&String| text.contains(':');
    let primary = state
        .primary
        .as_ref()
        .filter(|a| a.parse::<IpAddr>().is_ok());
    let private: Vec<Value> = state
        .addresses
        .iter()
        .filter(|a| !v6(a))
        .map(|a| json!({"PrivateIpAddress": a, "Primary": Some(a) == primary}))
        .collect();
    let with = |list: &BTreeSet<String>, is_v6: bool, key: &str| -> Vec<Value> {
        let list = list.iter().filter(|text| v6(text) == is_v6);
        list.map(|text| json!({ key: text })).collect()
    };
    let mut interface = json!({
        "NetworkInterfaceId": id, "InterfaceType": state.kind, "Description": state.description,
        "VpcId": state.vpc, "SubnetId": state.subnet, "PrivateIpAddress": primary, "PrivateIpAddresses": private,
        "Ipv6Addresses": with(&state.addresses, true, "Ipv6Address"),
        "Ipv4Prefixes": with(&state.prefixes, false, "Ipv4Prefix"), "Ipv6Prefixes": with(&state.prefixes, true, "Ipv6Prefix"),
        "Attachment": {"InstanceId": state.instance},
    });
    if let Some(groups) = &state.groups {
        let groups = groups.iter().map(|id| json!({"GroupId": id}));
        interface["Groups"] = groups.collect();
    }
    interface
}
