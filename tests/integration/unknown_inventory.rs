//! What records and an inventory don't say: where a row was recorded that names no interface, which of two versions is in
//! force, and what nobody wrote down.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use closegate::inventory::Inventory;
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::closegate;
use crate::unknown_input::{PORTLESS, audit_file, audited, csv, inventory, write};

const NAT: &str = "interface-id resource-id srcaddr dstaddr srcport dstport protocol packets bytes start end action flow-direction tcp-flags log-status";

/// A client's connection to the internet, recorded at its interface and at a regional NAT gateway, which names itself
/// only as a resource.
fn through_nat(resource: bool) -> String {
    let mut log = vec![NAT.to_owned()];
    for day in 0..3 {
        let times = format!(
            "{} {}",
            1_790_000_000 + day * 86_400,
            1_790_000_050 + day * 86_400
        );
        let row = |place: &str, ends: &str, way: &str, flags: u8| {
            format!("{place} {ends} 6 5 700 {times} ACCEPT {way} {flags} OK")
        };
        log.push(row(
            "eni-0001 -",
            "10.0.0.1 203.0.113.5 40000 443",
            "egress",
            2,
        ));
        log.push(row(
            "eni-0001 -",
            "203.0.113.5 10.0.0.1 443 40000",
            "ingress",
            18,
        ));
        log.push(row(
            "- nat-0001",
            "10.0.0.1 203.0.113.5 40000 443",
            "ingress",
            2,
        ));
        log.push(row(
            "- nat-0001",
            "203.0.113.5 10.0.0.1 443 40000",
            "egress",
            18,
        ));
        log.push(format!("- nat-0001 - - - - - - - {times} - - - SKIPDATA"));
    }
    let strip = |line: String| {
        let mut cells: Vec<&str> = line.split(' ').collect();
        cells.remove(1);
        cells.join(" ")
    };
    if !resource {
        log = log.into_iter().map(strip).collect();
    }
    log.join("\n") + "\n"
}

/// A regional NAT gateway is a place on the way: no interface, no end, and no second connection.
#[test]
fn a_regional_nat_gateway_is_no_interface() {
    for resource in [true, false] {
        let (dir, audit) = audited("a.log", through_nat(resource));
        let connections = audit["connections"].as_array().unwrap();
        assert_eq!(connections.len(), 1, "{connections:#?}");
        let one = &connections[0];
        assert_eq!(
            (
                &one["initiator"]["interface_id"],
                &one["responder"]["interface_id"]
            ),
            (&json!("eni-0001"), &Value::Null)
        );
        assert_eq!(
            (&one["records"], &one["verdict"]),
            (&json!(12), &json!("accepted"))
        );
        assert_eq!(one["seen"]["forwarded_accepted"], 3, "{:#}", one["seen"]);

        let findings = audit["findings"].as_array().unwrap();
        let skipped: Vec<_> = findings
            .iter()
            .filter(|finding| finding["kind"] == "skipped-records")
            .collect();
        assert_eq!(skipped.len(), 1);
        assert_eq!(skipped[0]["interface_id"], Value::Null);
        let detail = skipped[0]["detail"].as_str().unwrap();
        let wanted = if resource {
            "of nat-0001 in 3 intervals"
        } else {
            "in 3 intervals. The logs don't name the interface"
        };
        assert!(detail.contains(wanted), "{detail}");
        for file in ["audit.json", "graph.json", "report.md", "rules/rules.json"] {
            let text = fs::read_to_string(dir.path().join("run").join(file)).unwrap();
            assert!(
                !text.contains("\"-\"") && !text.contains("\"nat-0001\""),
                "{file}"
            );
        }
    }
}

/// Two NAT gateways whose records AWS skipped are two findings.
#[test]
fn each_place_without_an_interface_has_its_own_finding() {
    let log = through_nat(true);
    let other = log.lines().last().unwrap().replace("nat-0001", "nat-0002");
    let (_dir, audit) = audited("a.log", format!("{log}{other}\n"));
    let findings = audit["findings"].as_array().unwrap();
    let skipped: Vec<_> = findings
        .iter()
        .filter(|finding| finding["kind"] == "skipped-records")
        .collect();
    assert_eq!(skipped.len(), 2, "{skipped:#?}");
    assert_ne!(skipped[0]["id"], skipped[1]["id"]);
}

const TGW: &str = "version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route tcp-flags flow-direction";

fn as_format(names: &str) -> String {
    let names: Vec<String> = names
        .split(' ')
        .map(|name| format!("${{{name}}}"))
        .collect();
    names.join(" ")
}

