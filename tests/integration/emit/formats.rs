//! Every format, read back: whatever groups, lists and descriptions are called, it says the same rules, and nothing of it is run.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use closegate::documents::ChangeDocument;
use closegate::emit::{FORMATS, Ids, RuleFormat, RuleFormatOptions};
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::Body;
use proptest::prelude::*;
use serde_json::Value;

use super::{HOSTILE, audit, hostile_audit, json, text};
use crate::common::root;
use crate::peers::{has, needed};

/// Direction, group, protocol, ports and target.
type Said = BTreeSet<String>;

fn say(
    direction: &str,
    group: &str,
    protocol: &str,
    ports: (Option<i64>, Option<i64>),
    target: &str,
) -> String {
    let ports = match ports {
        (Some(from), to) if from != -1 => format!("{from}-{}", to.unwrap_or(from)),
        _ => "any".to_owned(),
    };
    format!("{direction} {group} {protocol} {ports} {target}")
}

/// What has to be added, as the rule file says.
fn meant(change: &Value) -> Said {
    let rules = change["rules"].as_array().unwrap().iter();
    let added = rules.filter(|rule| rule["status"] == "add");
    added.map(of_row).collect()
}

fn of_row(rule: &Value) -> String {
    let text = |key: &str| rule[key].as_str().unwrap();
    let target = rule["target"].as_object().unwrap().values().next().unwrap();
    let ports = (rule["from_port"].as_i64(), rule["to_port"].as_i64());
    say(
        text("direction"),
        text("group_id"),
        text("protocol"),
        ports,
        target.as_str().unwrap(),
    )
}

fn string(value: &Expression) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value:?} is no plain text"))
        .to_owned()
}

fn number(value: &Expression) -> Option<i64> {
    value.to_string().trim().parse().ok()
}

/// The values of an object or a block, by key.
fn entries(object: &Expression) -> BTreeMap<String, Expression> {
    let object = object.as_object().unwrap().iter();
    let key = |key: &ObjectKey| match key {
        ObjectKey::Ident(key) => key.to_string().trim().to_owned(),
        ObjectKey::Expression(_) => panic!("keys are identifiers"),
    };
    object
        .map(|(k, value)| (key(k), value.expr().clone()))
        .collect()
}

fn attributes(body: &Body) -> BTreeMap<String, Expression> {
    let attributes = body.attributes();
    attributes
        .map(|a| (a.key.to_string().trim().to_owned(), a.value.clone()))
        .collect()
}

/// Native resources of either kind, and the entries of either module.
fn of_hcl(text: &str) -> Said {
    let body: Body = text.parse().unwrap();
    let mut said = Said::new();
    let imported: Vec<String> = body
        .get_blocks("import")
        .map(|b| b.body.get_attribute("to").unwrap().value.to_string())
        .collect();
    for resource in body.get_blocks("resource") {
        let of = attributes(&resource.body);
        let group = string(&of["security_group_id"]);
        let ports = (
            of.get("from_port").and_then(number),
            of.get("to_port").and_then(number),
        );
        let mut older = ["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"].into_iter();
        let older = older
            .find_map(|key| of.get(key))
            .map(|list| string(list.as_array().unwrap().get(0).unwrap()));
        let newer = [
            "cidr_ipv4",
            "cidr_ipv6",
            "prefix_list_id",
            "referenced_security_group_id",
            "source_security_group_id",
        ];
        let target =
            older.unwrap_or_else(|| string(newer.iter().find_map(|key| of.get(*key)).unwrap()));
        let (direction, protocol) = match resource.labels[0].as_str() {
            "aws_security_group_rule" => (string(&of["type"]), &of["protocol"]),
            kind => (
                kind.split('_').nth(4).unwrap().to_owned(),
                &of["ip_protocol"],
            ),
        };
        said.insert(say(&direction, &group, &string(protocol), ports, &target));
    }
    for module in body.get_blocks("module") {
        let rules = &module.body.get_attribute("rules").unwrap().value;
        let entry = |key: &str, of: BTreeMap<String, Expression>, said: &mut Said| {
            let (source, target) = (string(&of["source_sg_id"]), string(&of["target_sg_id"]));
            let text = |key: &str| {
                of.get(key)
                    .map(|value| string(value).parse::<i64>().unwrap())
            };
            let ports = match of.get("from_port") {
                Some(from) => (number(from), of.get("to_port").and_then(number)),
                None => (text("destination_port"), text("to_port")),
            };
            let protocol = string(&of["protocol"]);
            for (direction, group, other) in
                [("egress", &source, &target), ("ingress", &target, &source)]
            {
                let address = format!("aws_vpc_security_group_{direction}_rule.this[\"{key}\"]");
                if !imported.iter().any(|to| to.contains(&address)) {
                    said.insert(say(direction, group, &protocol, ports, other));
                }
            }
        };
        if let Some(list) = rules.as_array() {
            list.iter().for_each(|of| entry("", entries(of), &mut said));
        } else {
            for (key, of) in entries(rules) {
                entry(&key, entries(&of), &mut said);
            }
        }
    }
    said
}

