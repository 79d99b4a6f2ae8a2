//! What Terraform holds already: which resource has the open rule, in which of three styles a group's rules are written, and
//! the change in that style.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::{Array, Expression};
use hcl_edit::structure::Block;
use serde::Deserialize;
use serde_json::Value;

use super::hcl::{self, Lines, line};
use super::names::ResourceNames;
use super::terraform::{Refs, resource};
use super::{Ids, module_v1};
use crate::documents::{ChangeDocument, GroupRow, PermissionRow, RevocationRow, Status, TargetRow};
use crate::net::visible;

/// What a state says of security groups.
#[derive(Clone, Debug, Default)]
pub struct TerraformState {
    /// By group.
    groups: BTreeMap<String, Held>,
    /// Address of the resource that holds a rule, by the rule's id.
    rules: BTreeMap<String, String>,
    /// Addresses of resources of the older kind, by group.
    older: BTreeMap<String, Vec<(PermissionKey, String)>>,
}

/// How Terraform holds a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Address of the `aws_security_group`, if the state has it.
    address: Option<String>,
    /// Rules are written inside it.
    has_rules_inside: bool,
    /// Rules have resources of their own, of the newer kind.
    newer: bool,
    /// Or of the older.
    older: bool,
}

/// Direction, protocol and ports of a rule, as the older kind has them.
type PermissionKey = (String, String, i64, i64);

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

/// How a group's rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Inside,
    Newer,
    Older,
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

    /// A group's rules read back inside its resource even where resources of their own hold them, so those decide.
    fn style(&self, group: &str) -> Style {
        match self.groups.get(group) {
            Some(held) if held.newer => Style::Newer,
            Some(held) if held.older => Style::Older,
            Some(held) if held.has_rules_inside => Style::Inside,
            _ => Style::Newer,
        }
    }

    /// The address of the resource that holds a rule.
    fn holder(&self, gone: &RevocationRow) -> Option<&str> {
        let by_id = gone
            .security_group_rule_id
            .as_ref()
            .and_then(|id| self.rules.get(id));
        let (from, to) = gone.permission.api_ports().unwrap_or((0, 0));
        let key = (
            gone.permission.direction.as_str().to_owned(),
            gone.permission.protocol.clone(),
            from,
            to,
        );
        let same = |(known, _): &&(PermissionKey, String)| *known == key;
        let older = || {
            self.older
                .get(&gone.group_id)?
                .iter()
                .find(same)
                .map(|(_, address)| address)
        };
        by_id.or_else(older).map(String::as_str)
    }

    /// The change in the style of each group.
    pub(super) fn patch(&self, change: &ChangeDocument) -> String {
        let names = ResourceNames::alone(change);
        let refs = Refs::new(change, Ids::Literal, std::iter::empty());
        let mut blocks: Vec<Block> = Vec::new();
        for (name, rule) in &names.others {
            match self.style(&rule.group_id) {
                Style::Newer => blocks.push(resource(name, rule, &refs)),
                Style::Older => blocks.push(module_v1::resource(name, rule, &refs)),
                Style::Inside => {}
            }
        }
        let going = change.going(&change.revocations);
        let mut comment =
            "closegate: the change in the style of the state.\n\nStage 1: add what follows."
                .to_owned();
        let mut groups: BTreeSet<&str> = names
            .others
            .values()
            .map(|rule| rule.group_id.as_str())
            .collect();
        groups.extend(going.iter().map(|gone| gone.group_id.as_str()));
        let inside = groups
            .into_iter()
            .filter(|id| self.style(id) == Style::Inside);
        let inside: Vec<&GroupRow> = inside.filter_map(|id| change.group(id)).collect();
        if !inside.is_empty() {
            comment += "\nGroups whose rules are inside their resource come last, with every rule they have after both stages: the list there\n\
                        is the whole, so put these blocks in the place of those that are there. Leave the open rule in until stage 2.";
        }
        comment += "\n\nStage 2: the open rules go, in this order:";
        for gone in &going {
            let place = match (self.style(&gone.group_id), self.holder(gone)) {
                (_, Some(address)) => format!("delete the resource {address}"),
                (Style::Inside, None) => {
                    format!("take the block out of {}", self.address(&gone.group_id))
                }
                (_, None) => "the state does not hold it: bash apply.sh revoke".to_owned(),
            };
            let name = visible(change.group_name(&gone.group_id), 80);
            let line = format!(
                "{name} ({}), {} to {}: {place}",
                gone.group_id,
                gone.permission.services(),
                gone.permission.target.text()
            );
            comment += "\n  ";
            comment += &visible(&line, 600);
        }
        for group in inside {
            blocks.push(self.inside(change, group));
        }
        hcl::file(&comment, blocks)
    }

    fn address<'a>(&'a self, group: &'a str) -> &'a str {
        let held = self
            .groups
            .get(group)
            .and_then(|held| held.address.as_deref());
        held.unwrap_or(group)
    }

    /// A group's resource with the whole list of its rules after the change.
    fn inside(&self, change: &ChangeDocument, group: &GroupRow) -> Block {
        let goes = |permission: &PermissionRow| {
            let mut gone = change.revocations.iter();
            gone.any(|gone| gone.group_id == group.id && gone.permission == *permission)
        };
        let today = group.today.iter().filter(|rule| !goes(&rule.permission));
        let today = today.map(|rule| (&rule.permission, rule.description.as_str()));
        let added = change.rules.iter();
        let added = added.filter(|rule| rule.group_id == group.id && rule.status == Status::Add);
        let added = added.map(|rule| (&rule.permission, rule.wording.as_str()));
        let rules = today.chain(added).map(|(permission, description)| {
            let kind = permission.direction.as_str();
            hcl::inner(kind, inner(change, group, permission, description))
        });
        let address = self.address(&group.id);
        let name = address.rsplit('.').next().unwrap_or(address);
        let name = name.split('[').next().unwrap_or(name);
        let kind = if address.contains("aws_default_security_group") {
            "aws_default_security_group"
        } else {
            "aws_security_group"
        };
        hcl::nested(
            "resource",
            &[kind, name],
            &format!("In the place of the rules of {}", visible(address, 200)),
            rules.collect(),
        )
    }
}

/// The lines of a rule inside a group.
fn inner(
    change: &ChangeDocument,
    group: &GroupRow,
    permission: &PermissionRow,
    description: &str,
) -> Lines {
    let one = |text: &str| {
        let mut list = Array::new();
        list.push(text);
        Expression::Array(list)
    };
    let (from, to) = permission.api_ports().unwrap_or((0, 0));
    let target = match &permission.target {
        TargetRow::CidrIpv4(net) => line("cidr_blocks", one(net)),
        TargetRow::CidrIpv6(net) => line("ipv6_cidr_blocks", one(net)),
        TargetRow::PrefixList(id) => line("prefix_list_ids", one(id)),
        TargetRow::SecurityGroup(id) => {
            let named = match change.foreign_owner(&group.id, id) {
                Some(owner) => format!("{owner}/{id}"),
                None => id.clone(),
            };
            line("security_groups", one(&named))
        }
    };
    vec![
        line("description", description),
        line("from_port", from),
        line("to_port", to),
        line("protocol", permission.protocol.as_str()),
        target,
    ]
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
