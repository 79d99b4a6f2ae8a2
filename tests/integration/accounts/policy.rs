//! A policy with a directory for each account: the same policy, in the hands of several teams.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use serde_json::Value;

use super::{DATABASES, Estate, MONITORING, SHOP, WEB, list, text};
use crate::cli::fails;
use crate::common::{printed, sample};

/// By account, a policy is the same policy: for rules, drift, audits, `verify`, `check`, `status` and `explain`.
#[test]
fn a_divided_policy_is_the_same_policy() {
    for accounts in [2, 3] {
        let estate = Estate::with_policies(accounts);
        let flows = sample().join("flows");
        let flows = flows.to_str().unwrap();
        let both = |words: &[&str]| {
            ["flat", "divided"].map(|policy| {
                let words: Vec<&str> = words
                    .iter()
                    .map(|word| if *word == "POLICY" { policy } else { *word })
                    .collect();
                let output = estate.output(&words);
                let text = String::from_utf8(output.stdout).unwrap();
                let error = String::from_utf8(output.stderr).unwrap();
                assert!(!text.is_empty(), "{words:?}: {error}");
                (output.status.code(), text)
            })
        };
        let input = ["--inventory", "inventory", "--policy", "POLICY"];
        let logs = [&input[..], &["--flows", flows]].concat();
        for words in [
            [&["policy", "status", "--json"][..], &input].concat(),
            [&["policy", "check", "--run", "run"][..], &input].concat(),
            [&["verify"][..], &logs].concat(),
        ] {
            let [flat, divided] = both(&words);
            assert_eq!(divided, flat, "{words:?}");
        }
        let [flat, divided] = both(&[&["drift", "--format", "json"][..], &logs].concat());
        let without_files = |(code, text): (Option<i32>, String)| {
            let mut document: Value = serde_json::from_str(&text).unwrap();
            for difference in document["differences"].as_array_mut().unwrap() {
                difference.as_object_mut().unwrap().remove("file").unwrap();
            }
            (code, document)
        };
        assert!(divided.1.contains(&format!("{SHOP}/{WEB}.toml")));
        assert_eq!(without_files(divided), without_files(flat));
        for policy in ["flat", "divided"] {
            let words = ["audit", "--flows", flows, "--inventory", "inventory"];
            let out = format!("against-{policy}");
            let rest = ["--policy", policy, "--out", &out];
            estate.printed(&[&words[..], &rest[..]].concat());
            let words = ["rules", "--inventory", "inventory", "--emit", "json"];
            let out = format!("rules-{policy}");
            let rest = ["--policy", policy, "--out", &out];
            estate.printed(&[&words[..], &rest[..]].concat());
        }
        for file in ["audit.json", "rules/rules.json"] {
            let [flat, divided] = ["flat", "divided"]
                .map(|policy| fs::read(estate.path(&format!("against-{policy}/{file}"))).unwrap());
            assert!(flat == divided, "{file}");
        }
        let owners = estate.owners();
        let mut found = Vec::new();
        for path in estate.texts("rules-divided").keys() {
            let (account, _) = path.split_once('/').unwrap();
            for rule in estate.rules(&format!("rules-divided/{path}")) {
                assert_eq!(owners[&text(&rule, "group_id")], account);
                found.push(rule);
            }
        }
        let mut wanted = estate.rules("rules-flat/rules.json");
        let id = |rule: &Value| text(rule, "id");
        found.sort_by_key(id);
        wanted.sort_by_key(id);
        assert_eq!(found, wanted);
        let halves = wanted.iter().filter(|rule| {
            let target = rule["target"]["security_group"].as_str();
            let other = target.map(|id| &owners[id]);
            other.is_some_and(|other| *other != owners[&text(rule, "group_id")])
        });
        assert!(halves.count() > 2, "there are pairs between accounts");
        let mut egress = wanted.iter().filter(|rule| rule["direction"] == "egress");
        let egress = egress.next().unwrap();
        let explained = estate.printed(&[
            "explain",
            "run",
            &text(egress, "key"),
            "--policy",
            "divided",
        ]);
        let group = text(egress, "group_id");
        let there = format!("divided/{}/{group}.toml:", owners[&group]);
        assert!(explained.contains(&there), "{there}: {explained}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// However groups are divided among accounts, what the accounts' directories want together is what the one directory wants.
    #[test]
    fn however_it_is_divided(of_groups in prop::collection::vec(0_usize..4, 12)) {
        let ids = (1..=12).map(|number| format!("sg-0a1b2c3d4e5f900{number:02}"));
        let ids: Vec<String> = ids.collect();
        let accounts = [SHOP, MONITORING, DATABASES, "000000000001"];
        let owners = ids.iter().zip(&of_groups);
        let owners: Vec<(&str, &str)> = owners
            .map(|(id, &account)| (id.as_str(), accounts[account]))
            .collect();
        let estate = Estate::of(&owners);
        estate.make_policies();
        let count = |name: &str| {
            let files = estate.texts(name);
            let groups = files.keys().filter(|path| path.contains("sg-"));
            groups.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (mut flat, mut divided) = (count("flat"), count("divided"));
        flat.sort();
        divided.sort();
        prop_assert_eq!(flat, divided);
        let mut wanted = Vec::new();
        let mut found = Vec::new();
        for (policy, rules) in [("flat", &mut wanted), ("divided", &mut found)] {
            let words = ["rules", "--inventory", "inventory", "--emit", "json"];
            let out = format!("rules-{policy}");
            let rest = ["--policy", policy, "--out", &out];
            estate.printed(&[&words[..], &rest[..]].concat());
            for path in estate.texts(&out).keys() {
                rules.extend(estate.rules(&format!("{out}/{path}")));
            }
            rules.sort_by_key(|rule| text(rule, "id"));
        }
        prop_assert_eq!(&wanted, &found);
        let drift = |policy: &str| {
            let words = ["drift", "--format", "json", "--inventory", "inventory"];
            let output = estate.output(&[&words[..], &["--policy", policy]].concat());
            let drift: Value = serde_json::from_slice(&output.stdout).unwrap();
            let ids = list(&drift, "differences").into_iter();
            ids.map(|difference| text(&difference, "id")).collect::<Vec<_>>()
        };
        prop_assert_eq!(drift("flat"), drift("divided"));
    }
}

/// Dividing a policy moves its files, with everything that people wrote, and nothing else; afterwards it stays divided.
#[test]
fn dividing_moves_the_files_and_nothing_else() {
    let estate = Estate::with_policies(3);
    let web = estate.path("flat").join(format!("{WEB}.toml"));
    let before = fs::read_to_string(&web).unwrap();
    fs::write(&web, format!("# Ours.\n{before}\n# The end.\n")).unwrap();
    fs::write(estate.path("flat/CODEOWNERS"), "* @us\n").unwrap();
    fs::create_dir(estate.path("flat/notes")).unwrap();
    fs::write(estate.path("flat/notes/sg-1.toml"), "theirs\n").unwrap();
    let flat = estate.texts("flat");
    let words = ["policy", "update", "run", "--policy", "flat"];
    let printed = estate.printed(&[&words[..], &["--by-account"]].concat());
    assert!(printed.contains("0 new connections"), "{printed}");
    let owners = estate.owners();
    let mut wanted = BTreeMap::new();
    for (path, text) in flat {
        let group = path.strip_suffix(".toml").and_then(|id| owners.get(id));
        let place = match group {
            Some(account) => format!("{account}/{path}"),
            None => path,
        };
        wanted.insert(place, text);
    }
    for account in [SHOP, MONITORING, DATABASES] {
        let marker = wanted["policy.toml"].clone();
        wanted.insert(format!("{account}/policy.toml"), marker);
    }
    assert_eq!(estate.texts("flat"), wanted);
    let printed = estate.printed(&words);
    assert!(printed.contains("changed     0 files\n"), "{printed}");
    assert_eq!(estate.texts("flat"), wanted);
    // A new group's file is made in its account's directory.
    let gone = format!("flat/{DATABASES}");
    fs::remove_dir_all(estate.path(&gone)).unwrap();
    estate.printed(&words);
    let found = estate.texts(&gone);
    let found: Vec<&String> = found.keys().collect();
    assert_eq!(found, ["policy.toml", "sg-0a1b2c3d4e5f90003.toml"]);
}

/// Files in two places at once are no policy, whoever reads it; the message names both.
#[test]
fn a_policy_is_not_both() {
    let estate = Estate::with_policies(2);
    let file = format!("{WEB}.toml");
    let own = estate.path("divided").join(SHOP).join(&file);
    let beside = estate.path("divided").join(&file);
    fs::copy(&own, &beside).unwrap();
    for words in [
        &["policy", "status", "--policy", "divided"][..],
        &["policy", "check", "--policy", "divided"],
        &["policy", "update", "run", "--policy", "divided"],
    ] {
        let mixed = estate.command(words).assert();
        fails(mixed, 2, &[&file, SHOP]);
    }
    fs::remove_file(&beside).unwrap();
    // In another account's directory, and in two of them.
    let other = estate.path("divided").join(MONITORING).join(&file);
    fs::rename(&own, &other).unwrap();
    let words = ["policy", "status", "--policy", "divided"];
    let misplaced = estate.command(&words).assert();
    fails(misplaced, 2, &[&file, "account is", SHOP, MONITORING]);
    fs::copy(&other, &own).unwrap();
    let text = fs::read_to_string(&other).unwrap();
    let without = text.replace(&format!("account = \"{SHOP}\"\n"), "");
    fs::write(&other, without).unwrap();
    let twice = estate.command(&words).assert();
    fails(twice, 2, &[&format!("{SHOP}/{file}"), "already"]);
}

/// One account's directory is a policy of its own, which takes nothing of others and says what it does not see.
#[test]
fn one_account_of_a_policy() {
    let estate = Estate::with_policies(3);
    let part = format!("divided/{MONITORING}");
    let before = estate.texts(&part);
    let output = estate.output(&["policy", "update", "run", "--policy", &part]);
    let (said, seen) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{seen}");
    assert!(said.contains("0 new connections") && said.contains("rules of other accounts"));
    assert!(
        seen.contains(&format!("of account {MONITORING} alone")),
        "{seen}"
    );
    assert_eq!(estate.texts(&part), before);
    let words = ["rules", "--policy", &part, "--inventory", "inventory"];
    let rest = ["--emit", "json", "--out", "part"];
    let said = estate.printed(&[&words[..], &rest[..]].concat());
    assert!(said.contains("elsewhere"), "{said}");
    let owners = estate.owners();
    let rules = estate.rules("part/rules.json");
    assert!(!rules.is_empty());
    for rule in &rules {
        assert_eq!(owners[&text(rule, "group_id")], MONITORING);
    }
    let status = ["policy", "status", "--json", "--inventory", "inventory"];
    let status = estate.printed(&[&status[..], &["--policy", &part]].concat());
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(list(&status, "groups").len(), 2);
    assert!(list(&status, "groups_without_policy").is_empty());
    // What other accounts' entries want here is not taken for a difference.
    let flows = sample().join("flows");
    let words = ["drift", "--format", "json", "--inventory", "inventory"];
    let rest = ["--policy", &part, "--flows", flows.to_str().unwrap()];
    let drift = estate.output(&[&words[..], &rest[..]].concat());
    let drift: Value = serde_json::from_slice(&drift.stdout).unwrap();
    assert!(drift["not_judged"].as_u64().unwrap() > 0, "{drift}");
    for difference in list(&drift, "differences") {
        let kind = text(&difference, "kind");
        assert!(
            !["connection-not-covered", "group-uncovered"].contains(&&*kind),
            "{difference}"
        );
    }
    let again = [
        "policy",
        "update",
        "run",
        "--policy",
        &part,
        "--by-account",
        "-q",
    ];
    fails(
        estate.command(&again).assert(),
        2,
        &["--by-account", MONITORING],
    );
}

/// Every account's rules have a directory, to be applied with its own credentials; files for all accounts together are not left beside.
#[test]
fn rules_have_a_directory_for_each_account() {
    let estate = Estate::with_policies(3);
    let accounts = BTreeSet::from([SHOP, MONITORING, DATABASES]);
    let owners = estate.owners();
    let write = |policy: &str, format: &str, out: &str| {
        let words = ["rules", "--policy", policy, "--inventory", "inventory"];
        let rest = ["--emit", format, "--out", out];
        estate.command(&[&words[..], &rest[..]].concat())
    };
    for format in ["terraform-module", "terraform", "aws-cli", "csv"] {
        printed(&mut write("divided", format, format));
        let files = estate.texts(format);
        let found: BTreeSet<&str> = files
            .keys()
            .map(|path| path.split_once('/').unwrap().0)
            .collect();
        assert_eq!(found, accounts, "{format}");
    }
    let scripts = estate.texts("aws-cli");
    for (account, script) in accounts
        .iter()
        .map(|account| (*account, &scripts[&format!("{account}/apply.sh")]))
    {
        let ids = script.split("--group-id ").skip(1);
        let ids = ids.map(|rest| &rest[..rest.find(' ').unwrap()]);
        for id in ids.map(|id| id.trim_matches('\'')) {
            assert_eq!(owners[id], account, "{script}");
        }
    }
    let databases = &estate.texts("terraform")[&format!("{DATABASES}/rules.tf")];
    assert!(databases.contains("_ingress\" {"), "{databases}");
    assert!(databases.contains(&format!("\"{SHOP}/")), "{databases}");
    // Files for all accounts stay where they are: a Terraform may run there.
    printed(&mut write("flat", "terraform", "work"));
    let before = estate.texts("work");
    let refused = write("divided", "terraform", "work").assert();
    fails(refused, 2, &["work", ".tf", "all accounts together"]);
    assert_eq!(estate.texts("work"), before);
    // Somebody else's file in one account's directory keeps every account from being written.
    let place = estate.path("mixed").join(MONITORING);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("rules.tf"), "# ours\n").unwrap();
    let refused = write("divided", "terraform", "mixed").assert();
    fails(refused, 2, &[MONITORING, "rules.tf"]);
    assert_eq!(estate.texts("mixed").len(), 1);
    // An account that the policy has no more is named, and left alone.
    fs::remove_dir_all(estate.path("divided").join(DATABASES)).unwrap();
    let web = estate.path("divided").join(SHOP);
    for entry in fs::read_dir(&web).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            text.replace("state = \"accepted\"", "state = \"deferred\""),
        )
        .unwrap();
    }
    let said = printed(&mut write("divided", "terraform", "terraform"));
    assert!(
        said.contains("untouched") && said.contains(DATABASES),
        "{said}"
    );
    let left = estate.path("terraform").join(DATABASES).join("rules.tf");
    assert!(left.is_file());
}