/// Terraform's templates, undone.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .unwrap()
        .replace("$${", "${")
        .replace("%%{", "%{")
}

fn of_terraform_json(text: &str) -> Said {
    let document: Value = serde_json::from_str(text).unwrap();
    let kinds = document["resource"].as_object().into_iter().flatten();
    kinds
        .flat_map(|(kind, resources)| {
            resources
                .as_object()
                .unwrap()
                .values()
                .map(move |of| (kind, of))
        })
        .map(|(kind, of)| {
            let targets = [
                "cidr_ipv4",
                "cidr_ipv6",
                "prefix_list_id",
                "referenced_security_group_id",
            ];
            let target = targets
                .iter()
                .map(|key| &of[*key])
                .find(|value| value.is_string())
                .unwrap();
            let ports = (of["from_port"].as_i64(), of["to_port"].as_i64());
            let direction = kind.split('_').nth(4).unwrap();
            say(
                direction,
                &plain(&of["security_group_id"]),
                &plain(&of["ip_protocol"]),
                ports,
                &plain(target),
            )
        })
        .collect()
}

fn of_template(template: &Value) -> Said {
    let resources = template["Resources"].as_object().unwrap().values();
    resources
        .map(|resource| {
            let of = &resource["Properties"];
            let direction = if resource["Type"] == "AWS::EC2::SecurityGroupEgress" {
                "egress"
            } else {
                "ingress"
            };
            let targets = [
                "CidrIp",
                "CidrIpv6",
                "DestinationPrefixListId",
                "SourcePrefixListId",
                "DestinationSecurityGroupId",
                "SourceSecurityGroupId",
            ];
            let target = targets.iter().find_map(|key| of[*key].as_str()).unwrap();
            let ports = (of["FromPort"].as_i64(), of["ToPort"].as_i64());
            say(
                direction,
                of["GroupId"].as_str().unwrap(),
                of["IpProtocol"].as_str().unwrap(),
                ports,
                target,
            )
        })
        .collect()
}

fn of_csv(text: &str) -> Said {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let rows = table
        .deserialize::<BTreeMap<String, String>>()
        .map(Result::unwrap);
    rows.inspect(|row| {
        for cell in row.values() {
            assert!(
                !cell.starts_with(['=', '+', '@', '\t', '\r']),
                "a formula: {cell}"
            );
            assert!(
                !cell.starts_with('-') || cell.parse::<i64>().is_ok(),
                "a formula: {cell}"
            );
        }
    })
    .filter(|row| row["action"] == "add")
    .map(|row| {
        let port = |key: &str| row[key].parse().ok();
        say(
            &row["direction"],
            &row["group_id"],
            &row["protocol"],
            (port("from_port"), port("to_port")),
            &row["target"],
        )
    })
    .collect()
}

/// The rule that one call of the AWS CLI is about.
fn of_call(call: &[String]) -> String {
    let option = |name| super::shell::option(call, name).unwrap();
    let permissions: Value = serde_json::from_str(option("--ip-permissions")).unwrap();
    let of = &permissions[0];
    let lists = [
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"),
    ];
    let target = lists
        .iter()
        .find_map(|(list, key)| of[*list][0][*key].as_str())
        .unwrap();
    let ports = (of["FromPort"].as_i64(), of["ToPort"].as_i64());
    let direction = call[1].rsplit('-').next().unwrap();
    say(
        direction,
        option("--group-id"),
        of["IpProtocol"].as_str().unwrap(),
        ports,
        target,
    )
}

