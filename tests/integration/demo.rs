//! `closegate demo --policy`: two weeks of the sample data, from the first audit to the second.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use closegate::resolve::{Quarantine, Unattributed, Verdict};
use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::common::{audit_paths, closegate, printed, sample};

/// The group that an administrator opened by hand.
const OPENED: &str = "sg-0a1b2c3d4e5f90002";

/// Whom the incidents of both weeks concern.
const INCIDENTS: [&str; 4] = [
    "203.0.113.66",
    "198.51.100.53",
    "203.0.113.166",
    "203.0.113.171",
];

/// The demo's directory, and what it printed.
struct Walk {
    dir: TempDir,
    text: String,
}

impl Walk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = closegate();
        command.current_dir(dir.path());
        let text = printed(command.args(["demo", "--policy", "--out", "place"]));
        Self { dir, text }
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("place")
    }

    /// A command in the demo's directory.
    fn command(&self, line: &str) -> Command {
        let mut command = closegate();
        command.current_dir(self.place()).args(line.split(' '));
        command
    }

    /// The commands that it printed, with what each printed.
    fn steps(&self) -> Vec<(&str, &str)> {
        let steps = self.text.split("\n$ closegate ").skip(1);
        steps.map(|step| step.split_once('\n').unwrap()).collect()
    }

    /// What the command printed that begins like this.
    fn answer(&self, command: &str) -> &str {
        let steps = self.steps();
        let found = steps.iter().find(|(line, _)| line.starts_with(command));
        found.unwrap_or_else(|| panic!("{command} in {steps:?}")).1
    }
}

/// The entries of a policy: state by key.
fn entries(policy: &Path) -> BTreeMap<String, String> {
    let mut command = closegate();
    command.args(["policy", "status", "--json", "--policy"]);
    let status: Value = serde_json::from_str(&printed(command.arg(policy))).unwrap();
    let groups = status["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["entries"].as_array().unwrap())
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (text("key"), text("state"))
        })
        .collect()
}

/// The decisions of the sample data: state by key.
fn decisions() -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_path(sample().join("decisions.csv")).unwrap();
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect()
}