/// A Transit Gateway flow log is one by its header, by `--log-format`, by its columns, and by its id.
#[test]
fn a_transit_gateway_flow_log_is_refused_however_it_is_known() {
    const SAYS: &str = "this is a Transit Gateway flow log";
    const NAME: &str = "1_vpcflowlogs_us-east-1_fl-0001_20261102T0000Z_a.log";
    let row = "444455556666 6 TransitGateway tgw-1 10.0.0.1 10.0.0.2 40000 3306 6 1 60 1790000000 1790000010 OK";
    let new = tempfile::tempdir;
    let without_id = TGW.replace("tgw-id ", "");
    for format in [
        TGW,
        &without_id,
        "srcaddr dstaddr srcport dstport protocol start packets-lost-no-route",
    ] {
        let dir = new().unwrap();
        fails(
            audit_file(
                dir.path(),
                "a.log",
                row,
                &["--log-format", &as_format(format)],
            ),
            2,
            &["--log-format", SAYS],
        );
        fails(
            audit_file(dir.path(), "b.log", format!("{format}\n{row}\n"), &[]),
            3,
            &[SAYS],
        );
        fails(
            audit_file(
                dir.path(),
                "c.csv",
                format!("{}\n", format.replace(' ', ",").replace('-', "_")),
                &[],
            ),
            3,
            &[SAYS],
        );
    }
    let of_gateway = json!({"FlowLogId": "fl-0001", "ResourceId": "tgw-0001", "LogFormat": as_format("srcaddr dstaddr")});
    let by_format = json!({"FlowLogId": "fl-0001", "LogFormat": as_format(TGW)});
    for log in [of_gateway, by_format] {
        for more in [
            vec![],
            vec![
                "--log-format".to_owned(),
                as_format("version srcaddr dstaddr srcport dstport protocol action start"),
            ],
        ] {
            let dir = new().unwrap();
            write(
                &dir.path().join("inventory/all.json"),
                inventory().to_string(),
            );
            write(
                &dir.path().join("inventory/logs.json"),
                json!({"FlowLogs": [log]}).to_string(),
            );
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            fails(audit_file(dir.path(), NAME, row, &more), 3, &[SAYS]);
            let mut ingest = closegate();
            ingest.current_dir(dir.path()).args([
                "ingest",
                "--inventory",
                "inventory",
                "--store",
                "store",
                "--flows",
            ]);
            fails(
                ingest.arg(Path::new("flows").join(NAME)).assert(),
                3,
                &[SAYS],
            );
        }
    }
}

