//! `closegate audit --policy`: what people decided stands, and only what is missing is proposed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};

use super::{Place, file_of, texts};
use crate::cli::fails;
use crate::common::{closegate, printed, sample};
use crate::small::{Case, adds_up, audit_in};
use crate::world::Dice;

/// Why a rule is in the change although nothing had to be proposed.
const WANTED: &str = "an accepted entry of the policy wants it";

/// An audit of the sample against a policy.
fn audit(place: &Place, policy: &str, run: &Path) -> Command {
    let mut command = closegate();
    command
        .args(["audit", "--flows"])
        .arg(sample().join("flows/custom"))
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--policy")
        .arg(place.path(policy))
        .arg("--out")
        .arg(run)
        .current_dir(place.dir.path());
    command
}

/// The run, and what it prints. Its directory has the name of the first run, so that evidence is named alike.
fn again(place: &Place, policy: &str, name: &str) -> (PathBuf, String) {
    let run = place.path(name).join("run");
    fs::create_dir_all(place.path(name)).unwrap();
    let text = printed(&mut audit(place, policy, &run));
    (run, text)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rules(run: &Path) -> Vec<Value> {
    let rules = read(&run.join("rules/rules.json"));
    rules["rules"].as_array().unwrap().clone()
}

/// What a policy changes nothing about: rules, halves of pairs and evidence.
fn lines(rules: &[Value]) -> Vec<String> {
    let line = |rule: &Value| {
        format!(
            "{} {} {} {} {} {} {} {} {} {} {}",
            rule["status"],
            rule["id"],
            rule["group_id"],
            rule["direction"],
            rule["protocol"],
            rule["from_port"],
            rule["target"],
            rule["pair"],
            rule["description"],
            rule["confidence"],
            rule["evidence"]
        )
    };
    rules.iter().map(line).collect()
}

/// By connection: verdict, reason and state after the change.
fn outcomes(audit: &Value) -> BTreeMap<String, String> {
    let connections = audit["connections"].as_array().unwrap().iter();
    connections
        .map(|c| {
            let said = format!("{} {} {}", c["verdict"], c["reason"], c["after"]["state"]);
            (c["id"].to_string(), said)
        })
        .collect()
}

fn decide(place: &Place, policy: &str, arguments: &[&str]) {
    let mut command = place.command("decide", policy, arguments);
    command.assert().success();
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// Merging the run again changes no byte of the policy.
fn changes_nothing(place: &Place, policy: &str, run: &Path) {
    let before = texts(&place.path(policy));
    let text = place.update(run, policy);
    assert!(text.contains("proposed    0 new connections"), "{text}");
    assert_eq!(texts(&place.path(policy)), before);
}

fn evidence(rule: &Value) -> BTreeSet<String> {
    let ids = rule["evidence"].as_array().unwrap().iter();
    ids.map(ToString::to_string).collect()
}

#[test]
fn what_was_accepted_is_proposed_no_more() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    decide(&place, "policy", &["accept", "--state", "proposed"]);
    let (run, text) = again(&place, "policy", "again");
    let new = rules(&run);
    assert_eq!(lines(&new), lines(&rules(&place.path("run"))));
    let entries = place.entries("policy");
    for rule in &new {
        assert_eq!(rule["why"], WANTED);
        assert_eq!(entries[rule["key"].as_str().unwrap()], "accepted");
    }
    let (old, new) = (
        read(&place.path("run/audit.json")),
        read(&run.join("audit.json")),
    );
    assert_eq!(outcomes(&new), outcomes(&old));
    assert_eq!(new["replay"], old["replay"]);
    assert_eq!(new["replay"]["lost"], 0);
    let permitted = new["policy"]["permitted"].as_u64().unwrap();
    assert!(permitted > 100, "{permitted}");
    assert_eq!(
        new["policy"],
        json!({"permitted": permitted, "beyond": 0, "declined": 0})
    );
    let says = format!("{permitted} accepted connections permitted, 0 beyond it, 0 declined");
    assert!(text.contains(&says), "{text}");
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains(&format!("| Policy | {says} |")), "{report}");
    changes_nothing(&place, "policy", &run);
}

/// A run without the option knows of no policy.
#[test]
fn without_a_policy_nothing_is_said_of_one() {
    let place = Place::new();
    let (run, old) = (place.path("run"), read(&place.path("run/audit.json")));
    assert_eq!(old.get("policy"), None);
    assert!(rules(&run).iter().all(|rule| rule.get("key").is_none()));
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(!report.contains("olicy"), "{report}");
}

