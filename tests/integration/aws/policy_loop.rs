//! A policy as a team lives with it, on the emulator: audit, review, Terraform, a second week, lock, drift. In the module's form, the native
//! one, and that of the AWS CLI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use closegate::inventory::{Group, Inventory};
use serde_json::Value;

use super::apply::{Estate, flows, rules};
use super::terraform::provider;
use crate::common::{fixtures, printed};
use crate::emit::terraform::terraform;
use crate::peers::terraform_with_provider;

/// The start of the first week's records, and of the second's.
const WEEKS: [&str; 2] = ["1793577600", "1794182400"];

/// An account, the policy that a team keeps for it, and what is written from it.
struct Team {
    estate: Estate,
}

impl Team {
    /// The first week: an audit, and everything that it proposes accepted.
    fn new() -> Self {
        let team = Self {
            estate: Estate::new(),
        };
        team.estate.moto.run("policy_estate.py", &["first"]);
        let inventory = team.estate.collect("first");
        let read = Inventory::load(&inventory).unwrap();
        let log = flows(&read) + &calls(member(&read, "old"), "198.51.100.10");
        team.audit(&inventory, &log, "week-1");
        team.closegate(&["policy", "update", "week-1", "--policy", "policy"]);
        let accept = ["policy", "decide", "accept", "--state", "proposed"];
        team.closegate(&[&accept[..], &["--policy", "policy"][..]].concat());
        team.closegate(&["policy", "check", "--policy", "policy"]);
        team
    }

    fn path(&self, name: &str) -> PathBuf {
        self.estate.path(name)
    }

    /// Runs closegate where all of this lies. What it prints.
    fn closegate(&self, arguments: &[&str]) -> String {
        let mut command = self.estate.moto.closegate();
        printed(command.args(arguments).current_dir(self.path("")))
    }

    fn audit(&self, inventory: &Path, log: &str, run: &str) {
        let flows = self.path(run).with_extension("log");
        fs::write(&flows, log).unwrap();
        let (flows, inventory) = (flows.to_str().unwrap(), inventory.to_str().unwrap());
        let arguments = ["audit", "--flows", flows, "--inventory", inventory];
        self.closegate(&[&arguments[..], &["--out", run][..]].concat());
    }

    /// Keys and states of the policy's entries.
    fn entries(&self) -> BTreeMap<String, String> {
        let text = self.closegate(&["policy", "status", "--policy", "policy", "--json"]);
        let status: Value = serde_json::from_str(&text).unwrap();
        let groups = status["groups"].as_array().unwrap().iter();
        let entries = groups.flat_map(|group| group["entries"].as_array().unwrap());
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        entries
            .map(|entry| (text(entry, "key"), text(entry, "state")))
            .collect()
    }

    /// Writes the policy's rules for an account as it is.
    fn write(&self, inventory: &Path, format: &str, out: &str) -> PathBuf {
        let inventory = inventory.to_str().unwrap();
        let arguments = ["rules", "--policy", "policy", "--inventory", inventory];
        self.closegate(&[&arguments[..], &["--emit", format, "--out", out][..]].concat());
        self.path(out)
    }

    /// The same into a directory of Terraform's, in which the fixture stands in for the module.
    fn write_terraform(&self, inventory: &Path, format: &str) -> PathBuf {
        let dir = self.write(inventory, format, "terraform");
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "tf") {
                let text = fs::read_to_string(&path).unwrap();
                let local = text
                    .replace("\"skwashd/mutual-security-groups/aws\"", "\"./module\"")
                    .replace("  version = \">= 2.0.0, < 3.0.0\"\n", "");
                fs::write(&path, local).unwrap();
            }
        }
        dir
    }

    /// Terraform's directory with the first rules in it, ready to plan.
    fn terraform(&self, inventory: &Path, format: &str, mirror: &str) -> PathBuf {
        let dir = self.path("terraform");
        fs::create_dir_all(dir.join("module")).unwrap();
        let module = fixtures().join("mutual-security-groups-module/main.tf");
        fs::copy(module, dir.join("module/main.tf")).unwrap();
        fs::write(dir.join("provider.tf"), provider(&self.estate)).unwrap();
        let config = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
        );
        fs::write(dir.join("terraform.rc"), config).unwrap();
        let foreign = fs::read_to_string(dir.join("provider.tf")).unwrap();
        self.write_terraform(inventory, format);
        assert_eq!(
            fs::read_to_string(dir.join("provider.tf")).unwrap(),
            foreign,
            "a foreign file stays"
        );
        terraform(&dir, &["init", "-backend=false", "-input=false"]);
        dir
    }

    /// Whether `drift` exits with 1, and its differences: kind and group.
    fn drift(&self, inventory: &Path, more: &[&str]) -> (bool, Vec<(String, String)>) {
        let mut command = self.estate.moto.closegate();
        command.current_dir(self.path(""));
        command.args(["drift", "--policy", "policy", "--format", "json"]);
        command.arg("--inventory").arg(inventory).args(more);
        let output = command.output().unwrap();
        let code = output.status.code().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(code < 2, "{code}: {said}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = document["differences"].as_array().unwrap().iter();
        let deciding = rows.filter(|row| row["decides"] == true);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = deciding.map(|row| (text(&row["kind"]), text(&row["group_id"])));
        (code == 1, found.collect())
    }

    /// Runs a script that was written from the policy.
    fn script(&self, scripts: &Path, arguments: &[&str]) -> String {
        let script = scripts.join("apply.sh");
        self.estate.bash(script.to_str().unwrap(), arguments)
    }
}

