//! Which files of a directory are the inventory, in which encodings, and what is twice in them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use closegate::inventory::Inventory;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{closegate, sample};

fn group(id: &str, port: u16) -> Value {
    json!({"GroupId": id, "GroupName": "app", "VpcId": "vpc-1", "OwnerId": "111122223333", "IpPermissions": [],
        "IpPermissionsEgress": [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
                                {"IpProtocol": "-1", "IpRanges": [], "UserIdGroupPairs": [{"GroupId": id}]}]})
}

fn interface(id: &str, address: &str) -> Value {
    json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": address, "Groups": [{"GroupId": "sg-1"}]})
}

fn groups() -> Value {
    json!({"SecurityGroups": [group("sg-1", 443), group("sg-2", 80)]})
}

fn interfaces() -> Value {
    json!({"NetworkInterfaces": [interface("eni-1", "10.0.0.1")]})
}

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// What the rules and interfaces are, whatever they came from.
fn facts(inventory: &Inventory) -> String {
    format!("{:#?}{:#?}", inventory.groups(), inventory.interfaces())
}

fn can(dir: &Path) -> assert_cmd::assert::Assert {
    let mut command = closegate();
    command.args(["can", "eni-1", "10.9.9.9", "tcp/443", "--inventory"]);
    command.arg(dir).assert()
}

/// The notes of an audit's report.
fn notes(inventory: &Path) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = closegate();
    command.current_dir(dir.path()).arg("audit").arg("--flows");
    command.arg(sample().join("flows/custom/day-1.log.gz"));
    command
        .arg("--inventory")
        .arg(inventory)
        .args(["--out", "run"]);
    command.assert().success();
    let audit = fs::read(dir.path().join("run/audit.json")).unwrap();
    let audit: Value = serde_json::from_slice(&audit).unwrap();
    let notes = audit["notes"].as_array().unwrap().iter();
    notes
        .map(|note| note.as_str().unwrap().to_owned())
        .collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xfeff);
    mark.into_iter()
        .chain(text.encode_utf16())
        .flat_map(bytes)
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a person's shell makes of AWS's answers is read as the answers are.
#[test]
fn what_is_plain_is_read() {
    let (all, text) = (groups(), groups().to_string());
    let list = all["SecurityGroups"].clone();
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let two = text.len() / 2;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("g.json", list.to_string().into()),
        ("g.json", json!({"groups": list}).to_string().into()),
        ("g.json", format!("{}\n{}", list[0], list[1]).into()),
        ("g.json", json!([all, {"Vpcs": []}]).to_string().into()),
        ("g.json", marked(&text)),
        ("g.json", utf16(&text, u16::to_le_bytes, true)),
        ("g.json", utf16(&text, u16::to_be_bytes, true)),
        ("g.json", utf16(&text, u16::to_le_bytes, false)),
        ("without-a-suffix", utf16(&text, u16::to_le_bytes, true)),
        ("g.JSON.gz", gzip(text.as_bytes())),
        ("g.gz", gzip(format!("\n {text}").as_bytes())),
        (
            "g.json.gz",
            [gzip(&text.as_bytes()[..two]), gzip(&text.as_bytes()[two..])].concat(),
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "i.json", interfaces().to_string());
    write(dir.path(), "g.json", &text);
    let expected = facts(&Inventory::load(dir.path()).unwrap());
    fs::remove_file(dir.path().join("g.json")).unwrap();
    for (position, (name, content)) in cases.into_iter().enumerate() {
        write(dir.path(), name, content);
        let read = Inventory::load(dir.path());
        let read = read.unwrap_or_else(|error| panic!("case {position}, {name}: {error}"));
        assert_eq!(facts(&read), expected, "case {position}, {name}");
        can(dir.path()).success();
        fs::remove_file(dir.path().join(name)).unwrap();
    }
}