#[test]
fn half_of_it_accepted_the_other_half_is_proposed() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let keys = place.entries("policy");
    for odd in [0, 1] {
        let policy = format!("policy-{odd}");
        place.update(&place.path("run"), &policy);
        let chosen = keys.keys().skip(odd).step_by(2).map(String::as_str);
        let arguments: Vec<&str> = std::iter::once("accept").chain(chosen).collect();
        decide(&place, &policy, &arguments);
        let entries = place.entries(&policy);
        let (run, text) = again(&place, &policy, &format!("again-{odd}"));
        let new = rules(&run);
        assert_eq!(lines(&new), lines(&rules(&place.path("run"))));
        for rule in &new {
            // The policy has an entry for every rule.
            let key = rule["key"].as_str().unwrap();
            assert_eq!(rule["why"] == WANTED, entries[key] == "accepted", "{rule}");
        }
        let audit = read(&run.join("audit.json"));
        let counts = ["permitted", "beyond"].map(|key| audit["policy"][key].as_u64().unwrap());
        assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
        assert!(text.contains("beyond it (proposed), 0 declined"), "{text}");
        assert_eq!(audit["replay"]["lost"], 0);
        changes_nothing(&place, &policy, &run);
    }
}

#[test]
fn what_was_declined_gets_no_rule_and_is_denied() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "reports_to_internet_22_");
    decide(&place, "policy", &["decline", &key, "--reason", "use sftp"]);
    let (run, text) = again(&place, "policy", "again");
    assert!(text.contains("1 declined"), "{text}");
    let old = rules(&place.path("run"));
    let is_declined = |rule: &&Value| rule["target"]["cidr_ipv4"] == "192.0.2.77/32";
    let declined = old.iter().find(is_declined).unwrap();
    let rest: Vec<Value> = old.iter().filter(|r| !is_declined(r)).cloned().collect();
    assert_eq!(lines(&rules(&run)), lines(&rest));
    let audit = read(&run.join("audit.json"));
    let mut wanted = outcomes(&read(&place.path("run/audit.json")));
    for id in evidence(declined) {
        let said = "\"quarantined\" \"declined\" \"denied\"".to_owned();
        assert!(wanted.insert(id, said).is_some());
    }
    assert_eq!(outcomes(&audit), wanted);
    assert_eq!(audit["policy"]["declined"], 1);
    // It is a finding as well, which now has another outcome.
    let findings = audit["findings"].as_array().unwrap().iter();
    let mut ssh = findings.filter(|finding| finding["kind"] == "ssh-out");
    assert_eq!(ssh.next().unwrap()["outcome"], "denied");
    adds_up(&audit);
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains("| tcp/22 | declined |"), "{report}");
    changes_nothing(&place, "policy", &run);
    assert_eq!(place.entries("policy")[&key], "declined");
}

/// Nobody asked to close ingress of today: what it admits is said to be open.
#[test]
fn what_was_declined_stays_open_by_a_rule_that_stays() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "load_balancer_from_internet_443_");
    decide(&place, "policy", &["decline", &key, "--reason", "moved"]);
    let (run, _) = again(&place, "policy", "again");
    let old = rules(&place.path("run"));
    let world = old
        .iter()
        .find(|rule| rule["direction"] == "ingress" && rule["target"]["cidr_ipv4"] == "0.0.0.0/0")
        .unwrap();
    assert!(rules(&run).iter().all(|rule| rule["id"] != world["id"]));
    let audit = read(&run.join("audit.json"));
    let outcomes = outcomes(&audit);
    for id in evidence(world) {
        assert_eq!(outcomes[&id], "\"quarantined\" \"declined\" \"permitted\"");
    }
    assert_eq!(audit["replay"]["still_open"], evidence(world).len());
    assert_eq!(audit["policy"]["declined"], evidence(world).len());
    adds_up(&audit);
}

#[test]
fn an_expired_entry_is_missing() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    decide(&place, "policy", &["accept", "--state", "proposed"]);
    decide(
        &place,
        "policy",
        &["accept", &key, "--expires", "2999-12-31"],
    );
    let wants = |run: &Path| {
        let all = rules(run);
        let own = all.iter().filter(|rule| rule["key"] == json!(key));
        own.map(|rule| rule["why"] == WANTED).collect::<Vec<bool>>()
    };
    let (run, _) = again(&place, "policy", "before");
    assert_eq!(wants(&run), [true, true]);
    let file = file_of(&place.path("policy"), "web");
    edit(&file, "expires = 2999-12-31", "expires = 2020-01-31");
    let (run, _) = again(&place, "policy", "after");
    assert_eq!(wants(&run), [false, false]);
    let audit = read(&run.join("audit.json"));
    assert_eq!(audit["policy"]["beyond"], 3);
    assert_eq!(audit["replay"]["lost"], 0);
}

