//! Reading a proposed change: our own `rules.json`, or a plan of Terraform's.

use serde::Deserialize;
use serde_json::Value;

use super::Change;
use crate::documents::{self, DocumentError, PermissionRow, ProposedChange, Status, TargetRow};
use crate::inventory::{Direction, GroupIx, Inventory, Rule, Target};

/// Why a file is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, or not of either shape.
    #[error(
        "{0}; give a run's rules.json, or the output of `terraform show -json` for a plan file"
    )]
    Shape(#[from] serde_json::Error),
    /// Neither key is there.
    #[error(
        "neither rules nor resource_changes in it; give a run's rules.json, or the output of `terraform show -json` for a plan file"
    )]
    Neither,
    /// A document of a version that closegate does not know.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Another document of a run.
    #[error("it is a run's audit.json; give rules/rules.json of the same run")]
    Audit,
    /// A plan in a format that closegate does not know.
    #[error(
        "its format_version is {0}, and this closegate reads 0.x and 1.x; print the plan with `terraform show -json` of Terraform 1"
    )]
    Plan(Value),
    /// A rule that cannot be understood.
    #[error("rule {0} can't be understood; write the file again")]
    Rule(String),
    /// A group that the inventory lacks.
    #[error("group `{0}` is not in the inventory; take the snapshot of its account as well")]
    Group(String),
}

/// A change, and what could not be told of it: values that a plan knows only
/// after it is applied.
pub fn proposal(
    inventory: &Inventory,
    json: &[u8],
) -> Result<(Change, Vec<String>), ProposalError> {
    let document: Value = serde_json::from_slice(json)?;
    if document.get("resource_changes").is_some() {
        match document.get("format_version") {
            Some(version) if !is_known_plan(version) => Err(ProposalError::Plan(version.clone())),
            _ => plan(inventory, Plan::deserialize(document)?),
        }
    } else if document.get("connections").is_some() {
        Err(ProposalError::Audit)
    } else if document.get("rules").is_some() {
        Ok((own(inventory, &documents::read(json)?)?, Vec::new()))
    } else {
        Err(ProposalError::Neither)
    }
}

/// Whether closegate knows the format of a plan. Terraform raises the first number when a reader has to be changed
/// (developer.hashicorp.com/terraform/internals/json-format).
fn is_known_plan(format_version: &Value) -> bool {
    let version = format_version.as_str().unwrap_or_default();
    matches!(version.split('.').next(), Some("0" | "1"))
}

fn own(inventory: &Inventory, own: &ProposedChange) -> Result<Change, ProposalError> {
    let rule = |group_id: &str, row: &PermissionRow| {
        let rule = rule_of(row).ok_or_else(|| {
            let direction = row.direction.as_str();
            ProposalError::Rule(format!("{group_id} {direction} {}", row.protocol))
        })?;
        Ok((group(inventory, group_id)?, rule))
    };
    let added = own.rules.iter().filter(|r| r.status == Status::Add);
    let gone = own.revocations.iter();
    Ok(Change {
        additions: added
            .map(|r| rule(&r.group_id, &r.permission))
            .collect::<Result<_, ProposalError>>()?,
        removals: gone
            .map(|r| rule(&r.group_id, &r.permission))
            .collect::<Result<_, ProposalError>>()?,
    })
}

/// The rule that a document's row says, if it can be one.
pub(crate) fn rule_of(row: &PermissionRow) -> Option<Rule> {
    let target = match &row.target {
        TargetRow::SecurityGroup(id) => Target::Group(id.clone()),
        TargetRow::PrefixList(id) => Target::PrefixList(id.clone()),
        TargetRow::CidrIpv4(text) | TargetRow::CidrIpv6(text) => Target::cidr(text)?,
    };
    // The API has the type and the code of ICMP in the place of ports.
    let from = row
        .from_port
        .map(i64::from)
        .or(row.icmp_type.map(i64::from));
    let to = row.to_port.map(i64::from).or(row.icmp_code.map(i64::from));
    Rule::from_parts(row.direction, &row.protocol, from, to, target)
}

/// `terraform show -json` of a plan, as far as it says what changes.
#[derive(Deserialize)]
struct Plan {
    resource_changes: Vec<ResourceChange>,
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    /// `managed`, or `data` of what is only read.
    #[serde(default)]
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    change: BeforeAfter,
}

#[derive(Deserialize)]
struct BeforeAfter {
    /// `forget` leaves the resource as it is, and only Terraform's state without it.
    #[serde(default)]
    actions: Vec<String>,
    before: Option<Value>,
    after: Option<Value>,
    /// The same shape as `after`, with `true` for each value that is known only after apply.
    #[serde(default)]
    after_unknown: Value,
}