fn of_script(text: &str, stage: &[&str]) -> Said {
    super::shell::calls(text, stage)
        .iter()
        .map(|call| of_call(call))
        .collect()
}

/// What a format's text says has to be added.
fn said(format: &RuleFormat, text: &str) -> Said {
    match format.name {
        "terraform-module" | "terraform-module-v1" | "terraform" => of_hcl(text),
        "terraform-json" => of_terraform_json(text),
        "cloudformation" => of_template(&serde_saphyr::from_str(text).unwrap()),
        "cloudformation-json" => of_template(&serde_json::from_str(text).unwrap()),
        "aws-cli" => of_script(text, &["add"]),
        "csv" => of_csv(text),
        "json" => meant(&serde_json::from_str(text).unwrap()),
        "aws-cli-rollback" => of_script(text, &["remove", "--all", "--without-journal"]),
        other => panic!("{other} has no reader here"),
    }
}

fn read(change: &Value) -> ChangeDocument {
    serde_json::from_value(change.clone()).unwrap()
}

/// The sample's change and a hostile one's.
#[test]
fn every_format_says_the_same_rules() {
    for audit in [audit(), hostile_audit()] {
        let change = json(&audit, "rules/rules.json");
        for format in FORMATS {
            let text = format
                .write(&read(&change), &RuleFormatOptions::default())
                .unwrap();
            assert_eq!(said(format, &text), meant(&change), "{}", format.name);
        }
    }
}

/// Whatever people call things, and whatever a file that was edited claims as a description.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(HOSTILE).prop_map(ToOwned::to_owned),
        "\\PC{0,255}",
        "[\\x00-\\x7f]{0,40}",
        "[-=+@$%{}\"'`\\\\<>|&;()\\[\\]#!*~\\n\\r\\t ]{0,60}",
    ]
}

fn renamed(names: &[String]) -> Value {
    static CHANGE: std::sync::LazyLock<Value> =
        std::sync::LazyLock::new(|| json(&audit(), "rules/rules.json"));
    let mut change = CHANGE.clone();
    let mut next = names.iter().cycle();
    let mut name = || Value::from(next.next().unwrap().as_str());
    for list in ["groups", "prefix_lists"] {
        for row in change[list].as_array_mut().unwrap() {
            row["name"] = name();
        }
    }
    for list in ["rules", "revocations", "tightenings"] {
        for row in change[list].as_array_mut().unwrap() {
            row["group_name"] = name();
            row["description"] = name();
            if list == "rules" {
                row["wording"] = name();
            }
        }
    }
    change
}

fn says_the_same(name: &str, names: &[String]) -> Result<(), TestCaseError> {
    let change = renamed(names);
    let format = RuleFormat::named(name).unwrap();
    let text = format
        .write(&read(&change), &RuleFormatOptions::default())
        .unwrap();
    prop_assert_eq!(said(format, &text), meant(&change));
    Ok(())
}

/// A property for each format.
macro_rules! properties {
    ($($test:ident, $format:literal, $cases:literal;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases($cases))]
            #[test]
            fn $test(names in prop::collection::vec(hostile(), 1..30)) {
                says_the_same($format, &names)?;
            }
        }
    )*};
}

properties! {
    terraform_module_survives_any_name, "terraform-module", 64;
    terraform_module_v1_survives_any_name, "terraform-module-v1", 64;
    terraform_survives_any_name, "terraform", 64;
    terraform_json_survives_any_name, "terraform-json", 64;
    cloudformation_survives_any_name, "cloudformation", 64;
    cloudformation_json_survives_any_name, "cloudformation-json", 64;
    aws_cli_survives_any_name, "aws-cli", 6;
    aws_cli_rollback_survives_any_name, "aws-cli-rollback", 6;
    csv_survives_any_name, "csv", 64;
    json_survives_any_name, "json", 16;
}

