//! What was decided once stays decided, whatever shape it comes back in; and nothing suspicious is accepted unseen.

use std::fs;

use assert_cmd::Command;
use serde_json::{Value, json};

use super::{Place, add_addresses, file_of, later, texts};
use crate::cli::fails;

/// The position of the egress rule of `web` for addresses on the internet.
fn internet_rule(rules: &Value) -> usize {
    let rules = rules["rules"].as_array().unwrap();
    let found = rules.iter().position(|rule| {
        rule["group_name"] == "web"
            && rule["direction"] == "egress"
            && rule["target"].get("cidr_ipv4").is_some()
    });
    found.unwrap()
}

/// `check` exits with 1 and names one problem, with these words.
fn finds(place: &Place, says: &str) {
    let done = place.command("check", "policy", &[]).assert().code(1);
    let text = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains(says) && text.contains("1 problem\n"),
        "{says}: {text}"
    );
}

/// A policy of the sample in which one entry is declined, and its key.
fn declined(parts: &str) -> (Place, String) {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", parts);
    let arguments = ["decline", &key, "--reason", "not wanted"];
    place
        .command("decide", "policy", &arguments)
        .assert()
        .success();
    (place, key)
}

/// A wider prefix, a range of ports, a prefix list: the connections are those that were declined.
#[test]
fn what_was_declined_does_not_come_back_in_another_shape() {
    let (place, key) = declined("web_to_internet_443_");
    let before = place.entries("policy");
    let shapes = [
        json!({"target": {"cidr_ipv4": "192.0.2.0/24"}}),
        json!({"from_port": 440, "to_port": 449}),
        json!({"target": {"prefix_list": "pl-0abc"}}),
        json!({"target": {"cidr_ipv4": "192.0.0.0/16"}, "from_port": 1, "to_port": 1024}),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        let run = place.changed(&format!("shape-{number}"), |rules, audit| {
            later(audit, 7);
            let at = internet_rule(rules);
            for (name, value) in shape.as_object().unwrap() {
                rules["rules"][at][name] = value.clone();
            }
        });
        place.update(&run, "policy");
        assert_eq!(place.entries("policy"), before, "{shape}");
    }
    assert_eq!(before[&key], "declined");
}

/// The run says that the egress rule is half of a pair, and the declined entry that it is not.
#[test]
fn what_was_declined_does_not_come_back_as_a_pair() {
    let (place, key) = declined("web_to_db_3306_");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let alone = text.replace(
        &format!("key = \"{key}\"\n"),
        &format!("key = \"{key}\"\nmutual = false\n"),
    );
    assert_ne!(alone, text);
    fs::write(&web, alone).unwrap();
    let before = place.entries("policy");
    place.update(&place.changed("next", |_, audit| later(audit, 7)), "policy");
    assert_eq!(place.entries("policy"), before);
}

/// The owners of `db` declined that `web` may come in. The egress half is the same connection.
#[test]
fn what_the_other_end_declined_does_not_come_back() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    let policy = place.path("policy");
    let (web, db) = (file_of(&policy, "web"), file_of(&policy, "db"));
    let id = web.file_stem().unwrap().to_str().unwrap().to_owned();
    // As if it had never been proposed.
    let text = fs::read_to_string(&web).unwrap();
    let start = text.find(&format!("[[allow]]\nkey = \"{key}\"")).unwrap();
    let end = text[start..]
        .find("\n\n")
        .map_or(text.len(), |at| start + at + 2);
    fs::write(&web, format!("{}{}", &text[..start], &text[end..])).unwrap();
    let text = fs::read_to_string(&db).unwrap();
    let admit = format!(
        "\n[[admit]]\nkey = \"no_web\"\nfrom_group = \"{id}\"\nprotocol = \"tcp\"\nports = [3306]\nstate = \"declined\"\nreason = \"use the replica\"\n"
    );
    fs::write(&db, format!("{text}{admit}")).unwrap();
    let before = place.entries("policy");
    assert!(!before.contains_key(&key));
    place.update(&place.changed("next", |_, audit| later(audit, 7)), "policy");
    assert_eq!(place.entries("policy"), before);
    // It was seen, and says so.
    let text = fs::read_to_string(&db).unwrap();
    let admit = text.split("key = \"no_web\"").nth(1).unwrap();
    assert!(admit.contains("last_seen = "), "{text}");
}

