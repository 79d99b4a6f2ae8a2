//! Terraform and the AWS provider against the emulator: the rules are planned, applied, planned again without a change, and undone.
//! Where Terraform or its provider is missing, `make test` says so in its summary.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use closegate::inventory::Inventory;
use hcl_edit::structure::Body;
use serde_json::Value;

use super::apply::{Estate, rules};
use crate::common;
use crate::emit::terraform::{initialise, terraform};
use crate::peers::terraform_with_provider;

/// The provider, for the emulator.
pub(super) fn provider(estate: &Estate) -> String {
    let url = estate.moto.url();
    format!(
        "provider \"aws\" {{\n  region = \"us-east-1\"\n  access_key = \"test\"\n  secret_key = \"test\"\n  \
         skip_credentials_validation = true\n  skip_metadata_api_check = true\n  skip_region_validation = true\n  \
         skip_requesting_account_id = false\n  endpoints {{\n    ec2 = \"{url}\"\n    sts = \"{url}\"\n  }}\n}}\n"
    )
}

fn apply(dir: &Path) {
    terraform(dir, &["apply", "-auto-approve", "-input=false"]);
}

fn plans_no_change(dir: &Path) {
    let said = terraform(dir, &["plan", "-input=false", "-no-color"]);
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("No changes."), "{said}");
}

/// Rules by what they say, without their descriptions: a rule that Terraform adopts gets ours.
fn without_descriptions(rules: Vec<String>) -> Vec<String> {
    let strip = |rule: String| {
        let mut rule: Value = serde_json::from_str(&rule).unwrap();
        rule.as_object_mut().unwrap().remove("Description");
        rule.to_string()
    };
    let mut rules: Vec<String> = rules.into_iter().map(strip).collect();
    rules.sort();
    rules
}

