//! `rules/mutual.tf` and `rules/other.tf`.

use std::path::Path;
use std::process::Command;

use closegate::audit::Audit;
use closegate::emit::{Ids, RuleFormat, RuleFormatOptions};
use closegate::inventory::{Direction, Target};
use closegate::suggest::Status;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::Body;

use super::{audit, hostile_audit, text};
use crate::peers::{has, terraform_with_provider};

fn string(value: &Expression) -> String {
    value.as_str().unwrap().to_owned()
}

/// What the two files say, as `direction group protocol port target`; the module's
/// entries are both halves, less those that are imported.
fn said(audit: &Audit) -> Vec<String> {
    let mutual: Body = text(audit, "rules/mutual.tf").parse().unwrap();
    let mut said = Vec::new();
    let imports: Vec<String> = mutual
        .get_blocks("import")
        .map(|b| b.body.get_attribute("to").unwrap().value.to_string())
        .collect();
    for module in mutual.get_blocks("module") {
        let rules = &module.body.get_attribute("rules").unwrap().value;
        for (key, entry) in rules.as_object().unwrap() {
            let ObjectKey::Ident(key) = key else {
                panic!("keys are identifiers")
            };
            let entry = entry.expr().as_object().unwrap();
            let get = |name: &str| {
                entry
                    .iter()
                    .find(|(k, _)| matches!(k, ObjectKey::Ident(i) if i.as_str() == name))
                    .unwrap()
                    .1
                    .expr()
            };
            let (source, target) = (string(get("source_sg_id")), string(get("target_sg_id")));
            let rest = format!(
                "{} {}",
                string(get("protocol")),
                get("from_port").to_string().trim()
            );
            for (direction, group, other) in
                [("egress", &source, &target), ("ingress", &target, &source)]
            {
                let address = format!(
                    "aws_vpc_security_group_{direction}_rule.this[\"{}\"]",
                    key.as_str()
                );
                if !imports.iter().any(|to| to.contains(&address)) {
                    said.push(format!("{direction} {group} {rest} {other}"));
                }
            }
        }
    }
    let other: Body = text(audit, "rules/other.tf").parse().unwrap();
    for resource in other.get_blocks("resource") {
        let get = |name: &str| resource.body.get_attribute(name).map(|a| &a.value);
        let direction = if resource.labels[0].as_str().contains("egress") {
            "egress"
        } else {
            "ingress"
        };
        let target = [
            "cidr_ipv4",
            "cidr_ipv6",
            "prefix_list_id",
            "referenced_security_group_id",
        ]
        .iter()
        .find_map(|n| get(n))
        .unwrap();
        let port = get("from_port").map_or("-1".to_owned(), |p| p.to_string().trim().to_owned());
        said.push(format!(
            "{direction} {} {} {port} {}",
            string(get("security_group_id").unwrap()),
            string(get("ip_protocol").unwrap()),
            string(target)
        ));
    }
    said.sort();
    said
}

/// What the rule set says has to be added.
fn meant(audit: &Audit) -> Vec<String> {
    let mut meant: Vec<String> = audit
        .rules
        .rules
        .iter()
        .filter(|r| r.status == Status::Add)
        .map(|r| {
            let direction = if r.rule.direction == Direction::Egress {
                "egress"
            } else {
                "ingress"
            };
            let port = r
                .rule
                .port_pair()
                .map_or("-1".to_owned(), |p| p.0.to_string());
            let target = match &r.rule.target {
                Target::Cidr(net) => net.to_string(),
                Target::Group(id) | Target::PrefixList(id) => id.clone(),
            };
            format!(
                "{direction} {} {} {port} {target}",
                audit.inventory.group(r.group).id,
                r.rule.protocol
            )
        })
        .collect();
    meant.sort();
    meant
}

/// Parsed again by a library, the files add exactly the rules of the rule set.
#[test]
fn the_files_say_what_the_rule_set_says() {
    for audit in [audit(), hostile_audit()] {
        assert_eq!(said(&audit), meant(&audit));
    }
}