/// What is wider than an accepted entry is not asked again and again where the entry permits all that was seen.
#[test]
fn a_wider_rule_for_accepted_connections_is_not_proposed() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    let before = place.entries("policy");
    let run = place.changed("wider", |rules, audit| {
        later(audit, 7);
        let at = internet_rule(rules);
        rules["rules"][at]["target"] = json!({"cidr_ipv4": "192.0.2.0/24"});
    });
    place.update(&run, "policy");
    assert_eq!(place.entries("policy"), before);
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    let entry = text.split(&key).nth(1).unwrap();
    let entry = entry.split("\n\n").next().unwrap();
    assert!(entry.contains("last_seen = 2026-11-11"), "{text}");
    // What a person decided on stays in the file.
    assert!(entry.contains("run = \"run\""), "{text}");
    let once = texts(&place.path("policy"));
    place.update(&run, "policy");
    assert_eq!(texts(&place.path("policy")), once);
}

/// New connections under a rule that permits the declined ones too: a person has to see both.
#[test]
fn a_rule_that_permits_something_declined_says_so() {
    let (place, key) = declined("web_to_internet_443_");
    let run = place.changed("next", |rules, audit| {
        later(audit, 7);
        let at = internet_rule(rules);
        let rule = &mut rules["rules"][at];
        rule["target"] = json!({"cidr_ipv4": "192.0.2.0/24"});
        let first = rule["evidence"][0].clone();
        let connections = audit["connections"].as_array_mut().unwrap();
        let like = connections.iter().find(|row| row["id"] == first).unwrap();
        let mut new = like.clone();
        new["id"] = json!("c-00000000000000aa");
        new["responder"]["address"] = json!("192.0.2.200");
        connections.push(new);
        let evidence = rule["evidence"].as_array_mut().unwrap();
        evidence.push(json!("c-00000000000000aa"));
    });
    place.update(&run, "policy");
    let web = file_of(&place.path("policy"), "web");
    let says = format!("changed = \"permits what {key} declines\"");
    let text = fs::read_to_string(&web).unwrap();
    assert!(text.contains(&says), "{text}");
    let once = texts(&place.path("policy"));
    place.update(&run, "policy");
    assert_eq!(texts(&place.path("policy")), once);
    // Accepted all the same, it is a contradiction, and `check` names both.
    place
        .command("decide", "policy", &["accept", "--group", "web"])
        .assert()
        .success();
    finds(&place, &format!("permits what {key} declines"));
    // Once the other is accepted too, nothing is said.
    let reversed = ["accept", &key, "--reason", "they pay"];
    place
        .command("decide", "policy", &reversed)
        .assert()
        .success();
    place.command("check", "policy", &[]).assert().success();
}

/// A narrower entry is an exception to a wide one that was declined.
#[test]
fn an_exception_to_something_declined_is_no_contradiction() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let wide = |net: &str| {
        format!(
            "{text}\n[[allow]]\nkey = \"wide\"\nto_prefixes = [\"{net}\"]\nprotocol = \"tcp\"\nports = [443]\nstate = \"declined\"\nreason = \"too wide\"\n"
        )
    };
    fs::write(&web, wide("0.0.0.0/0")).unwrap();
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    place.command("check", "policy", &[]).assert().success();
    let text = fs::read_to_string(&web).unwrap();
    fs::write(&web, text.replace("0.0.0.0/0", "192.0.2.44/32")).unwrap();
    finds(&place, "permits what wide declines");
}

