//! What `drift` prints, in each format, and how it ends; and `explain` of an entry.

use std::fs;

use serde_json::{Value, json};

use super::{CACHE, DB, Kept, WEB, line_of, word};
use crate::cli::fails;
use crate::common::{closegate, fixtures, printed, sample};
use crate::emit::tools::read;

/// A name that a terminal would obey, and that forges lines.
const HOSTILE: &str = "we\u{1b}[31mb\n  error: forged\u{202e}";

/// A policy with differences of every level, traffic and all.
fn kept() -> Kept {
    let kept = Kept::locked();
    kept.reopen(DB);
    kept.open(WEB, "egress", 25, "198.51.100.9/32");
    kept.close(WEB, "egress", 3306);
    kept
}

/// What a command prints that ends with 1.
fn differing(kept: &Kept, more: &[&str]) -> String {
    let done = kept.drift("inventory", more).assert().code(1);
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[test]
fn people_read_what_differs_and_what_to_do() {
    let kept = kept();
    let text = differing(&kept, &[]);
    let key = kept.key(WEB, "web_to_db_3306_");
    let line = line_of(&kept.file(WEB), &key);
    let lines: Vec<&str> = text.lines().collect();
    let missing = lines
        .iter()
        .position(|line| line.starts_with("  error: rule-missing: "))
        .unwrap();
    assert!(
        lines[missing].contains(&format!("egress rule for tcp/3306 to {DB} (db)")),
        "{text}"
    );
    assert!(lines[missing + 1].starts_with("    do: Apply"), "{text}");
    assert_eq!(
        lines[missing + 2],
        format!("    at: policy/{WEB}.toml:{line} {key}")
    );
    assert!(lines.contains(&&*format!("web ({WEB})")), "{text}");
    assert!(lines.contains(&&*format!("db ({DB})")), "{text}");
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("drift         2 errors, 1 warning, "),
        "{text}"
    );
    // The same bytes every time.
    assert_eq!(differing(&kept, &[]), text);
}

#[test]
fn a_plan_and_today_stand_apart() {
    let kept = kept();
    let plan = fixtures().join("terraform-plans/opens.json");
    let text = differing(&kept, &["--plan", plan.to_str().unwrap()]);
    let (of_plan, today) = text.split_once("\nToday, whatever the plan does").unwrap();
    assert!(
        of_plan.starts_with("The plan\n") && of_plan.contains("plan-opens"),
        "{text}"
    );
    assert!(
        !of_plan.contains("rule-missing") && today.contains("rule-missing"),
        "{text}"
    );
    let applies = fixtures().join("terraform-plans/applies.json");
    let harmless = printed(&mut kept.drift("inventory", &["--plan", applies.to_str().unwrap()]));
    assert!(
        harmless.contains("  breaks nothing and opens nothing\n"),
        "{harmless}"
    );
    assert!(harmless.contains("    The plan ends this.\n"), "{harmless}");
}

#[test]
fn nothing_differs_in_a_line() {
    let kept = Kept::learning();
    let text = printed(&mut kept.drift("inventory", &[]));
    assert_eq!(text, "drift         no difference\n");
}