/// Every listing is known by its things as by its key.
#[test]
fn lists_of_every_kind_are_recognised() {
    let texts = |bare: bool| -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(sample().join("inventory")).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: std::path::PathBuf| {
            let page: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let object = page.as_object().unwrap();
            assert_eq!(object.len(), 1);
            let content = if bare {
                object.values().next().unwrap()
            } else {
                &page
            };
            (
                path.file_name().unwrap().display().to_string(),
                content.to_string().into_bytes(),
            )
        };
        files.into_iter().map(read).collect()
    };
    let load = |files: Vec<(String, Vec<u8>)>| {
        let files = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_slice()));
        Inventory::from_files(files).unwrap()
    };
    let (listed, bare) = (load(texts(false)), load(texts(true)));
    assert_eq!(facts(&bare), facts(&listed));
    assert_eq!(bare.notes(), listed.notes());
    assert_eq!(bare.log_formats(), listed.log_formats());
    assert_eq!(
        format!("{:?}", bare.prefix_lists()),
        format!("{:?}", listed.prefix_lists())
    );
}

/// A directory whose files closegate can't use never just "holds no security groups".
#[test]
fn files_that_say_nothing_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "i.json", interfaces().to_string());
    fails(
        can(dir.path()),
        2,
        &["holds no security groups", "describe-security-groups"],
    );
    let empty: &[(&str, &str)] = &[("g.json", r#"{"SecurityGroups": []}"#)];
    for (name, content) in empty {
        write(dir.path(), name, content);
        fails(
            can(dir.path()),
            2,
            &["holds no security groups", "describe-security-groups"],
        );
    }
    for (content, why) in [
        (r#"[{"Id": "sg-1", "Name": "app"}]"#, "a list of Id, Name"),
        (r#"[["sg-1"]]"#, "a list of other things"),
        (r#"{"Groups": {"Id": 1}}"#, "(Groups)"),
        ("[]", "an empty list"),
        ("7", "neither an object nor a list"),
        ("", "empty"),
    ] {
        write(dir.path(), "g.json", content);
        fails(
            can(dir.path()),
            2,
            &[
                "`g.json`",
                why,
                "no security groups that closegate recognises",
                "--query",
            ],
        );
    }
    write(dir.path(), "g.json", groups().to_string());
    write(dir.path(), "addresses.json", r#"{"Addresses": []}"#);
    write(dir.path(), "failed.json", "");
    let notes = notes(dir.path());
    let said = notes.iter().find(|note| note.contains("addresses.json"));
    let said = said.unwrap_or_else(|| panic!("{notes:#?}"));
    assert!(
        said.contains("(Addresses)") && said.contains("`failed.json` (empty)"),
        "{said}"
    );
}

/// Notes, scripts and settings that lie beside the snapshot, and names that begin with a dot, are no part of it.
#[test]
fn other_files_and_hidden_ones_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "g.json", groups().to_string());
    write(dir.path(), "i.json", interfaces().to_string());
    let expected = Inventory::load(dir.path()).unwrap();
    for (name, content) in [
        ("README.md", "read me"),
        ("settings.toml", "[section]\na = 1\n"),
        ("template.tpl", "{{ name }}"),
        (".g.json", "not JSON"),
        ("._g.json", "\0\x05\x16\x07"),
        (".git/config.json", "{"),
        ("flows.log.gz", "not gzip"),
    ] {
        write(dir.path(), name, content);
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", dir.path().join(".#g.json")).unwrap();
    let read = Inventory::load(dir.path()).unwrap();
    assert_eq!(
        (facts(&read), read.notes()),
        (facts(&expected), expected.notes())
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let plain = groups().to_string();
    let packed = gzip(plain.as_bytes());
    let mut flipped = packed.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    for (name, content, says) in [
        (
            "g.json",
            b"{\n \"SecurityGroups\" [".to_vec(),
            "`g.json`, line 2, column 19: this is not JSON",
        ),
        (
            "page",
            b"{\"SecurityGroups\": [".to_vec(),
            "ends in the middle",
        ),
        (
            "g.json",
            plain.as_bytes()[..100].to_vec(),
            "line 1, column 100",
        ),
        ("g.json", b"not JSON".to_vec(), "line 1, column 2"),
        (
            "g.json",
            utf16(&plain, u16::to_le_bytes, true)[..101].to_vec(),
            "begins as UTF-16",
        ),
        (
            "g.json.gz",
            packed[..packed.len() - 9].to_vec(),
            "gzip is damaged",
        ),
        ("g.json.gz", flipped, "gzip is damaged"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "i.json", interfaces().to_string());
        write(dir.path(), name, content);
        let says = says.replace(
            "`g.json`",
            &format!("`{}`", dir.path().join("g.json").display()),
        );
        fails(
            can(dir.path()),
            2,
            &[name, &says, "fetch it again"][..if says.contains("gzip") { 2 } else { 3 }],
        );
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_or_round_are_errors() {
    for (target, says) in [("nowhere", "can't be read"), (".", "it is a link to")] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "g.json", groups().to_string());
        write(dir.path(), "i.json", interfaces().to_string());
        std::os::unix::fs::symlink(target, dir.path().join("more")).unwrap();
        fails(can(dir.path()), 2, &["more`", says]);
    }
}

fn manifest(time: u64) -> String {
    json!({"schema_version": 1, "collected_at": time, "refused": []}).to_string()
}

/// A thing that several files have differently: the newer by the manifests, whatever the files are called.
#[test]
fn of_two_answers_the_newer_is_used_and_both_are_named() {
    let port = |dir: &Path| {
        let inventory = Inventory::load(dir).unwrap();
        let rules = &inventory.groups()[0].rules;
        rules
            .iter()
            .find_map(|rule| Some(rule.port_pair()?.0))
            .unwrap()
    };
    let twice = |first: Option<u64>, second: Option<u64>| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "i.json", interfaces().to_string());
        for (name, file, port, time) in [("a", "x.json", 1, first), ("b", "y.json", 2, second)] {
            let listed = json!({"SecurityGroups": [group("sg-1", port)]});
            write(dir.path(), &format!("{name}/{file}"), listed.to_string());
            // Neither is newer as a file.
            let written = fs::File::options()
                .write(true)
                .open(dir.path().join(name).join(file));
            written
                .unwrap()
                .set_modified(std::time::UNIX_EPOCH)
                .unwrap();
            if let Some(time) = time {
                write(dir.path(), &format!("{name}/manifest.json"), manifest(time));
            }
        }
        dir
    };
    for (first, second, used, because) in [
        (
            Some(2000),
            Some(1000),
            1,
            "uses `a/x.json`, which was collected later",
        ),
        (
            Some(1000),
            Some(2000),
            2,
            "uses `b/y.json`, which was collected later",
        ),
        (Some(1000), None, 1, "nothing says when the other was made"),
        (None, None, 2, "uses `b/y.json`, the last by path; delete"),
    ] {
        let dir = twice(first, second);
        assert_eq!(port(dir.path()), used, "{because}");
        let notes = notes(dir.path());
        let said: Vec<_> = notes
            .iter()
            .filter(|note| note.contains("different content"))
            .collect();
        assert!(
            said.len() == 1
                && ["security group sg-1", "`a/x.json`", "`b/y.json`", because]
                    .iter()
                    .all(|word| said[0].contains(word)),
            "{because}: {notes:#?}"
        );
    }
}

/// The same thing twice is no news, in whatever order AWS printed its parts.
#[test]
fn the_same_twice_is_silent() {
    let mut turned = group("sg-1", 443);
    turned["IpPermissionsEgress"]
        .as_array_mut()
        .unwrap()
        .reverse();
    turned["Description"] = "what closegate doesn't use".into();
    let once = json!({"SecurityGroups": [group("sg-1", 443)]}).to_string();
    let again = json!({"SecurityGroups": [turned]}).to_string();
    let interfaces = interfaces().to_string();
    let load = |files: &[(&str, &str)]| {
        Inventory::from_files(files.iter().map(|&(name, text)| (name, text.as_bytes()))).unwrap()
    };
    let single = load(&[("a", &once), ("b", &interfaces)]);
    let double = load(&[
        ("a", &once),
        ("b", &interfaces),
        ("c", &again),
        ("d", &interfaces),
    ]);
    assert_eq!(
        (facts(&single), single.notes()),
        (facts(&double), double.notes())
    );
}

/// Whatever has an id: one note for each, and the order in which files are given changes nothing.
#[test]
fn every_kind_that_has_an_id_is_settled() {
    let vpc = |block: &str| json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": block}]});
    let list = |version: u64, name: &str| json!({"PrefixLists": [{"PrefixListId": "pl-00000001", "PrefixListName": name, "Version": version, "MaxEntries": 5}]});
    let subnet = |block: &str| json!({"Subnets": [{"SubnetId": "subnet-1", "CidrBlock": block}]});
    let rule = |port: u16| {
        json!({"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": true,
        "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": "10.0.0.0/8"}]})
    };
    let eni = |address: &str| json!({"NetworkInterfaces": [interface("eni-1", address)]});
    let pages = [
        (vpc("10.0.0.0/16"), vpc("10.1.0.0/16"), "VPC vpc-1"),
        (list(7, "new"), list(3, "old"), "prefix list pl-00000001"),
        (
            subnet("10.0.0.0/24"),
            subnet("10.0.1.0/24"),
            "subnet subnet-1",
        ),
        (rule(1), rule(443), "security group rule sgr-1"),
        (eni("10.0.0.1"), eni("10.0.0.2"), "network interface eni-1"),
    ];
    let mut files = vec![("0.json".to_owned(), groups().to_string())];
    for (position, (first, second, _)) in pages.iter().enumerate() {
        files.push((format!("a{position}.json"), first.to_string()));
        files.push((format!("b{position}.json"), second.to_string()));
    }
    let load = |files: &[(String, String)]| {
        Inventory::from_files(
            files
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_bytes())),
        )
        .unwrap()
    };
    let inventory = load(&files);
    for (position, (_, _, what)) in pages.iter().enumerate() {
        let said: Vec<_> = inventory
            .notes()
            .iter()
            .filter(|note| note.0.starts_with(what))
            .collect();
        assert_eq!(said.len(), 1, "{what}: {:#?}", inventory.notes());
        assert!(
            said[0].0.contains(&format!("`a{position}.json`"))
                && said[0].0.contains(&format!("`b{position}.json`"))
        );
    }
    assert_eq!(
        inventory.prefix_lists()[0].name,
        "new",
        "the higher Version"
    );
    assert_eq!(inventory.interfaces()[0].addresses.len(), 1);
    let newest = inventory.groups()[0]
        .rules
        .iter()
        .find(|rule| rule.port_pair() == Some((443, 443)));
    assert_eq!(newest.unwrap().rule_id.as_deref(), Some("sgr-1"));
    files.reverse();
    let turned = load(&files);
    assert_eq!(
        (facts(&turned), turned.notes()),
        (facts(&inventory), inventory.notes())
    );
}

