//! `closegate verify` and `closegate explain`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{closegate, sample};
use crate::prepared::demo_run;

/// A run of the sample data.
fn run() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    demo_run(dir.path());
    dir
}

/// The answer and the exit code, on the sample's logs in the default format.
fn verify(against: &[&str]) -> (Value, i32) {
    let output = closegate()
        .args(["verify", "--json", "--flows"])
        .arg(sample().join("flows/default"))
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .args(against)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::String(error));
    (answer, output.status.code().unwrap())
}

fn rules_file(dir: &Path, change: impl Fn(&mut Value)) -> String {
    let path = dir.join("run/rules/rules.json");
    let mut rules: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut rules);
    let path = dir.join("changed.json");
    fs::write(&path, rules.to_string()).unwrap();
    path.display().to_string()
}

#[test]
fn our_own_rules_break_nothing_and_deny_what_is_suspicious() {
    let dir = run();
    let (answer, code) = verify(&["--rules", &rules_file(dir.path(), |_| {})]);
    assert_eq!(
        (code, &answer["lost"], &answer["permitted"]),
        (0, &json!(0), &json!(147))
    );
    assert_eq!(
        (
            &answer["suspicious_denied"],
            answer["suspicious_still_open"].as_array().unwrap().len()
        ),
        (&json!(2), 0)
    );
}

