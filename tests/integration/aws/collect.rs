//! Snapshots of a live account, and what stands in their way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::peers::Peer;

/// Every file below a directory, by path.
fn files(dir: &Path) -> BTreeMap<String, Value> {
    let walk = walkdir(dir);
    walk.into_iter()
        .map(|path| {
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            (
                name,
                serde_json::from_slice(&fs::read(path).unwrap()).unwrap(),
            )
        })
        .collect()
}

fn walkdir(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                walkdir(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The manifest tells the time; the rest is compared.
fn without_time(mut files: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    files.get_mut("manifest.json").unwrap()["collected_at"] = Value::Null;
    files
}

#[test]
fn a_snapshot_is_what_the_cli_prints_whatever_breaks_on_the_way() {
    let moto = Peer::moto();
    moto.run("ec2_estate.py", &["make", "1040"]);
    let proxy = Peer::faults(&moto);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let collect = |peer: &Peer| {
        let mut command = peer.closegate();
        command
            .args(["collect", "inventory", "--region", "us-east-1", "--out"])
            .arg(&out);
        command
    };

    let done = collect(&moto).assert().success();
    let summary = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        summary.contains("1044  DescribeNetworkInterfaces"),
        "{summary}"
    );
    moto.run("ec2_estate.py", &["compare", out.to_str().unwrap()]);
    fronts_its_target(&closegate::inventory::Inventory::load(&out).unwrap());
    let clean = without_time(files(&out));
    let manifest = &clean["manifest.json"];
    let call = |operation: &str| {
        let calls = manifest["calls"].as_array().unwrap();
        calls
            .iter()
            .find(|call| call["operation"] == operation)
            .cloned()
            .unwrap()
    };
    assert_eq!(manifest["identities"][0]["account"], "123456789012");
    assert!(call("DescribeNetworkInterfaces")["pages"].as_u64().unwrap() >= 2);
    assert!(call("DescribeNetworkInterfaces")["items"].as_u64().unwrap() > 1040);
    // What the emulator lacks is refused, and its cost is said.
    let refused = &manifest["refused"][0];
    assert_eq!(
        (&refused["operation"], &refused["code"]),
        (
            &"DescribeSecurityGroupVpcAssociations".into(),
            &"InvalidAction".into()
        )
    );
    assert!(refused["cost"].as_str().unwrap().contains("own VPC only"));
    faults_leave_no_trace(&proxy, &collect, &out, &clean);
    refusals_cost_their_file(&proxy, &collect, &out, &clean);
    what_does_not_pass_ends_the_run(&proxy, &collect, &out);
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "something half-written is left");
}

type Files = BTreeMap<String, Value>;
type Collect<'a> = dyn Fn(&Peer) -> assert_cmd::Command + 'a;

fn faults_leave_no_trace(proxy: &Peer, collect: &Collect<'_>, out: &Path, clean: &Files) {
    for kind in ["throttle", "http500", "reset", "truncate"] {
        fs::remove_dir_all(out).unwrap();
        proxy.break_with(&format!(
            r#"[{{"op":"DescribeNetworkInterfaces","kind":"{kind}","times":2}},{{"op":"DescribeSecurityGroupRules","kind":"{kind}","times":1}}]"#
        ));
        collect(proxy).assert().success();
        assert!(
            proxy
                .seen()
                .iter()
                .filter(|(_, broken)| broken.is_some())
                .count()
                == 3,
            "{kind}"
        );
        let found = without_time(files(out));
        let differ: Vec<&String> = clean
            .keys()
            .filter(|name| found.get(*name) != clean.get(*name))
            .collect();
        assert!(
            differ.is_empty() && found.len() == clean.len(),
            "{kind}: {differ:?}"
        );
    }
}

fn refusals_cost_their_file(proxy: &Peer, collect: &Collect<'_>, out: &Path, clean: &Files) {
    fs::remove_dir_all(out).unwrap();
    proxy.break_with(r#"[{"op":"DescribeRouteTables","kind":"error","code":"UnauthorizedOperation","status":403,"times":-1}]"#);
    let done = collect(proxy).assert().success();
    let summary = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        summary.contains("DescribeRouteTables in us-east-1 (UnauthorizedOperation): middleboxes"),
        "{summary}"
    );
    let partial = files(out);
    assert!(!partial.contains_key("123456789012/us-east-1/route-tables.json"));
    assert_eq!(partial.len(), clean.len() - 1);

    // What is left out, and why, is in the inventory's notes.
    let inventory = closegate::inventory::Inventory::load(out).unwrap();
    assert!(
        inventory
            .notes()
            .iter()
            .any(|note| note.0.contains("DescribeRouteTables was refused")),
        "{:?}",
        inventory.notes()
    );
}