/// Entries of a list that two snapshots have: those of the newer, and of one answer all pages.
#[test]
fn entries_of_an_older_snapshot_do_not_add_up() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "g.json", groups().to_string());
    write(dir.path(), "i.json", interfaces().to_string());
    write(
        dir.path(),
        "l.json",
        r#"{"PrefixLists":[{"PrefixListId":"pl-00000001","PrefixListName":"offices"}]}"#,
    );
    for (place, time, prefixes) in [
        ("old", 1000, &["192.0.2.0/24"][..]),
        ("new", 2000, &["198.51.100.0/25", "198.51.100.128/25"]),
    ] {
        write(
            dir.path(),
            &format!("{place}/manifest.json"),
            manifest(time),
        );
        for (page, prefix) in prefixes.iter().enumerate() {
            let entries = json!({"PrefixListId": "pl-00000001", "Entries": [{"Cidr": prefix}]});
            write(
                dir.path(),
                &format!("{place}/{place}-{page}.json"),
                entries.to_string(),
            );
        }
    }
    let inventory = Inventory::load(dir.path()).unwrap();
    assert_eq!(inventory.prefix_lists()[0].addresses.count(), 256);
    assert!(
        !inventory.prefix_lists()[0]
            .addresses
            .contains("192.0.2.1".parse().unwrap())
    );
    let said = |note: &&closegate::inventory::Note| {
        note.0.contains("pl-00000001") && note.0.contains("old-0.json")
    };
    assert_eq!(
        inventory.notes().iter().filter(said).count(),
        1,
        "{:#?}",
        inventory.notes()
    );
}

/// A manifest that can't be used would mix snapshots of two times.
#[test]
fn a_damaged_manifest_is_an_error() {
    for (manifest, says) in [
        (
            r#"{"collected_at": "yesterday"}"#,
            "collected_at is the text `yesterday`, not a whole number",
        ),
        (
            r#"{"schema_version": 9, "collected_at": 1}"#,
            "schema_version is 9; this closegate knows 1",
        ),
        (
            r#"{"collected_at": 1, "refused": [{}]}"#,
            "refused[0] has no account",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "g.json", groups().to_string());
        write(dir.path(), "i.json", interfaces().to_string());
        write(dir.path(), "manifest.json", manifest);
        fails(can(dir.path()), 2, &["manifest.json", says]);
    }
}
