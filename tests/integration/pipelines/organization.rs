//! The role that a snapshot of an organization assumes in each account.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::succeeds;
use crate::common::root;
use crate::queries::peer;

const TEMPLATE: &str = "deploy/organization/member-role.yaml";

fn policy(name: &str) -> Value {
    let path = root().join(format!("docs/iam/{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The actions of a statement.
fn actions(statement: &Value) -> BTreeSet<&str> {
    let actions = statement["Action"].as_array().unwrap();
    actions.iter().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn the_linter_takes_the_template() {
    let mut lint = Command::new(peer("cfn-lint"));
    succeeds(
        lint.args(["--include-checks", "I", "--"])
            .arg(root().join(TEMPLATE)),
    );
}

/// The role may do what closegate's own policies have, and nothing else; whom it trusts is what docs/iam says.
#[test]
fn the_role_has_the_least_permissions() {
    let text = fs::read_to_string(root().join(TEMPLATE)).unwrap();
    // Its own tags, which a reader of plain YAML does not know.
    let plain = text.replace("!If", "").replace("!Ref", "");
    let plain = plain.replace("!Sub", "").replace("!GetAtt", "");
    let plain = plain.replace("!Select", "").replace("!Split", "");
    let plain = plain.replace("!Not", "").replace("!Equals", "");
    let template: Value = serde_saphyr::from_str(&plain).unwrap();
    let role = &template["Resources"]["Role"]["Properties"];
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    let inventory = policy("collect-inventory");
    assert_eq!(actions(&statements[0]), actions(&inventory["Statement"][0]));
    // The condition comes first, what stands else last.
    let history = policy("collect-history");
    assert_eq!(statements[1][0], "WithHistory");
    assert_eq!(
        actions(&statements[1][1]),
        actions(&history["Statement"][0])
    );
    assert_eq!(statements.as_array().unwrap().len(), 2);

    let trusted = &role["AssumeRolePolicyDocument"]["Statement"];
    let documented = &policy("collect-organization-trust")["Statement"];
    assert_eq!(trusted.as_array().unwrap().len(), 1);
    assert_eq!(documented.as_array().unwrap().len(), 1);
    let (trusted, documented) = (&trusted[0], &documented[0]);
    assert_eq!(trusted["Action"], "sts:AssumeRole");
    assert_eq!(documented["Action"], json!(["sts:AssumeRole"]));
    assert_eq!(
        trusted["Condition"]["ArnLike"],
        json!({"aws:PrincipalArn": "AuditorRole"})
    );
    let conditions = documented["Condition"].as_object().unwrap();
    let conditions: Vec<&str> = conditions.keys().map(String::as_str).collect();
    assert_eq!(conditions, ["ArnLike", "StringEquals"]);
    let external = &trusted["Condition"]["StringEquals"];
    assert_eq!(external[1], json!({"sts:ExternalId": "ExternalId"}));
}
