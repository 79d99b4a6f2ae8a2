//! The traffic against the policy.

use std::fs;

use serde_json::Value;

use super::{CACHE, DB, Found, Kept, WEB, forget, line_of, replace, word};
use crate::common::{printed, sample};

/// What differs with the sample's logs.
fn with_logs(kept: &Kept, more: &[&str]) -> Found {
    let flows = sample().join("flows/custom");
    kept.applied(&[&["--flows", flows.to_str().unwrap()][..], more].concat())
}

const ABOUT_CONNECTIONS: &[&str] = &["connection-not-covered", "connection-declined"];

/// Whether accepted connections differ.
fn about_connections(found: &Found) -> Vec<&Value> {
    let kinds = ABOUT_CONNECTIONS.iter();
    kinds.flat_map(|kind| found.of(kind)).collect()
}

#[test]
fn a_policy_that_accepts_everything_covers_all_connections() {
    for kept in [Kept::learning(), Kept::locked()] {
        let found = with_logs(&kept, &["--close", "ingress"]);
        assert_eq!(about_connections(&found), Vec::<&Value>::new());
        assert_eq!(found.document["not_judged"], 0);
        assert_eq!(found.document["window"]["start"], 1_793_577_600);
    }
}

/// What is suspicious is not proposed; that is no difference of coverage.
#[test]
fn quarantined_connections_are_noted() {
    let kept = Kept::learning();
    let inventory = sample().join("inventory");
    let flows = sample().join("flows/custom");
    let found = kept.found(
        inventory.to_str().unwrap(),
        &["--flows", flows.to_str().unwrap()],
    );
    let rows = found.of("connection-quarantined");
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in rows {
        assert_eq!((word(row, "level"), word(row, "group_id")), ("note", WEB));
        assert!(row["key"].is_null());
    }
    assert_eq!(about_connections(&found), Vec::<&Value>::new());
}

#[test]
fn connections_that_no_entry_has() {
    for (kept, level) in [(Kept::learning(), "note"), (Kept::locked(), "warning")] {
        let key = kept.key(WEB, "web_to_cache_6379_");
        forget(&kept.file(WEB), &key);
        let found = with_logs(&kept, &[]);
        let row = found.only("connection-not-covered");
        assert_eq!((word(row, "level"), word(row, "group_id")), (level, WEB));
        assert!(row["key"].is_null());
        assert_eq!(row["connections"], 3);
        assert_eq!(row["rule"]["from_port"], 6379);
        assert_eq!(row["rule"]["target"]["security_group"], CACHE);
        let audit = kept.json("run/audit.json");
        let ids = audit["connections"].as_array().unwrap();
        for id in row["evidence"].as_array().unwrap() {
            let connection = ids.iter().find(|connection| connection["id"] == *id);
            assert_eq!(connection.unwrap()["port"], 6379);
        }
        assert_eq!(
            found.code,
            i32::from(level == "warning"),
            "{:#}",
            found.document
        );
    }
}

/// Connections to many addresses of the internet are one difference.
#[test]
fn connections_to_addresses_are_folded() {
    let kept = Kept::locked();
    let key = kept.key(WEB, "web_to_internet_443_");
    forget(&kept.file(WEB), &key);
    let found = with_logs(&kept, &[]);
    let row = found.only("connection-not-covered");
    assert!(row["rule"].is_null(), "{row}");
    let what = word(row, "what");
    assert!(
        what.contains("2 addresses of the internet") && what.contains("192.0.2.44"),
        "{what}"
    );
    // Without the logs nothing tells.
    assert_eq!(about_connections(&kept.applied(&[])), Vec::<&Value>::new());
}

#[test]
fn connections_of_declined_and_of_undecided_entries() {
    let kept = Kept::learning();
    let key = kept.key(WEB, "web_to_db_3306_");
    kept.decide("defer", &key, &[]);
    let found = with_logs(&kept, &[]);
    let row = found.only("connection-not-covered");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "note")
    );
    assert!(word(row, "what").contains("deferred"), "{row}");
    assert_eq!(row["line"], line_of(&kept.file(WEB), &key));
    assert_eq!(found.code, 0, "{:#}", found.document);

    kept.decide("decline", &key, &["--reason", "moved"]);
    let found = with_logs(&kept, &[]);
    let row = found.only("connection-declined");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "warning")
    );
    assert_eq!((row["connections"].as_u64(), found.code), (Some(3), 1));
    assert_eq!(row["rule"]["target"]["security_group"], DB);
}