/// The other groups' rules are those of a run without a policy.
#[test]
fn groups_without_a_file_are_as_before() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    for name in texts(&place.path("policy")).keys() {
        let file = place.path("policy").join(name);
        if name != "policy.toml" && file != web {
            fs::remove_file(file).unwrap();
        }
    }
    decide(&place, "policy", &["accept", "--group", "web"]);
    let entries = place.entries("policy");
    let (run, _) = again(&place, "policy", "again");
    let new = rules(&run);
    assert_eq!(lines(&new), lines(&rules(&place.path("run"))));
    let keys: BTreeSet<&str> = new.iter().filter_map(|rule| rule["key"].as_str()).collect();
    let own = entries
        .keys()
        .map(String::as_str)
        .collect::<BTreeSet<&str>>();
    assert_eq!(keys, own);
    let named = |rule: &&Value| rule["key"].is_string();
    assert!(new.iter().filter(named).all(|rule| rule["why"] == WANTED));
}

/// A small account in which `sg-a` may open what the tests lock, with a policy of its first run.
struct Small {
    place: tempfile::TempDir,
}

impl Small {
    fn new() -> Self {
        let mut case = Case::web_and_db(&[
            "eni-1,eni-2 10.0.0.1:40000 10.0.0.2:3306 6",
            "eni-1 10.0.0.1:40001 198.51.100.7:8443 6",
            "eni-1 10.0.0.1:40002 198.51.100.8:9443 6",
        ]);
        let egress = &mut case.inventory["SecurityGroups"][0]["IpPermissionsEgress"];
        for (port, prefix) in [(8443, "198.51.100.0/24"), (9443, "198.51.100.8/32")] {
            egress.as_array_mut().unwrap().push(json!({
                "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": prefix}],
            }));
        }
        let place = tempfile::tempdir().unwrap();
        case.write(place.path());
        let small = Self { place };
        printed(&mut audit_in(small.place.path()));
        small.policy(
            "update",
            &[small.place.path().join("run").to_str().unwrap()],
        );
        small
    }

    fn policy(&self, verb: &str, arguments: &[&str]) -> String {
        let mut command = closegate();
        command
            .args(["policy", verb])
            .args(arguments)
            .arg("--policy")
            .arg(self.place.path().join("policy"))
            .current_dir(self.place.path());
        printed(&mut command)
    }

    fn file(&self, group: &str) -> PathBuf {
        self.place.path().join(format!("policy/{group}.toml"))
    }

    /// A run against the policy.
    fn run(&self, name: &str) -> PathBuf {
        let run = self.place.path().join(name).join("run");
        fs::create_dir_all(self.place.path().join(name)).unwrap();
        let mut command = closegate();
        command
            .args(["audit", "--flows", "flows.log", "--inventory", "inventory"])
            .args(["--policy", "policy", "--out"])
            .arg(&run)
            .current_dir(self.place.path());
        printed(&mut command);
        run
    }
}

