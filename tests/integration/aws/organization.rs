//! Snapshots of the accounts of an organization, and what an audit says of those that are missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use closegate::inventory::Inventory;
use serde_json::{Value, json};

use super::peers::Peer;

const MANAGEMENT: &str = "123456789012";

/// The organization's accounts by name: three with something in them, and `others` more.
fn organization(moto: &Peer, others: usize) -> BTreeMap<String, String> {
    let made = moto.run("organization_estate.py", &[&(3 + others).to_string()]);
    serde_json::from_str(&made).unwrap()
}

fn collect(peer: &Peer, out: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = peer.closegate();
    command.args(["collect", "inventory", "--organization", "--role", "audit"]);
    command.args(["--region", "us-east-1"]);
    command.args(more).arg("--out").arg(out);
    command
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The files of a snapshot by path, without the time.
fn files(dir: &Path) -> BTreeMap<String, Value> {
    let mut files: BTreeMap<String, Value> = files_below(dir)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            let content = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            (name, content)
        })
        .collect();
    files.get_mut("manifest.json").unwrap()["collected_at"] = Value::Null;
    files
}

fn states(files: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let accounts = files["manifest.json"]["accounts"].as_array().unwrap();
    let text = |member: &Value, key: &str| member[key].as_str().unwrap().to_owned();
    accounts
        .iter()
        .map(|member| (text(member, "account"), text(member, "state")))
        .collect()
}

fn notes(dir: &Path) -> Vec<String> {
    let inventory = Inventory::load(dir).unwrap();
    inventory
        .notes()
        .iter()
        .map(|note| note.0.clone())
        .collect()
}

#[test]
fn every_active_account_is_collected_whatever_finishes_first() {
    let moto = Peer::moto();
    let accounts = organization(&moto, 0);
    let proxy = Peer::faults(&moto);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let done = collect(&moto, &out, &["--concurrency", "1"])
        .assert()
        .success();
    let summary = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    let closed = &accounts["closed"];
    for said in [
        "5 accounts in the organization: 4 collected, 1 not active".to_owned(),
        format!("{closed} (closed): SUSPENDED"),
    ] {
        assert!(summary.contains(&said), "{said} in {summary}");
    }
    let alone = files(&out);
    for name in ["management", "team-0", "team-1", "team-2"] {
        let path = format!("{}/us-east-1/network-interfaces.json", accounts[name]);
        let interfaces = alone[&path]["NetworkInterfaces"].as_array().unwrap();
        assert_eq!(interfaces.len(), 1, "{name}");
        assert_eq!(interfaces[0]["OwnerId"], accounts[name].as_str());
    }
    assert!(alone.keys().all(|path| !path.starts_with(closed.as_str())));

    // The accounts are in order of their numbers, also where the first answers come last.
    let first = accounts.values().min().unwrap();
    assert!(alone["manifest.json"]["accounts"][0]["account"] == first.as_str());
    proxy.break_with(
        r#"[{"op":"AssumeRole","kind":"delay","delay":1,"times":1},{"op":"DescribeVpcs","kind":"delay","delay":2,"times":1},{"op":"DescribeSubnets","kind":"throttle","times":2}]"#,
    );
    for more in [&["--concurrency", "4"][..], &[], &["--concurrency", "100"]] {
        collect(&proxy, &out, more).assert().success();
        assert!(files(&out) == alone, "{more:?}");
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "something half-written is left"
    );

    let said = notes(&out);
    let lacking = format!(
        "the inventory lacks account {closed} (closed) of the organization: state SUSPENDED"
    );
    assert!(
        said.iter().any(|note| note.starts_with(&lacking)),
        "{said:?}"
    );
    every_call_is_in_the_table(&proxy, &out);
}

