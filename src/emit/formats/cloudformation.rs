//! `CloudFormation`: one resource per rule (aws-resource-ec2-securitygroupegress.html), so that no two groups wait for each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::error::RuleFormatError;
use super::ids::Ids;
use super::names::{ResourceNames, unique};
use super::options::RuleFormatOptions;
use super::terraform::Refs;
use crate::documents::{ChangeDocument, Direction, RuleRow, TargetRow};
use crate::net::{aws_description, json, visible};

/// How many resources a template may have (cloudformation-limits.html).
const RESOURCES: usize = 500;

pub(super) fn json(change: &ChangeDocument, options: &RuleFormatOptions) -> String {
    json::pretty(&template(change, options))
}

pub(super) fn yaml(
    change: &ChangeDocument,
    options: &RuleFormatOptions,
) -> Result<String, RuleFormatError> {
    Ok(serde_saphyr::to_string(&template(change, options))?)
}

fn template(change: &ChangeDocument, options: &RuleFormatOptions) -> Value {
    // There is no data source: whatever is not literal is a parameter.
    let ids = if options.ids == Ids::Literal {
        Ids::Literal
    } else {
        Ids::Var
    };
    let names = ResourceNames::alone(change);
    let refs = Refs::new(change, ids, names.rules());
    let logical = names
        .others
        .iter()
        .map(|(name, rule)| (camel_case(name), *rule));
    let resources: BTreeMap<String, &RuleRow> = unique(logical.collect(), |rule| &rule.id);
    let resources: Map<String, Value> = resources
        .into_iter()
        .map(|(name, rule)| (camel_case(&name), resource(change, rule, &refs)))
        .collect();
    let mut description =
        "closegate: one resource per rule. Deploy this before revoking anything.".to_owned();
    if resources.len() > RESOURCES {
        let _ = write!(
            description,
            " It has {} resources and a template takes {RESOURCES}: split it.",
            resources.len()
        );
    }
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
    });
    let parameters = refs.declared().into_iter().map(|declared| {
        let group = declared.name.starts_with("sg_");
        let kind = if group {
            "AWS::EC2::SecurityGroup::Id"
        } else {
            "String"
        };
        (
            camel_case(&declared.name),
            json!({"Type": kind, "Description": declared.text}),
        )
    });
    let parameters: Map<String, Value> = parameters.collect();
    if !parameters.is_empty() {
        template["Parameters"] = parameters.into();
    }
    template["Resources"] = resources.into();
    defuse(&mut template);
    template
}

/// Makes every text of a template a literal. `CloudFormation` resolves `{{resolve:…}}` in any of them, and has no escape
/// for it, so doubled braces become brackets, which a rule's description may hold as well. A text outside a function is
/// not searched for `${…}`, and the YAML writer quotes what begins with `!`.
fn defuse(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = visible(text, usize::MAX)
                .replace("{{", "[[")
                .replace("}}", "]]");
        }
        Value::Array(list) => list.iter_mut().for_each(defuse),
        Value::Object(map) => map.values_mut().for_each(defuse),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn resource(change: &ChangeDocument, rule: &RuleRow, refs: &Refs<'_>) -> Value {
    let name = |id: &str| match refs.name(id) {
        super::terraform::Name::Literal(text) => Value::String(text),
        super::terraform::Name::Path(path) => {
            json!({"Ref": camel_case(path.trim_start_matches("var."))})
        }
    };
    let (kind, end) = match rule.permission.direction {
        Direction::Egress => ("AWS::EC2::SecurityGroupEgress", "Destination"),
        Direction::Ingress => ("AWS::EC2::SecurityGroupIngress", "Source"),
    };
    let mut properties = json!({
        "GroupId": name(&rule.group_id),
        "IpProtocol": rule.permission.protocol,
        "Description": aws_description(&rule.wording),
    });
    if let Some((from, to)) = rule.permission.api_ports() {
        properties["FromPort"] = from.into();
        properties["ToPort"] = to.into();
    }
    match &rule.permission.target {
        TargetRow::CidrIpv4(net) => properties["CidrIp"] = net.as_str().into(),
        TargetRow::CidrIpv6(net) => properties["CidrIpv6"] = net.as_str().into(),
        TargetRow::PrefixList(id) => properties[format!("{end}PrefixListId")] = name(id),
        TargetRow::SecurityGroup(id) => {
            properties[format!("{end}SecurityGroupId")] = name(id);
            // An egress rule has no field for the account.
            if let (Direction::Ingress, Some(owner)) = (
                rule.permission.direction,
                change.foreign_owner(&rule.group_id, id),
            ) {
                properties["SourceSecurityGroupOwnerId"] = owner.into();
            }
        }
    }
    json!({"Type": kind, "Properties": properties})
}

/// Logical names are letters and digits only.
fn camel_case(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
