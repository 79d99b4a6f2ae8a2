//! The files: what people wrote stays, foreign files stay, and an interruption leaves the old policy or the new one.

use std::fs;
use std::os::unix::fs::symlink;

use closegate::policy::{
    EntryState, GroupPolicy, PolicyEntry, PolicyTarget, parse_group, write_group,
};
use proptest::prelude::*;
use serde_json::json;

use super::{Place, add_addresses, file_of, later, texts};
use crate::cli::fails;

/// Names that want out of their quotes.
const HOSTILE: &[&str] = &[
    "\"\n[[allow]]\nkey = \"owned\"\nstate = \"accepted\"",
    "\"\"\"",
    "'''",
    "a\\",
    "a\\\"",
    "tab\tbell\u{7}escape\u{1b}[2Jnul\u{0}",
    "\u{202e}gnp.exe\u{2066}",
    "line\r\nline\u{2028}line",
    "# not a comment",
    "${file(\"/etc/passwd\")}",
    "\u{feff}\u{e0041}\u{10ffff}",
    "名前 😀",
];

/// Ids that differ by capital letters alone would be one file where a team's macOS or Windows has the policy.
#[test]
fn no_two_groups_have_one_file() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let before = texts(&place.path("policy"));
    let file = file_of(&place.path("policy"), "web");
    let id = file.file_stem().unwrap().to_str().unwrap();
    let capital = format!("sg-{}", id.trim_start_matches("sg-").to_uppercase());
    assert_ne!(capital, id);
    let run = place.changed("capital", |rules, audit| {
        for document in [rules, audit] {
            let text = document.to_string().replace(id, &capital);
            *document = serde_json::from_str(&text).unwrap();
        }
    });
    let mut again = place.command("update", "policy", &[run.to_str().unwrap()]);
    fails(again.assert(), 2, &[id, &capital, "macOS and Windows"]);
    assert_eq!(texts(&place.path("policy")), before);
}

#[test]
fn hostile_names_stay_names() {
    let place = Place::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        let run = place.changed(&format!("hostile-{number}"), |rules, _| {
            for group in rules["groups"].as_array_mut().unwrap() {
                group["name"] = json!(name);
            }
            for list in rules["prefix_lists"].as_array_mut().unwrap() {
                list["name"] = json!(name);
            }
        });
        let policy = format!("policy-{number}");
        place.update(&run, &policy);
        let before = texts(&place.path(&policy));
        place.update(&run, &policy);
        assert_eq!(texts(&place.path(&policy)), before, "{name:?}");
        for (file, text) in &before {
            let hides = |c: char| c != '\n' && closegate::net::is_invisible(c);
            assert!(!text.contains(hides), "{file}: {text:?}");
            if file == "policy.toml" {
                continue;
            }
            let read = parse_group(text, file.as_ref()).unwrap();
            assert_eq!(read.name, *name);
            for entry in read.entries {
                assert_eq!(entry.state, EntryState::Proposed);
                assert_ne!(entry.key, "owned");
                if !matches!(entry.target, PolicyTarget::Prefixes(_)) {
                    assert_eq!(entry.target_name.as_deref(), Some(*name));
                }
            }
        }
    }
}

/// Comments, the order of keys and of entries, blank lines, and ways of writing a value.
#[test]
fn what_a_person_wrote_survives() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let key = place.key("policy", "web_to_internet_443_");
    let web = file_of(&place.path("policy"), "web");
    let text = fs::read_to_string(&web).unwrap();
    let text = text
        .replace("schema = 1\n", "# Owned by the shop team.\nschema = 1 # do not touch\n\n")
        .replace(
            "to_prefixes = [\"192.0.2.44/31\"]",
            "  to_prefixes = [\n    # the payment provider\n    \"192.0.2.44/31\", # both of its gates\n  ]",
        )
        .replace(
            &format!("key = \"{key}\"\n"),
            &format!("# Payments.\nkey    =    '{key}' # for ever\nreason = \"\"\"\npayments\"\"\"\n"),
        );
    fs::write(&web, format!("{text}\n# The end.\n")).unwrap();
    let run = place.changed("next", |rules, audit| {
        later(audit, 7);
        add_addresses(rules, "198.51.100.99/32");
    });
    place.update(&run, "policy");
    place
        .command("decide", "policy", &["accept", &key, "--owner", "shop"])
        .assert()
        .success();
    let text = fs::read_to_string(&web).unwrap();
    for kept in [
        "# Owned by the shop team.\nschema = 1 # do not touch\n\n",
        "    # the payment provider\n    \"192.0.2.44/31\", # both of its gates\n    \"198.51.100.99/32\",\n",
        &format!("# Payments.\nkey    =    '{key}' # for ever\nreason = \"\"\"\npayments\"\"\"\n"),
        "\n# The end.\n",
    ] {
        assert!(text.contains(kept), "{kept}\n---\n{text}");
    }
    assert_eq!(place.entries("policy")[&key], "accepted");
    assert!(text.contains("owner = \"shop\""), "{text}");
}

