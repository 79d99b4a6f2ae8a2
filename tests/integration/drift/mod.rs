//! `closegate drift`, through the binary on the sample data: a policy of its run, and inventories, traffic and plans that differ from it.

mod account;
mod output;
mod plan;
mod traffic;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{closegate, printed, sample};
use crate::prepared::{Prepared, demo_run};

/// Groups of the sample.
const WEB: &str = "sg-0a1b2c3d4e5f90002";
const DB: &str = "sg-0a1b2c3d4e5f90003";
const CACHE: &str = "sg-0a1b2c3d4e5f90004";
const WAREHOUSE: &str = "sg-0a1b2c3d4e5f90011";

/// A directory with a run of the sample, a policy that accepts everything, and the account as it is when the policy's rules stand and
/// open egress is gone.
struct Kept {
    dir: TempDir,
}

static LEARNING: LazyLock<Prepared> = LazyLock::new(|| Prepared::of(Kept::new().dir.path()));

impl Kept {
    /// With groups that learn.
    fn learning() -> Self {
        let dir = tempfile::tempdir().unwrap();
        LEARNING.copy_to(dir.path());
        Self { dir }
    }

    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kept = Self { dir };
        demo_run(kept.dir.path());
        printed(&mut kept.program(&["policy", "update", "run", "--policy", "policy"]));
        printed(&mut kept.program(&[
            "policy", "decide", "accept", "--state", "proposed", "--policy", "policy",
        ]));
        kept.apply();
        kept
    }

    /// With locked groups.
    fn locked() -> Self {
        let kept = Self::learning();
        for entry in fs::read_dir(kept.path("policy")).unwrap() {
            let file = entry.unwrap().path();
            if !file.ends_with("policy.toml") {
                replace(&file, "mode = \"learn\"", "mode = \"locked\"");
            }
        }
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program in the directory.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = closegate();
        command.current_dir(self.dir.path()).args(arguments);
        command
    }

    /// The inventory of the sample, with the run's rules made and its open egress gone. Rules have no ids there.
    fn apply(&self) {
        let to = self.path("inventory");
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(sample().join("inventory")).unwrap() {
            let from = entry.unwrap().path();
            if !from.ends_with("security-group-rules.json") {
                fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
            }
        }
        let rules = self.json("run/rules/rules.json");
        self.edit("security-groups.json", |inventory| {
            for group in inventory["SecurityGroups"].as_array_mut().unwrap() {
                group["IpPermissionsEgress"] = json!([]);
            }
            for rule in rules["rules"].as_array().unwrap() {
                if rule["status"] == "add" {
                    let id = rule["group_id"].as_str().unwrap();
                    let list = permissions(rule["direction"].as_str().unwrap());
                    let group = group_of(inventory, id);
                    let rules = group[list].as_array_mut().unwrap();
                    rules.push(permission(rule));
                }
            }
        });
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// Changes a file of the inventory.
    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path("inventory").join(file);
        let mut content: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut content);
        fs::write(path, content.to_string()).unwrap();
    }

    /// Changes a group of the inventory.
    fn edit_group(&self, id: &str, change: impl FnOnce(&mut Value)) {
        self.edit("security-groups.json", |inventory| {
            change(group_of(inventory, id));
        });
    }

    /// Gives a group a rule for one port.
    fn open(&self, id: &str, direction: &str, port: u16, prefix: &str) {
        self.edit_group(id, |group| {
            let rules = group[permissions(direction)].as_array_mut().unwrap();
            rules.push(json!({
                "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": prefix}],
            }));
        });
    }

    /// Gives a group open egress.
    fn reopen(&self, id: &str) {
        self.edit_group(id, |group| {
            let rules = group["IpPermissionsEgress"].as_array_mut().unwrap();
            rules.push(json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}));
        });
    }

    /// Takes the rules of one port from a group.
    fn close(&self, id: &str, direction: &str, port: u16) {
        self.edit_group(id, |group| {
            let rules = group[permissions(direction)].as_array_mut().unwrap();
            let before = rules.len();
            rules.retain(|rule| rule["FromPort"] != port);
            assert_ne!(rules.len(), before, "the rule was there");
        });
    }

    /// The file of a group in the policy.
    fn file(&self, id: &str) -> PathBuf {
        self.path("policy").join(format!("{id}.toml"))
    }

    /// The key that begins so.
    fn key(&self, id: &str, start: &str) -> String {
        let text = fs::read_to_string(self.file(id)).unwrap();
        let mut keys = text.lines().filter_map(|line| {
            let key = line.strip_prefix("key = \"")?.strip_suffix('"')?;
            key.starts_with(start).then(|| key.to_owned())
        });
        let key = keys.next().unwrap_or_else(|| panic!("{start} in {text}"));
        assert_eq!(keys.next(), None, "{start}");
        key
    }

    /// Records a decision.
    fn decide(&self, verb: &str, key: &str, more: &[&str]) {
        let words = ["policy", "decide", verb, key, "--policy", "policy"];
        self.program(&[&words[..], more].concat())
            .assert()
            .success();
    }

    /// The program that compares the policy with the inventory of a directory.
    fn drift(&self, inventory: &str, more: &[&str]) -> Command {
        let words = ["drift", "--policy", "policy", "--inventory", inventory];
        self.program(&[&words[..], more].concat())
    }

    /// What differs, and the exit code.
    fn found(&self, inventory: &str, more: &[&str]) -> Found {
        let output = self
            .drift(inventory, &[more, &["--format", "json"]].concat())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|wrong| panic!("{wrong}: {error}"));
        let code = output.status.code().unwrap();
        assert_eq!(document["schema_version"], 2);
        assert_eq!(
            code,
            i32::from(document["differs"].as_bool().unwrap()),
            "{document}"
        );
        let rows = document["differences"].as_array().unwrap();
        let decides = |row: &Value| row["decides"].as_bool().unwrap();
        assert_eq!(code, i32::from(rows.iter().any(decides)), "{document}");
        Found { document, code }
    }

    /// The same for the account that has the policy's rules.
    fn applied(&self, more: &[&str]) -> Found {
        self.found("inventory", more)
    }
}

