//! The whole way: collect, audit, apply by the AWS CLI, collect again, and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use closegate::inventory::{Group, Interface, Inventory, Rule};
use serde_json::Value;

use super::peers::Peer;
use crate::common::root;

/// What the groups of a snapshot let through, without the ids of rules; by group.
pub(super) fn rules(snapshot: &Path) -> Vec<String> {
    let path = snapshot.join("123456789012/us-east-1/security-group-rules.json");
    let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut rules: Vec<String> = document["SecurityGroupRules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let mut rule = rule.clone();
            for key in ["SecurityGroupRuleId", "SecurityGroupRuleArn", "Tags"] {
                rule.as_object_mut().unwrap().remove(key);
            }
            rule.to_string()
        })
        .collect();
    rules.sort();
    rules
}

/// An account, and a place for what is made of it.
pub(super) struct Estate {
    pub(super) moto: Peer,
    dir: tempfile::TempDir,
}

impl Estate {
    pub(super) fn new() -> Self {
        let estate = Self::empty();
        estate.moto.run("ec2_estate.py", &["make", "4"]);
        estate
    }

    pub(super) fn empty() -> Self {
        Self {
            moto: Peer::moto(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn collect(&self, name: &str) -> PathBuf {
        let out = self.path(name);
        let mut command = self.moto.closegate();
        command.args(["collect", "inventory", "--region", "us-east-1", "--out"]);
        command.arg(&out).assert().success();
        out
    }

    /// A log of what goes on there.
    pub(super) fn log(&self, inventory: &Path) -> PathBuf {
        let log = self.path("flows.log");
        fs::write(&log, flows(&Inventory::load(inventory).unwrap())).unwrap();
        log
    }

    /// A run, and its `audit.json`.
    pub(super) fn audit(&self, inventory: &Path, log: &Path) -> Value {
        let mut command = self.moto.closegate();
        command.arg("audit").arg("--flows").arg(log);
        command.arg("--inventory").arg(inventory);
        command
            .arg("--out")
            .arg(self.path("run"))
            .assert()
            .success();
        serde_json::from_slice(&fs::read(self.path("run/audit.json")).unwrap()).unwrap()
    }

    /// Nothing is lost under the rules of a snapshot, and these groups are not open.
    pub(super) fn is_closed_and_loses_nothing(
        &self,
        inventory: &Path,
        log: &Path,
        groups: &[&str],
    ) {
        let mut command = self.moto.closegate();
        command.args(["verify", "--current", "--flows"]).arg(log);
        command.arg("--inventory").arg(inventory).assert().success();
        let inventory = Inventory::load(inventory).unwrap();
        for name in groups {
            let rules = &group(&inventory, name).rules;
            assert!(!rules.iter().any(Rule::is_open_egress), "{name}");
        }
    }

    /// Runs a script of the run with the AWS CLI; what it said.
    pub(super) fn bash(&self, script: &str, arguments: &[&str]) -> String {
        let path = format!(
            "{}:/usr/bin:/bin",
            root().join("target/peers/bin").display()
        );
        let mut command = Command::new("bash");
        command
            .arg(self.path("run/rules").join(script))
            .args(arguments);
        command.env_clear().envs(self.moto.environment());
        let done = command
            .env("PATH", path)
            .env("HOME", self.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned()
            + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        said
    }
}

/// The web talks to the application, and both to somebody outside.
pub(super) fn flows(inventory: &Inventory) -> String {
    let member = |name: &str| {
        let group = group(inventory, name);
        let mut members = group.members.iter().map(|&ix| inventory.interface(ix));
        members
            .find(|interface| interface.label.starts_with("number"))
            .unwrap()
    };
    let (web, app) = (member("web"), member("app & co"));
    let seen = |at: &Interface, from: (&str, u16), to: (&str, u16)| {
        let row = |from: (&str, u16), to: (&str, u16), flags: u8| {
            format!(
                "{} {} {} {} {} 6 ACCEPT {flags} 1793577600\n",
                at.id, from.0, from.1, to.0, to.1
            )
        };
        row(from, to, 2) + &row(to, from, 18)
    };
    let (from, to) = (web.addresses[0].to_string(), app.addresses[0].to_string());
    [
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned(),
        seen(web, (&from, 40_000), (&to, 8080)),
        seen(app, (&from, 40_000), (&to, 8080)),
        seen(web, (&from, 40_001), ("198.51.100.7", 443)),
        seen(app, (&to, 40_002), ("198.51.100.8", 443)),
    ]
    .concat()
}

pub(super) fn group<'a>(inventory: &'a Inventory, name: &str) -> &'a Group {
    inventory
        .groups()
        .iter()
        .find(|group| group.name == name)
        .unwrap()
}

#[test]
fn what_is_proposed_is_applied_by_the_aws_cli_and_undone() {
    let estate = Estate::new();
    let before = estate.collect("before");
    let log = estate.log(&before);
    let audit = estate.audit(&before, &log);
    let revocations = audit["revocations"].as_array().unwrap().len();
    let mut rows = audit["rules"].as_array().unwrap().iter();
    let additions = rows.by_ref().filter(|rule| rule["status"] == "add").count();
    assert!(
        revocations >= 2 && additions >= 3,
        "{revocations} {additions}"
    );

    estate.bash("apply.sh", &["add"]);
    let there = rules(&before).len();
    assert_eq!(rules(&estate.collect("added")).len(), there + additions);
    let again = estate.bash("apply.sh", &["add"]);
    assert_eq!(
        again.matches("InvalidPermission.Duplicate").count(),
        additions,
        "{again}"
    );
    estate.bash("apply.sh", &["revoke", "--all", "--force"]);
    let after = estate.collect("after");
    assert_eq!(rules(&after).len(), there + additions - revocations);

    // Nothing is lost under the new rules, and no group is open that the logs know.
    estate.is_closed_and_loses_nothing(&after, &log, &["web", "app & co"]);

    estate.bash("apply.sh", &["tighten", "--all", "--force"]);
    estate.is_closed_and_loses_nothing(&estate.collect("tight"), &log, &["web", "app & co"]);

    estate.bash("rollback.sh", &["loosen"]);
    estate.bash("rollback.sh", &["open"]);
    // The open rules are others now, by their ids, and go and come back all the same.
    estate.bash("apply.sh", &["revoke", "--all", "--force"]);
    let closed = estate.collect("closed");
    estate.is_closed_and_loses_nothing(&closed, &log, &["web", "app & co"]);
    estate.bash("rollback.sh", &["open"]);
    estate.bash("rollback.sh", &["remove", "--all"]);
    assert_eq!(rules(&estate.collect("back")), rules(&before));
}

/// A stack is made of the template. The emulator knows ingress resources only: of those each rule is there.
#[test]
fn a_stack_is_made_of_the_template() {
    let estate = Estate::new();
    let before = estate.collect("before");
    let log = estate.log(&before);
    let audit = estate.audit(&before, &log);
    let rows = audit["rules"].as_array().unwrap().iter();
    let ingress = rows
        .filter(|rule| rule["status"] == "add" && rule["direction"] == "ingress")
        .count();
    let template = estate.path("template.yaml");
    let mut command = estate.moto.closegate();
    command
        .arg("rules")
        .arg(estate.path("run"))
        .args(["--emit", "cloudformation", "--out"]);
    command.arg(&template).assert().success();
    let aws = root().join("target/peers/bin/aws");
    let done = Command::new(aws)
        .args([
            "--region",
            "us-east-1",
            "cloudformation",
            "create-stack",
            "--stack-name",
            "closegate",
            "--template-body",
        ])
        .arg(format!("file://{}", template.display()))
        .env_clear()
        .envs(estate.moto.environment())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let there = rules(&before).len();
    assert_eq!(rules(&estate.collect("after")).len(), there + ingress);
}