/// The other half lies at a group that is covered, and the initiator's group is not.
#[test]
fn ingress_is_compared_where_the_responders_group_is_covered() {
    let kept = Kept::locked();
    fs::remove_file(kept.file(WEB)).unwrap();
    fs::remove_file(kept.path("policy/sg-0a1b2c3d4e5f90009.toml")).unwrap();
    let found = with_logs(&kept, &[]);
    let rows = found.of("connection-not-covered");
    let to_cache = rows.iter().find(|row| row["group_id"] == CACHE).unwrap();
    assert_eq!(word(to_cache, "level"), "note");
    assert_eq!(to_cache["rule"]["direction"], "ingress");
    assert_eq!(to_cache["rule"]["target"]["security_group"], WEB);
    let closing = with_logs(&kept, &["--close", "ingress"]);
    let rows = closing.of("connection-not-covered");
    let to_cache = rows.iter().find(|row| row["group_id"] == CACHE).unwrap();
    assert_eq!(word(to_cache, "level"), "warning");
}

/// A store answers as the logs do.
#[test]
fn a_store_says_what_logs_say() {
    let kept = Kept::locked();
    let flows = sample().join("flows/custom");
    let key = kept.key(WEB, "web_to_cache_6379_");
    forget(&kept.file(WEB), &key);
    printed(&mut kept.program(&[
        "ingest",
        "--flows",
        flows.to_str().unwrap(),
        "--inventory",
        "inventory",
        "--store",
        "store",
    ]));
    let stored = kept.applied(&["--store", "store"]);
    assert_eq!(stored.document, with_logs(&kept, &[]).document);
}

/// An entry is unused only where records say so for long enough.
#[test]
fn unused_entries() {
    let kept = Kept::locked();
    let key = kept.key(WEB, "web_to_db_3306_");
    let file = kept.file(WEB);
    let text = fs::read_to_string(&file).unwrap();
    let seen_last_on = |day: &str| {
        let at = text.find(&key).unwrap();
        let (before, after) = text.split_at(at);
        let (own, rest) = after.split_at(after.find("\n[[").unwrap());
        let own: Vec<String> = own
            .lines()
            .filter(|line| !line.starts_with("days"))
            .map(|line| match line.split_once(" = ") {
                Some((name @ ("first_seen" | "last_seen"), _)) => format!("{name} = {day}"),
                _ => line.to_owned(),
            })
            .collect();
        fs::write(&file, format!("{before}{}{rest}", own.join("\n"))).unwrap();
    };
    // The last run that was merged ends on 2026-11-04: 91 and 89 days later.
    seen_last_on("2026-08-05");
    let found = kept.applied(&[]);
    let row = found.only("entry-unused");
    assert_eq!(
        (word(row, "key"), word(row, "level")),
        (key.as_str(), "warning")
    );
    assert!(word(row, "what").contains("91 days"), "{row}");
    assert_eq!(found.code, 1);
    assert_eq!(kept.applied(&["--unused-days", "92"]).code, 0);
    seen_last_on("2026-08-07");
    assert_eq!(kept.applied(&[]).code, 0);
    assert_eq!(kept.applied(&["--unused-days", "89"]).code, 1);
    // Logs show that it is used.
    assert_eq!(
        with_logs(&kept, &["--unused-days", "3"]).of("entry-unused"),
        Vec::<&Value>::new()
    );
}

/// Of an entry that was never seen, only logs that are long enough say that nothing needs it.
#[test]
fn an_entry_that_was_never_seen() {
    let kept = Kept::learning();
    let file = kept.file(WEB);
    let text = fs::read_to_string(&file).unwrap();
    let entry = "\n[[allow]]\nkey = \"new\"\nto_prefixes = [\"198.51.100.9/32\"]\nprotocol = \"tcp\"\nports = [8443]\nstate = \"accepted\"\n";
    fs::write(&file, text + entry).unwrap();
    let unused = |found: &Found| {
        let rows = found.of("entry-unused");
        let row = rows.into_iter().find(|row| row["key"] == "new");
        row.map(|row| format!("{} {}", word(row, "what"), word(row, "to_do")))
    };
    assert_eq!(unused(&kept.applied(&["--unused-days", "1"])), None);
    // The last day of the logs is two days after the first.
    let said = unused(&with_logs(&kept, &["--unused-days", "2"])).unwrap();
    assert!(
        said.contains("2 days of records") && said.contains("never seen"),
        "{said}"
    );
    assert_eq!(unused(&with_logs(&kept, &["--unused-days", "3"])), None);
    replace(&file, "key = \"new\"", "key = \"new\"\nowner = \"shop\"");
    let said = unused(&with_logs(&kept, &["--unused-days", "2"])).unwrap();
    assert!(said.contains("Ask shop."), "{said}");
}