/// A rule that accepted and quarantined connections share: the entry names the quarantined one, and no filter accepts it.
#[test]
fn a_rule_that_permits_quarantined_connections_is_accepted_by_key_only() {
    let place = Place::new();
    let mut hostile = Value::Null;
    let run = place.changed("shared", |rules, audit| {
        let id = rules["rules"][internet_rule(rules)]["id"].clone();
        let connections = audit["connections"].as_array_mut().unwrap();
        let mut rows = connections.iter_mut();
        let row = rows.find(|row| row["verdict"] == "quarantined").unwrap();
        row["after"] = json!({"state": "permitted", "rules": [id]});
        hostile = row["id"].clone();
    });
    place.update(&run, "policy");
    let key = place.key("policy", "web_to_internet_443_");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let says = format!("quarantined = [{hostile}]");
    assert_eq!(text.matches(&says).count(), 1, "{text}");
    let decide = |arguments: &[&str]| {
        let done = place.command("decide", "policy", arguments).assert();
        let output = done.success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let said = decide(&["accept", "--group", "web"]);
    assert!(
        said.contains("1 entry left out") && said.contains(&key),
        "{said}"
    );
    let entries = place.entries("policy");
    for (other, state) in &entries {
        if other.starts_with("web_to_") {
            let wanted = if *other == key {
                "proposed"
            } else {
                "accepted"
            };
            assert_eq!(state, wanted, "{other}");
        }
    }
    decide(&["accept", &key]);
    assert_eq!(place.entries("policy")[&key], "accepted");
    // It is merged again, and stays as it is.
    let once = texts(&place.path("policy"));
    place.update(&run, "policy");
    assert_eq!(texts(&place.path("policy")), once);
}

#[test]
fn a_reversed_decision_needs_a_reason_of_its_own() {
    let (place, key) = declined("web_to_db_3306_");
    let before = texts(&place.path("policy"));
    let accept = place.command("decide", "policy", &["accept", &key]);
    let refused = |mut command: Command| {
        fails(command.assert(), 2, &[&key, "give a reason"]);
    };
    refused(accept);
    assert_eq!(texts(&place.path("policy")), before);
    let accept = ["accept", &key, "--reason", "the replica is gone"];
    place
        .command("decide", "policy", &accept)
        .assert()
        .success();
    refused(place.command("decide", "policy", &["decline", &key]));
    // The same decision again needs none.
    place
        .command("decide", "policy", &["accept", &key, "--owner", "shop"])
        .assert()
        .success();
}

/// A name is whatever somebody calls a group.
#[test]
fn a_second_group_of_the_name_is_not_decided_unseen() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let db = file_of(&place.path("policy"), "db");
    let text = fs::read_to_string(&db).unwrap();
    fs::write(&db, text.replace("name = \"db\"\n", "name = \"web\"\n")).unwrap();
    let before = texts(&place.path("policy"));
    let db = db.file_stem().unwrap().to_str().unwrap();
    let by_name = place.command("decide", "policy", &["accept", "--group", "web"]);
    let refused = |mut command: Command, says: &[&str]| {
        fails(command.assert(), 2, says);
    };
    refused(by_name, &["several groups are called web", db]);
    let unknown = place.command("decide", "policy", &["accept", "--group", "wbe"]);
    refused(unknown, &["no group wbe"]);
    assert_eq!(texts(&place.path("policy")), before);
    place
        .command("decide", "policy", &["accept", "--group", db])
        .assert()
        .success();
}

#[test]
fn targets_of_a_kind() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let all = place.entries("policy");
    place
        .command("decide", "policy", &["accept", "--kind", "internet"])
        .assert()
        .success();
    let after = place.entries("policy");
    let accepted: Vec<&String> = after
        .iter()
        .filter(|(_, state)| *state == "accepted")
        .map(|(key, _)| key)
        .collect();
    let is_internet = |key: &&String| key.contains("_internet_");
    let wanted: Vec<&String> = all.keys().filter(is_internet).collect();
    assert!(!wanted.is_empty());
    assert_eq!(accepted, wanted);
    place
        .command("decide", "policy", &["defer", "--kind", "group"])
        .assert()
        .success();
    assert_eq!(
        place.entries("policy")[&place.key("policy", "web_to_db_3306_")],
        "deferred"
    );
}