fn every_call_is_in_the_table(proxy: &Peer, out: &Path) {
    use closegate::aws::calls::{CALLS, Caller};
    proxy.break_with("[]");
    let mut command = proxy.closegate();
    command.args(["collect", "inventory", "--organization", "--role", "audit"]);
    command.args(["--account", MANAGEMENT, "--role-in-own-account", "--out"]);
    command.arg(out).assert().success();
    let mut seen: Vec<String> = proxy.seen().into_iter().map(|(call, _)| call).collect();
    seen.sort();
    seen.dedup();
    let callers = [Caller::CollectInventory, Caller::Organization];
    let calls = CALLS.iter().filter(|call| callers.contains(&call.command));
    // The estate has no target groups, whose attributes and targets would be asked for.
    let mut table: Vec<&str> = calls
        .map(|call| call.operation)
        .filter(|operation| {
            !["DescribeTargetGroupAttributes", "DescribeTargetHealth"].contains(operation)
        })
        .collect();
    table.sort_unstable();
    assert_eq!(seen, table);
}

#[test]
fn accounts_are_chosen_by_number() {
    let moto = Peer::moto();
    // ListAccounts has more than one page.
    let accounts = organization(&moto, 20);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let (one, other) = (accounts["team-1"].as_str(), accounts["team-19"].as_str());
    let chosen = ["--account", one, other, "--exclude-account", other];
    collect(&moto, &out, &chosen).assert().success();
    let states = states(&files(&out));
    assert_eq!(states.len(), accounts.len());
    for (name, number) in &accounts {
        let expected = match name.as_str() {
            "closed" => "inactive",
            "team-1" => "collected",
            _ => "left-out",
        };
        assert_eq!(states[number], expected, "{name}");
    }
    let said = notes(&out);
    let left_out = |note: &&String| {
        note.starts_with("the inventory lacks accounts ")
            && note.ends_with(
                "and 3 more accounts of the organization: left out by the command line; groups and interfaces there are unknown",
            )
    };
    assert_eq!(said.iter().filter(left_out).count(), 1, "{said:?}");

    let before = files(&out);
    let closed = accounts["closed"].as_str();
    for (more, said) in [
        (
            &["--account", one, "999999999999"][..],
            "the organization has no account 999999999999",
        ),
        (&["--account", closed], "leave no active account"),
        (
            &["--profile", "a", "b"],
            "--organization takes one --profile",
        ),
    ] {
        let done = collect(&moto, &out, more).assert().code(2);
        let error = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        assert!(error.contains(said), "{error}");
        assert!(files(&out) == before, "{more:?}");
    }
    let mut command = moto.closegate();
    command.args(["collect", "inventory", "--organization", "--role"]);
    command.arg("arn:aws:iam::123456789012:role/audit");
    command.arg("--out").arg(&out).assert().code(2);
    let mut command = moto.closegate();
    command.args(["collect", "inventory", "--organization", "--out"]);
    command.arg(&out).assert().code(2);
}

/// The first account of those that a role is assumed in, and the others of them.
fn first_member(accounts: &BTreeMap<String, String>) -> String {
    let members = accounts
        .iter()
        .filter(|(name, _)| name.starts_with("team-"));
    members.map(|(_, number)| number.clone()).min().unwrap()
}

