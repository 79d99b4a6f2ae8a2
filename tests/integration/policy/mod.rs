//! `closegate policy`, through the binary on the sample data.

mod audit;
mod check;
mod decide;
mod estate;
mod files;
mod kill;
mod properties;
mod review;
mod rules;
mod rules_files;
mod update;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{closegate, printed};
use crate::prepared::demo_run;

/// A day in seconds.
const DAY: u64 = 86_400;

/// A directory with a run of the sample data and room for policies.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        demo_run(dir.path());
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A copy of the run that differs.
    fn changed(&self, name: &str, change: impl FnOnce(&mut Value, &mut Value)) -> PathBuf {
        let (from, to) = (self.path("run"), self.path(name));
        fs::create_dir_all(to.join("rules")).unwrap();
        let read = |file: &str| -> Value {
            serde_json::from_slice(&fs::read(from.join(file)).unwrap()).unwrap()
        };
        let (mut rules, mut audit) = (read("rules/rules.json"), read("audit.json"));
        change(&mut rules, &mut audit);
        fs::write(to.join("rules/rules.json"), rules.to_string()).unwrap();
        fs::write(to.join("audit.json"), audit.to_string()).unwrap();
        to
    }

    /// Merges a run into the policy of a name.
    fn update(&self, run: &Path, policy: &str) -> String {
        printed(&mut self.command("update", policy, &[run.to_str().unwrap()]))
    }

    /// A command on the policy of a name.
    fn command(&self, verb: &str, policy: &str, arguments: &[&str]) -> Command {
        let mut command = closegate();
        command
            .args(["policy", verb])
            .args(arguments)
            .arg("--policy")
            .arg(self.path(policy))
            .current_dir(self.dir.path());
        command
    }

    /// The entries of a policy, as the status prints them: key and state.
    fn entries(&self, policy: &str) -> BTreeMap<String, String> {
        let text = printed(&mut self.command("status", policy, &["--json"]));
        let status: Value = serde_json::from_str(&text).unwrap();
        let groups = status["groups"].as_array().unwrap().iter();
        groups
            .flat_map(|group| group["entries"].as_array().unwrap())
            .map(|entry| {
                let text = |key: &str| entry[key].as_str().unwrap().to_owned();
                (text("key"), text("state"))
            })
            .collect()
    }

    /// The one key with these parts.
    fn key(&self, policy: &str, parts: &str) -> String {
        let entries = self.entries(policy);
        let mut found = entries.keys().filter(|key| key.starts_with(parts));
        let key = found
            .next()
            .unwrap_or_else(|| panic!("{parts} in {entries:?}"));
        assert_eq!(found.next(), None, "{parts}");
        key.clone()
    }
}

/// The files of a policy, by name.
fn texts(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The file of the group of a name.
fn file_of(dir: &Path, group: &str) -> PathBuf {
    let line = format!("\nname = \"{group}\"\n");
    let files = texts(dir);
    let mut found = files.iter().filter(|(_, text)| text.contains(&line));
    let (name, _) = found
        .next()
        .unwrap_or_else(|| panic!("{group} in {files:?}"));
    dir.join(name)
}

/// A run of days later.
fn later(audit: &mut Value, days: u64) {
    let shift = |value: &mut Value| *value = json!(value.as_u64().unwrap() + days * DAY);
    shift(&mut audit["window"]["start"]);
    shift(&mut audit["window"]["end"]);
    for connection in audit["connections"].as_array_mut().unwrap() {
        shift(&mut connection["first_seen"]);
        shift(&mut connection["last_seen"]);
    }
}

/// Adds a rule like that of `web` for addresses on the internet, for other addresses.
fn add_addresses(rules: &mut Value, prefix: &str) {
    let rules = rules["rules"].as_array_mut().unwrap();
    let like = rules.iter().find(|rule| {
        rule["group_name"] == "web"
            && rule["direction"] == "egress"
            && rule["target"].get("cidr_ipv4").is_some()
    });
    let mut new = like.unwrap().clone();
    new["id"] = json!(format!("r-{prefix}"));
    new["target"] = json!({ "cidr_ipv4": prefix });
    rules.push(new);
}