#[test]
fn accepted_entries_for_which_nothing_is_written_and_names_that_clash() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let entry = |key: &str, target: &str, ports: &str| {
        format!(
            "\n[[allow]]\nkey = \"{key}\"\n{target}\nprotocol = \"tcp\"\nports = [{ports}]\nstate = \"accepted\"\n"
        )
    };
    let service = entry("store", "to_service = \"S3\"", "443");
    fs::write(&web, format!("{text}{service}")).unwrap();
    let check = || place.command("check", "policy", &[]).assert();
    finds(
        &place,
        "store: accepted, and closegate writes no rules for to_service",
    );
    let prefix = "to_prefixes = [\"198.51.100.1/32\"]";
    let two = entry("chat", prefix, "1, 2");
    let clash = entry("chat_2", prefix, "3");
    fs::write(&web, format!("{text}{two}")).unwrap();
    check().success();
    fs::write(&web, format!("{text}{two}{clash}")).unwrap();
    finds(
        &place,
        "chat_2: the key is also the name of further rules of chat ",
    );
}

/// Comments in a list stay when values are taken out, and single quotes are no reason to lose them.
#[test]
fn comments_in_a_list_survive_what_goes() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let mine = text.replace(
        "to_prefixes = [\"192.0.2.44/31\"]",
        "to_prefixes = [\n  '192.0.2.44/31', # both gates\n  # one more\n  '198.51.100.9/32', # the old one\n  '203.0.113.128/25' # spare\n]",
    );
    assert_ne!(mine, text);
    fs::write(&web, mine).unwrap();
    let run = place.changed("next", |rules, audit| {
        later(audit, 7);
        add_addresses(rules, "198.51.100.0/24");
    });
    place.update(&run, "policy");
    let text = fs::read_to_string(&web).unwrap();
    for kept in [
        "'192.0.2.44/31', # both gates\n",
        "# one more",
        "# the old one",
        "# spare",
        "'203.0.113.128/25'",
        "\"198.51.100.0/24\"",
    ] {
        assert!(text.contains(kept), "{kept}\n---\n{text}");
    }
    assert!(!text.contains("198.51.100.9/32"), "{text}");
    place.command("check", "policy", &[]).assert().success();
}

/// Comments around a key that goes, such as `changed` when it is decided.
#[test]
fn comments_around_a_key_survive_it() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let line = format!("key = \"{key}\"\n");
    let mine = format!("{line}# Ask the shop team.\nchanged = \"new\" # since May\n");
    fs::write(&web, text.replace(&line, &mine)).unwrap();
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    let text = fs::read_to_string(&web).unwrap();
    let kept = format!("{line}# Ask the shop team.\n# since May\nto_group = ");
    assert!(text.contains(&kept), "{text}");
    assert!(!text.contains("changed = "), "{text}");
}

/// A key that comes later stands where it would have stood from the start.
#[test]
fn keys_that_come_later_are_in_order() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_db_3306_");
    let arguments = [
        "accept",
        &key,
        "--expires",
        "2999-01-01",
        "--owner",
        "shop",
        "--reason",
        "orders",
    ];
    place
        .command("decide", "policy", &arguments)
        .assert()
        .success();
    let text = fs::read_to_string(file_of(&place.path("policy"), "web")).unwrap();
    let says = "state = \"accepted\"\nowner = \"shop\"\nreason = \"orders\"\nexpires = 2999-01-01\nfirst_seen = ";
    assert!(text.contains(says), "{text}");
}

/// A file with the line ends of Windows keeps them, so that a diff shows what changed and nothing else.
#[test]
fn line_ends_of_windows_stay() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let windows = format!("\u{feff}# Ours.\n{text}\n# The end.\n").replace('\n', "\r\n");
    fs::write(&web, &windows).unwrap();
    let key = place.key("policy", "web_to_db_3306_");
    place
        .command("decide", "policy", &["accept", &key])
        .assert()
        .success();
    let after = fs::read_to_string(&web).unwrap();
    let (old, new): (Vec<&str>, Vec<&str>) =
        (windows.split('\n').collect(), after.split('\n').collect());
    assert_eq!(old.len(), new.len());
    let changed: Vec<&&str> = new.iter().filter(|line| !old.contains(line)).collect();
    assert_eq!(changed, [&"state = \"accepted\"\r"]);
}