#[test]
fn foreign_files_stay_and_a_foreign_directory_is_refused() {
    let place = Place::new();
    let repository = place.path("policy");
    fs::create_dir_all(repository.join(".git/refs")).unwrap();
    fs::write(repository.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(repository.join("CODEOWNERS"), "* @us\n").unwrap();
    fs::write(repository.join("README.md"), "ours\n").unwrap();
    place.update(&place.path("run"), "policy");
    let found = texts(&repository);
    assert_eq!(
        (&*found["CODEOWNERS"], &*found["README.md"]),
        ("* @us\n", "ours\n")
    );
    let head = fs::read_to_string(repository.join(".git/HEAD")).unwrap();
    assert_eq!(head, "ref: refs/heads/main\n");
    // Once it is a policy, whatever is beside the files may be there.
    fs::write(repository.join("notes.txt"), "ours\n").unwrap();
    place.update(&place.path("run"), "policy");
    assert_eq!(texts(&repository)["notes.txt"], "ours\n");

    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other").join("main.tf"), "ours\n").unwrap();
    let run = place.path("run");
    let refused = place
        .command("update", "other", &[run.to_str().unwrap()])
        .assert();
    fails(refused, 2, &["main.tf", "is not a policy"]);
    assert_eq!(texts(&place.path("other")).len(), 1);
}

#[test]
fn a_link_is_never_followed() {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    let secret = place.path("secret.toml");
    fs::write(&secret, "mine\n").unwrap();
    let link = place.path("policy").join("sg-0fff.toml");
    symlink(&secret, &link).unwrap();
    let run = place.path("run");
    let refused = place
        .command("update", "policy", &[run.to_str().unwrap()])
        .assert();
    fails(refused, 2, &["sg-0fff.toml", "no links"]);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "mine\n");
}

/// Moves files, all or some, back to where a killed run leaves them, cut after some bytes where it was killed while it wrote.
#[test]
fn what_a_killed_run_left_is_finished_or_undone() {
    let place = Place::new();
    place.update(&place.path("run"), "old");
    place.update(&place.path("run"), "new");
    place
        .command("decide", "new", &["accept", "--state", "proposed"])
        .assert()
        .success();
    let (old, new) = (texts(&place.path("old")), texts(&place.path("new")));
    let changed: Vec<&String> = new.keys().filter(|name| old[*name] != new[*name]).collect();
    assert!(changed.len() > 5, "{changed:?}");
    for (number, (whole, moved)) in [(true, 0), (true, 1), (true, changed.len()), (false, 0)]
        .into_iter()
        .enumerate()
    {
        let name = format!("killed-{number}");
        let dir = place.path(&name);
        fs::create_dir(&dir).unwrap();
        for (name, text) in &old {
            fs::write(dir.join(name), text).unwrap();
        }
        let left = dir.join(if whole {
            ".closegate-update"
        } else {
            ".closegate-update.new"
        });
        fs::create_dir(&left).unwrap();
        for (at, name) in changed.iter().enumerate() {
            let text = new[*name].as_str();
            let text = if whole || at + 1 < changed.len() {
                text
            } else {
                &text[..text.len() / 2]
            };
            fs::write(
                if at < moved {
                    dir.join(name)
                } else {
                    left.join(name)
                },
                text,
            )
            .unwrap();
        }
        let wanted = if whole { &new } else { &old };
        // Who only reads sees one or the other, and changes nothing.
        let states = place.entries(&name);
        let all = |state: &str| states.values().all(|found| found == state);
        assert!(
            if whole {
                all("accepted")
            } else {
                all("proposed")
            },
            "{states:?}"
        );
        assert!(left.exists());
        place.update(&place.path("run"), &name);
        assert_eq!(texts(&dir), *wanted, "{number}");
        assert!(!left.exists());
    }
}

