//! Several accounts: the sample's account divided among owners, in a report, and in a policy that has a directory for each.

mod policy;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::common::{closegate, printed, sample};

const SHOP: &str = "111122223333";
const MONITORING: &str = "444455556666";
const DATABASES: &str = "777788889999";

/// `web`, of the shop.
const WEB: &str = "sg-0a1b2c3d4e5f90002";

/// Whose things are, by the id of a group or, for what has no group, of a VPC. The second VPC is peered with the first, in which the
/// database is a participant.
const OWNERS: &[(&str, &str)] = &[
    ("sg-0a1b2c3d4e5f90010", MONITORING),
    ("sg-0a1b2c3d4e5f90011", MONITORING),
    ("vpc-0a1b2c3d4e5f60002", MONITORING),
    ("sg-0a1b2c3d4e5f90003", DATABASES),
];

/// A snapshot of so many accounts, and room for runs and policies.
struct Estate {
    dir: TempDir,
}

impl Estate {
    fn new(accounts: usize) -> Self {
        Self::of(match accounts {
            1 => &[],
            2 => &OWNERS[..3],
            _ => OWNERS,
        })
    }

    /// The sample with other owners.
    fn of(owners: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("inventory")).unwrap();
        for entry in fs::read_dir(sample().join("inventory")).unwrap() {
            let entry = entry.unwrap();
            let mut document = json_of(&entry.path());
            give(&mut document, owners);
            let to = dir.path().join("inventory").join(entry.file_name());
            fs::write(to, document.to_string()).unwrap();
        }
        let estate = Self { dir };
        estate.printed(&[
            "audit",
            "--flows",
            sample().join("flows").to_str().unwrap(),
            "--inventory",
            "inventory",
            "--out",
            "run",
        ]);
        estate
    }

    /// The same with a policy in which everything is accepted, as one directory and by account.
    fn with_policies(accounts: usize) -> Self {
        let estate = Self::new(accounts);
        estate.make_policies();
        estate
    }

    fn make_policies(&self) {
        self.printed(&["policy", "update", "run", "--policy", "flat"]);
        let divided = ["policy", "update", "run", "--policy", "divided"];
        self.printed(&[&divided[..], &["--by-account"]].concat());
        for policy in ["flat", "divided"] {
            let words = ["policy", "decide", "accept", "--state", "proposed"];
            self.printed(&[&words[..], &["--policy", policy]].concat());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = closegate();
        command.current_dir(self.dir.path()).args(words);
        command
    }

    fn printed(&self, words: &[&str]) -> String {
        printed(&mut self.command(words))
    }

    fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn document(&self, path: &str) -> Value {
        json_of(&self.path(path))
    }

    /// Every file below a directory, by path.
    fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let dir = self.path(name);
        let files = WalkDir::new(&dir).into_iter().map(|entry| entry.unwrap());
        files
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let path = entry.path().strip_prefix(&dir).unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                (path.to_str().unwrap().to_owned(), text)
            })
            .collect()
    }

    /// The accounts of groups, as the snapshot has them.
    fn owners(&self) -> BTreeMap<String, String> {
        let groups = self.document("inventory/security-groups.json");
        let groups = groups["SecurityGroups"].as_array().unwrap().iter();
        groups
            .map(|group| (text(group, "GroupId"), text(group, "OwnerId")))
            .collect()
    }

    /// What `rules --policy` wants, as `rules.json` has it, from a directory of files.
    fn rules(&self, path: &str) -> Vec<Value> {
        list(&self.document(path), "rules")
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().unwrap().clone()
}

/// Gives things to their owners, wherever a snapshot names them.
fn give(value: &mut Value, owners: &[(&str, &str)]) {
    match value {
        Value::Object(members) => {
            let id = ["GroupId", "VpcId"]
                .iter()
                .find_map(|key| members.get(*key));
            let owner = owners
                .iter()
                .find(|(whose, _)| id.and_then(Value::as_str) == Some(*whose));
            if let Some((_, owner)) = owner {
                for key in ["OwnerId", "GroupOwnerId", "UserId"] {
                    if members.contains_key(key) {
                        members.insert(key.to_owned(), Value::from(*owner));
                    }
                }
            }
            for value in members.values_mut() {
                give(value, owners);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| give(value, owners)),
        _ => {}
    }
}
