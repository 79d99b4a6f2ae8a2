//! `CloudFormation`: one resource per rule (aws-resource-ec2-securitygroupegress.html), so that no two groups wait for each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::error::RuleFormatError;
use super::ids::Ids;
use super::names::{ResourceNames, unique};
use super::native::above;
use super::options::RuleFormatOptions;
use super::terraform::{ONCE, Refs};
use crate::documents::{ChangeDocument, Direction, RuleRow, TargetRow};
use crate::net::{aws_description, json, visible};

/// How many resources a template may have (cloudformation-limits.html).
pub(super) const RESOURCES: usize = 500;

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
    let names = ResourceNames::alone(change);
    let refs = Refs::new(change, ids(options.ids), names.rules());
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
    let _ = write!(description, " {}", ONCE.replace('\n', " "));
    if resources.len() > RESOURCES {
        let _ = write!(
            description,
            " It has {} resources and a template takes {RESOURCES}: split it.",
            resources.len()
        );
    }
    document(&refs, &description, resources)
}

/// There is no data source: whatever is not literal is a parameter.
fn ids(ids: Ids) -> Ids {
    if ids == Ids::Literal {
        Ids::Literal
    } else {
        Ids::Var
    }
}

/// The rules of a policy's stack, in the order of their names. More than [`RESOURCES`] of them do not fit.
pub(super) fn policy_stack(
    change: &ChangeDocument,
    options: &RuleFormatOptions,
    description: &str,
    rules: &[(&str, &RuleRow)],
) -> Value {
    let used = rules.iter().map(|(_, rule)| *rule);
    let refs = Refs::new(change, ids(options.ids), used);
    let resources = rules.iter().map(|(name, rule)| {
        let mut resource = resource(change, rule, &refs);
        resource["Metadata"] = json!({"closegate": above(&[*rule])});
        (logical_name(name), resource)
    });
    document(&refs, description, resources.collect())
}

/// A name of a policy as a logical name, each as another: `_` and the letter behind it become that letter in upper case; where that can't
/// be told from something else, `_` becomes `Z`.
fn logical_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut signs = name.chars().peekable();
    if let Some(first) = signs.next() {
        out.push(first.to_ascii_uppercase());
    }
    while let Some(c) = signs.next() {
        let upper = signs
            .peek()
            .filter(|next| next.is_ascii_lowercase() && **next != 'z')
            .map(char::to_ascii_uppercase);
        match (c, upper) {
            ('_', Some(upper)) => {
                out.push(upper);
                signs.next();
            }
            ('_', None) => out.push('Z'),
            (c, _) => out.push(c),
        }
    }
    out
}

fn document(refs: &Refs<'_>, description: &str, resources: Map<String, Value>) -> Value {
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
    });
    // A rule that stands without a description keeps none.
    if !rule.wording.is_empty() || rule.name.is_none() {
        properties["Description"] = aws_description(&rule.wording).into();
    }
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
