//! `apply.sh` and `rollback.sh` as a person meets them: what they refuse, what they record, and what is undone after a run that
//! stopped halfway. A small AWS on the PATH keeps the rules in a file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::closegate;
use crate::prepared::demo_run;

/// Keeps a line for each rule in `standing`: group, direction, permission without description, id. `FAIL_AT` and `KILL_AT` are
/// numbers of calls of EC2: AWS refuses the one, and the other is done, but the script is killed before it hears of it.
const AWS: &str = r#"#!/bin/bash
cd "${0%/*}" || exit 1
if [ "$1" = sts ]; then echo asked >> sts; echo "${ACCOUNT:-111122223333}"; exit; fi
echo "$*" >> calls
number=$(wc -l < calls)
operation=$2
answer() { echo "An error occurred ($1) when calling the $operation operation: ${2:-no}" >&2; exit 254; }
[ "$number" -eq "${FAIL_AT:-0}" ] && answer "${FAIL_WITH:-UnauthorizedOperation}" '(InvalidPermission.Duplicate)'
[ "$number" -eq "${SILENT_AT:-0}" ] && { echo 'Connect timeout on endpoint URL' >&2; exit 255; }
group='' permission='' id=''
while [ $# -gt 0 ]; do
    case $1 in
        --group-id) group=$2 ;;
        --ip-permissions) permission=$(printf %s "$2" | sed 's/"Description":"[^"]*",\{0,1\}//; s/,}/}/g') ;;
        --security-group-rule-ids) id=$2 ;;
        --dry-run) answer DryRunOperation ;;
    esac
    shift
done
rule="$group ${operation##*-} $permission "
touch standing
case $operation in
    authorize-*)
        grep -qF "$rule" standing && answer InvalidPermission.Duplicate
        # No id is given twice.
        echo made >> ids
        id=$(printf 'sgr-%017d' "$(wc -l < ids)")
        echo "$rule$id" >> standing
        ;;
    *)
        if [ -n "$id" ]; then
            grep -q " $id\$" standing || answer InvalidSecurityGroupRuleId.NotFound
            grep -v " $id\$" standing > left
        else
            grep -qF "$rule" standing || answer InvalidPermission.NotFound
            grep -vF "$rule" standing > left
        fi
        mv left standing
        id=None
        ;;
esac
[ "$number" -eq "${KILL_AT:-0}" ] && { kill -9 "$(cat pid)"; exit 1; }
echo "$id"
"#;

/// A run of the sample, and that AWS.
struct Account {
    dir: tempfile::TempDir,
}

/// What a script did.
struct Done {
    code: Option<i32>,
    said: String,
    complained: String,
}

impl Account {
    fn new() -> Self {
        let account = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        demo_run(account.dir.path());
        let aws = account.path("aws");
        fs::write(&aws, AWS).unwrap();
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        let rules = account.change();
        let rows = rules["revocations"].as_array().unwrap().iter();
        let standing: Vec<String> = rows
            .map(|row| {
                let word = |key: &str| row[key].as_str().unwrap();
                format!(
                    "{} egress {open} {}\n",
                    word("group_id"),
                    word("security_group_rule_id")
                )
            })
            .collect();
        fs::write(account.path("standing"), standing.concat()).unwrap();
        account
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn change(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("run/rules/rules.json")).unwrap()).unwrap()
    }

    /// Writes the scripts again, for a change that somebody edited.
    fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut change = self.change();
        edit(&mut change);
        fs::write(self.path("run/rules/rules.json"), change.to_string()).unwrap();
        for (format, script) in [
            ("aws-cli", "run/rules/apply.sh"),
            ("aws-cli-rollback", "run/rules/rollback.sh"),
        ] {
            let script = self.path(script);
            fs::remove_file(&script).unwrap();
            let mut command = closegate();
            command.arg("rules").arg(self.path("run"));
            command
                .args(["--emit", format, "--out"])
                .arg(&script)
                .assert()
                .success();
        }
    }

    fn bash_with(&self, variables: &[(&str, &str)], script: &str, words: &[&str]) -> Done {
        let _ = fs::remove_file(self.path("calls"));
        let done = Command::new("bash")
            .args(["-c", "echo $$ > pid; exec bash \"$@\"", "-"])
            .arg(self.path("run/rules").join(script))
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.dir.path().display()),
            )
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Done {
            code: done.status.code(),
            said: String::from_utf8(done.stdout).unwrap(),
            complained: String::from_utf8(done.stderr).unwrap(),
        }
    }

    fn bash(&self, script: &str, words: &[&str]) -> Done {
        self.bash_with(&[], script, words)
    }

    /// Runs a script that has to do all it is for; how many calls of EC2 that took.
    fn done(&self, script: &str, words: &[&str]) -> usize {
        let done = self.bash(script, words);
        assert_eq!(
            done.code,
            Some(0),
            "{words:?}: {}{}",
            done.said,
            done.complained
        );
        self.calls().len()
    }

    /// The calls of EC2 of the last script.
    fn calls(&self) -> Vec<String> {
        lines(&self.path("calls"))
    }

    /// The rules that stand, without their ids.
    fn standing(&self) -> BTreeSet<String> {
        let rules = lines(&self.path("standing"));
        let rules = rules.iter().map(|rule| rule.rsplit_once(' ').unwrap().0);
        rules.map(str::to_owned).collect()
    }

    fn journal(&self) -> PathBuf {
        self.path("run/rules/applied.log")
    }

    fn assert_refused(&self, done: &Done, words: &[&str]) {
        assert_eq!(done.code, Some(2), "{}{}", done.said, done.complained);
        for word in words {
            assert!(
                done.complained.contains(word),
                "{word}: {}",
                done.complained
            );
        }
        assert!(self.calls().is_empty());
        assert!(!self.journal().exists(), "nothing was done");
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const WEB: &str = "sg-0a1b2c3d4e5f90002";
const DB: &str = "sg-0a1b2c3d4e5f90003";

fn group<'a>(change: &'a mut Value, id: &str) -> &'a mut Value {
    let mut groups = change["groups"].as_array_mut().unwrap().iter_mut();
    groups.find(|group| group["id"] == id).unwrap()
}