/// The half that lands on the target's group describes the source, as the
/// module's code (not its README) has it.
#[test]
fn descriptions_land_on_the_right_side() {
    let mutual = text(&audit(), "rules/mutual.tf");
    let entry = mutual
        .split("web-to-db-tcp-3306 = {")
        .nth(1)
        .unwrap()
        .split('}')
        .next()
        .unwrap();
    assert!(
        entry.contains("description_source = \"from web: MySQL\""),
        "{entry}"
    );
    assert!(
        entry.contains("description_target = \"to db: MySQL\""),
        "{entry}"
    );
}

/// Rules that stand are adopted by their id, and nothing stands twice.
#[test]
fn standing_halves_are_imported() {
    let audit = audit();
    let mutual = text(&audit, "rules/mutual.tf");
    let standing: Vec<&str> = audit
        .rules
        .rules
        .iter()
        .filter(|r| r.status == Status::Keep && r.pair.is_some())
        .map(|r| r.rule.rule_id.as_deref().unwrap())
        .collect();
    assert!(standing.len() > 3);
    for id in standing {
        assert_eq!(mutual.matches(&format!("\"{id}\"")).count(), 1);
    }
}

/// Terraform itself: formatting, and validation against the real provider with a
/// module of the documented interface. Where Terraform is missing, `make test`
/// says so in its summary.
#[test]
fn terraform_takes_the_files() {
    if !has("terraform") {
        return;
    }
    for audit in [audit(), hostile_audit()] {
        let dir = tempfile::tempdir().unwrap();
        for name in ["mutual.tf", "other.tf"] {
            std::fs::write(
                dir.path().join(name),
                text(&audit, &format!("rules/{name}")),
            )
            .unwrap();
        }
        terraform(dir.path(), &["fmt", "-check", "-diff"]);
        if let Some(mirror) = terraform_with_provider() {
            validate(dir.path(), &mirror);
        }
    }
}

/// The formats of `closegate rules`, by ids, variables and data sources: formatting of all, and validation of those that this
/// Terraform runs, against the real provider.
#[test]
fn terraform_takes_every_format_of_it() {
    if !has("terraform") {
        return;
    }
    for (number, audit) in [audit(), hostile_audit()].iter().enumerate() {
        let change = super::json(audit, "rules/rules.json");
        for ids in [Ids::Literal, Ids::Var, Ids::Data] {
            let options = RuleFormatOptions {
                ids,
                ..RuleFormatOptions::default()
            };
            let write = |name: &str| {
                let change = serde_json::from_value(change.clone()).unwrap();
                RuleFormat::named(name)
                    .unwrap()
                    .write(&change, &options)
                    .unwrap()
            };
            let dir = tempfile::tempdir().unwrap();
            for name in ["terraform-module", "terraform-module-v1", "terraform"] {
                std::fs::write(dir.path().join(format!("{name}.tf")), write(name)).unwrap();
            }
            terraform(dir.path(), &["fmt", "-check", "-diff"]);
            // One of each kind is enough: each takes ten seconds.
            let Some(mirror) =
                terraform_with_provider().filter(|_| (number == 1) == (ids == Ids::Data))
            else {
                continue;
            };
            let dir = tempfile::tempdir().unwrap();
            let file =
                |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
            file("mutual.tf", "");
            if number == 0 {
                file("rules.tf.json", &write("terraform-json"));
            } else {
                file("mutual.tf", &write("terraform-module"));
            }
            validate(dir.path(), &mirror);
        }
    }
}