/// People read which rule is missing, not every connection; a run's directory stands for its rules.
#[test]
fn lost_connections_are_listed_by_the_missing_rule() {
    let dir = run();
    let verify = |rules: &str| {
        let output = closegate()
            .args(["verify", "--rules", rules, "--flows"])
            .arg(sample().join("flows/default"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text, output.status.code().unwrap())
    };
    let place = dir.path().join("run").display().to_string();
    let (text, code) = verify(&place);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("lost          0 connections"), "{text}");

    let nothing = rules_file(dir.path(), |rules| rules["rules"] = json!([]));
    let (text, code) = verify(&nothing);
    assert_eq!(code, 1, "{text}");
    let missing: Vec<&str> = text.lines().filter(|line| line.contains("  no ")).collect();
    let to_db = missing.iter().find(|line| {
        line.contains("egress rule for tcp/3306 from web (sg-0a1b2c3d4e5f90002) or base")
            && line.contains("to db (sg-0a1b2c3d4e5f90003)")
    });
    assert!(
        to_db.is_some_and(|line| line.contains("such as c-")),
        "{text}"
    );
    let (answer, _) = self::verify(&["--rules", &nothing]);
    assert!(missing.len() < answer["lost_connections"].as_array().unwrap().len());

    for (file, says) in [("no-such-file", "No such file"), ("", "rules/rules.json")] {
        let path = dir.path().join(file).display().to_string();
        let assert = closegate()
            .args(["verify", "--rules", &path, "--flows"])
            .arg(sample().join("flows/default"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .assert();
        crate::cli::fails(assert, 2, &["rules file", "--out directory", says]);
    }
}

#[test]
fn todays_rules_let_everything_through() {
    let (answer, code) = verify(&["--current"]);
    assert_eq!((code, &answer["lost"]), (0, &json!(0)));
    assert_eq!(answer["suspicious_still_open"].as_array().unwrap().len(), 2);
}

/// Whatever rule is left out, what it was written for breaks, on its side.
#[test]
fn every_added_egress_rule_is_needed() {
    let dir = run();
    let all: Value =
        serde_json::from_slice(&fs::read(dir.path().join("run/rules/rules.json")).unwrap())
            .unwrap();
    let added = all["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["status"] == "add" && r["direction"] == "egress");
    for rule in added {
        let without = |rules: &mut Value| {
            rules["rules"]
                .as_array_mut()
                .unwrap()
                .retain(|r| r["id"] != rule["id"]);
        };
        let (answer, code) = verify(&["--rules", &rules_file(dir.path(), without)]);
        assert_eq!(code, 1, "{rule}");
        let broken = answer["lost_connections"].as_array().unwrap();
        let mut ids: Vec<&Value> = broken.iter().map(|c| &c["id"]).collect();
        ids.sort_by_key(ToString::to_string);
        assert_eq!(
            ids,
            rule["evidence"]
                .as_array()
                .unwrap()
                .iter()
                .collect::<Vec<_>>()
        );
        assert!(broken.iter().all(|c| c["denied_by"] == "egress"));
    }
}

/// The shape of `terraform show -json` (JSON output format of plans): what is
/// deleted goes, what is created comes, what is imported or only described anew
/// stays.
#[test]
fn a_terraform_plan_is_a_proposal() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |changes: Value| {
        let path = dir.path().join("plan.json");
        fs::write(
            &path,
            json!({"format_version": "1.2", "resource_changes": changes}).to_string(),
        )
        .unwrap();
        path.display().to_string()
    };
    let rule = |group: &str, port: i64, target: (&str, &str)| {
        let mut value =
            json!({"security_group_id": group, "ip_protocol": if port < 0 { "-1" } else { "tcp" }});
        if port >= 0 {
            value["from_port"] = port.into();
            value["to_port"] = port.into();
        }
        value[target.0] = target.1.into();
        value
    };
    let egress = |before: Value, after: Value| json!({"address": "aws_vpc_security_group_egress_rule.x", "type": "aws_vpc_security_group_egress_rule", "change": {"before": before, "after": after}});
    // The cache opens nothing, so its open rule may go.
    let open = rule("sg-0a1b2c3d4e5f90004", -1, ("cidr_ipv4", "0.0.0.0/0"));
    let (answer, code) = verify(&["--rules", &plan(json!([egress(open, Value::Null)]))]);
    assert_eq!((code, &answer["lost"]), (0, &json!(0)));
    // The load balancer opens port 80, and nothing comes in its place.
    let open = rule("sg-0a1b2c3d4e5f90001", -1, ("cidr_ipv4", "0.0.0.0/0"));
    let (answer, code) = verify(&["--rules", &plan(json!([egress(open.clone(), Value::Null)]))]);
    assert_eq!((code, &answer["lost"]), (1, &json!(6)));
    // With the rule to web it is fine; a change of words alone changes nothing.
    let to_web = rule(
        "sg-0a1b2c3d4e5f90001",
        80,
        (
            "referenced_security_group_id",
            "111122223333/sg-0a1b2c3d4e5f90002",
        ),
    );
    let mut described = open.clone();
    described["description"] = "the whole world".into();
    for changes in [
        json!([
            egress(open.clone(), Value::Null),
            egress(Value::Null, to_web)
        ]),
        json!([egress(open, described)]),
    ] {
        let (answer, code) = verify(&["--rules", &plan(changes)]);
        assert_eq!((code, &answer["lost"]), (0, &json!(0)));
    }
    // The older resource, and blocks inside the group, say the same.
    let block = |port: i64, more: Value| {
        let mut value = json!({"protocol": if port == 0 { "-1" } else { "tcp" }, "from_port": port, "to_port": port});
        value
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        value
    };
    let world = json!({"cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": [], "self": false});
    let of = |kind: &str, before: Value, after: Value| json!([{"address": format!("{kind}.x"), "type": kind, "change": {"before": before, "after": after}}]);
    let mut legacy = block(0, world.clone());
    legacy["security_group_id"] = "sg-0a1b2c3d4e5f90001".into();
    legacy["type"] = "egress".into();
    let inline =
        |blocks: Value| json!({"id": "sg-0a1b2c3d4e5f90001", "egress": blocks, "ingress": []});
    let everything = inline(json!([block(0, world)]));
    let to_web = inline(json!([block(
        80,
        json!({"security_groups": ["sg-0a1b2c3d4e5f90002"]})
    )]));
    for (changes, lost) in [
        (of("aws_security_group_rule", legacy, Value::Null), 6),
        (
            of("aws_security_group", everything.clone(), inline(json!([]))),
            6,
        ),
        (of("aws_security_group", everything.clone(), to_web), 0),
        (of("aws_security_group", everything.clone(), everything), 0),
    ] {
        let (answer, _) = verify(&["--rules", &plan(changes)]);
        assert_eq!(
            (&answer["lost"], &answer["not_known"]),
            (&json!(lost), &json!([]))
        );
    }
    // What only apply will know is said.
    let unknown = json!({"ip_protocol": "tcp", "from_port": 1, "to_port": 1});
    let (answer, _) = verify(&["--rules", &plan(json!([egress(Value::Null, unknown)]))]);
    assert!(
        answer["not_known"][0]
            .as_str()
            .unwrap()
            .contains("known only after apply")
    );
}

#[test]
fn a_file_that_is_no_proposal_is_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    for (content, says) in [
        ("{", "rules.json"),
        ("{}", "neither rules nor resource_changes"),
        (
            r#"{"schema_version":2,"rules":[{"direction":"egress","group_id":"sg-nope","protocol":"tcp","target":{"cidr_ipv4":"1.2.3.4/32"},"status":"add"}]}"#,
            "sg-nope",
        ),
        (
            r#"{"schema_version":2,"rules":[{"direction":"sideways","group_id":"sg-0a1b2c3d4e5f90001","protocol":"tcp","target":{"cidr_ipv4":"1.2.3.4/32"},"status":"add"}]}"#,
            "unknown variant `sideways`",
        ),
    ] {
        fs::write(&path, content).unwrap();
        let (answer, code) = verify(&["--rules", &path.display().to_string()]);
        assert_eq!(code, 2, "{answer}");
        assert!(answer.as_str().unwrap().contains(says), "{answer}");
    }
    assert_eq!(verify(&["--rules", "nowhere.json"]).1, 2);
    assert_eq!(verify(&[]).1, 2);
    assert_eq!(verify(&["--current", "--rules", "nowhere.json"]).1, 2);
}

#[test]
fn explain_gives_the_chain_behind_each_id() {
    let dir = run();
    let run = dir.path().join("run");
    let audit: Value = serde_json::from_slice(&fs::read(run.join("audit.json")).unwrap()).unwrap();
    let explain = |id: &str| {
        let output = closegate()
            .arg("explain")
            .arg(&run)
            .arg(id)
            .output()
            .unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
        )
    };
    for key in ["rules", "findings", "connections"] {
        for row in audit[key].as_array().unwrap() {
            let (text, code) = explain(row["id"].as_str().unwrap());
            assert_eq!(code, Some(0));
            for id in row["evidence"].as_array().into_iter().flatten() {
                assert!(text.contains(id.as_str().unwrap()), "{text}");
            }
        }
    }
    let irc = audit["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["kind"] == "irc")
        .unwrap();
    let (text, _) = explain(irc["evidence"][0].as_str().unwrap());
    assert!(
        text.contains("direction   certain, from TCP flags") && text.contains("quarantined: irc"),
        "{text}"
    );
    let mysql = audit["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["from_port"] == 3306 && r["status"] == "add")
        .unwrap();
    let (text, _) = explain(mysql["id"].as_str().unwrap());
    assert!(
        text.contains("half of a mutual pair") && text.contains("have no other rule on this side"),
        "{text}"
    );
    assert_eq!(explain("r-nope").1, Some(2));
    assert_eq!(explain("what").1, Some(2));
}

#[test]
fn two_runs_differ_by_what_is_in_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let audit = |out: &str, days: &[&str]| {
        let mut command = closegate();
        command.current_dir(dir.path()).arg("audit").arg("--flows");
        command.args(
            days.iter()
                .map(|day| sample().join("flows/custom").join(day)),
        );
        command
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .args(["--out", out])
            .assert()
            .success();
    };
    audit("a", &["day-1.log.gz"]);
    audit("b", &["day-1.log.gz", "day-2.log.gz", "day-3.log.gz"]);
    let diff = |a: &str, b: &str, more: &[&str]| {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .args(["diff", a, b])
            .args(more);
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    let same = diff("a", "a", &[]);
    assert_eq!(
        same.matches("0 new, 0 gone, 0 changed").count(),
        4,
        "{same}"
    );

    let document: Value = serde_json::from_str(&diff("a", "b", &["--json"])).unwrap();
    let load = |run: &str| -> Value {
        serde_json::from_slice(&fs::read(dir.path().join(run).join("audit.json")).unwrap()).unwrap()
    };
    for list in ["findings", "rules", "connections"] {
        let ids = |run: &str| -> std::collections::BTreeSet<String> {
            load(run)[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|thing| thing["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let listed = |key: &str| -> std::collections::BTreeSet<String> {
            document[list][key]
                .as_array()
                .unwrap()
                .iter()
                .map(|thing| thing["id"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(listed("new"), &ids("b") - &ids("a"), "{list}");
        assert_eq!(listed("gone"), &ids("a") - &ids("b"), "{list}");
    }
    assert!(
        !document["connections"]["new"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let back = diff("b", "a", &[]);
    assert!(
        back.contains("  gone     ") && back.lines().all(|line| line.chars().count() <= 401),
        "{back}"
    );
}