#[test]
fn a_wrong_call_is_refused_before_aws_is_asked() {
    let account = Account::new();
    let before = account.standing();
    let both: &[(&[&str], &[&str])] = &[
        (&[], &["Name a stage", "bash "]),
        (&["revok"], &["Neither a stage nor an option: revok"]),
        (&["--frce"], &["Unknown option: --frce"]),
        (&["--journal"], &["--journal needs a file"]),
    ];
    let apply: &[(&[&str], &[&str])] = &[
        (
            &["add", "revoke", WEB],
            &["One stage at a time: add or revoke"],
        ),
        (&["add", "sg-nope"], &["has no group sg-nope"]),
        (&["add", WEB, "web"], &["has no group web"]),
        (&["add", ""], &["empty"]),
        (&["add", "--unfinished"], &["Unknown option: --unfinished"]),
        (&["add", "--force"], &["--force goes with: revoke tighten"]),
        (&["revoke"], &["Name the ids of the groups, or --all"]),
        (
            &["tighten", "--force"],
            &["Name the ids of the groups, or --all"],
        ),
        (&["revoke", "--all", WEB], &["not both"]),
        (&["add", "--journal", "/nowhere/x"], &[]),
    ];
    let rollback: &[(&[&str], &[&str])] = &[
        (&["add"], &["Neither a stage nor an option: add"]),
        (&["remove"], &["Name the ids of the groups, or --all"]),
        (
            &["remove", "--all", "--force"],
            &["Unknown option: --force"],
        ),
        (
            &["open", "--unfinished"],
            &["--unfinished goes with remove"],
        ),
        (&["remove", "--all"], &["no journal", "--without-journal"]),
        (&["open"], &["no journal", "--without-journal"]),
    ];
    for (script, own) in [("apply.sh", apply), ("rollback.sh", rollback)] {
        for (words, says) in both.iter().chain(own) {
            account.assert_refused(&account.bash(script, words), says);
        }
        let help = account.bash(script, &["--help"]);
        assert_eq!(help.code, Some(0));
        assert!(help.said.contains(script) && !help.said.contains("pipefail"));
    }
    // The account is asked for only where nothing is wrong with the words.
    assert_eq!(lines(&account.path("sts")).len(), 1);
    assert_eq!(account.standing(), before);
}

#[test]
fn credentials_of_another_account_change_nothing() {
    let account = Account::new();
    let other = [("ACCOUNT", "999999999999")];
    for words in [
        &["add"][..],
        &["add", "--dry-run"],
        &["revoke", "--all", "--force"],
    ] {
        let done = account.bash_with(&other, "apply.sh", words);
        account.assert_refused(&done, &["Wrong account", "999999999999"]);
    }
    let done = account.bash_with(&other, "apply.sh", &["add", WEB]);
    account.assert_refused(&done, &["web", WEB, "belongs to account 111122223333"]);
    // Of two accounts, the one of the credentials is worked on, and says what it leaves.
    account.edit(|change| group(change, WEB)["owner"] = json!("999999999999"));
    let named = account.bash("apply.sh", &["add", WEB, DB]);
    account.assert_refused(&named, &["belongs to account 999999999999"]);
    let all = account.bash("apply.sh", &["add"]);
    assert_eq!(all.code, Some(0), "{}", all.complained);
    assert!(
        all.said
            .contains("1 of the groups belong to other accounts")
    );
    let calls = account.calls();
    assert!(
        !calls.is_empty()
            && !calls
                .iter()
                .any(|call| call.contains("--group-id sg-0a1b2c3d4e5f90002"))
    );
}