/// What was there before stays.
fn what_does_not_pass_ends_the_run(proxy: &Peer, collect: &Collect<'_>, out: &Path) {
    let before = files(out);
    for (rules, said) in [
        (
            r#"[{"op":"DescribeNetworkInterfaces","kind":"error","code":"UnauthorizedOperation","status":403,"times":-1}]"#,
            "DescribeNetworkInterfaces",
        ),
        (
            r#"[{"op":"*","kind":"error","code":"ExpiredToken","status":403,"times":-1}]"#,
            "sign in again",
        ),
        (
            r#"[{"op":"DescribeVpcs","kind":"garbage","times":-1}]"#,
            "DescribeVpcs",
        ),
    ] {
        proxy.break_with(rules);
        let done = collect(proxy).assert().code(4);
        let said_so = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        assert!(said_so.contains(said), "{said_so}");
        assert_eq!(files(out), before);
    }
}

/// The balancer of the estate stands before its one target.
fn fronts_its_target(inventory: &closegate::inventory::Inventory) {
    use closegate::inventory::Fronting;
    let [balancer] = inventory.balancers() else {
        panic!("{:?}", inventory.balancers());
    };
    assert!(balancer.name.starts_with("net/"), "{balancer:?}");
    let mut instances = inventory.interface_indexes();
    let of_instance = |ix: &_| inventory.interface(*ix).instance.is_some();
    let target = instances.find(of_instance).unwrap();
    let fronting = |port| inventory.balancers_before(target, port).next();
    assert_eq!(
        fronting(8443).map(|(_, sure)| sure),
        Some(Fronting::Registered)
    );
    assert_eq!(fronting(443), None);
}

#[test]
fn a_redacted_snapshot_still_hangs_together() {
    let moto = Peer::moto();
    moto.run("ec2_estate.py", &["make", "20"]);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let mut command = moto.closegate();
    command
        .args([
            "collect",
            "inventory",
            "--region",
            "us-east-1",
            "--redact",
            "--out",
        ])
        .arg(&out);
    command.assert().success();
    for (name, content) in files(&out) {
        let text = format!("{name} {content}");
        for secret in [
            "123456789012",
            "app & co",
            "offices",
            "number 7",
            "flow-logs\"",
            "net/front/",
            "targetgroup/app/",
        ] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
    let inventory = closegate::inventory::Inventory::load(&out).unwrap();
    fronts_its_target(&inventory);
    assert!(inventory.groups().iter().all(|group| group.known));
    assert!(
        inventory
            .groups()
            .iter()
            .any(|group| group.members.len() >= 10)
    );
}

#[test]
fn every_call_is_in_the_table_that_the_policies_are_made_from() {
    use closegate::aws::calls::{CALLS, Caller};
    let moto = Peer::moto();
    moto.run("ec2_estate.py", &["make", "20"]);
    let proxy = Peer::faults(&moto);
    let dir = tempfile::tempdir().unwrap();
    proxy.break_with("[]");
    let mut command = proxy.closegate();
    command
        .args(["collect", "inventory", "--out"])
        .arg(dir.path().join("snapshot"));
    command.assert().success();
    let mut seen: Vec<String> = proxy
        .seen()
        .into_iter()
        .map(|(operation, _)| operation)
        .collect();
    seen.sort();
    seen.dedup();
    let mut table: Vec<&str> = CALLS
        .iter()
        .filter(|c| c.command == Caller::CollectInventory)
        .map(|c| c.operation)
        .collect();
    table.sort_unstable();
    assert_eq!(seen, table);
}

#[test]
fn several_accounts_lie_side_by_side_and_an_interruption_leaves_nothing() {
    let moto = Peer::moto();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("snapshot");
    let mut command = moto.closegate();
    command.args([
        "collect",
        "inventory",
        "--region",
        "us-east-1",
        "eu-west-1",
        "--external-id",
        "x",
        "--role-arn",
    ]);
    command.args([
        "arn:aws:iam::111111111111:role/audit",
        "arn:aws:iam::222222222222:role/audit",
    ]);
    command.arg("--out").arg(&out).assert().success();
    let found = files(&out);
    for account in ["111111111111", "222222222222"] {
        for region in ["us-east-1", "eu-west-1"] {
            assert!(
                found.contains_key(&format!("{account}/{region}/security-groups.json")),
                "{account} {region}"
            );
        }
        let identities = found["manifest.json"]["identities"].as_array().unwrap();
        assert!(
            identities
                .iter()
                .any(|identity| identity["account"] == account)
        );
    }

    let proxy = Peer::faults(&moto);
    proxy.break_with(r#"[{"op":"DescribeSubnets","kind":"hang","times":-1}]"#);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_closegate"));
    command
        .args(["collect", "inventory", "--region", "us-east-1", "--out"])
        .arg(dir.path().join("other"));
    command
        .env_clear()
        .envs(proxy.environment())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut running = command.spawn().unwrap();
    while !proxy
        .seen()
        .iter()
        .any(|(operation, _)| operation == "DescribeSubnets")
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["snapshot"], "something half-written is left");
}