impl ResourceChange {
    /// Whether it changes nothing in AWS: data that are read, and what Terraform only forgets.
    fn is_idle(&self) -> bool {
        self.mode == "data" || self.change.actions.iter().any(|action| action == "forget")
    }

    /// Puts the rules of today in the place of those inside a group that are known only after apply as a whole, so that none of them counts
    /// as gone. Gives the names of the blocks of which something is unknown.
    fn keep_unknown_blocks(&mut self) -> Vec<&'static str> {
        let BeforeAfter {
            before,
            after,
            after_unknown,
            ..
        } = &mut self.change;
        let mut unknown = Vec::new();
        for block in ["egress", "ingress"] {
            let parts = after_unknown.get(block);
            if !parts.is_some_and(holds_true) {
                continue;
            }
            unknown.push(block);
            if let (Some(before), Some(Value::Object(after))) = (&*before, after.as_mut())
                && parts.is_some_and(Value::is_boolean)
            {
                let today = before.get(block).cloned().unwrap_or_default();
                after.insert(block.to_owned(), today);
            }
        }
        unknown
    }
}

/// Whether `true` is anywhere in a value.
fn holds_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Array(values) => values.iter().any(holds_true),
        Value::Object(values) => values.values().any(holds_true),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// Types of resources that hold rules, with how to read one.
const KINDS: &[(&str, Reader)] = &[
    ("aws_vpc_security_group_egress_rule", |value| {
        Held::of(one_rule(Direction::Egress, value))
    }),
    ("aws_vpc_security_group_ingress_rule", |value| {
        Held::of(one_rule(Direction::Ingress, value))
    }),
    ("aws_security_group_rule", |value| {
        Held::of(legacy_rule(value))
    }),
    ("aws_security_group", inline_rules),
    ("aws_default_security_group", inline_rules),
];

/// The group and the rules that a resource holds; of those that something matters of which is not known before apply, there is none.
type Reader = fn(&Value) -> Held;

/// What a resource holds.
#[derive(Default)]
struct Held {
    rules: Vec<(String, Draft)>,
    /// Something that matters is not known before apply.
    is_partial: bool,
}

impl Held {
    const UNKNOWN: Self = Self {
        rules: Vec::new(),
        is_partial: true,
    };

    fn of(rules: Option<Vec<(String, Draft)>>) -> Self {
        rules.map_or(Self::UNKNOWN, |rules| Self {
            rules,
            is_partial: false,
        })
    }
}

/// A rule as the texts and numbers of a plan say it.
struct Draft {
    direction: Direction,
    protocol: String,
    ports: (Option<i64>, Option<i64>),
    target: Target,
}

/// What each resource held goes, what it will hold comes; a rule that does both
/// stays. Resources of other types do not matter.
fn plan(inventory: &Inventory, plan: Plan) -> Result<(Change, Vec<String>), ProposalError> {
    let (mut change, mut unknown) = (Change::default(), Vec::new());
    for mut resource in plan.resource_changes {
        let Some(&(_, reader)) = KINDS.iter().find(|(kind, _)| *kind == resource.kind) else {
            continue;
        };
        if resource.is_idle() {
            continue;
        }
        for block in resource.keep_unknown_blocks() {
            unknown.push(format!(
                "{}: a part of its {block} rules is known only after apply",
                resource.address
            ));
        }
        let mut read = |value: Option<Value>| -> Result<Vec<(GroupIx, Rule)>, ProposalError> {
            let Some(value) = value else {
                return Ok(Vec::new());
            };
            let held = reader(&value);
            if held.is_partial {
                unknown.push(format!(
                    "{}: its group or a target is known only after apply",
                    resource.address
                ));
            }
            let rules = held.rules.into_iter().map(|(id, draft)| {
                let rule = Rule::from_parts(
                    draft.direction,
                    &draft.protocol,
                    draft.ports.0,
                    draft.ports.1,
                    draft.target,
                );
                let rule =
                    rule.ok_or_else(|| ProposalError::Rule(format!("{id} {}", draft.protocol)))?;
                Ok((group(inventory, &id)?, rule))
            });
            rules.collect()
        };
        let (mut before, mut after) = (read(resource.change.before)?, read(resource.change.after)?);
        let among = |(group, rule): &(GroupIx, Rule), others: &[(GroupIx, Rule)]| {
            others
                .iter()
                .any(|(g, r)| g == group && r.same_permission(rule))
        };
        let kept: Vec<_> = before
            .iter()
            .filter(|rule| among(rule, &after))
            .cloned()
            .collect();
        before.retain(|rule| !among(rule, &kept));
        after.retain(|rule| !among(rule, &kept));
        change.removals.extend(before);
        change.additions.extend(after);
    }
    // A rule that goes from one resource to another stays.
    let comes = |(group, rule): &(GroupIx, Rule), additions: &[(GroupIx, Rule)]| {
        let mut additions = additions.iter();
        additions.any(|(g, r)| g == group && r.same_permission(rule))
    };
    let additions = &change.additions;
    change.removals.retain(|gone| !comes(gone, additions));
    // An imported rule stands already; adding it again would change nothing.
    change.additions.retain(|(group, rule)| {
        !inventory
            .group(*group)
            .rules
            .iter()
            .any(|r| r.same_permission(rule))
    });
    Ok((change, unknown))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(ToOwned::to_owned)
}