#[test]
fn accounts_that_refuse_are_listed_and_the_inventory_lacks_them() {
    const ONE: &str =
        r#"[{"op":"AssumeRole","kind":"error","code":"AccessDenied","status":403,"times":1}]"#;
    let moto = Peer::moto();
    let accounts = organization(&moto, 0);
    let first = first_member(&accounts);
    let proxy = Peer::faults(&moto);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let one_by_one = ["--concurrency", "1"];

    proxy.break_with(ONE);
    let done = collect(&proxy, &out, &one_by_one).assert().success();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let summary = text(&done.get_output().stdout);
    assert!(
        summary.contains("3 collected, 1 refused, 1 not active"),
        "{summary}"
    );
    assert!(summary.contains("AssumeRole (AccessDenied)"), "{summary}");
    let warning = text(&done.get_output().stderr);
    assert!(warning.contains("warning: 1 account refused"), "{warning}");
    let partial = files(&out);
    assert_eq!(states(&partial)[&first], "refused");
    let listed = partial["manifest.json"]["accounts"].as_array().unwrap();
    let listed = listed
        .iter()
        .find(|member| member["account"] == first.as_str());
    assert_eq!(listed.unwrap()["operation"], "AssumeRole");
    assert_eq!(listed.unwrap()["code"], "AccessDenied");
    assert!(partial.keys().all(|path| !path.starts_with(&first)));
    let said = notes(&out);
    let lacking = |note: &&String| {
        note.starts_with(&format!("the inventory lacks account {first} ("))
            && note.contains("AssumeRole was refused (AccessDenied)")
    };
    assert_eq!(said.iter().filter(lacking).count(), 1, "{said:?}");
    an_audit_says_so(&out, dir.path(), &first);

    // Who wants all or nothing gets nothing, and what was there stays.
    proxy.break_with(ONE);
    let strict = ["--concurrency", "1", "--strict"];
    let done = collect(&proxy, &out, &strict).assert().code(4);
    let error = text(&done.get_output().stderr);
    assert!(
        error.contains("1 of 4 accounts refused") && error.contains(&first),
        "{error}"
    );
    assert!(files(&out) == partial);

    let no_role =
        r#"[{"op":"AssumeRole","kind":"error","code":"AccessDenied","status":403,"times":-1}]"#;
    let expired =
        r#"[{"op":"AssumeRole","kind":"error","code":"ExpiredToken","status":403,"times":-1}]"#;
    let no_list = r#"[{"op":"ListAccounts","kind":"error","code":"AccessDeniedException","status":400,"times":-1}]"#;
    let others = ["--exclude-account", MANAGEMENT];
    for (faults, more, said) in [
        (no_role, &others[..], "3 of 3 accounts refused"),
        (expired, &[], "sign in again"),
        (no_list, &[], "ListAccounts: AccessDeniedException"),
    ] {
        proxy.break_with(faults);
        let done = collect(&proxy, &out, more).assert().code(4);
        let error = text(&done.get_output().stderr);
        assert!(error.contains(said), "{error}");
        assert!(files(&out) == partial, "{said}");
    }

    // A snapshot of before that has the account: it is used, and its age is said.
    let both = dir.path().join("both");
    fs::create_dir(&both).unwrap();
    fs::rename(&out, both.join("later")).unwrap();
    collect(&moto, &both.join("earlier"), &[])
        .assert()
        .success();
    for (name, time) in [("earlier", 1000), ("later", 2000)] {
        let path = both.join(name).join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest["collected_at"] = json!(time);
        fs::write(path, manifest.to_string()).unwrap();
    }
    let said = notes(&both);
    let old = format!("the newest snapshot of the organization lacks account {first} (");
    assert!(said.iter().any(|note| note.starts_with(&old)), "{said:?}");
    assert!(!said.iter().any(|note| lacking(&note)), "{said:?}");
}

fn an_audit_says_so(inventory: &Path, place: &Path, account: &str) {
    let log = place.join("flows.log");
    fs::write(
        &log,
        format!(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n2 {MANAGEMENT} eni-0 10.0.0.4 10.0.0.5 40000 443 6 1 40 1700000000 1700000060 ACCEPT OK\n"
        ),
    )
    .unwrap();
    let run = place.join("run");
    let mut audit = crate::common::closegate();
    audit.arg("audit").arg("--flows").arg(&log);
    audit
        .arg("--inventory")
        .arg(inventory)
        .arg("--out")
        .arg(&run);
    audit.assert().success();
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains(account), "{report}");
    fs::remove_file(log).unwrap();
    fs::remove_dir_all(run).unwrap();
}

#[test]
fn a_redacted_snapshot_names_no_account() {
    let moto = Peer::moto();
    let accounts = organization(&moto, 0);
    let dir = tempfile::tempdir().unwrap();
    let (out, again) = (dir.path().join("one"), dir.path().join("two"));
    collect(&moto, &out, &["--redact", "--concurrency", "1"])
        .assert()
        .success();
    collect(&moto, &again, &["--redact"]).assert().success();
    let found = files(&out);
    assert!(found == files(&again));
    for (path, content) in &found {
        let text = format!("{path} {content}");
        for (name, number) in &accounts {
            assert!(!text.contains(number.as_str()), "{number} in {path}");
            assert!(!text.contains(&format!("\"{name}\"")), "{name} in {path}");
        }
    }
    // What belongs together still does.
    let states = states(&found);
    for (account, state) in &states {
        let path = format!("{account}/us-east-1/security-groups.json");
        assert_eq!(found.contains_key(&path), state == "collected", "{account}");
    }
    assert_eq!(states.len(), accounts.len());
}
