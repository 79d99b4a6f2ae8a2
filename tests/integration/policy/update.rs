//! Runs merged into a policy.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{Place, add_addresses, file_of, later, texts};

#[test]
fn every_connection_is_proposed_once() {
    let place = Place::new();
    let text = place.update(&place.path("run"), "policy");
    let rules = fs::read(place.path("run/rules/rules.json")).unwrap();
    let rules: Value = serde_json::from_slice(&rules).unwrap();
    let rules = rules["rules"].as_array().unwrap();
    // A rule for addresses shares the entry with others of its group and service.
    let wanted: BTreeSet<String> = rules
        .iter()
        .filter(|rule| rule["direction"] == "egress" || rule["pair"].is_null())
        .map(|rule| {
            let target = rule["target"].as_object().unwrap();
            let (kind, id) = target.iter().next().unwrap();
            let id = if kind.starts_with("cidr") {
                ""
            } else {
                id.as_str().unwrap()
            };
            format!(
                "{} {} {id} {}/{}",
                rule["group_id"], rule["direction"], rule["protocol"], rule["from_port"]
            )
        })
        .collect();
    let entries = place.entries("policy");
    assert_eq!(entries.len(), wanted.len(), "{wanted:?}");
    assert!(entries.values().all(|state| state == "proposed"));
    assert!(
        text.contains(&format!("proposed    {} new connections", wanted.len())),
        "{text}"
    );
    for key in entries.keys() {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(
            key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(is_plain),
            "{key}"
        );
    }
    // One file for each group that a rule belongs to, named after its id.
    let owners: BTreeSet<String> = rules
        .iter()
        .map(|rule| format!("{}.toml", rule["group_id"].as_str().unwrap()))
        .collect();
    let files = texts(&place.path("policy"));
    assert!(
        owners.iter().all(|name| files.contains_key(name)),
        "{owners:?}"
    );
    assert!(files.contains_key("policy.toml"));
    // What is quarantined is nowhere.
    for hostile in ["203.0.113.66", "198.51.100.53", "[6667]"] {
        assert!(
            files.values().all(|text| !text.contains(hostile)),
            "{hostile}"
        );
    }
}

#[test]
fn the_same_run_again_changes_no_byte() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = texts(&place.path("policy"));
    let text = place.update(&place.path("run"), "policy");
    assert_eq!(texts(&place.path("policy")), before);
    assert!(text.contains("proposed    0 new connections"), "{text}");
    assert!(text.contains("changed     0 files"), "{text}");
}

/// Three runs in every order: later days, other addresses, fewer rules.
#[test]
fn the_order_of_runs_makes_no_difference() {
    let place = Place::new();
    let runs = [
        place.path("run"),
        place.changed("more", |rules, audit| {
            later(audit, 3);
            add_addresses(rules, "198.51.100.99/32");
            add_addresses(rules, "192.0.2.0/24");
        }),
        place.changed("fewer", |rules, audit| {
            later(audit, 9);
            add_addresses(rules, "198.51.100.7/32");
            let rules = rules["rules"].as_array_mut().unwrap();
            let pairs: Vec<Value> = rules
                .iter()
                .filter(|rule| rule["group_name"] == "web" && !rule["pair"].is_null())
                .flat_map(|rule| [rule["id"].clone(), rule["pair"].clone()])
                .collect();
            rules.retain(|rule| !pairs.contains(&rule["id"]));
        }),
    ];
    let mut found = BTreeSet::new();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let name = format!("policy-{order:?}");
        for at in order {
            place.update(&runs[at], &name);
        }
        // And once more what was merged already.
        place.update(&runs[order[0]], &name);
        found.insert(texts(&place.path(&name)));
    }
    assert_eq!(found.len(), 1, "{found:#?}");
    let files = found.first().unwrap();
    let web = files
        .values()
        .find(|text| text.contains("\nname = \"web\"\n"))
        .unwrap();
    assert!(
        web.contains("\"192.0.2.0/24\"") && !web.contains("192.0.2.44/31"),
        "{web}"
    );
}