/// The group of a name whose interface `policy_estate.py` made.
fn member<'a>(inventory: &'a Inventory, name: &str) -> (&'a Group, &'a str, String) {
    let groups = inventory.groups().iter().filter(|group| group.name == name);
    let mut members = groups.flat_map(|group| group.members.iter().map(move |&ix| (group, ix)));
    let found = members.find_map(|(group, ix)| {
        let interface = inventory.interface(ix);
        let is_ours = interface.label.starts_with("member of");
        is_ours.then(|| (group, &*interface.id, interface.addresses[0].to_string()))
    });
    found.unwrap()
}

/// Records of a member that calls an address.
fn calls((_, at, from): (&Group, &str, String), to: &str) -> String {
    let start = WEEKS[0];
    format!(
        "{at} {from} 40000 {to} 443 6 ACCEPT 2 {start}\n{at} {to} 443 {from} 40000 6 ACCEPT 18 {start}\n"
    )
}

/// What Terraform would do: addresses with actions, without what stays.
fn planned(dir: &Path) -> Vec<(String, String)> {
    let plan = ["plan", "-input=false", "-no-color", "-out=plan.bin"];
    terraform(dir, &plan);
    let shown = terraform(dir, &["show", "-json", "plan.bin"]);
    fs::write(dir.join("plan.json"), &shown).unwrap();
    let plan: Value = serde_json::from_slice(&shown).unwrap();
    let changes = plan["resource_changes"].as_array();
    let changes = changes.into_iter().flatten().map(|row| {
        let actions: Vec<&str> = row["change"]["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action.as_str().unwrap())
            .collect();
        let import = row["change"].get("importing").is_some();
        let actions = actions.join("+") + if import { "+import" } else { "" };
        (row["address"].as_str().unwrap().to_owned(), actions)
    });
    changes.filter(|(_, actions)| actions != "no-op").collect()
}

fn plans_nothing(dir: &Path) {
    let plan = planned(dir);
    assert!(plan.is_empty(), "{plan:?}");
}

fn apply(dir: &Path) {
    terraform(
        dir,
        &["apply", "-auto-approve", "-input=false", "-no-color"],
    );
}

/// AWS renames no group, so the snapshot says what it is called by then.
fn rename(snapshot: &Path, from: &str, to: &str) {
    let dir = snapshot.join("123456789012/us-east-1");
    let mut changed = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (from, to) = (format!("\"{from}\""), format!("\"{to}\""));
        if text.contains(&from) {
            fs::write(&path, text.replace(&from, &to)).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "no file has {from}");
}

/// Two weeks of a team: what is accepted is applied, and the second plan has only what is new; then a lock, and somebody who opens it.
#[test]
fn the_whole_loop_with_the_module() {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let team = Team::new();
    let first = team.path("first");
    let old = Inventory::load(&first).unwrap();
    let gone = member(&old, "old").0.id.clone();
    let dir = team.terraform(&first, "terraform-module", &mirror);
    assert!(!planned(&dir).is_empty());
    apply(&dir);
    plans_nothing(&dir);
    // The rules stand by now, and the files say the same.
    let applied = team.estate.collect("applied");
    team.write_terraform(&applied, "terraform-module");
    plans_nothing(&dir);
    assert_eq!(team.drift(&applied, &[]), (false, vec![]));

    // The second week: a group has another name, one is gone, and another one is called `web` as well.
    team.estate.moto.run("policy_estate.py", &["second"]);
    let second = team.estate.collect("second");
    rename(&second, "app & co", "application");
    let now = Inventory::load(&second).unwrap();
    let log = flows(&old) + &calls(member(&now, "web"), "198.51.100.9");
    let log = log.replace(WEEKS[0], WEEKS[1]);
    let before = team.entries();
    team.audit(&second, &log, "week-2");
    team.closegate(&["policy", "update", "week-2", "--policy", "policy"]);
    let after = team.entries();
    let mut new = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let (key, state) = new.next().unwrap();
    assert_eq!((new.next(), &**state), (None, "proposed"), "{after:?}");
    assert!(key.starts_with("web_to_internet_443_"), "{key}");
    assert!(before.iter().all(|(key, state)| after[key] == *state));
    team.closegate(&["policy", "decide", "accept", key, "--policy", "policy"]);
    team.write_terraform(&second, "terraform-module");
    let plan = planned(&dir);
    assert!(
        plan.len() == 1 && plan[0].0.contains(&**key) && plan[0].1 == "create",
        "{plan:?}"
    );
    let of_plan = ["--plan", "terraform/plan.json"];
    assert_eq!(team.drift(&second, &of_plan), (false, vec![]));
    apply(&dir);
    plans_nothing(&dir);

    // The file of the group that is gone is a difference until somebody removes it.
    let applied = team.estate.collect("applied-2");
    let missing = ("group-gone".to_owned(), gone.clone());
    let (differs, found) = team.drift(&applied, &[]);
    assert!(differs && found.contains(&missing), "{found:?}");
    fs::remove_file(team.path("policy").join(format!("{gone}.toml"))).unwrap();
    assert_eq!(team.drift(&applied, &[]), (false, vec![]));

    lock_and_reopen(&team, &applied);
    // Terraform's files have nothing to do with any of that.
    team.write_terraform(&team.estate.collect("locked-again"), "terraform-module");
    plans_nothing(&dir);
}

/// The first `web` is locked, opened by hand, and closed again.
fn lock_and_reopen(team: &Team, inventory: &Path) {
    let read = Inventory::load(inventory).unwrap();
    let mut groups = read.groups().iter();
    let is_first = |group: &&Group| {
        let mut members = group.members.iter().map(|&ix| read.interface(ix));
        group.name == "web" && members.any(|interface| interface.label.starts_with("number"))
    };
    let web = groups.find(is_first).unwrap().id.clone();
    let file = team.path("policy").join(format!("{web}.toml"));
    let text = fs::read_to_string(&file).unwrap();
    let locked = text.replace("mode = \"learn\"", "mode = \"locked\"");
    assert_ne!(locked, text);
    fs::write(&file, locked).unwrap();
    let open = ("group-reopened".to_owned(), web.clone());
    let (differs, found) = team.drift(inventory, &[]);
    assert!(differs && found.contains(&open), "{found:?}");

    let close = |inventory: &Path, name: &str| {
        let scripts = team.write(inventory, "aws-cli", &format!("scripts-{name}"));
        team.script(&scripts, &["revoke", &web, "--force"]);
        let closed = team.estate.collect(name);
        assert_eq!(team.drift(&closed, &[]), (false, vec![]), "{name}");
        let (flows, closed) = ("week-2.log", closed.to_str().unwrap());
        let verify = ["verify", "--current", "--flows", flows];
        team.closegate(&[&verify[..], &["--inventory", closed][..]].concat());
        rules(Path::new(closed))
    };
    let once = close(inventory, "locked");
    team.estate.moto.run("policy_estate.py", &["open", &web]);
    let reopened = team.estate.collect("reopened");
    let (differs, found) = team.drift(&reopened, &[]);
    assert_eq!((differs, found), (true, vec![open]));
    assert_eq!(close(&reopened, "closed"), once);
}

#[test]
fn a_plan_after_apply_is_empty_in_the_native_form() {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let team = Team::new();
    let dir = team.terraform(&team.path("first"), "terraform", &mirror);
    assert!(!planned(&dir).is_empty());
    apply(&dir);
    plans_nothing(&dir);
    let applied = team.estate.collect("applied");
    team.write_terraform(&applied, "terraform");
    plans_nothing(&dir);
    assert_eq!(team.drift(&applied, &[]), (false, vec![]));
}

#[test]
fn nothing_is_left_to_do_after_the_aws_cli() {
    let team = Team::new();
    let first = team.path("first");
    let (differs, found) = team.drift(&first, &[]);
    assert!(
        differs && found.iter().all(|(kind, _)| kind == "rule-missing"),
        "{found:?}"
    );
    let scripts = team.write(&first, "aws-cli", "scripts");
    team.script(&scripts, &["add"]);
    let applied = team.estate.collect("applied");
    assert_eq!(
        rules(&applied).len(),
        rules(&first).len() + found.len(),
        "{found:?}"
    );
    assert_eq!(team.drift(&applied, &[]), (false, vec![]));
    let scripts = team.write(&applied, "aws-cli", "scripts-again");
    let said = team.script(&scripts, &["add"]);
    assert!(said.contains("0 done, 0 needed nothing"), "{said}");
}