/// Every file below a directory, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let below = WalkDir::new(dir).into_iter().map(|entry| entry.unwrap());
    below
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(dir).unwrap().to_path_buf();
            (path, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_demo_prints_each_command_and_what_it_says() {
    let walk = Walk::new();
    assert!(walk.text.starts_with("$ cd place\n"), "{}", walk.text);
    let verbs: Vec<String> = walk
        .steps()
        .iter()
        .map(|(line, _)| {
            let words = line.split(' ').take_while(|word| !word.starts_with("--"));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        verbs,
        [
            "audit",
            "policy update runs/week-1",
            "policy decide",
            "policy check",
            "rules",
            "rules",
            "drift",
            "audit",
            "policy update runs/week-2",
            "policy status",
        ]
    );
    assert!(
        walk.answer("policy decide")
            .starts_with("19 entries decided, 19 changed\n")
    );
    assert!(walk.answer("policy check").contains("17 accepted: valid\n"));
    assert!(walk.answer("drift").contains("\nexit code 1\n"));
    assert_eq!(walk.text.matches("exit code").count(), 1, "{}", walk.text);
    let judged = walk.answer("audit --flows week-2/flows");
    let judged = judged
        .lines()
        .find(|line| line.starts_with("policy "))
        .unwrap();
    assert!(judged.ends_with(", 1 declined"), "{judged}");
    let second = walk.answer("policy update runs/week-2");
    assert!(second.starts_with("proposed    6 new connections\n"));
    assert!(second.contains("\nreturned    1 connection that was deferred"));
    let status = walk.answer("policy status");
    assert!(status.contains(", 7 locked\n"), "{status}");
    // The group was deleted: `--run` is given, and says nothing of it.
    assert!(
        status.contains("all decided; the run says nothing of the group's evidence"),
        "{status}"
    );
    let there: BTreeSet<String> = fs::read_dir(walk.place())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = [
        "decisions.csv",
        "policy",
        "rules",
        "runs",
        "week-1",
        "week-2",
    ];
    assert_eq!(there, BTreeSet::from(expected.map(str::to_owned)));
}

/// What the demo prints can be typed: the same commands, by hand, leave the same policy and the same rules.
#[test]
fn the_printed_commands_do_what_the_demo_did() {
    let walk = Walk::new();
    let typed = tempfile::tempdir().unwrap();
    for (path, bytes) in files(&walk.place()) {
        let own = ["inventory", "flows"];
        let is_given = path.ends_with("decisions.csv")
            || path.iter().any(|part| own.iter().any(|own| part == *own));
        if is_given {
            let path = typed.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    for (line, _) in walk.steps() {
        if line.starts_with("rules ") {
            for (id, _) in locked(&walk.text) {
                let file = typed.path().join(format!("policy/{id}.toml"));
                let text = fs::read_to_string(&file).unwrap();
                let text = text.replace("mode = \"learn\"", "mode = \"locked\"");
                fs::write(file, text).unwrap();
            }
        }
        let mut command = closegate();
        command.current_dir(typed.path()).args(line.split(' '));
        let done = command.output().unwrap();
        let code = i32::from(line.starts_with("drift "));
        assert_eq!(done.status.code(), Some(code), "{line}: {done:?}");
    }
    for folder in ["policy", "rules"] {
        let (demo, own) = (walk.place().join(folder), typed.path().join(folder));
        assert_eq!(files(&demo), files(&own), "{folder}");
    }
}

/// The groups that the demo says it locks: id and name.
fn locked(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines();
    let named = lines.filter_map(|line| line.strip_prefix("  policy/")?.split_once(".toml  "));
    named.collect()
}

#[test]
fn it_names_the_groups_that_it_locks() {
    let walk = Walk::new();
    let named = locked(&walk.text);
    assert_eq!(named.len(), 7);
    let mut are: BTreeSet<String> = BTreeSet::new();
    for (path, bytes) in files(&walk.place().join("policy")) {
        let text = String::from_utf8(bytes).unwrap();
        if text.contains("\nmode = \"locked\"\n") {
            are.insert(path.display().to_string());
        }
    }
    let files = named.iter().map(|(id, _)| format!("{id}.toml"));
    assert_eq!(are, files.collect::<BTreeSet<_>>());
    for (id, name) in named {
        let file = walk.place().join(format!("policy/{id}.toml"));
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(&format!("\nname = \"{name}\"\n")), "{id}");
    }
}

/// What the second week adds is all that is new, and every decision of the first stands.
#[test]
fn the_second_week_adds_what_is_new() {
    let walk = Walk::new();
    let (before, after) = (decisions(), entries(&walk.place().join("policy")));
    for (key, state) in &before {
        // The partner has a second address: the team has to look again.
        let state = if state == "deferred" {
            "proposed"
        } else {
            state.as_str()
        };
        assert_eq!(after[key], state, "{key}");
    }
    let states: BTreeSet<&str> = before.values().map(String::as_str).collect();
    let expected = ["accepted", "declined", "deferred"];
    assert_eq!(states, BTreeSet::from(expected));
    let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let new: Vec<(&str, &str)> = new
        .map(|(key, state)| (key.rsplit_once('_').unwrap().0, state.as_str()))
        .collect();
    assert_eq!(
        new,
        [
            ("bastion_to_web_22", "proposed"),
            ("reports_to_data_warehouse_5432", "proposed"),
            ("reports_to_endpoints_443", "proposed"),
            ("reports_to_internet_443", "proposed"),
            ("web_to_internet_443", "proposed"),
            ("web_to_monitoring_9090", "proposed"),
        ]
    );
    for (week, run) in [("week-1", "runs/week-1"), ("week-2", "runs/week-2")] {
        let line = format!("policy check --policy policy --inventory {week}/inventory --run {run}");
        walk.command(&line).assert().success();
    }
}

/// Neither the rules nor the policy have anything for an incident; the runs do.
#[test]
fn an_incident_gets_neither_a_rule_nor_an_entry() {
    let walk = Walk::new();
    let holds = |folder: &str, word: &str| {
        let mut files = files(&walk.place().join(folder)).into_values();
        files.any(|bytes| String::from_utf8_lossy(&bytes).contains(word))
    };
    for incident in INCIDENTS {
        for folder in ["policy", "rules", "runs/week-1/rules", "runs/week-2/rules"] {
            assert!(!holds(folder, incident), "{incident} in {folder}");
        }
        assert!(holds("runs", incident));
    }
    let reported = walk.answer("audit --flows week-2/flows");
    for worm in &INCIDENTS[2..] {
        let line = reported.lines().find(|line| line.contains(worm)).unwrap();
        assert!(
            line.contains("telnet") && line.ends_with("denied"),
            "{line}"
        );
    }
}

/// Of all that differs after a week, the opening alone is an error, as long as it is there.
#[test]
fn the_opening_is_found() {
    let walk = Walk::new();
    assert!(walk.answer("drift ").contains(OPENED), "{}", walk.text);
    let opening = ("group-reopened".to_owned(), OPENED.to_owned());
    assert_eq!(differences(&walk, "error"), [opening]);
    let rules = walk.place().join("week-2/inventory");
    for name in ["security-groups.json", "security-group-rules.json"] {
        let file = rules.join(name);
        let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        close(&mut value);
        fs::write(file, value.to_string()).unwrap();
    }
    assert!(differences(&walk, "error").is_empty());
    // A group is gone with its entries, and an entry of another names one that is gone.
    let gone = differences(&walk, "warning");
    for group in ["sg-0a1b2c3d4e5f90006", "sg-0a1b2c3d4e5f90007"] {
        let expected = ("group-gone".to_owned(), group.to_owned());
        assert!(gone.contains(&expected), "{gone:?}");
    }
}

/// The differences of a level between the policy and the account of the second week: kind and group.
fn differences(walk: &Walk, level: &str) -> Vec<(String, String)> {
    let line = "drift --policy policy --inventory week-2/inventory --format json";
    let done = walk.command(line).output().unwrap();
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let rows = found["differences"].as_array().unwrap().iter();
    rows.filter(|row| row["level"] == level)
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (text("kind"), text("group_id"))
        })
        .collect()
}

/// Revokes what was opened by hand, in either of the two files.
fn close(value: &mut Value) {
    let opening = |row: &Value| row.to_string().contains("payments fail, remove later");
    if let Some(rules) = value
        .get_mut("SecurityGroupRules")
        .and_then(Value::as_array_mut)
    {
        let before = rules.len();
        rules.retain(|rule| !opening(rule));
        assert_eq!(rules.len(), before - 1);
    }
    if let Some(groups) = value
        .get_mut("SecurityGroups")
        .and_then(Value::as_array_mut)
    {
        for group in groups {
            let egress = group["IpPermissionsEgress"].as_array_mut().unwrap();
            egress.retain(|permission| !opening(permission));
        }
    }
}

/// Without a directory the same is printed, and nothing stays.
#[test]
fn without_a_directory_nothing_stays() {
    let (here, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = closegate();
    command
        .current_dir(here.path())
        .env("TMPDIR", temporary.path());
    let text = printed(command.args(["demo", "--policy"]));
    let walk = Walk::new();
    let steps = |text: &str| {
        let from = text.find("\n$ closegate ").unwrap();
        let to = text.find("\nWhat happened").unwrap();
        text[from..to].to_owned()
    };
    assert_eq!(steps(&text), steps(&walk.text));
    for dir in [here, temporary] {
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_that_holds_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let mut command = closegate();
    command.args(["demo", "--policy", "--out"]).arg(dir.path());
    let refused = command.assert().code(2);
    let said = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(said.contains("is not empty; name a new one"), "{said}");
    assert_eq!(files(dir.path()).len(), 1);
    // The loop reads one format.
    closegate()
        .args(["demo", "--policy", "--format", "default"])
        .assert()
        .code(2);
}

/// The generator knows what happened in the second week; the audit has to find out.
#[test]
fn the_second_audit_tells_the_truth() {
    let week = sample().join("week-2");
    let audit = audit_paths(&[week.join("flows")], &week.join("inventory"));
    let rows: Vec<Value> =
        serde_json::from_slice(&fs::read(week.join("truth.json")).unwrap()).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let truth: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let ends = [text(row, "initiator"), text(row, "responder")];
            let service = (text(row, "protocol"), row["port"].as_u64().unwrap());
            ((ends, service), text(row, "truth"))
        })
        .collect();
    assert_eq!(truth.len(), rows.len());
    let attributed = audit
        .connections
        .iter()
        .filter(|c| c.verdict != Verdict::Unattributed(Unattributed::Forwarded));
    let answers: BTreeMap<_, _> = attributed
        .map(|c| {
            let label = match c.verdict {
                Verdict::Accepted => "legitimate",
                Verdict::Rejected => "refused",
                Verdict::Quarantined(Quarantine::Finding(_)) => "hostile",
                other => panic!("{}: {other:?}", c.id),
            };
            let ends = [c.initiator.address, c.responder.address].map(|a| a.to_string());
            let service = (c.service.protocol.to_string(), u64::from(c.service.port));
            ((ends, service), label.to_owned())
        })
        .collect();
    assert_eq!(answers, truth);
    assert!(audit.replay.lost.is_empty());
}