#[test]
fn an_empty_list_is_not_a_file_that_is_missing() {
    for (list, command) in [
        ("SecurityGroups", "describe-security-groups"),
        ("NetworkInterfaces", "describe-network-interfaces"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut all = inventory();
        all[list] = json!([]);
        write(&dir.path().join("inventory/all.json"), all.to_string());
        let failed = audit_file(dir.path(), "a.csv", csv(PORTLESS), &[]);
        fails(
            failed,
            2,
            &[
                &format!("the list {list} in `all.json` is empty"),
                command,
                "region",
            ],
        );
    }
}

/// A version of the db's group, which opens this port.
fn version(port: u16) -> String {
    let mut group = inventory()["SecurityGroups"][1].clone();
    group["IpPermissions"][0]["FromPort"] = port.into();
    group["IpPermissions"][0]["ToPort"] = port.into();
    json!({"SecurityGroups": [group]}).to_string()
}

/// Of two versions the newer is used, by the date in the path, else by the file's modification time; and a note says how.
#[test]
fn of_two_versions_the_newer_is_used_and_the_note_says_why() {
    let (early, late) = (1_700_000_000, 1_795_900_000);
    let (by_name, by_file) = ("has the later date in its path", "was modified later");
    for ((first, modified), (second, other), used, because) in [
        // Names that sort the other way.
        (
            ("z-2026-11-27.json", early),
            ("a-2026-11-28.json", early),
            2,
            by_name,
        ),
        (
            ("a-2026-11-28.json", early),
            ("z-2026-11-27.json", late),
            1,
            by_name,
        ),
        (
            ("20261128/g.json", early),
            ("h/20261127T2359.json", late),
            1,
            by_name,
        ),
        (
            ("new_2026_11_28.json", early),
            ("old_2026_11_27.json", late),
            1,
            by_name,
        ),
        (
            ("g-2026-11-28T09-30.json", early),
            ("h-2026-11-28.json", late),
            1,
            by_name,
        ),
        // Names that say nothing, or the same.
        (("a.json", late), ("b.json", early), 1, by_file),
        (("a.json", early), ("b.json", late), 2, by_file),
        (
            ("a/2026-11-28.json", late),
            ("b/2026-11-28.json", early),
            1,
            by_file,
        ),
        (
            ("a.json", late),
            ("b-2026-11-28.json", early),
            1,
            "modified after the date in the other's path",
        ),
        (
            ("a.json", early),
            ("b-2026-11-28.json", late),
            2,
            "later than the other's modification time",
        ),
        (("a.json", early), ("b.json", early), 2, "the last by path"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut rest = inventory();
        rest["SecurityGroups"].as_array_mut().unwrap().pop();
        rest.as_object_mut().unwrap().remove("SecurityGroupRules");
        write(&dir.path().join("rest.json"), rest.to_string());
        for (name, port, seconds) in [(first, 1, modified), (second, 2, other)] {
            let path = dir.path().join(name);
            write(&path, version(port));
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
                .unwrap();
        }
        let mut can = closegate();
        can.args([
            "can",
            "eni-0001",
            "eni-0002",
            &format!("tcp/{used}"),
            "--inventory",
        ]);
        can.arg(dir.path()).assert().success();
        let inventory = Inventory::load(dir.path()).unwrap();
        let notes: Vec<&str> = inventory
            .notes()
            .iter()
            .map(|note| note.0.as_str())
            .filter(|note| note.contains("sg-0002"))
            .collect();
        let [note] = notes[..] else {
            panic!("{first}, {second}: {notes:#?}")
        };
        let named = if used == 1 { first } else { second };
        assert!(
            note.contains(&format!("closegate uses `{named}`"))
                && note.contains("different content")
                && note.contains(because),
            "{first}, {second}: {note}"
        );
        let copied = note.contains("copying changes modification times");
        assert_eq!(copied, note.contains("modif"), "{note}");
    }
}

/// A managed prefix list's entries of an older file do not add up with those of a newer one.
#[test]
fn entries_are_of_the_newest_dated_file() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("all.json"), inventory().to_string());
    write(&dir.path().join("lists.json"), json!({"PrefixLists": [{"PrefixListId": "pl-00000001", "PrefixListName": "x", "MaxEntries": 9}]}).to_string());
    for (name, block) in [
        ("z-2026-11-27/pl-00000001.json", "192.0.2.0/24"),
        ("a-2026-11-28/pl-00000001.json", "198.51.100.0/24"),
    ] {
        write(
            &dir.path().join(name),
            json!({"Entries": [{"Cidr": block}]}).to_string(),
        );
    }
    let inventory = Inventory::load(dir.path()).unwrap();
    // Sets of addresses are ranges of numbers.
    let has = |text: &str| {
        let first: std::net::Ipv4Addr = text.parse().unwrap();
        format!("{:?}", inventory.prefix_lists()).contains(&first.to_bits().to_string())
    };
    assert!(has("198.51.100.0") && !has("192.0.2.0"));
    assert!(
        inventory
            .notes()
            .iter()
            .any(|note| note.0.contains("pl-00000001") && note.0.contains("z-2026-11-27"))
    );
}

/// The module has one map of tags, so adoption takes a rule's own tags away. That is said, with the rule and its tags.
#[test]
fn adoption_says_which_rules_lose_their_tags() {
    let row = |at: u64| format!("eni-0001 10.0.0.1 10.0.0.2 40000 3306 6 1 60 {at} {at} ACCEPT OK");
    let rows: Vec<String> = (0..3)
        .map(|day| row(1_790_000_000 + day * 86_400))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (dir, _audit) = audited("a.csv", csv(&rows));
    let read = |name: &str| fs::read_to_string(dir.path().join("run/rules").join(name)).unwrap();
    let (mutual, plan) = (read("mutual.tf"), read("plan.md"));
    assert!(
        mutual.contains("import {") && mutual.contains("\"sgr-0001\""),
        "{mutual}"
    );
    let comment: Vec<&str> = mutual
        .lines()
        .take_while(|line| line.starts_with('#'))
        .collect();
    let comment = comment.join("\n");
    for text in [&comment, &plan] {
        for word in [
            "removes the tags of 1 rule",
            "sgr-0001",
            "owner",
            "apply.sh",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(
            !text.contains("aws:cloudformation") && !text.contains("a\nb"),
            "{text}"
        );
    }
    let mut command = closegate();
    command
        .arg("rules")
        .arg(dir.path().join("run"))
        .args(["--format", "terraform-module"]);
    let whole = crate::common::printed(&mut command);
    assert!(whole.contains("removes the tags of 1 rule"), "{whole}");

    // Without tags there is nothing to say.
    let dir = tempfile::tempdir().unwrap();
    let mut all = inventory();
    all["SecurityGroupRules"][0]
        .as_object_mut()
        .unwrap()
        .remove("Tags");
    write(&dir.path().join("inventory/all.json"), all.to_string());
    audit_file(dir.path(), "a.csv", csv(&rows), &[]).success();
    for name in ["mutual.tf", "plan.md"] {
        let text = fs::read_to_string(dir.path().join("run/rules").join(name)).unwrap();
        assert!(!text.to_lowercase().contains("tags"), "{name}: {text}");
    }
}