#[test]
fn what_was_declined_never_comes_back() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    let mut decline = place.command(
        "decide",
        "policy",
        &["decline", &key, "--reason", "use the replica"],
    );
    decline.assert().success();
    let before = place.entries("policy");
    let run = place.changed("next", |_, audit| later(audit, 7));
    place.update(&run, "policy");
    assert_eq!(place.entries("policy"), before);
    assert_eq!(before[&key], "declined");
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    assert!(text.contains("reason = \"use the replica\""), "{text}");
}

/// The accepted part stays accepted, and only what is new is asked.
#[test]
fn more_addresses_of_an_accepted_entry_are_an_entry_of_their_own() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    let run = place.changed("next", |rules, audit| {
        later(audit, 7);
        add_addresses(rules, "198.51.100.99/32");
    });
    place.update(&run, "policy");
    let entries = place.entries("policy");
    assert_eq!(entries[&key], "accepted");
    let mut new = entries
        .keys()
        .filter(|other| other.starts_with("web_to_internet_443_") && **other != key);
    assert_eq!(entries[new.next().unwrap()], "proposed");
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    assert!(text.contains(&format!("extends = \"{key}\"")), "{text}");
    assert!(
        text.contains("changed = \"adds 198.51.100.99/32\""),
        "{text}"
    );
    assert!(text.contains("to_prefixes = [\"192.0.2.44/31\"]"), "{text}");
}

#[test]
fn a_deferred_entry_that_grows_is_proposed_again() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    place
        .command("decide", "policy", &["defer", &key, "--ticket", "NET-7"])
        .assert()
        .success();
    place.update(&place.changed("same", |_, audit| later(audit, 1)), "policy");
    assert_eq!(place.entries("policy")[&key], "deferred");
    let run = place.changed("next", |rules, audit| {
        later(audit, 7);
        add_addresses(rules, "198.51.100.99/32");
    });
    place.update(&run, "policy");
    assert_eq!(place.entries("policy")[&key], "proposed");
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    assert!(
        text.contains("changed = \"adds 198.51.100.99/32\"") && text.contains("ticket = \"NET-7\""),
        "{text}"
    );
}

#[test]
fn a_rule_that_only_quarantined_connections_need_never_enters() {
    let place = Place::new();
    let run = place.changed("hostile", |rules, audit| {
        let rules = rules["rules"].as_array().unwrap();
        let rule = rules
            .iter()
            .find(|rule| rule["group_name"] == "web" && rule["from_port"] == 3306);
        let evidence = rule.unwrap()["evidence"].as_array().unwrap().clone();
        for connection in audit["connections"].as_array_mut().unwrap() {
            if evidence.contains(&connection["id"]) {
                connection["verdict"] = json!("quarantined");
                connection["reason"] = json!("beaconing");
            }
        }
    });
    let text = place.update(&run, "policy");
    assert!(text.contains("left out    1 rule "), "{text}");
    let entries = place.entries("policy");
    assert!(
        entries
            .keys()
            .all(|key| !key.starts_with("web_to_db_3306_")),
        "{entries:?}"
    );
}

/// A key is a Terraform address: neither a new name nor another group of the old one may change it.
#[test]
fn a_renamed_group_keeps_its_keys() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = place.entries("policy");
    let run = place.changed("renamed", |rules, audit| {
        later(audit, 1);
        for group in rules["groups"].as_array_mut().unwrap() {
            if group["name"] == "web" {
                group["name"] = json!("storefront");
            }
        }
    });
    place.update(&run, "policy");
    assert_eq!(place.entries("policy"), before);
    let text = fs::read_to_string(file_of(&place.path("policy"), "storefront")).unwrap();
    assert!(text.contains("key = \"web_to_db_3306_"), "{text}");
}

/// What was not seen stays, with its date, and is counted.
#[test]
fn what_is_not_seen_stays_with_its_date() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    let run = place.changed("quiet", |rules, audit| {
        later(audit, 20);
        let rules = rules["rules"].as_array_mut().unwrap();
        rules.retain(|rule| rule["from_port"] != 3306);
    });
    let text = place.update(&run, "policy");
    assert!(text.contains("not seen"), "{text}");
    assert!(text.contains("the longest for 2"), "{text}");
    assert_eq!(place.entries("policy")[&key], "proposed");
}