/// A file with these texts in every place that takes one.
fn with(name: &str, reason: &str) -> String {
    let mut group = GroupPolicy::new("sg-1");
    name.clone_into(&mut group.name);
    group.owner = Some(reason.to_owned());
    let text = write_group(None, &group).unwrap();
    let entry =
        "\n[[allow]]\nkey = \"one\"\nto_group = \"sg-2\"\nprotocol = \"tcp\"\nports = [1]\n";
    let text = format!("{text}{entry}");
    let before = parse_group(&text, "sg-1.toml".as_ref()).unwrap();
    let mut after = before.clone();
    let entry: &mut PolicyEntry = &mut after.entries[0];
    entry.reason = Some(reason.to_owned());
    entry.target_name = Some(name.to_owned());
    write_group(Some((&text, &before)), &after).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever a text is, it comes back as it went in, and writing it again changes nothing.
    #[test]
    fn any_text_comes_back(name in any::<String>(), reason in any::<String>()) {
        let text = with(&name, &reason);
        let read = parse_group(&text, "sg-1.toml".as_ref()).unwrap();
        prop_assert_eq!(&read.name, &name);
        prop_assert_eq!(read.owner.as_ref(), Some(&reason));
        prop_assert_eq!(read.entries.len(), 1);
        prop_assert_eq!(read.entries[0].reason.as_ref(), Some(&reason));
        prop_assert_eq!(read.entries[0].target_name.as_ref(), Some(&name));
        prop_assert_eq!(write_group(Some((&text, &read)), &read).unwrap(), text);
    }

    /// Whatever a file holds, reading it does not panic, and what can be read can be written unchanged.
    #[test]
    fn any_file_is_read_or_refused(lines in proptest::collection::vec(line(), 0..24)) {
        let text = lines.join("\n");
        if let Ok(read) = parse_group(&text, "sg-1.toml".as_ref()) {
            prop_assert_eq!(write_group(Some((&text, &read)), &read).unwrap(), text);
        }
    }
}

/// A line such as a file has, or nearly.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("schema = 1".to_owned()),
        4 => Just("group = \"sg-1\"".to_owned()),
        4 => Just("[[allow]]".to_owned()),
        1 => Just("[[admit]]".to_owned()),
        4 => "key = \"[a-z]{1,4}\"",
        2 => Just("to_group = \"sg-2\"".to_owned()),
        2 => Just("from_prefixes = [\"10.0.0.0/8\"]".to_owned()),
        4 => Just("protocol = \"tcp\"\nports = [443]".to_owned()),
        1 => "(protocol|ports|state|days|expires|evidence) = [\\[{\"]?[a-z0-9/-]{0,12}[\\]}\"]?",
        1 => "\\PC{0,20}",
    ]
}

/// The seeds of the fuzz target: every one is read; what can be edited keeps its comments, and says what was put in.
#[test]
fn seeds_of_the_fuzz_target_are_read_and_edited() {
    let seeds = crate::common::root().join("fuzz/corpus/policy");
    let mut edited = 0;
    for (name, text) in texts(&seeds) {
        let before = parse_group(&text, "sg-1.toml".as_ref())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!before.entries.is_empty(), "{name}");
        let mut after = before.clone();
        after.owner = Some("somebody else".to_owned());
        for entry in &mut after.entries {
            entry.state = EntryState::Deferred;
            entry.connections += 1;
            if let Some(evidence) = &mut entry.evidence {
                evidence.run = "another".to_owned();
            }
        }
        let Ok(new) = write_group(Some((&text, &before)), &after) else {
            assert_eq!(name, "braces");
            continue;
        };
        let read = parse_group(&new, "sg-1.toml".as_ref()).unwrap();
        let plain = |group: &GroupPolicy| {
            let mut group = group.clone();
            for entry in &mut group.entries {
                entry.line = 0;
            }
            format!("{group:?}")
        };
        assert_eq!(plain(&read), plain(&after), "{name}: {new}");
        for comment in text.split('#').skip(1) {
            let comment = comment.lines().next().unwrap_or_default();
            assert!(
                new.contains(&format!("#{comment}")),
                "{name}, #{comment}: {new}"
            );
        }
        edited += 1;
    }
    assert_eq!(edited, 3);
}
