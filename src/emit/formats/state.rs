//! What Terraform holds already: which resource has the open rule, in which of three styles a group's rules are written, and
//! the change in that style.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What a state says of security groups.
#[derive(Clone, Debug, Default)]
pub struct TerraformState {
    /// By group.
    pub(super) groups: BTreeMap<String, Held>,
    /// Address of the resource that holds a rule, by the rule's id.
    pub(super) rules: BTreeMap<String, String>,
    /// Addresses of resources of the older kind, by group.
    pub(super) older: BTreeMap<String, Vec<(PermissionKey, String)>>,
}

/// How Terraform holds a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Address of the `aws_security_group`, if the state has it.
    pub(super) address: Option<String>,
    /// Rules are written inside it.
    pub(super) has_rules_inside: bool,
    /// Rules have resources of their own, of the newer kind.
    pub(super) newer: bool,
    /// Or of the older.
    pub(super) older: bool,
}

/// Direction, protocol and ports of a rule, as the older kind has them.
pub(super) type PermissionKey = (String, String, i64, i64);

/// Why a file is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not JSON.
    #[error("{0}; give a terraform.tfstate, or what `terraform show -json` prints")]
    Json(#[from] serde_json::Error),
    /// Not of either shape.
    #[error(
        "it holds no resources; give a terraform.tfstate, or what `terraform show -json` prints"
    )]
    Shape,
}

/// One resource instance, whatever the file's form.
struct Instance {
    address: String,
    kind: String,
    values: Value,
}

#[derive(Deserialize)]
struct WholeState {
    resources: Vec<StateResource>,
}

#[derive(Deserialize)]
struct StateResource {
    module: Option<String>,
    #[serde(default)]
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    instances: Vec<StateInstance>,
}

#[derive(Deserialize)]
struct StateInstance {
    index_key: Option<Value>,
    #[serde(default)]
    attributes: Value,
}

impl TerraformState {
    /// Reads a `terraform.tfstate`, or `terraform show -json` of a state or a plan.
    pub fn parse(json: &[u8]) -> Result<Self, StateError> {
        let document: Value = serde_json::from_slice(json)?;
        let values = [&document["values"], &document["prior_state"]["values"]];
        let instances = if document.get("resources").is_some() {
            of_state(WholeState::deserialize(&document)?)
        } else if let Some(values) = values.into_iter().find(|values| values.is_object()) {
            let mut instances = Vec::new();
            of_module(&values["root_module"], &mut instances);
            instances
        } else {
            return Err(StateError::Shape);
        };
        let mut state = Self::default();
        for instance in instances {
            state.take(instance);
        }
        Ok(state)
    }

    /// Whether nothing is known of any group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds what another state holds.
    pub fn absorb(&mut self, other: Self) {
        for (id, more) in other.groups {
            let held = self.groups.entry(id).or_default();
            held.address = held.address.take().or(more.address);
            held.has_rules_inside |= more.has_rules_inside;
            held.newer |= more.newer;
            held.older |= more.older;
        }
        for (id, address) in other.rules {
            self.rules.entry(id).or_insert(address);
        }
        for (id, addresses) in other.older {
            self.older.entry(id).or_default().extend(addresses);
        }
    }

    fn take(&mut self, instance: Instance) {
        let Instance {
            address,
            kind,
            values,
        } = instance;
        let text = |key: &str| values[key].as_str().unwrap_or_default().to_owned();
        let group = text("security_group_id");
        match kind.as_str() {
            "aws_security_group" | "aws_default_security_group" => {
                let inside =
                    |key: &str| values[key].as_array().is_some_and(|list| !list.is_empty());
                let held = self.groups.entry(text("id")).or_default();
                held.has_rules_inside = inside("ingress") || inside("egress");
                held.address = Some(address);
            }
            "aws_vpc_security_group_egress_rule" | "aws_vpc_security_group_ingress_rule" => {
                self.groups.entry(group).or_default().newer = true;
                self.rules
                    .insert(text("security_group_rule_id"), address.clone());
                self.rules.insert(text("id"), address);
            }
            "aws_security_group_rule" => {
                self.groups.entry(group.clone()).or_default().older = true;
                self.rules
                    .insert(text("security_group_rule_id"), address.clone());
                let port = |key: &str| values[key].as_i64().unwrap_or_default();
                let key = (
                    text("type"),
                    text("protocol"),
                    port("from_port"),
                    port("to_port"),
                );
                self.older.entry(group).or_default().push((key, address));
            }
            _ => {}
        }
    }
}

fn of_state(state: WholeState) -> Vec<Instance> {
    let managed = state
        .resources
        .into_iter()
        .filter(|resource| resource.mode == "managed");
    managed
        .flat_map(|resource| {
            let module = resource
                .module
                .map(|module| format!("{module}."))
                .unwrap_or_default();
            let address = format!("{module}{}.{}", resource.kind, resource.name);
            let kind = resource.kind;
            resource
                .instances
                .into_iter()
                .map(move |instance| Instance {
                    address: match instance.index_key {
                        Some(key) => format!("{address}[{key}]"),
                        None => address.clone(),
                    },
                    kind: kind.clone(),
                    values: instance.attributes,
                })
        })
        .collect()
}

fn of_module(module: &Value, instances: &mut Vec<Instance>) {
    let list = |key: &str| module[key].as_array().into_iter().flatten();
    for resource in list("resources").filter(|resource| resource["mode"] != "data") {
        let text = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
        instances.push(Instance {
            address: text("address"),
            kind: text("type"),
            values: resource["values"].clone(),
        });
    }
    for child in list("child_modules") {
        of_module(child, instances);
    }
}