#[test]
fn groups_that_are_not_ready_wait_for_force() {
    let account = Account::new();
    account.edit(|change| {
        let web = group(change, WEB);
        assert_eq!(web["ready"], false);
        web["ready"] = json!(true);
        let db = group(change, DB).as_object_mut().unwrap();
        // As a file of an earlier version has it.
        assert!(db.remove("ready").is_some() && db.remove("wait_for").is_some());
    });
    for stage in ["revoke", "tighten"] {
        let done = account.bash("apply.sh", &[stage, "--all"]);
        account.assert_refused(&done, &["Not ready", "days of logs", "--force"]);
    }
    let done = account.bash("apply.sh", &["revoke", WEB, DB]);
    account.assert_refused(&done, &["Not ready", DB, "this change does not"]);
    assert!(!done.complained.contains(WEB));
    assert_eq!(account.done("apply.sh", &["revoke", WEB]), 1);
    let done = account.bash("apply.sh", &["revoke", DB, "--force"]);
    assert_eq!((done.code, account.calls().len()), (Some(0), 1));
    assert!(done.said.contains("because of --force") && done.said.contains(DB));
    // The plan says it too.
    let plan = fs::read_to_string(account.path("run/rules/plan.md")).unwrap();
    assert!(
        plan.contains("**Not ready.**") && plan.contains(WEB),
        "{plan}"
    );
}

/// A rule that stood before stays, and what was not reached is not asked for.
#[test]
fn rollback_undoes_what_a_stopped_run_did_and_nothing_else() {
    let account = Account::new();
    account.done("apply.sh", &["add"]);
    let whole = account.standing();
    account.done("rollback.sh", &["remove", "--all"]);
    let before = account.standing();
    let added: Vec<String> = whole.difference(&before).cloned().collect();
    assert_eq!(added.len(), 21);
    // Two of the rules that the script would make are somebody else's.
    let theirs = format!(
        "{}{} sgr-theirs1\n{} sgr-theirs2\n",
        fs::read_to_string(account.path("standing")).unwrap(),
        added[0],
        added[20]
    );
    fs::write(account.path("standing"), &theirs).unwrap();
    let before = account.standing();

    let stopped = account.bash_with(&[("FAIL_AT", "12")], "apply.sh", &["add"]);
    assert_eq!(stopped.code, Some(1), "{}", stopped.said);
    assert!(stopped.complained.contains("UnauthorizedOperation"));
    assert_eq!(account.calls().len(), 12);
    let made = account.standing().len() - before.len();
    assert!(made >= 9, "{made}");
    // Trying changes nothing.
    account.done("rollback.sh", &["remove", "--all", "--dry-run"]);
    assert_eq!(account.standing().len(), before.len() + made);
    assert_eq!(account.done("rollback.sh", &["remove", "--all"]), made);
    assert_eq!(account.standing(), before);
    assert_eq!(account.done("rollback.sh", &["remove", "--all"]), 0);

    // Run again after it stopped, it goes on; and all of it is undone.
    let stopped = account.bash_with(&[("FAIL_AT", "12")], "apply.sh", &["add"]);
    assert_eq!(stopped.code, Some(1));
    account.done("apply.sh", &["add"]);
    assert_eq!(account.standing(), whole);
    assert_eq!(account.done("rollback.sh", &["remove", "--all"]), 19);
    assert_eq!(account.standing(), before);
    assert!(
        fs::read_to_string(account.path("standing"))
            .unwrap()
            .contains(" sgr-theirs2")
    );
}