#[test]
fn json_meets_its_schema() {
    let kept = kept();
    let schema: Value =
        serde_json::from_str(&printed(closegate().args(["schema", "drift"]))).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let flows = sample().join("flows/custom");
    let plan = fixtures().join("terraform-plans/harmless.json");
    let with_both = [
        "--flows",
        flows.to_str().unwrap(),
        "--plan",
        plan.to_str().unwrap(),
    ];
    for more in [&[][..], &with_both] {
        let document = kept.applied(more).document;
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        let ids: Vec<&str> = document["differences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| word(row, "id"))
            .collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }
}

/// Code scanning shows each difference at the line of the policy where it is decided.
#[test]
fn sarif_points_into_the_policy() {
    let kept = kept();
    let text = differing(&kept, &["--format", "sarif"]);
    let document = kept.applied(&[]).document;
    let rows = document["differences"].as_array().unwrap();
    let mut ids: Vec<&str> = rows.iter().map(|row| word(row, "id")).collect();
    ids.sort_unstable();
    assert_eq!(read("-", "sarif", &text), ids);
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let missing = results
        .iter()
        .find(|result| result["ruleId"] == "rule-missing")
        .unwrap();
    let key = kept.key(WEB, "web_to_db_3306_");
    let place = &missing["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        format!("policy/{WEB}.toml")
    );
    assert_eq!(place["region"]["startLine"], line_of(&kept.file(WEB), &key));
    assert_eq!(
        (&missing["level"], &missing["properties"]["key"]),
        (&json!("error"), &json!(key))
    );
    // With the policy's absolute path it is the same place.
    let absolute = kept.path("policy").canonicalize().unwrap();
    let words = [
        "drift",
        "--inventory",
        "inventory",
        "--format",
        "sarif",
        "--policy",
    ];
    let words = [&words[..], &[absolute.to_str().unwrap()]].concat();
    let done = kept.program(&words).assert().code(1);
    assert_eq!(String::from_utf8_lossy(&done.get_output().stdout), text);
    // Today's drift is a note beside a plan.
    let plan = fixtures().join("terraform-plans/applies.json");
    let with_plan = ["--format", "sarif", "--plan", plan.to_str().unwrap()];
    let beside: Value =
        serde_json::from_str(&printed(&mut kept.drift("inventory", &with_plan))).unwrap();
    let results = beside["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), rows.len());
    assert!(results.iter().all(|result| result["level"] == "note"));
}

/// Names, descriptions and addresses that others wrote.
#[test]
fn hostile_texts_stay_texts() {
    let kept = kept();
    kept.edit_group(WEB, |group| {
        group["GroupName"] = json!(HOSTILE);
        for rule in group["IpPermissionsEgress"].as_array_mut().unwrap() {
            if let Some(range) = rule.pointer_mut("/IpRanges/0") {
                range["Description"] = json!(HOSTILE);
            }
        }
    });
    kept.close(CACHE, "ingress", 6379);
    let plan = json!({"format_version": "1.2", "resource_changes": [{
        "address": HOSTILE, "mode": "managed", "type": "aws_vpc_security_group_egress_rule",
        "change": {"actions": ["create"], "before": null, "after": {}, "after_unknown": {}},
    }]});
    fs::write(kept.path("plan.json"), plan.to_string()).unwrap();
    for format in ["text", "json", "sarif"] {
        for more in [&[][..], &["--plan", "plan.json"]] {
            let words = [&["--format", format][..], more].concat();
            let done = kept.drift("inventory", &words).assert();
            let text = String::from_utf8(done.get_output().stdout.clone()).unwrap();
            assert!(!text.is_empty());
            for c in ['\u{1b}', '\u{202e}'] {
                assert!(!text.contains(c), "{format}: {text}");
            }
            assert!(!text.contains("\n  error: forged"), "{format}: {text}");
        }
    }
    let found = kept.applied(&[]);
    let named = found.rows().iter().find(|row| row["group_id"] == WEB);
    assert_eq!(word(named.unwrap(), "group_name"), HOSTILE);
    assert_eq!(
        read("-", "sarif", &differing(&kept, &["--format", "sarif"])).len(),
        found.rows().len()
    );
}

#[test]
fn a_result_goes_to_a_file() {
    let kept = kept();
    for format in ["text", "json", "sarif"] {
        let printed = differing(&kept, &["--format", format]);
        let nothing = differing(&kept, &["--format", format, "--out", "result"]);
        assert_eq!(nothing, "");
        assert_eq!(fs::read_to_string(kept.path("result")).unwrap(), printed);
    }
}

#[test]
fn what_cannot_be_compared_ends_with_2_or_3() {
    let kept = Kept::learning();
    let run = |words: &[&str]| kept.program(words).assert();
    let no_policy = run(&["drift", "--policy", "run", "--inventory", "inventory"]);
    fails(no_policy, 2, &["is not a policy", "policy.toml"]);
    let no_inventory = run(&["drift", "--policy", "policy", "--inventory", "run"]);
    no_inventory.code(2);
    fs::write(kept.path("empty.log"), "").unwrap();
    let nothing = kept.drift("inventory", &["--flows", "empty.log"]).assert();
    fails(nothing, 3, &["nothing usable"]);
    // These are about logs.
    kept.drift("inventory", &["--since", "2d"]).assert().code(2);
    kept.drift("inventory", &["--unused-days", "0"])
        .assert()
        .code(2);
    fs::write(kept.file(WEB), "schema = 1\n").unwrap();
    let damaged = kept.drift("inventory", &[]).assert();
    fails(damaged, 2, &[WEB, "group is missing"]);
}

/// An entry, its decision, and what of a run it covers.
#[test]
fn explain_of_an_entry() {
    let kept = Kept::learning();
    let key = kept.key(WEB, "web_to_db_3306_");
    let more = ["--reason", "orders\u{1b}[31m", "--owner", "shop"];
    kept.decide("accept", &key, &more);
    let explain = |key: &str| kept.program(&["explain", "run", key, "--policy", "policy"]);
    let text = printed(&mut explain(&key));
    for says in [
        format!("{key}: web ({WEB}) egress to {DB} (db)"),
        "  services    tcp/3306".to_owned(),
        "  state       accepted".to_owned(),
        "  owner       shop".to_owned(),
        "  reason      orders\\u{1b}[31m".to_owned(),
        format!(":{}", line_of(&kept.file(WEB), &key)),
    ] {
        assert!(text.contains(&says), "{says}: {text}");
    }
    let rules = kept.json("run/rules/rules.json");
    let mut connections = 0;
    for rule in rules["rules"].as_array().unwrap() {
        let (group, target) = (&rule["group_id"], &rule["target"]["security_group"]);
        let own = (group == WEB && target == DB) || (group == DB && target == WEB);
        assert_eq!(text.contains(word(rule, "id")), own, "{rule}: {text}");
        for id in rule["evidence"].as_array().unwrap() {
            if own {
                assert!(text.contains(id.as_str().unwrap()), "{id}: {text}");
                connections += 1;
            }
        }
    }
    assert!(connections > 0);
    // Ids of the run are explained as before, and what is neither is refused.
    let id = word(&rules["rules"][0], "id");
    assert_eq!(
        printed(&mut explain(id)),
        printed(&mut kept.program(&["explain", "run", id]))
    );
    fails(
        explain("nothing").assert(),
        2,
        &["`nothing` is not in this run", "--policy"],
    );
}