/// What `--format json` printed.
struct Found {
    document: Value,
    code: i32,
}

impl Found {
    fn rows(&self) -> &[Value] {
        self.document["differences"].as_array().unwrap()
    }

    /// The differences of a kind.
    fn of(&self, kind: &str) -> Vec<&Value> {
        let rows = self.rows().iter();
        rows.filter(|row| row["kind"] == kind).collect()
    }

    /// The one difference of a kind.
    fn only(&self, kind: &str) -> &Value {
        let rows = self.of(kind);
        assert_eq!(rows.len(), 1, "{kind}: {:#}", self.document);
        rows[0]
    }

    /// The kinds that are found at a level, in order, each once.
    fn kinds(&self, level: &str) -> Vec<&str> {
        let rows = self.rows().iter().filter(|row| row["level"] == level);
        let mut kinds: Vec<&str> = rows.map(|row| row["kind"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

/// The text of a difference's key.
fn word<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {row}"))
}

fn permissions(direction: &str) -> &'static str {
    if direction == "egress" {
        "IpPermissionsEgress"
    } else {
        "IpPermissions"
    }
}

fn group_of<'a>(inventory: &'a mut Value, id: &str) -> &'a mut Value {
    let groups = inventory["SecurityGroups"].as_array_mut().unwrap();
    groups
        .iter_mut()
        .find(|group| group["GroupId"] == id)
        .unwrap()
}

/// A rule of `rules.json` as describe-security-groups prints it.
fn permission(rule: &Value) -> Value {
    let mut all = json!({"IpProtocol": rule["protocol"]});
    let is_icmp = rule["protocol"] == "icmp";
    for (key, port) in [("FromPort", "from_port"), ("ToPort", "to_port")] {
        all[key] = if is_icmp {
            json!(-1)
        } else {
            rule[port].clone()
        };
    }
    let target = &rule["target"];
    if let Some(id) = target.get("security_group") {
        all["UserIdGroupPairs"] = json!([{"GroupId": id, "UserId": "111122223333"}]);
    } else if let Some(id) = target.get("prefix_list") {
        all["PrefixListIds"] = json!([{"PrefixListId": id}]);
    } else {
        all["IpRanges"] = json!([{"CidrIp": target["cidr_ipv4"]}]);
    }
    all
}

/// Replaces a text of a file that has to be there.
fn replace(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{old} in {text}");
    fs::write(file, text.replace(old, new)).unwrap();
}

/// Takes the entry of a key out of a file.
fn forget(file: &Path, key: &str) {
    let text = fs::read_to_string(file).unwrap();
    let at = text.find(&format!("key = \"{key}\"")).unwrap();
    let start = text[..at].rfind("[[").unwrap();
    let end = text[at..]
        .find("\n[[")
        .map_or(text.len(), |end| at + end + 1);
    fs::write(file, format!("{}{}", &text[..start], &text[end..])).unwrap();
}

/// The first line, from 1, of the entry of a key.
fn line_of(file: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let at = text.find(&format!("key = \"{key}\"")).unwrap();
    text[..at].matches('\n').count() as u64
}
