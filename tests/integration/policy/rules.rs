//! `closegate rules --policy`: what the files hold, in every format, and that names stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use hcl_edit::structure::Body;
use serde_json::{Value, json};

use super::estate::{
    WEB, accepted, add_group, addresses, apply, document, edit, edit_inventory, ours, rules,
    written,
};
use super::file_of;
use crate::cli::fails;
use crate::common::{closegate, printed};
use crate::emit::terraform::{terraform, validate_modules};
use crate::peers::{has, terraform_with_provider};

/// Every rule that the policy wants is in every format, once, whether it stands or not.
#[test]
fn every_format_has_every_rule() {
    let place = accepted();
    let document = document(&place);
    assert_eq!(document["scope"], "policy");
    let all = document["rules"].as_array().unwrap();
    let ours = ours(&document).len();
    let statuses: BTreeSet<&str> = all
        .iter()
        .map(|rule| rule["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, BTreeSet::from(["add", "keep"]));
    for format in ["terraform-module", "terraform"] {
        let files = written(&place, format, format, &[]);
        assert_eq!(addresses(files.values()).len(), ours, "{format}");
    }
    let files = written(&place, "terraform-json", "terraform-json", &[]);
    let json: Value = serde_json::from_str(&files["rules.tf.json"]).unwrap();
    let kinds = json["resource"].as_object().unwrap().values();
    let resources = kinds.flat_map(|kind| kind.as_object().unwrap().values());
    let rules_of = |resource: &Value| match resource["for_each"].as_object() {
        Some(each) => each.len(),
        None => 1,
    };
    assert_eq!(resources.map(rules_of).sum::<usize>(), ours);
    let yaml = printed(&mut rules(&place, "cloudformation", &[]));
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    let json = printed(&mut rules(&place, "cloudformation-json", &[]));
    let json: Value = serde_json::from_str(&json).unwrap();
    for template in [yaml, json] {
        assert_eq!(template["Resources"].as_object().unwrap().len(), ours);
    }
    let table = printed(&mut rules(&place, "csv", &[]));
    let mut table = csv::Reader::from_reader(table.as_bytes());
    let rows = table.records().map(|row| row.unwrap());
    assert_eq!(rows.filter(|row| &row[0] != "revoke").count(), all.len());
    let first = printed(&mut rules(&place, "terraform-module-v1", &[]));
    first.parse::<Body>().unwrap();
    assert!(first.starts_with("# closegate, from a policy:"));
}

/// The same input gives the same bytes, and what was applied changes nothing in the files but the imports.
#[test]
fn the_second_run_writes_the_same_rules() {
    let place = accepted();
    for format in ["terraform-module", "terraform", "terraform-json"] {
        let place = accepted();
        let before = written(&place, format, "rules", &[]);
        assert_eq!(written(&place, format, "again", &[]), before);
        apply(&place);
        let after = document(&place);
        assert!(ours(&after).iter().all(|rule| rule["status"] == "keep"));
        let after = written(&place, format, "rules", &[]);
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
        for (name, text) in &after {
            if !name.starts_with("imports.") {
                assert_eq!(*text, before[name], "{name}");
            }
        }
    }
    let before = printed(&mut rules(&place, "cloudformation", &[]));
    apply(&place);
    assert_eq!(printed(&mut rules(&place, "cloudformation", &[])), before);
}

/// A second group of the same name gives new addresses, and leaves every other as it is.
#[test]
fn another_web_renames_nothing() {
    for format in ["terraform-module", "terraform"] {
        let place = accepted();
        let before = addresses(written(&place, format, "rules", &[]).values());
        add_group(
            &place,
            "sg-00000000000000002",
            "web",
            "web_to_db_3306_second",
        );
        let after = addresses(written(&place, format, "rules", &[]).values());
        let new: Vec<&String> = after.difference(&before).collect();
        assert!(before.is_subset(&after), "{format}");
        assert!(
            new.len() == 2 && new.iter().all(|name| name.contains("_second")),
            "{new:?}"
        );
    }
}

/// A further port and a further prefix come as new lines; no line of before goes.
#[test]
fn growing_an_entry_renames_nothing() {
    for format in ["terraform-module", "terraform", "terraform-json"] {
        let place = accepted();
        let before = written(&place, format, "rules", &[]);
        let web = file_of(&place.path("policy"), "web");
        edit(&web, "ports = [3306]", "ports = [3306, \"33060-33061\"]");
        let text = fs::read_to_string(&web).unwrap();
        let list = text
            .lines()
            .find(|line| line.starts_with("to_prefixes = ["))
            .unwrap();
        let longer = list.replace('[', "[\"5.6.7.0/24\", ");
        edit(&web, list, &longer);
        let after = written(&place, format, "rules", &[]);
        let mut added = 0;
        for (name, text) in &before {
            let mut left: Vec<&str> = after[name].lines().collect();
            for line in text.lines() {
                let line = line.trim_end_matches(',');
                let at = left
                    .iter()
                    .position(|new| new.trim_end_matches(',') == line);
                let at = at.unwrap_or_else(|| panic!("{format} {name} lost {line}"));
                left.remove(at);
            }
            added += left.len();
        }
        assert!(added > 4, "{format}");
        let key = place.key("policy", "web_to_db_3306_");
        assert!(
            after
                .values()
                .any(|text| text.contains(&format!("{key}_33060_33061"))),
            "{format}"
        );
    }
}

/// Above each entry: its key, the evidence, whose it is, and why; of two entries that want one rule, both.
#[test]
fn who_wants_a_rule_stands_above_it() {
    let place = accepted();
    let key = place.key("policy", "web_to_cache_6379_");
    let arguments = [
        "accept",
        &key,
        "--reason",
        "orders",
        "--owner",
        "shop",
        "--ticket",
        "NET-1",
        "--expires",
        "2999-12-31",
    ];
    place
        .command("decide", "policy", &arguments)
        .assert()
        .success();
    let web = file_of(&place.path("policy"), "web");
    let cache = file_of(&place.path("policy"), "cache");
    let cache = cache.file_stem().unwrap().to_str().unwrap();
    let second = format!(
        "\n[[allow]]\nkey = \"zz_reports\"\nto_group = \"{cache}\"\nprotocol = \"tcp\"\nports = [6379]\nstate = \"accepted\"\nreason = \"reports\"\n"
    );
    let text = fs::read_to_string(&web).unwrap();
    fs::write(&web, text + &second).unwrap();
    let document = document(&place);
    let named: Vec<&Value> = document["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["key"] == key)
        .collect();
    // Egress and ingress, each once.
    assert_eq!(named.len(), 2);
    assert!(
        named
            .iter()
            .all(|rule| rule["wanted_by"].as_array().unwrap().len() == 2)
    );
    for (format, file) in [("terraform-module", "mutual.tf"), ("terraform", "rules.tf")] {
        let files = written(&place, format, format, &[]);
        let text = &files[file];
        let above = text.find(&format!("# {key}: ")).unwrap();
        let lines: Vec<&str> = text[above..].lines().take(5).map(str::trim).collect();
        assert!(
            lines[0].contains("connection")
                && lines[0].contains("first seen 20")
                && lines[0].contains("confidence "),
            "{lines:?}"
        );
        assert_eq!(
            lines[1],
            "#   owner shop; ticket NET-1; holds until 2999-12-31"
        );
        assert_eq!(lines[2], "#   reason: orders");
        assert_eq!(lines[3], "# zz_reports: no run has seen it");
        assert_eq!(lines[4], "#   reason: reports");
        assert!(
            text.contains(&format!("to cache: orders; reports [{key}, zz_reports]")),
            "{text}"
        );
    }
}

/// Only what is accepted and holds is written; what is accepted and can't be written is named.
#[test]
fn only_accepted_entries_that_hold_are_written() {
    let place = accepted();
    let key = place.key("policy", "web_to_db_3306_");
    for (state, is_written) in [
        ("proposed", false),
        ("deferred", false),
        ("declined", false),
        ("accepted", true),
    ] {
        let web = file_of(&place.path("policy"), "web");
        let text = fs::read_to_string(&web).unwrap();
        let start = text.find(&key).unwrap();
        let (before, entry) = text.split_at(start);
        let at = entry.find("state = \"").unwrap();
        let end = at + entry[at..].find('\n').unwrap();
        let new = format!(
            "{before}{}state = \"{state}\"{}",
            &entry[..at],
            &entry[end..]
        );
        fs::write(&web, new).unwrap();
        let text = printed(&mut rules(&place, "json", &[]));
        assert_eq!(text.contains(&key), is_written, "{state}");
    }
    place
        .command(
            "decide",
            "policy",
            &["accept", &key, "--expires", "2020-01-31"],
        )
        .assert()
        .success();
    let document = document(&place);
    let not_written = document["not_written"].as_array().unwrap();
    assert_eq!(not_written.len(), 1);
    assert_eq!(not_written[0]["key"], key);
    assert!(not_written[0]["why"].as_str().unwrap().contains("expired"));
    let files = written(&place, "terraform", "rules", &[]);
    assert!(files["rules.tf"].contains(&format!(
        "# Not written: {key} of {WEB}, for it has expired"
    )));
}

/// Texts of people stay comments and descriptions, whatever is in them.
#[test]
fn hostile_reasons_stay_texts() {
    for reason in [
        "\\n}\\nresource \\\"x\\\" \\\"y\\\" {}",
        "*/ ${file(\\\"/etc/passwd\\\")} %{ if true }",
        "{{resolve:ssm:secret}} !Ref x",
        "\\u2028resource \\u202e",
        "EOF\\r\\n$(id) `id`",
    ] {
        let place = accepted();
        let key = place.key("policy", "web_to_db_3306_");
        let web = file_of(&place.path("policy"), "web");
        edit(
            &web,
            &format!("key = \"{key}\""),
            &format!("key = \"{key}\"\nreason = \"{reason}\"\nowner = \"{reason}\""),
        );
        let plain = accepted();
        for format in ["terraform-module", "terraform"] {
            let files = written(&place, format, format, &[]);
            let same = written(&plain, format, format, &[]);
            assert_eq!(
                addresses(files.values()),
                addresses(same.values()),
                "{reason}"
            );
            for text in files.values() {
                let hides = |c: char| c != '\n' && closegate::net::is_invisible(c);
                assert!(!text.contains(hides), "{text:?}");
            }
        }
        let yaml = printed(&mut rules(&place, "cloudformation", &[]));
        assert!(!yaml.contains("{{resolve"), "{yaml}");
        let template: Value = serde_saphyr::from_str(&yaml).unwrap();
        let count = ours(&document(&place)).len();
        assert_eq!(template["Resources"].as_object().unwrap().len(), count);
        let script = printed(&mut rules(&place, "aws-cli", &[]));
        let path = place.path("apply.sh");
        fs::write(&path, script).unwrap();
        let parsed = std::process::Command::new("bash")
            .arg("-n")
            .arg(&path)
            .status();
        assert!(parsed.unwrap().success(), "{reason}");
    }
}

/// Terraform formats the files as they are, and takes them.
#[test]
fn terraform_takes_the_files_of_a_policy() {
    if !has("terraform") {
        return;
    }
    let place = accepted();
    let tagged = |document: &mut Value| {
        let rules = document["SecurityGroupRules"].as_array_mut().unwrap();
        for rule in rules {
            rule["Tags"] =
                json!([{"Key": "team", "Value": "a"}, {"Key": "Cost Centre ${x}", "Value": "%{b"}]);
        }
    };
    let mut modules = Vec::new();
    for (split, tags) in [(false, false), (true, false), (false, true)] {
        if tags {
            edit_inventory(&place, "security-group-rules.json", tagged);
        }
        for format in ["terraform-module", "terraform"] {
            let module = format!("{format}-{split}-{tags}");
            let out = format!("terraform/{module}");
            let arguments: &[&str] = if split { &["--split", "group"] } else { &[] };
            written(&place, format, &out, arguments);
            let dir = place.path(&out);
            terraform(&dir, &["fmt", "-check", "-diff"]);
            if format == "terraform" {
                fs::write(dir.join("mutual.tf"), "").unwrap();
            }
            // Importing asks AWS.
            fs::remove_file(dir.join("imports.tf")).unwrap();
            modules.push(module);
        }
    }
    if let Some(mirror) = terraform_with_provider() {
        validate_modules(&place.path("terraform"), &mirror, &modules);
    }
}

/// Tags of rules that stand are kept, and those rules are resources of their own.
#[test]
fn tags_are_kept_with_their_values() {
    let place = accepted();
    let document = document(&place);
    let standing = ours(&document);
    let standing = standing
        .iter()
        .find(|rule| rule["status"] == "keep" && !rule["pair"].is_null())
        .unwrap();
    let id = standing["security_group_rule_id"].clone();
    edit_inventory(&place, "security-group-rules.json", |rules| {
        let rules = rules["SecurityGroupRules"].as_array_mut().unwrap();
        let rule = rules
            .iter_mut()
            .find(|rule| rule["SecurityGroupRuleId"] == id)
            .unwrap();
        rule["Tags"] =
            json!([{"Key": "team", "Value": "shop ${a}"}, {"Key": "aws:x", "Value": "y"}]);
    });
    let files = written(&place, "terraform-module", "rules", &[]);
    let name = standing["name"].as_str().unwrap();
    let other: Body = files["other.tf"].parse().unwrap();
    let mut resources = other.get_blocks("resource");
    let resource = resources
        .find(|block| block.labels[1].as_str() == name)
        .unwrap();
    let tags = &resource.body.get_attribute("tags").unwrap().value;
    let tags = tags.as_object().unwrap();
    assert_eq!(tags.len(), 1);
    assert!(files["other.tf"].contains("team = \"shop $${a}\""));
}

/// The files of a run say that they are to be used once; a policy's say where to change them.
#[test]
fn the_files_of_a_run_say_that_they_are_additions() {
    let place = accepted();
    for file in ["rules/mutual.tf", "rules/other.tf"] {
        let text = fs::read_to_string(place.path("run").join(file)).unwrap();
        let top = text.split("\n\n").next().unwrap();
        assert!(
            top.contains("additions")
                && top.contains("used once")
                && top.contains("closegate policy"),
            "{top}"
        );
    }
    for format in [
        "terraform",
        "terraform-module",
        "terraform-module-v1",
        "terraform-json",
        "cloudformation",
        "cloudformation-json",
    ] {
        let mut command = closegate();
        let text = printed(
            command
                .arg("rules")
                .arg(place.path("run"))
                .args(["--emit", format]),
        );
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains("used once"), "{format}");
    }
}

/// Options that do not go together are refused before anything is read.
#[test]
fn what_does_not_go_together_is_refused() {
    let place = accepted();
    for (format, arguments, says) in [
        ("terraform", &[][..], "--out"),
        ("terraform-module", &[][..], "name a directory"),
        ("csv", &["--exclusive"][..], "--exclusive goes with"),
        (
            "cloudformation",
            &["--terraform-state", "x"][..],
            "--terraform-state goes with",
        ),
        (
            "terraform-module-v1",
            &["--split", "vpc"][..],
            "--split does not go with",
        ),
    ] {
        fails(rules(&place, format, arguments).assert(), 2, &[says]);
    }
    let run: PathBuf = place.path("run");
    let mut both = rules(&place, "csv", &[run.to_str().unwrap()]);
    both.assert().code(2);
    let mut neither = closegate();
    neither.args(["rules", "--emit", "csv"]).assert().code(2);
    fs::write(
        place.path("policy").join("sg-9.toml"),
        "schema = 1\nmode = 3\n",
    )
    .unwrap();
    fails(rules(&place, "csv", &[]).assert(), 2, &["sg-9.toml"]);
}