fn ports(value: &Value) -> (Option<i64>, Option<i64>) {
    let number = |key| value.get(key).and_then(Value::as_i64);
    (number("from_port"), number("to_port"))
}

/// A group's id; one of another account has the account in front.
fn group_target(id: &str) -> Target {
    Target::Group(id.rsplit('/').next().unwrap_or(id).to_owned())
}

/// `aws_vpc_security_group_egress_rule` and its sister: one target.
fn one_rule(direction: Direction, value: &Value) -> Option<Vec<(String, Draft)>> {
    let target = if let Some(cidr) = text(value, "cidr_ipv4").or_else(|| text(value, "cidr_ipv6")) {
        Target::cidr(&cidr)?
    } else if let Some(list) = text(value, "prefix_list_id") {
        Target::PrefixList(list)
    } else {
        group_target(&text(value, "referenced_security_group_id")?)
    };
    let draft = Draft {
        direction,
        protocol: text(value, "ip_protocol")?,
        ports: ports(value),
        target,
    };
    Some(vec![(text(value, "security_group_id")?, draft)])
}

/// `aws_security_group_rule`: several targets of one direction.
fn legacy_rule(value: &Value) -> Option<Vec<(String, Draft)>> {
    let group = text(value, "security_group_id")?;
    let direction = if text(value, "type")? == "egress" {
        Direction::Egress
    } else {
        Direction::Ingress
    };
    let named = text(value, "source_security_group_id").map(|id| group_target(&id));
    drafts(&group, direction, value, named)
}

/// `aws_security_group`: `ingress` and `egress` blocks; one that does not exist yet
/// can't be in the inventory, and nothing is lost by it.
fn inline_rules(value: &Value) -> Held {
    let Some(group) = text(value, "id") else {
        return Held::default();
    };
    let mut held = Held::default();
    for (key, direction) in [
        ("egress", Direction::Egress),
        ("ingress", Direction::Ingress),
    ] {
        for block in value
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let named: Vec<Target> = texts(block, "security_groups")
                .iter()
                .map(|id| group_target(id))
                .collect();
            match drafts(&group, direction, block, named) {
                Some(drafts) => held.rules.extend(drafts),
                None => held.is_partial = true,
            }
        }
    }
    held
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(ToOwned::to_owned))
        .collect()
}

/// The rules of a block with lists of targets.
fn drafts(
    group: &str,
    direction: Direction,
    value: &Value,
    named: impl IntoIterator<Item = Target>,
) -> Option<Vec<(String, Draft)>> {
    let protocol = text(value, "protocol")?;
    let mut targets: Vec<Target> = named.into_iter().collect();
    for key in ["cidr_blocks", "ipv6_cidr_blocks"] {
        for cidr in texts(value, key) {
            targets.push(Target::cidr(&cidr)?);
        }
    }
    targets.extend(
        texts(value, "prefix_list_ids")
            .into_iter()
            .map(Target::PrefixList),
    );
    if value.get("self").and_then(Value::as_bool) == Some(true) {
        targets.push(group_target(group));
    }
    let draft = |target| Draft {
        direction,
        protocol: protocol.clone(),
        ports: ports(value),
        target,
    };
    (!targets.is_empty()).then(|| {
        targets
            .into_iter()
            .map(|target| (group.to_owned(), draft(target)))
            .collect()
    })
}

fn group(inventory: &Inventory, id: &str) -> Result<GroupIx, ProposalError> {
    inventory
        .group_by_id(id)
        .ok_or_else(|| ProposalError::Group(id.to_owned()))
}