/// A group's rules of some list: status or reason, direction, port and target.
fn rows(run: &Path, list: &str, word: &str, group: &str) -> BTreeSet<String> {
    let change = read(&run.join("rules/rules.json"));
    let rows = change[list].as_array().unwrap().iter();
    rows.filter(|row| row["group_id"] == group)
        .map(|row| {
            let target = row["target"].as_object().unwrap().values().next().unwrap();
            format!(
                "{} {} {} {}",
                row[word].as_str().unwrap(),
                row["direction"].as_str().unwrap(),
                row["from_port"],
                target.as_str().unwrap()
            )
        })
        .collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_locked_group_opens_what_was_accepted_and_nothing_else() {
    let small = Small::new();
    small.policy("decide", &["accept", "--state", "proposed"]);
    edit(&small.file("sg-a"), "mode = \"learn\"", "mode = \"locked\"");
    let run = small.run("all");
    let kept = [
        "add egress 3306 sg-b",
        "keep egress 8443 198.51.100.0/24",
        "keep egress 9443 198.51.100.8/32",
    ];
    assert_eq!(rows(&run, "rules", "status", "sg-a"), set(&kept));
    let gone = rows(&run, "revocations", "reason", "sg-a");
    assert_eq!(gone, set(&["outside-the-policy egress null 0.0.0.0/0"]));
    let others = rows(&run, "revocations", "reason", "sg-b");
    assert_eq!(others, set(&["open-egress egress null 0.0.0.0/0"]));
    assert_eq!(read(&run.join("audit.json"))["replay"]["lost"], 0);
    let plan = fs::read_to_string(run.join("rules/plan.md")).unwrap();
    let title = "Revoke the open rules, and those outside the policy, group by group";
    assert!(plan.contains(title), "{plan}");
}

/// The policy alone, without proposals: what a locked group lacks is lost, and what one that learns has stays.
#[test]
fn logs_are_replayed_against_the_policy_alone() {
    let small = Small::new();
    let verify = |code: i32| {
        let mut command = closegate();
        command
            .args(["verify", "--flows", "flows.log", "--inventory", "inventory"])
            .args(["--policy", "policy", "--json"])
            .current_dir(small.place.path());
        let done = command.assert().code(code);
        serde_json::from_slice::<Value>(&done.get_output().stdout).unwrap()
    };
    assert_eq!(verify(0)["lost"], 0);
    edit(&small.file("sg-a"), "mode = \"learn\"", "mode = \"locked\"");
    assert_eq!(verify(1)["lost"], 3);
    small.policy("decide", &["accept", "--state", "proposed"]);
    assert_eq!(verify(0)["permitted"], 3);
}

/// Where connections need what nobody accepted, narrow rules are proposed before the rest goes; what is as narrow already stays.
#[test]
fn what_a_locked_group_needs_beyond_the_policy_is_proposed_and_not_lost() {
    let small = Small::new();
    edit(&small.file("sg-a"), "mode = \"learn\"", "mode = \"locked\"");
    let run = small.run("none");
    let kept = [
        "add egress 3306 sg-b",
        "add egress 8443 198.51.100.7/32",
        "keep egress 9443 198.51.100.8/32",
    ];
    assert_eq!(rows(&run, "rules", "status", "sg-a"), set(&kept));
    let gone = [
        "outside-the-policy egress null 0.0.0.0/0",
        "outside-the-policy egress 8443 198.51.100.0/24",
    ];
    assert_eq!(rows(&run, "revocations", "reason", "sg-a"), set(&gone));
    let audit = read(&run.join("audit.json"));
    assert_eq!(audit["replay"]["lost"], 0);
    assert_eq!(audit["policy"]["beyond"], 3);
    // The entries that these rules belong to are there already.
    let own = rules(&run);
    let own = own.iter().filter(|rule| rule["group_id"] == "sg-a");
    assert!(own.clone().count() == 3 && own.clone().all(|rule| rule["key"].is_string()));
    // Of a group that learns, nothing but open egress goes.
    edit(&small.file("sg-a"), "mode = \"locked\"", "mode = \"learn\"");
    let run = small.run("learning");
    let gone = rows(&run, "revocations", "reason", "sg-a");
    assert_eq!(gone, set(&["open-egress egress null 0.0.0.0/0"]));
}

/// People may permit what today's rules deny, and what no connection needs. closegate says so, and leaves nothing out.
#[test]
fn a_rule_that_no_connection_needs_is_in_the_change() {
    let small = Small::new();
    let office = "\n[[admit]]\nkey = \"db_from_office\"\nfrom_prefixes = [\"203.0.113.0/24\"]\nprotocol = \"tcp\"\nports = [3306]\nstate = \"accepted\"\nreason = \"reports\"\n";
    let file = small.file("sg-b");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + office).unwrap();
    let run = small.run("again");
    let all = rules(&run);
    let mut own = all.iter().filter(|rule| rule["key"] == "db_from_office");
    let rule = own.next().unwrap();
    assert_eq!(rule["target"]["cidr_ipv4"], "203.0.113.0/24");
    assert_eq!(rule["status"], "add");
    assert_eq!(rule["why"], WANTED);
    assert_eq!(rule["evidence"], json!([]));
    let audit = read(&run.join("audit.json"));
    assert_eq!(audit["proof"]["wider"], json!([]));
    assert_eq!(audit["replay"]["lost"], 0);
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(
        report.contains("Rules that the policy wants may permit more."),
        "{report}"
    );
    // Nobody needed it, so nothing is recorded about it.
    small.policy("update", &[run.to_str().unwrap()]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with(office), "{text}");
}