/// A plan that Terraform made: everything that has to be added comes, the open rule
/// of a group goes, and `verify` says what that would break.
#[test]
fn verify_reads_a_plan_of_terraform() {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let audit = audit();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Importing asks AWS; what stands already is not needed for the question.
    let mutual = text(&audit, "rules/mutual.tf");
    let (module, _) = mutual.split_once("\nimport {").unwrap();
    std::fs::write(dir.join("mutual.tf"), module).unwrap();
    std::fs::write(dir.join("other.tf"), text(&audit, "rules/other.tf")).unwrap();
    initialise(dir, &mirror);
    let provider = "provider \"aws\" {\n  region = \"us-east-1\"\n  access_key = \"test\"\n  secret_key = \"test\"\n  skip_credentials_validation = true\n  skip_requesting_account_id = true\n  skip_metadata_api_check = true\n  skip_region_validation = true\n}\n";
    std::fs::write(dir.join("provider.tf"), provider).unwrap();
    let open = |group: &str, rule: &str| {
        serde_json::json!({"mode": "managed", "type": "aws_vpc_security_group_egress_rule", "name": group,
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": [{"schema_version": 0, "attributes": {
                "id": rule, "security_group_rule_id": rule, "security_group_id": audit.inventory.groups().iter().find(|g| g.name == group).unwrap().id,
                "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}}]})
    };
    let state = |resources: serde_json::Value| {
        let state = serde_json::json!({"version": 4, "terraform_version": "1.5.0", "serial": 1, "lineage": "x", "outputs": {}, "resources": resources});
        std::fs::write(dir.join("terraform.tfstate"), state.to_string()).unwrap();
    };
    let verified = || {
        terraform(
            dir,
            &["plan", "-input=false", "-refresh=false", "-out=plan"],
        );
        std::fs::write(
            dir.join("plan.json"),
            terraform(dir, &["show", "-json", "plan"]),
        )
        .unwrap();
        let output = crate::common::closegate()
            .args(["verify", "--json", "--flows"])
            .arg(crate::common::sample().join("flows/custom"))
            .arg("--inventory")
            .arg(crate::common::sample().join("inventory"))
            .arg("--rules")
            .arg(dir.join("plan.json"))
            .output()
            .unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["not_known"], serde_json::json!([]));
        answer["lost"].as_u64().unwrap()
    };
    // The cache opens nothing: its open rule may go.
    state(serde_json::json!([open("cache", "sgr-1")]));
    assert_eq!(verified(), 0);
    // The web servers may only lose theirs because the new rules come with the plan.
    state(serde_json::json!([
        open("web", "sgr-1"),
        open("base", "sgr-2")
    ]));
    assert_eq!(verified(), 0);
    std::fs::write(dir.join("other.tf"), "").unwrap();
    assert!(verified() > 0);
}

/// Has Terraform validate our files in a directory.
pub(crate) fn validate(dir: &Path, mirror: &str) {
    initialise(dir, mirror);
    terraform(dir, &["validate"]);
}

/// The same of several directories below one, as modules of one configuration: Terraform takes longer to load the provider than to
/// validate any of them. Only a configuration, and no module, may have `import` blocks.
pub(crate) fn validate_modules(dir: &Path, mirror: &str, modules: &[String]) {
    let call = |module: &String| {
        use_local_module(&dir.join(module));
        format!("module \"{module}\" {{\n  source = \"./{module}\"\n}}\n")
    };
    let calls: Vec<String> = modules.iter().map(call).collect();
    std::fs::write(dir.join("main.tf"), calls.concat()).unwrap();
    use_provider(dir, mirror);
    terraform(dir, &["validate"]);
}

/// Prepares a directory with our files for a plan. The mirror is the folder above `registry.terraform.io`.
pub(crate) fn initialise(dir: &Path, mirror: &str) {
    use_local_module(dir);
    use_provider(dir, mirror);
}

fn use_local_module(dir: &Path) {
    let module = dir.join("module");
    std::fs::create_dir(&module).unwrap();
    std::fs::copy(
        crate::common::fixtures().join("mutual-security-groups-module/main.tf"),
        module.join("main.tf"),
    )
    .unwrap();
    // The registry can't be reached from a test: the fixture stands in for it.
    let mutual = std::fs::read_to_string(dir.join("mutual.tf")).unwrap();
    let local = mutual
        .replace("\"skwashd/mutual-security-groups/aws\"", "\"./module\"")
        .replace("  version = \">= 2.0.0, < 3.0.0\"\n", "");
    std::fs::write(dir.join("mutual.tf"), local).unwrap();
}

fn use_provider(dir: &Path, mirror: &str) {
    std::fs::write(
        dir.join("provider.tf"),
        "provider \"aws\" {\n  region = \"us-east-1\"\n}\n",
    )
    .unwrap();
    let config = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
    );
    std::fs::write(dir.join("terraform.rc"), config).unwrap();
    terraform(dir, &["init", "-backend=false", "-input=false"]);
}

pub(crate) fn terraform(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("terraform")
        .args(arguments)
        .current_dir(dir)
        .env("TF_CLI_CONFIG_FILE", dir.join("terraform.rc"))
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "terraform {}: {said}",
        arguments.join(" ")
    );
    output.stdout
}
