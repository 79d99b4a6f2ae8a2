//! The account against the policy.

use std::fs;

use serde_json::json;

use super::{CACHE, DB, Kept, WAREHOUSE, WEB, forget, line_of, replace, word};
use crate::common::sample;

/// Where the policy's rules stand and no other egress does, only ingress that nobody asked to close is noted.
#[test]
fn nothing_differs_after_the_policy_is_applied() {
    let kept = Kept::locked();
    let found = kept.applied(&[]);
    assert_eq!(found.code, 0, "{:#}", found.document);
    assert_eq!(found.kinds("note"), ["ingress-outside"]);
    let groups: Vec<&str> = found
        .of("ingress-outside")
        .iter()
        .map(|row| word(row, "group_id"))
        .collect();
    assert!(
        groups.contains(&CACHE) && !groups.contains(&WEB),
        "{groups:?}"
    );

    let closing = kept.applied(&["--close", "ingress"]);
    assert_eq!(closing.code, 1);
    assert_eq!(closing.kinds("warning"), ["ingress-outside"]);
    assert_eq!(closing.kinds("note"), [""; 0]);
    assert_eq!(closing.rows().len(), found.rows().len());
}

/// Before a policy is applied its rules are missing, and nothing breaks while open egress permits the same.
#[test]
fn rules_that_are_not_applied_yet_are_missing_and_covered() {
    let kept = Kept::learning();
    let rules = kept.json("run/rules/rules.json");
    let to_add = rules["rules"].as_array().unwrap().iter();
    let to_add = to_add.filter(|rule| rule["status"] == "add").count();
    let sample = sample().join("inventory");
    let found = kept.found(sample.to_str().unwrap(), &[]);
    assert_eq!(found.code, 1);
    assert!(to_add > 10);
    assert_eq!(
        found.of("rule-missing").len(),
        to_add,
        "{:#}",
        found.document
    );
    for row in found.of("rule-missing") {
        assert_eq!(row["level"], "warning", "{row}");
        assert!(word(row, "what").contains("permit the same today"), "{row}");
    }
}

#[test]
fn a_rule_removed_outside_the_policy() {
    let kept = Kept::locked();
    kept.close(WEB, "egress", 3306);
    let found = kept.applied(&[]);
    assert_eq!(found.code, 1);
    assert_eq!(found.kinds("error"), ["rule-missing"]);
    let row = found.only("rule-missing");
    let key = kept.key(WEB, "web_to_db_3306_");
    assert_eq!(
        (word(row, "group_id"), word(row, "key")),
        (WEB, key.as_str())
    );
    assert_eq!(row["rule"]["direction"], "egress");
    assert_eq!(row["rule"]["from_port"], 3306);
    assert_eq!(row["rule"]["target"], json!({"security_group": DB}));
    assert_eq!(word(row, "file"), format!("policy/{WEB}.toml"));
    assert_eq!(row["line"], line_of(&kept.file(WEB), &key));
    assert!(word(row, "to_do").contains(&key), "{row}");
    // The other half of the same entry, on the group that the entry names.
    kept.close(CACHE, "ingress", 6379);
    let found = kept.applied(&[]);
    let rows = found.of("rule-missing");
    let row = rows.iter().find(|row| row["group_id"] == CACHE).unwrap();
    let key = kept.key(WEB, "web_to_cache_6379_");
    assert_eq!(word(row, "key"), key);
    assert_eq!(row["rule"]["direction"], "ingress");
    assert_eq!(word(row, "file"), format!("policy/{WEB}.toml"));
}

#[test]
fn rules_added_outside_the_policy() {
    let kept = Kept::locked();
    kept.open(WEB, "egress", 25, "198.51.100.9/32");
    // A part of 192.0.2.44/31, which an accepted entry has.
    kept.open(WEB, "egress", 443, "192.0.2.44/32");
    kept.reopen(DB);
    let found = kept.applied(&[]);
    assert_eq!(found.code, 1);
    assert_eq!(found.kinds("error"), ["group-reopened"]);
    assert_eq!(found.kinds("warning"), ["rule-outside"]);
    assert_eq!(word(found.only("group-reopened"), "group_id"), DB);
    let outside = found.only("rule-outside");
    assert_eq!(outside["rule"]["from_port"], 25);
    assert_eq!(
        outside["rule"]["target"],
        json!({"cidr_ipv4": "198.51.100.9/32"})
    );
    let covered = found.only("rule-covered");
    assert_eq!(
        (word(covered, "level"), &covered["rule"]["from_port"]),
        ("note", &json!(443))
    );
    // The group with the worst difference comes first.
    assert_eq!(word(&found.rows()[0], "group_id"), DB);
}

/// Of a group that learns, today's rules stay.
#[test]
fn a_group_that_learns_may_have_more_rules() {
    let kept = Kept::learning();
    kept.open(WEB, "egress", 25, "198.51.100.9/32");
    kept.reopen(DB);
    let found = kept.applied(&["--close", "ingress"]);
    assert_eq!(
        (found.code, found.rows().len()),
        (0, 0),
        "{:#}",
        found.document
    );
}

#[test]
fn another_description_is_no_difference() {
    let kept = Kept::locked();
    let before = kept.applied(&[]).document;
    kept.edit_group(WEB, |group| {
        for rule in group["IpPermissionsEgress"].as_array_mut().unwrap() {
            if let Some(pair) = rule.pointer_mut("/UserIdGroupPairs/0") {
                pair["Description"] = json!("written by hand");
            }
        }
    });
    assert_eq!(kept.applied(&[]).document, before);
}