/// Open egress that people accept is not revoked.
#[test]
fn open_egress_that_was_accepted_stays() {
    let small = Small::new();
    let everything = "\n[[allow]]\nkey = \"a_to_everything\"\nto_prefixes = [\"0.0.0.0/0\"]\nprotocol = \"all\"\nstate = \"accepted\"\nreason = \"a proxy\"\n";
    let file = small.file("sg-a");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + everything).unwrap();
    let run = small.run("again");
    assert_eq!(rows(&run, "revocations", "reason", "sg-a"), set(&[]));
    let rules = rules(&run);
    let mut open = rules.iter().filter(|rule| rule["key"] == "a_to_everything");
    assert_eq!(open.next().unwrap()["status"], "keep");
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains(&format!("{WANTED}.")), "{report}");
}

#[test]
fn a_policy_that_can_not_be_read_ends_the_run() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    let name = web.file_name().unwrap().to_str().unwrap();
    let good = fs::read_to_string(&web).unwrap();
    let run = place.path("none");
    edit(&web, "state = \"proposed\"", "stat = \"proposed\"");
    let wrong = audit(&place, "policy", &run).assert();
    fails(wrong, 2, &[name, "line ", "stat"]);
    let entry = good.find("[[allow]]").unwrap();
    let twice = format!("{good}\n{}", &good[entry..]);
    fs::write(&web, twice).unwrap();
    let wrong = audit(&place, "policy", &run).assert();
    fails(wrong, 2, &[name, "line ", "already"]);
    let wrong = audit(&place, "run", &run).assert();
    fails(wrong, 2, &["is not a policy"]);
    assert!(!run.exists());
}

/// Whatever people decide, nothing accepted is lost, nothing declined gets a rule, and merging the run says nothing new.
#[test]
fn any_decisions_are_kept() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let (base, _) = again(&place, "policy", "base");
    let base_rules = rules(&base);
    assert_eq!(lines(&base_rules), lines(&rules(&place.path("run"))));
    let counted = |run: &Path| {
        let audit = read(&run.join("audit.json"));
        let count = |key: &str| audit["policy"][key].as_u64().unwrap();
        let counts = ["permitted", "beyond", "declined"].map(count);
        counts.iter().sum::<u64>()
    };
    let states = ["proposed", "accepted", "declined", "deferred"];
    for seed in 0..8 {
        let mut dice = Dice::new(seed);
        let name = format!("policy-{seed}");
        place.update(&place.path("run"), &name);
        let mut csv = "key,state,reason\n".to_owned();
        for key in place.entries(&name).keys() {
            let line = format!("{key},{},so\n", dice.pick(&states));
            csv += &line;
        }
        let decisions = place.path(&format!("decisions-{seed}.csv"));
        fs::write(&decisions, csv).unwrap();
        decide(&place, &name, &["--decisions", decisions.to_str().unwrap()]);
        let entries = place.entries(&name);
        let (run, _) = again(&place, &name, &format!("again-{seed}"));
        let (audit, own) = (read(&run.join("audit.json")), rules(&run));
        assert_eq!(audit["replay"]["lost"], 0, "seed {seed}");
        assert_eq!(audit["proof"]["wider"], json!([]), "seed {seed}");
        assert_eq!(counted(&run), counted(&base), "seed {seed}");
        let of_state = |wanted: &str| -> BTreeSet<&str> {
            let keys = entries.iter().filter(|(_, state)| *state == wanted);
            keys.map(|(key, _)| key.as_str()).collect()
        };
        let keys: BTreeSet<&str> = own.iter().filter_map(|rule| rule["key"].as_str()).collect();
        assert!(keys.is_superset(&of_state("accepted")), "seed {seed}");
        assert!(keys.is_disjoint(&of_state("declined")), "seed {seed}");
        let outcomes = outcomes(&audit);
        let needed: BTreeSet<String> = own.iter().flat_map(evidence).collect();
        for (id, said) in &outcomes {
            let is_declined = said.starts_with("\"quarantined\" \"declined\"");
            assert!(!is_declined || !needed.contains(id), "seed {seed}: {id}");
            let is_accepted = said.starts_with("\"accepted\"");
            assert!(!is_accepted || said.ends_with("\"permitted\""), "{said}");
        }
        for rule in &base_rules {
            if entries[rule["key"].as_str().unwrap()] == "declined" {
                for id in evidence(rule) {
                    assert!(
                        outcomes[&id].starts_with("\"quarantined\" \"declined\""),
                        "seed {seed}: {rule}"
                    );
                }
            }
        }
        changes_nothing(&place, &name, &run);
    }
}