proptest! {
    /// Whatever signs meet: what begins a template in HCL is text, and the same one.
    #[test]
    fn a_text_is_no_template(names in prop::collection::vec("[$%{}x]{0,12}", 1..30)) {
        let change = renamed(&names);
        let wordings = change["rules"].as_array().unwrap().iter();
        let meant: BTreeSet<&str> = wordings
            .filter(|rule| rule["status"] == "add")
            .map(|rule| rule["wording"].as_str().unwrap())
            .collect();
        let format = RuleFormat::named("terraform").unwrap();
        let written = format.write(&read(&change), &RuleFormatOptions::default()).unwrap();
        let body: Body = written.parse().unwrap();
        let said: Vec<String> = body
            .get_blocks("resource")
            .map(|resource| string(&attributes(&resource.body)["description"]))
            .collect();
        prop_assert_eq!(said.iter().map(String::as_str).collect::<BTreeSet<_>>(), meant);
    }
}

/// A file that moves between accounts has none of this one's ids in it, but for what a person reads.
#[test]
fn ids_by_variable_or_data_source() {
    let change = read(&json(&audit(), "rules/rules.json"));
    for (ids, wanted) in [
        (Ids::Var, "var.sg_web"),
        (Ids::Data, "data.aws_security_group.sg_web.id"),
    ] {
        let options = RuleFormatOptions {
            ids,
            ..RuleFormatOptions::default()
        };
        for name in [
            "terraform-module",
            "terraform-module-v1",
            "terraform",
            "terraform-json",
        ] {
            let text = RuleFormat::named(name)
                .unwrap()
                .write(&change, &options)
                .unwrap();
            assert!(text.contains(wanted), "{name}");
            let literal = |line: &&str| {
                ["\"sg-", "\"pl-", "\"vpc-", "\"sgr-"]
                    .iter()
                    .any(|id| line.contains(id))
            };
            assert_eq!(text.lines().find(literal), None, "{name}");
        }
        let template = RuleFormat::named("cloudformation-json")
            .unwrap()
            .write(&change, &options)
            .unwrap();
        let template: Value = serde_json::from_str(&template).unwrap();
        assert_eq!(
            template["Parameters"]["SgWeb"]["Type"],
            "AWS::EC2::SecurityGroup::Id"
        );
        let resources = template["Resources"].as_object().unwrap().values();
        assert!(
            resources
                .clone()
                .all(|r| r["Properties"]["GroupId"]["Ref"].is_string())
        );
    }
}

/// Groups with the same name and names that look like what keeps others apart still give one entry each.
#[test]
fn names_never_collide() {
    let change = renamed(&["web".to_owned()]);
    for format in FORMATS {
        let text = format
            .write(&read(&change), &RuleFormatOptions::default())
            .unwrap();
        assert_eq!(said(format, &text), meant(&change), "{}", format.name);
    }
}

/// `CloudFormation`'s own linter takes the templates.
#[test]
fn cfn_lint_takes_the_templates() {
    let dir = tempfile::tempdir().unwrap();
    for (number, audit) in [audit(), hostile_audit()].iter().enumerate() {
        let change = read(&json(audit, "rules/rules.json"));
        for (name, end) in [("cloudformation", "yaml"), ("cloudformation-json", "json")] {
            for ids in [Ids::Literal, Ids::Var] {
                let options = RuleFormatOptions {
                    ids,
                    ..RuleFormatOptions::default()
                };
                let path = dir.path().join(format!("{number}-{ids:?}.{end}"));
                std::fs::write(
                    &path,
                    RuleFormat::named(name)
                        .unwrap()
                        .write(&change, &options)
                        .unwrap(),
                )
                .unwrap();
            }
        }
    }
    let lint = root().join("target/peers/bin/cfn-lint");
    let done = Command::new(needed(lint))
        .args(["--regions", "us-east-1", "--template"])
        .args(
            std::fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        )
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
}

/// Where `ShellCheck` is missing, `make test` says so in its summary.
#[test]
fn shellcheck_takes_the_scripts() {
    if !has("shellcheck") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for audit in [audit(), hostile_audit()] {
        for name in ["apply.sh", "rollback.sh"] {
            let path = dir.path().join(name);
            std::fs::write(&path, text(&audit, &format!("rules/{name}"))).unwrap();
            // That nothing in single quotes expands is what is wanted.
            let done = Command::new("shellcheck")
                .arg("--exclude=SC2016")
                .arg(&path)
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{}",
                String::from_utf8_lossy(&done.stdout)
            );
        }
    }
}