/// Rules that the inventory lacks are unknown, not missing.
#[test]
fn unknown_rules_are_said_to_be_unknown() {
    let kept = Kept::locked();
    kept.edit_group(WEB, |group| {
        group.as_object_mut().unwrap().remove("IpPermissionsEgress");
    });
    let found = kept.applied(&[]);
    assert_eq!(found.code, 1);
    assert_eq!(found.of("rule-missing"), Vec::<&serde_json::Value>::new());
    let row = found.only("rules-unknown");
    assert_eq!(
        (word(row, "group_id"), word(row, "level")),
        (WEB, "warning")
    );
    assert!(word(row, "what").contains("egress"), "{row}");
}

/// A group that interfaces carry and whose rules the inventory lacks.
#[test]
fn a_group_without_rules_in_the_inventory_is_not_gone() {
    let kept = Kept::locked();
    kept.edit("security-groups.json", |inventory| {
        let groups = inventory["SecurityGroups"].as_array_mut().unwrap();
        groups.retain(|group| group["GroupId"] != CACHE);
    });
    let found = kept.applied(&[]);
    assert_eq!(found.of("group-gone"), Vec::<&serde_json::Value>::new());
    let rows = found.of("rules-unknown");
    let key = kept.key(WEB, "web_to_cache_6379_");
    assert!(rows.iter().any(|row| row["group_id"] == CACHE), "{rows:?}");
    assert!(rows.iter().any(|row| row["key"] == key), "{rows:?}");
}

#[test]
fn a_group_that_was_deleted() {
    let kept = Kept::locked();
    kept.edit("security-groups.json", |inventory| {
        let groups = inventory["SecurityGroups"].as_array_mut().unwrap();
        groups.retain(|group| group["GroupId"] != WAREHOUSE);
    });
    kept.edit("network-interfaces.json", |inventory| {
        let interfaces = inventory["NetworkInterfaces"].as_array_mut().unwrap();
        interfaces.retain(|interface| interface["Groups"][0]["GroupId"] != WAREHOUSE);
    });
    let found = kept.applied(&[]);
    assert_eq!(found.code, 1);
    let rows = found.of("group-gone");
    let of_entry = rows.iter().find(|row| !row["key"].is_null()).unwrap();
    assert!(word(of_entry, "key").starts_with("reports_to_warehouse_5432_"));
    assert_eq!(word(of_entry, "level"), "warning");
    let of_group = rows.iter().find(|row| row["key"].is_null()).unwrap();
    // It has no accepted entry of its own.
    assert_eq!(
        (word(of_group, "group_id"), word(of_group, "level")),
        (WAREHOUSE, "note")
    );
    assert_eq!(word(of_group, "group_name"), "warehouse");
}

#[test]
fn a_group_without_a_file() {
    let kept = Kept::locked();
    fs::remove_file(kept.file(DB)).unwrap();
    kept.reopen(DB);
    let found = kept.applied(&[]);
    let row = found.only("group-uncovered");
    assert_eq!((word(row, "group_id"), word(row, "level")), (DB, "note"));
    assert_eq!(word(row, "file"), "policy/policy.toml");
    // The halves of other groups' entries are compared all the same.
    kept.close(DB, "ingress", 3306);
    let found = kept.applied(&[]);
    assert_eq!(found.of("rule-missing").len(), 4, "{:#}", found.document);
}

#[test]
fn a_decision_that_expired() {
    let kept = Kept::locked();
    let key = kept.key(WEB, "web_to_db_3306_");
    kept.decide("accept", &key, &["--expires", "2001-01-01"]);
    let found = kept.applied(&[]);
    assert_eq!(found.code, 1);
    let row = found.only("decision-expired");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "warning")
    );
    let what = word(row, "what");
    assert!(
        what.contains("2001-01-01") && what.contains("still stand"),
        "{what}"
    );
    // What the policy does not want any more is outside it.
    assert_eq!(found.only("rule-outside")["rule"]["from_port"], 3306);
    kept.decide("accept", &key, &["--expires", "2999-01-01"]);
    assert_eq!(kept.applied(&[]).code, 0);
}

#[test]
fn what_is_not_written() {
    let kept = Kept::learning();
    let file = kept.file(WEB);
    let mut text = fs::read_to_string(&file).unwrap();
    for (key, target) in [
        ("to_a_list", "to_prefix_list = \"pl-0\""),
        ("to_a_service", "to_service = \"S3\""),
    ] {
        let entry = format!(
            "\n[[allow]]\nkey = \"{key}\"\n{target}\nprotocol = \"tcp\"\nports = [8443]\nstate = \"accepted\"\n"
        );
        text += &entry;
    }
    fs::write(&file, text).unwrap();
    let found = kept.applied(&[]);
    let list = found.only("list-gone");
    assert_eq!(
        (word(list, "key"), word(list, "level")),
        ("to_a_list", "warning")
    );
    let service = found.only("service-not-written");
    assert_eq!(
        (word(service, "key"), word(service, "level")),
        ("to_a_service", "note")
    );
    assert_eq!(found.code, 1);
    forget(&file, "to_a_list");
    assert_eq!(kept.applied(&[]).code, 0);
}

/// An entry that is not decided wants no rule.
#[test]
fn an_undecided_entry_is_not_missed() {
    let kept = Kept::locked();
    let key = kept.key(WEB, "web_to_db_3306_");
    let file = kept.file(WEB);
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find(&key).unwrap();
    let (before, after) = text.split_at(at);
    let after = after.replacen("state = \"accepted\"", "state = \"proposed\"", 1);
    fs::write(&file, format!("{before}{after}")).unwrap();
    kept.close(WEB, "egress", 3306);
    assert_eq!(kept.applied(&[]).code, 0);
    replace(&file, "state = \"proposed\"", "state = \"accepted\"");
    assert_eq!(kept.applied(&[]).code, 1);
}