/// A rule that was made, but whose id nobody heard of, is undone on request only; what was open before is made again in any case.
#[test]
fn a_killed_run_is_known() {
    for variable in ["KILL_AT", "SILENT_AT"] {
        let account = Account::new();
        let before = account.standing();
        let made = usize::from(variable == "KILL_AT");
        let stopped = account.bash_with(&[(variable, "5")], "apply.sh", &["add"]);
        assert_ne!(stopped.code, Some(0));
        // The line that a kill cuts off says nothing.
        let mut journal = fs::read_to_string(account.journal()).unwrap();
        journal += "2026-11-29T00:00:00Z\tadd\tdo";
        fs::write(account.journal(), journal).unwrap();
        let undone = account.bash("rollback.sh", &["remove", "--all"]);
        assert_eq!((undone.code, account.calls().len()), (Some(1), 4));
        assert!(
            undone.said.contains("not known whether") && undone.complained.contains("--unfinished")
        );
        assert_eq!(account.standing().len(), before.len() + made);
        account.done("rollback.sh", &["remove", "--all", "--unfinished"]);
        assert_eq!(account.standing(), before);
        assert_eq!(
            account.done("rollback.sh", &["remove", "--all", "--unfinished"]),
            0
        );

        let revoke = ["revoke", "--all", "--force"];
        account.bash_with(&[(variable, "3")], "apply.sh", &revoke);
        assert_eq!(account.standing().len(), before.len() - 2 - made);
        account.done("rollback.sh", &["open"]);
        assert_eq!(account.standing(), before);
        assert_eq!(account.done("rollback.sh", &["open"]), 0);
    }
}

#[test]
fn a_rule_that_was_made_again_goes_again() {
    let account = Account::new();
    let before = account.standing();
    for _ in 0..2 {
        account.done("apply.sh", &["revoke", "--all", "--force"]);
        assert!(account.standing().is_empty());
        assert_eq!(
            account.done("apply.sh", &["revoke", "--all", "--force"]),
            2 * before.len()
        );
        assert_eq!(account.done("rollback.sh", &["open", WEB]), 1);
        assert_eq!(account.standing().len(), 1);
        assert_eq!(account.done("rollback.sh", &["open"]), before.len() - 1);
        assert_eq!(account.standing(), before);
    }
    // Of a rule that we made and somebody made again, the permission is not ours.
    account.done("apply.sh", &["add", WEB]);
    let theirs = fs::read_to_string(account.path("standing"))
        .unwrap()
        .replace(" sgr-00", " sgr-99");
    fs::write(account.path("standing"), theirs).unwrap();
    let all = account.standing();
    account.done("rollback.sh", &["remove", "--all"]);
    assert_eq!(account.standing(), all);
}

#[test]
fn without_a_journal_the_whole_stage_is_undone_on_request() {
    let account = Account::new();
    let before = account.standing();
    let elsewhere = account.path("elsewhere.log").display().to_string();
    account.done("apply.sh", &["add", "--journal", &elsewhere]);
    assert!(!account.journal().exists());
    account.assert_refused(
        &account.bash("rollback.sh", &["remove", "--all"]),
        &["no journal"],
    );
    account.done("rollback.sh", &["remove", WEB, "--journal", &elsewhere]);
    let some = account.standing();
    assert!(
        some.len() > before.len()
            && !some
                .iter()
                .any(|rule| rule.starts_with(WEB) && !before.contains(rule))
    );
    account.done("rollback.sh", &["remove", "--all", "--without-journal"]);
    assert_eq!(account.standing(), before);
    // A file of somebody else's is not written to.
    let notes = account.path("notes.txt");
    fs::write(&notes, "mine\n").unwrap();
    let notes_text = notes.display().to_string();
    let done = account.bash("apply.sh", &["add", "--journal", &notes_text]);
    assert_eq!((done.code, account.calls().len()), (Some(2), 0));
    assert_eq!(fs::read_to_string(notes).unwrap(), "mine\n");
}

/// AWS takes one of them: descriptions don't tell rules apart.
#[test]
fn a_rule_wanted_for_two_reasons_is_made_once() {
    let account = Account::new();
    account.edit(|change| {
        let rules = change["rules"].as_array_mut().unwrap();
        let mut again = rules
            .iter()
            .find(|rule| rule["status"] == "add")
            .unwrap()
            .clone();
        again["id"] = json!("r-again");
        again["wording"] = json!("orders of the shop");
        let first = again.clone();
        rules.push(again);
        rules.push(first);
    });
    assert_eq!(account.done("apply.sh", &["add"]), 21);
    let calls = account.calls();
    let both = calls
        .iter()
        .filter(|call| call.contains("; orders of the shop\""));
    assert_eq!(both.count(), 1, "{calls:?}");
    assert_eq!(account.done("rollback.sh", &["remove", "--all"]), 21);
}

/// The run that was applied stays as it is: its scripts are what undoes it.
#[test]
fn a_run_with_a_journal_is_not_replaced() {
    let account = Account::new();
    account.done("apply.sh", &["add", WEB]);
    let mut again = closegate();
    again.args(["demo", "--out"]).arg(account.path("run"));
    fails(again.assert(), 2, &["applied.log", "name a new directory"]);
}