/// What a person wrote into `changed` stays, whatever closegate adds.
#[test]
fn what_a_person_noted_as_changed_stays() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    place
        .command("decide", "policy", &["defer", &key])
        .assert()
        .success();
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let line = format!("key = \"{key}\"\n");
    fs::write(
        &web,
        text.replace(&line, &format!("{line}changed = \"ask the shop team\"\n")),
    )
    .unwrap();
    for (number, prefix) in ["198.51.100.99/32", "198.51.100.7/32"].iter().enumerate() {
        let run = place.changed(&format!("next-{number}"), |rules, audit| {
            later(audit, 7 + number as u64);
            add_addresses(rules, prefix);
        });
        place.update(&run, "policy");
    }
    let text = fs::read_to_string(&web).unwrap();
    let says = "changed = \"ask the shop team; adds 198.51.100.7/32, 198.51.100.99/32\"";
    assert!(text.contains(says), "{text}");
}

/// A directory of somebody else is left alone, whatever in it looks like ours.
#[test]
fn what_looks_interrupted_in_a_foreign_directory_stays() {
    let place = Place::new();
    let left = place.path("other").join(".closegate-update.new");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("sg-1.toml"), "theirs\n").unwrap();
    fs::write(place.path("other").join("main.tf"), "theirs\n").unwrap();
    let run = place.path("run");
    let refused = place
        .command("update", "other", &[run.to_str().unwrap()])
        .assert();
    fails(refused, 2, &["main.tf", "is not a policy"]);
    let found = fs::read_to_string(left.join("sg-1.toml")).unwrap();
    assert_eq!(found, "theirs\n");
}

/// Files behind a link that has the name of ours are not new files of this policy.
#[test]
fn a_link_in_the_place_of_new_files_is_refused() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let theirs = place.path("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("sg-1.toml"), "theirs\n").unwrap();
    std::os::unix::fs::symlink(&theirs, place.path("policy").join(".closegate-update")).unwrap();
    let check = place.command("check", "policy", &[]).assert();
    fails(
        check,
        2,
        &[".closegate-update", "not a directory that closegate made"],
    );
    assert_eq!(
        fs::read_to_string(theirs.join("sg-1.toml")).unwrap(),
        "theirs\n"
    );
}

/// While one run makes a policy, another one waits for its turn.
#[test]
fn a_policy_that_is_being_made_is_locked() {
    let place = Place::new();
    fs::create_dir(place.path("policy")).unwrap();
    let held = fs::File::open(place.path("policy")).unwrap();
    held.lock().unwrap();
    let run = place.path("run");
    let update = || {
        place
            .command("update", "policy", &[run.to_str().unwrap()])
            .assert()
    };
    fails(update(), 2, &["another closegate is writing"]);
    assert!(texts(&place.path("policy")).is_empty());
    held.unlock().unwrap();
    update().success();
}

/// Without an inventory nobody knows what is in a prefix list, and `check` says so instead of passing over it.
#[test]
fn what_could_not_be_compared_is_said() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    place
        .command("decide", "policy", &["accept", "--kind", "prefix-list"])
        .assert()
        .success();
    let run = place.path("run");
    let inventory = crate::common::sample().join("inventory");
    let with_run = ["--run", run.to_str().unwrap()];
    let with_both = [
        "--run",
        run.to_str().unwrap(),
        "--inventory",
        inventory.to_str().unwrap(),
    ];
    let says = |arguments: &[&str]| {
        let mut check = place.command("check", "policy", arguments);
        let text = crate::common::printed(&mut check);
        text.contains("Not compared with what the run quarantined: 2 accepted")
    };
    assert_eq!(
        [says(&[]), says(&with_run), says(&with_both)],
        [false, true, false]
    );
}