/// The module and the native resources: applied, nothing lost when the open rules go, and back.
#[test]
fn the_module_is_applied_and_undone() {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let estate = Estate::new();
    let before = estate.collect("before");
    let log = estate.log(&before);
    let audit = estate.audit(&before, &log);
    let count = |list: &str| audit[list].as_array().unwrap().len();
    let added = audit["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["status"] == "add")
        .count();
    let there = rules(&before).len();

    let dir = estate.path("terraform");
    fs::create_dir(&dir).unwrap();
    for name in ["mutual.tf", "other.tf"] {
        fs::copy(estate.path("run/rules").join(name), dir.join(name)).unwrap();
    }
    initialise(&dir, &mirror);
    fs::write(dir.join("provider.tf"), provider(&estate)).unwrap();
    apply(&dir);
    plans_no_change(&dir);
    assert_eq!(rules(&estate.collect("added")).len(), there + added);

    estate.bash("apply.sh", &["revoke", "--all", "--force"]);
    let after = estate.collect("after");
    assert_eq!(rules(&after).len(), there + added - count("revocations"));
    estate.is_closed_and_loses_nothing(&after, &log, &["web", "app & co"]);
    plans_no_change(&dir);

    // Terraform forgets, as plan.md says, and the scripts undo.
    let held = terraform(&dir, &["state", "list"]);
    let held = String::from_utf8(held).unwrap();
    let mut forget = vec!["state", "rm"];
    forget.extend(held.lines());
    terraform(&dir, &forget);
    estate.bash("rollback.sh", &["open"]);
    let whole = ["remove", "--all", "--without-journal"];
    estate.bash("rollback.sh", &whole);
    let back = without_descriptions(rules(&estate.collect("back")));
    assert_eq!(back, without_descriptions(rules(&before)));
}

/// Three groups of one estate, each with its rules in another style.
const ESTATE: &str = r#"
resource "aws_vpc" "shop" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "shop" {
  vpc_id     = aws_vpc.shop.id
  cidr_block = "10.0.0.0/20"
}

resource "aws_security_group" "inside" {
  name        = "inside"
  description = "rules inside"
  vpc_id      = aws_vpc.shop.id

  ingress {
    description = "from the network"
    from_port   = 8080
    to_port     = 8080
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "newer" {
  name        = "newer"
  description = "rules of the newer kind"
  vpc_id      = aws_vpc.shop.id
}

resource "aws_vpc_security_group_egress_rule" "newer_open" {
  security_group_id = aws_security_group.newer.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "older" {
  name        = "older"
  description = "rules of the older kind"
  vpc_id      = aws_vpc.shop.id
}

resource "aws_security_group_rule" "older_open" {
  type              = "egress"
  security_group_id = aws_security_group.older.id
  protocol          = "-1"
  from_port         = 0
  to_port           = 0
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_network_interface" "inside" {
  subnet_id       = aws_subnet.shop.id
  security_groups = [aws_security_group.inside.id]
}

resource "aws_network_interface" "newer" {
  subnet_id       = aws_subnet.shop.id
  security_groups = [aws_security_group.newer.id]
}

resource "aws_network_interface" "older" {
  subnet_id       = aws_subnet.shop.id
  security_groups = [aws_security_group.older.id]
}
"#;

/// Each calls the group with its rules inside, and that one calls abroad.
fn flows(inventory: &Path) -> String {
    let inventory = Inventory::load(inventory).unwrap();
    let member = |name: &str| {
        let group = inventory
            .groups()
            .iter()
            .find(|group| group.name == name)
            .unwrap();
        inventory.interface(group.members[0])
    };
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    let mut row = |at: &str, from: &str, to: &str, port: u16| {
        writeln!(log, "{at} {from} 40000 {to} {port} 6 ACCEPT 2 1793577600").unwrap();
        writeln!(log, "{at} {to} {port} {from} 40000 6 ACCEPT 18 1793577600").unwrap();
    };
    let inside = member("inside");
    let server = inside.addresses[0].to_string();
    for name in ["newer", "older"] {
        let client = member(name);
        let address = client.addresses[0].to_string();
        row(&client.id, &address, &server, 8080);
        row(&inside.id, &address, &server, 8080);
    }
    row(&inside.id, &server, "198.51.100.7", 443);
    log
}

/// The state says which resource holds each open rule and in which style: what is printed is put in, planned, applied, and planned again.
#[test]
fn an_estate_of_three_styles_is_changed_in_its_own() {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let estate = Estate::empty();
    let dir = estate.path("terraform");
    fs::create_dir(&dir).unwrap();
    for (name, text) in [("estate.tf", ESTATE), ("mutual.tf", ""), ("other.tf", "")] {
        fs::write(dir.join(name), text).unwrap();
    }
    initialise(&dir, &mirror);
    fs::write(dir.join("provider.tf"), provider(&estate)).unwrap();
    apply(&dir);
    let before = estate.collect("before");
    let log = estate.path("flows.log");
    fs::write(&log, flows(&before)).unwrap();
    estate.audit(&before, &log);
    let patch = printed(&estate, &dir.join("terraform.tfstate"));
    for says in [
        "delete the resource aws_vpc_security_group_egress_rule.newer_open",
        "delete the resource aws_security_group_rule.older_open",
        "take the block out of aws_security_group.inside",
    ] {
        assert!(patch.contains(says), "{says}: {patch}");
    }
    let shown = estate.path("shown.json");
    fs::write(&shown, terraform(&dir, &["show", "-json"])).unwrap();
    assert_eq!(printed(&estate, &shown), patch, "the state in either form");

    // What a person does with it, both stages at once.
    let mut estate_file: Body = ESTATE.parse().unwrap();
    let patch: Body = patch.parse().unwrap();
    estate_file.remove_blocks("resource");
    let original: Body = ESTATE.parse().unwrap();
    for block in original.get_blocks("resource") {
        let mut block = block.clone();
        if block.labels[1].as_str().ends_with("_open") {
            continue;
        }
        let same = |other: &&hcl_edit::structure::Block| other.labels == block.labels;
        if let Some(replacement) = patch.get_blocks("resource").find(same) {
            let replacement = replacement.clone();
            block.body.remove_blocks("ingress");
            block.body.remove_blocks("egress");
            for rule in replacement.body.into_blocks() {
                block.body.push(rule);
            }
        }
        estate_file.push(block);
    }
    for block in patch.into_blocks() {
        if block.labels[0].as_str() != "aws_security_group" {
            estate_file.push(block);
        }
    }
    fs::write(dir.join("estate.tf"), estate_file.to_string()).unwrap();
    apply(&dir);
    plans_no_change(&dir);
    let after = estate.collect("after");
    estate.is_closed_and_loses_nothing(&after, &log, &["inside", "newer", "older"]);
}

fn printed(estate: &Estate, state: &PathBuf) -> String {
    let mut command = estate.moto.closegate();
    command.arg("rules").arg(estate.path("run"));
    command.args(["--emit", "terraform", "--terraform-state"]);
    common::printed(command.arg(state))
}
