//! Reading a proposed change: our own `rules.json`, or a plan of Terraform's.

use serde::Deserialize;
use serde_json::Value;

use super::Change;
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
        plan(inventory, Plan::deserialize(document)?)
    } else if document.get("rules").is_some() {
        Ok((own(inventory, Own::deserialize(document)?)?, Vec::new()))
    } else {
        Err(ProposalError::Neither)
    }
}

/// `rules.json`, as far as it says what changes.
#[derive(Deserialize)]
struct Own {
    rules: Vec<OwnRule>,
    #[serde(default)]
    revocations: Vec<OwnRule>,
}

#[derive(Deserialize)]
struct OwnRule {
    direction: String,
    group_id: String,
    protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
    target: OwnTarget,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OwnTarget {
    SecurityGroup(String),
    CidrIpv4(String),
    CidrIpv6(String),
    PrefixList(String),
}

fn own(inventory: &Inventory, own: Own) -> Result<Change, ProposalError> {
    let rule = |own: OwnRule| {
        let group = group(inventory, &own.group_id)?;
        let what = format!("{} {} {}", own.group_id, own.direction, own.protocol);
        let target = match own.target {
            OwnTarget::SecurityGroup(id) => Some(Target::Group(id)),
            OwnTarget::PrefixList(id) => Some(Target::PrefixList(id)),
            OwnTarget::CidrIpv4(text) | OwnTarget::CidrIpv6(text) => Target::cidr(&text),
        };
        let direction = match own.direction.as_str() {
            "egress" => Some(Direction::Egress),
            "ingress" => Some(Direction::Ingress),
            _ => None,
        };
        let parts = direction.zip(target);
        let rule = parts.and_then(|(direction, target)| {
            Rule::from_parts(direction, &own.protocol, own.from_port, own.to_port, target)
        });
        Ok((group, rule.ok_or(ProposalError::Rule(what))?))
    };
    let added = own.rules.into_iter().filter(|r| r.status == "add");
    Ok(Change {
        additions: added.map(rule).collect::<Result<_, ProposalError>>()?,
        removals: own
            .revocations
            .into_iter()
            .map(rule)
            .collect::<Result<_, ProposalError>>()?,
    })
}

/// `terraform show -json` of a plan, as far as it says what changes.
#[derive(Deserialize)]
struct Plan {
    resource_changes: Vec<ResourceChange>,
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    #[serde(rename = "type")]
    kind: String,
    change: BeforeAfter,
}

#[derive(Deserialize)]
struct BeforeAfter {
    before: Option<Value>,
    after: Option<Value>,
}

/// Resources that hold one rule each, by type.
const ONE_RULE: &[(&str, Direction)] = &[
    ("aws_vpc_security_group_egress_rule", Direction::Egress),
    ("aws_vpc_security_group_ingress_rule", Direction::Ingress),
];

/// What each resource held goes, what it will hold comes; a rule that does both
/// stays. Resources of other types do not matter.
fn plan(inventory: &Inventory, plan: Plan) -> Result<(Change, Vec<String>), ProposalError> {
    let (mut change, mut unknown) = (Change::default(), Vec::new());
    for resource in plan.resource_changes {
        let Some(&(_, direction)) = ONE_RULE.iter().find(|(kind, _)| *kind == resource.kind) else {
            if resource.kind == "aws_security_group_rule" || resource.kind == "aws_security_group" {
                unknown.push(format!(
                    "{}: rules of this type of resource are not read",
                    resource.address
                ));
            }
            continue;
        };
        let mut read = |value: Option<Value>| -> Result<Option<(GroupIx, Rule)>, ProposalError> {
            let Some(value) = value else { return Ok(None) };
            let found = planned(inventory, direction, &value)?;
            if found.is_none() {
                unknown.push(format!(
                    "{}: its group or target is known only after apply",
                    resource.address
                ));
            }
            Ok(found)
        };
        let (before, after) = (read(resource.change.before)?, read(resource.change.after)?);
        let same = matches!((&before, &after), (Some(a), Some(b)) if a.0 == b.0 && a.1.same_permission(&b.1));
        if !same {
            change.removals.extend(before);
            change.additions.extend(after);
        }
    }
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

fn planned(
    inventory: &Inventory,
    direction: Direction,
    value: &Value,
) -> Result<Option<(GroupIx, Rule)>, ProposalError> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let number = |key: &str| value.get(key).and_then(Value::as_i64);
    let (Some(group_id), Some(protocol)) = (text("security_group_id"), text("ip_protocol")) else {
        return Ok(None);
    };
    let target = if let Some(cidr) = text("cidr_ipv4").or_else(|| text("cidr_ipv6")) {
        Target::cidr(cidr)
    } else if let Some(list) = text("prefix_list_id") {
        Some(Target::PrefixList(list.to_owned()))
    } else {
        // Another account's group has the account in front.
        text("referenced_security_group_id")
            .map(|id| Target::Group(id.rsplit('/').next().unwrap_or(id).to_owned()))
    };
    let Some(target) = target else {
        return Ok(None);
    };
    let rule = Rule::from_parts(
        direction,
        protocol,
        number("from_port"),
        number("to_port"),
        target,
    );
    let rule = rule.ok_or_else(|| ProposalError::Rule(format!("{group_id} {protocol}")))?;
    Ok(Some((group(inventory, group_id)?, rule)))
}

fn group(inventory: &Inventory, id: &str) -> Result<GroupIx, ProposalError> {
    inventory
        .group_by_id(id)
        .ok_or_else(|| ProposalError::Group(id.to_owned()))
}
