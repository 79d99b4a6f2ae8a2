//! What EC2 answers, as the AWS CLI prints it.
//!
//! The SDK's types know only what its version knows and can't be written down again. So
//! the answer itself is kept: its XML becomes JSON by the names of the service model, which
//! are the CLI's, and what is collected here is what `aws ec2 describe-*` would have printed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use roxmltree::Node;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Made by `make ec2-shapes` from the service model of EC2, API version 2016-11-15.
const TABLE: &str = include_str!("ec2-shapes.json");

/// By operation.
static SHAPES: LazyLock<BTreeMap<String, Shape>> =
    LazyLock::new(|| serde_json::from_str(TABLE).expect("the table is part of the program"));

/// What some XML is.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Shape {
    /// A value's kind.
    Value(Kind),
    /// The elements of a list.
    List([Box<Self>; 1]),
    /// By XML name: the JSON name, and what is in it.
    Structure(BTreeMap<String, (String, Self)>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Time,
}

/// The answer to an operation as JSON; names that the table lacks are left out, as the CLI
/// leaves them out.
pub(super) fn json(operation: &str, xml: &[u8]) -> Result<Map<String, Value>, String> {
    let shape = SHAPES
        .get(operation)
        .ok_or_else(|| format!("{operation} is not in the table of shapes"))?;
    let text = std::str::from_utf8(xml).map_err(|error| error.to_string())?;
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    match shape.read(document.root_element()) {
        Value::Object(object) => Ok(object),
        _ => Err(format!("the answer to {operation} is not a structure")),
    }
}

impl Shape {
    fn read(&self, node: Node<'_, '_>) -> Value {
        let elements = || node.children().filter(Node::is_element);
        match self {
            Self::Value(kind) => kind.read(node.text().unwrap_or_default()),
            Self::List([element]) => elements().map(|child| element.read(child)).collect(),
            Self::Structure(members) => elements()
                .filter_map(|child| {
                    let (name, shape) = members.get(child.tag_name().name())?;
                    Some((name.clone(), shape.read(child)))
                })
                .collect(),
        }
    }
}

impl Kind {
    /// A value that is not what the model says stays text: nothing is lost.
    fn read(self, text: &str) -> Value {
        let as_it_is = || Value::String(text.to_owned());
        match self {
            Self::Text | Self::Time => as_it_is(),
            Self::Integer => text.parse::<i64>().map_or_else(|_| as_it_is(), Value::from),
            Self::Number => text.parse::<f64>().map_or_else(|_| as_it_is(), Value::from),
            Self::Boolean => text
                .parse::<bool>()
                .map_or_else(|_| as_it_is(), Value::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_the_cli_prints() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>59dbff89</requestId>
  <securityGroupInfo><item>
    <ownerId>111122223333</ownerId><groupId>sg-1</groupId><groupName>a &lt;b&gt;</groupName><vpcId>vpc-1</vpcId>
    <ipPermissions/>
    <ipPermissionsEgress><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort>
      <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><groups/></item></ipPermissionsEgress>
    <newInTheApi>x</newInTheApi>
  </item></securityGroupInfo>
  <nextToken>more</nextToken>
</DescribeSecurityGroupsResponse>"#;
        let expected = serde_json::json!({
            "SecurityGroups": [{
                "OwnerId": "111122223333", "GroupId": "sg-1", "GroupName": "a <b>", "VpcId": "vpc-1",
                "IpPermissions": [],
                "IpPermissionsEgress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
                    "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": []}],
            }],
            "NextToken": "more",
        });
        let read = json("DescribeSecurityGroups", xml.as_bytes());
        assert_eq!(read.map(Value::Object), Ok(expected));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(json("DescribeSecurityGroups", b"\0\xff not a response").is_err());
        assert!(json("DescribeNothing", b"<a/>").is_err());
    }
}
