//! `rules/apply.sh` and `rules/rollback.sh`: what bash makes of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{audit, hostile_audit, json, text};

/// How a script calls `aws`.
pub(super) fn calls(script: &str, arguments: &[&str]) -> Vec<Vec<String>> {
    run(script, arguments).0
}

/// Runs a script with an `aws` that writes down how it was called and says that the rule exists already, by every name;
/// what the script prints. Its credentials are those of the sample's account.
pub(crate) fn run(script: &str, arguments: &[&str]) -> (Vec<Vec<String>>, String) {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write(
        "aws",
        "#!/bin/sh\nif [ \"$1\" = sts ]; then echo 111122223333; exit; fi\nfor word; do printf '%s\\0' \"$word\"; done >> calls\nprintf '\\n' >> calls\nprintf 'An error occurred (InvalidPermission.Duplicate): %s\\n' \"$*\" >&2\nexit 254\n",
    );
    write("script.sh", script);
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let done = Command::new("bash")
        .arg("script.sh")
        .args(arguments)
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "applied.log")
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["aws", "calls", "script.sh"],
        "something else was run"
    );
    let said = String::from_utf8(done.stdout).unwrap();
    (read(&dir.path().join("calls")), said)
}

fn read(calls: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(calls).unwrap();
    let words = |line: &str| line.split_terminator('\0').map(str::to_owned).collect();
    text.split_terminator("\0\n").map(words).collect()
}

pub(crate) fn option<'a>(call: &'a [String], name: &str) -> Option<&'a str> {
    let place = call.iter().position(|word| word == name)?;
    call.get(place + 1).map(String::as_str)
}

#[test]
fn every_rule_is_one_call_whatever_the_names() {
    for audit in [audit(), hostile_audit()] {
        let document = json(&audit, "rules/rules.json");
        let rules: Vec<&Value> = document["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["status"] == "add")
            .collect();
        let apply = text(&audit, "rules/apply.sh");
        let added = calls(&apply, &["add"]);
        assert_eq!(added.len(), rules.len());
        for (call, rule) in added.iter().zip(&rules) {
            assert_eq!(
                call[..2],
                [
                    "ec2".to_owned(),
                    format!(
                        "authorize-security-group-{}",
                        rule["direction"].as_str().unwrap()
                    )
                ]
            );
            assert_eq!(option(call, "--group-id"), rule["group_id"].as_str());
            let permission: Value =
                serde_json::from_str(option(call, "--ip-permissions").unwrap()).unwrap();
            let permission = &permission[0];
            assert_eq!(permission["IpProtocol"], rule["protocol"]);
            if rule["from_port"].is_u64() {
                assert_eq!(
                    (&permission["FromPort"], &permission["ToPort"]),
                    (&rule["from_port"], &rule["to_port"])
                );
            }
            let target = [
                ("IpRanges", "CidrIp", "cidr_ipv4"),
                ("Ipv6Ranges", "CidrIpv6", "cidr_ipv6"),
                ("PrefixListIds", "PrefixListId", "prefix_list"),
                ("UserIdGroupPairs", "GroupId", "security_group"),
            ]
            .into_iter()
            .find_map(|(list, key, name)| {
                Some((
                    permission[list][0].get(key)?.clone(),
                    rule["target"][name].clone(),
                ))
            });
            let (found, expected) = target.unwrap();
            assert_eq!(found, expected);
        }
        let revocations = document["revocations"].as_array().unwrap();
        let revoked = calls(&apply, &["revoke", "--all", "--force"]);
        assert_eq!(revoked.len(), revocations.len());
        let rollback = text(&audit, "rules/rollback.sh");
        let opened = calls(&rollback, &["open", "--without-journal"]);
        assert_eq!(opened.len(), revocations.len());
        let removed = calls(&rollback, &["remove", "--all", "--without-journal"]);
        assert_eq!(removed.len(), rules.len());
        // One group only, and nothing done.
        let group = revocations[0]["group_id"].as_str().unwrap();
        let one = calls(&apply, &["revoke", "--dry-run", "--force", group]);
        assert!(
            !one.is_empty()
                && one
                    .iter()
                    .all(|call| option(call, "--group-id") == Some(group)
                        && call.last().unwrap() == "--dry-run")
        );
    }
}
