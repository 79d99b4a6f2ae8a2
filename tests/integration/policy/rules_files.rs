//! `closegate rules --policy`: imports beside what Terraform holds, splitting, and a directory that holds other programs' files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use hcl_edit::structure::{Block, Body};
use serde_json::{Value, json};

use super::estate::{
    WEB, accepted, add_group, addresses, apply, document, edit, edit_inventory, ours, rules,
    written,
};
use super::{Place, file_of, texts};
use crate::cli::fails;
use crate::common::printed;

/// The blocks of a kind in `imports.tf`, as the values of two attributes.
fn steps(files: &BTreeMap<String, String>, kind: &str, keys: [&str; 2]) -> Vec<(String, String)> {
    let body: Body = files["imports.tf"].parse().unwrap();
    let value = |block: &Block, key: &str| {
        let value = block.body.get_attribute(key);
        value.map_or_else(String::new, |value| {
            value.value.to_string().trim().trim_matches('"').to_owned()
        })
    };
    body.get_blocks(kind)
        .map(|block| (value(block, keys[0]), value(block, keys[1])))
        .collect()
}

/// A state that holds rules, by address: `(type, name, index, id, group)`.
fn state(place: &Place, name: &str, held: &[(String, String, String)]) -> String {
    let resources = held.iter().map(|(address, id, group)| {
        let (module, rest) = match address.strip_prefix("module.") {
            Some(rest) => {
                let (module, rest) = rest.split_once('.').unwrap();
                (json!(format!("module.{module}")), rest)
            }
            None => (Value::Null, address.as_str()),
        };
        let (kind, rest) = rest.split_once('.').unwrap();
        let (name, index) = match rest.split_once('[') {
            Some((name, index)) => (name, json!(index.trim_end_matches(']').trim_matches('"'))),
            None => (rest, Value::Null),
        };
        json!({"mode": "managed", "module": module, "type": kind, "name": name, "instances": [{
            "index_key": index, "attributes": {"id": id, "security_group_rule_id": id, "security_group_id": group}}]})
    });
    let resources: Vec<Value> = resources.collect();
    let path = place.path(name);
    fs::write(
        &path,
        json!({"version": 4, "resources": resources}).to_string(),
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

fn text<'a>(rule: &'a Value, key: &str) -> &'a str {
    rule[key].as_str().unwrap()
}

/// Every rule that stands is imported once, and nothing else; without a state the file says what closegate can't know.
#[test]
fn rules_that_stand_are_imported() {
    let place = accepted();
    apply(&place);
    let all = ours(&document(&place));
    for format in ["terraform-module", "terraform"] {
        let files = written(&place, format, format, &[]);
        let imports = steps(&files, "import", ["to", "id"]);
        let mut ids: Vec<&str> = imports.iter().map(|(_, id)| id.as_str()).collect();
        let mut wanted: Vec<&str> = all
            .iter()
            .map(|rule| text(rule, "security_group_rule_id"))
            .collect();
        ids.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(ids, wanted, "{format}");
        assert!(files["imports.tf"].contains("closegate was given no state"));
        for (name, text) in &files {
            assert_eq!(text.contains("import {"), name == "imports.tf", "{name}");
        }
    }
}

/// What a state holds at our own address needs nothing; what it holds elsewhere is not written, but named.
#[test]
fn what_others_manage_is_not_written() {
    let place = accepted();
    apply(&place);
    let all = ours(&document(&place));
    let plain = written(&place, "terraform", "plain", &[]);
    let imports = steps(&plain, "import", ["to", "id"]);
    let group_of = |id: &str| {
        let mut all = all.iter();
        let rule = all
            .find(|rule| rule["security_group_rule_id"] == id)
            .unwrap();
        text(rule, "group_id").to_owned()
    };
    let held = |(to, id): &(String, String)| (to.clone(), id.clone(), group_of(id));
    let own: Vec<_> = imports.iter().map(held).collect();
    let path = state(&place, "own.tfstate", &own);
    let files = written(&place, "terraform", "own", &["--terraform-state", &path]);
    assert_eq!(files["rules.tf"], plain["rules.tf"]);
    for kind in ["import", "moved", "removed"] {
        assert!(steps(&files, kind, ["to", "from"]).is_empty(), "{kind}");
    }
    // One of them by another team, in a second state.
    let (to, id, group) = own[0].clone();
    let other = "module.network.aws_vpc_security_group_egress_rule.legacy".to_owned();
    let rest = state(&place, "rest.tfstate", &own[1..]);
    let theirs = state(&place, "theirs.tfstate", &[(other.clone(), id, group)]);
    let arguments = ["--terraform-state", &rest, "--terraform-state", &theirs];
    let files = written(&place, "terraform", "theirs", &arguments);
    let mut left = addresses(plain.values());
    assert!(left.remove(&to), "{to}");
    assert_eq!(addresses(files.values()), left);
    assert!(steps(&files, "import", ["to", "id"]).is_empty());
    assert!(files["imports.tf"].contains(&other));
}

/// From the module to native resources and back: forgotten under the old address, adopted under the new one.
#[test]
fn from_the_module_to_resources_and_back() {
    let place = accepted();
    apply(&place);
    let all = ours(&document(&place));
    for (from, to, gone) in [
        (
            "terraform-module",
            "terraform",
            "module.mutual_security_group_rules",
        ),
        ("terraform", "terraform-module", "aws_vpc_security_group_"),
    ] {
        let before = written(&place, from, &format!("before-{to}"), &[]);
        let imports = steps(&before, "import", ["to", "id"]);
        let held = imports.iter().map(|(to, id)| {
            let mut all = all.iter();
            let rule = all
                .find(|rule| rule["security_group_rule_id"] == *id)
                .unwrap();
            (to.clone(), id.clone(), text(rule, "group_id").to_owned())
        });
        let held: Vec<_> = held.collect();
        let path = state(&place, "held.tfstate", &held);
        let after = written(
            &place,
            to,
            &format!("after-{to}"),
            &["--terraform-state", &path],
        );
        assert_eq!(
            addresses(after.values()),
            addresses(written(&place, to, "plain", &[]).values())
        );
        let removed = steps(&after, "removed", ["from", "to"]);
        assert!(!removed.is_empty());
        assert!(
            removed.iter().all(|(from, _)| from.starts_with(gone)),
            "{removed:?}"
        );
        let body: Body = after["imports.tf"].parse().unwrap();
        for block in body.get_blocks("removed") {
            let lifecycle = block.body.get_blocks("lifecycle").next().unwrap();
            let destroy = &lifecycle.body.get_attribute("destroy").unwrap().value;
            assert_eq!(destroy.as_bool(), Some(false));
        }
        let module = |(address, _): &&(String, String)| address.starts_with("module.");
        let in_module = imports.iter().filter(module).count();
        let again = steps(&after, "import", ["to", "id"]).len();
        if from == "terraform-module" {
            assert_eq!(again, in_module);
        } else {
            assert!(again > 0 && again == removed.len(), "{again} {removed:?}");
        }
    }
}

/// A second port that becomes the first changes its name: a resource is moved; in the module, where nothing can be, the old name stays.
#[test]
fn a_second_port_becomes_the_first() {
    let place = accepted();
    let key = place.key("policy", "web_to_db_3306_");
    let web = file_of(&place.path("policy"), "web");
    edit(&web, "ports = [3306]", "ports = [3306, 33060]");
    apply(&place);
    let all = ours(&document(&place));
    let of_port = |port: u16| {
        let rules = all.iter().filter(move |rule| rule["from_port"] == port);
        rules
            .filter(|rule| rule["key"] == key)
            .cloned()
            .collect::<Vec<Value>>()
    };
    let (old, new) = (of_port(3306), of_port(33060));
    assert_eq!((old.len(), new.len()), (2, 2));
    edit(&web, "ports = [3306, 33060]", "ports = [33060]");
    let held = |rules: &[Value], module: bool| {
        let held = rules.iter().map(|rule| {
            let kind = format!("aws_vpc_security_group_{}_rule", text(rule, "direction"));
            let name = text(rule, "name");
            let address = if module {
                let pair = name.trim_end_matches("_ingress");
                format!("module.mutual_security_group_rules.{kind}.this[\"{pair}\"]")
            } else {
                format!("{kind}.{name}")
            };
            let id = text(rule, "security_group_rule_id").to_owned();
            (address, id, text(rule, "group_id").to_owned())
        });
        held.collect::<Vec<_>>()
    };
    // The first port's rules are gone already.
    let path = state(&place, "gone.tfstate", &held(&new, false));
    let files = written(&place, "terraform", "moved", &["--terraform-state", &path]);
    let moved = steps(&files, "moved", ["from", "to"]);
    assert_eq!(moved.len(), 2, "{moved:?}");
    for (from, to) in &moved {
        assert!(from.contains("_33060"), "{from}");
        assert_eq!(*to, from.replace("_33060", ""));
    }
    // They are there still, at the address that the second port's would get.
    let path = state(
        &place,
        "there.tfstate",
        &[held(&old, false), held(&new, false)].concat(),
    );
    let files = written(&place, "terraform", "kept", &["--terraform-state", &path]);
    assert!(steps(&files, "moved", ["from", "to"]).is_empty());
    assert!(files["rules.tf"].contains(&format!("{key}_33060\"")));
    let path = state(
        &place,
        "module.tfstate",
        &[held(&old, true), held(&new, true)].concat(),
    );
    let files = written(
        &place,
        "terraform-module",
        "module",
        &["--terraform-state", &path],
    );
    assert!(files["mutual.tf"].contains(&format!("{key}_33060 = {{")));
    for kind in ["moved", "removed"] {
        assert!(steps(&files, kind, ["from", "to"]).is_empty(), "{kind}");
    }
}

/// A file for each group or VPC, with the same addresses as in one file; and they move nothing.
#[test]
fn split_files_have_the_same_addresses() {
    let place = accepted();
    for format in ["terraform-module", "terraform"] {
        let whole = written(&place, format, format, &[]);
        for by in ["group", "vpc"] {
            let files = written(&place, format, &format!("{format}-{by}"), &["--split", by]);
            assert_eq!(addresses(files.values()), addresses(whole.values()), "{by}");
            assert_eq!(files["imports.tf"], whole["imports.tf"]);
            let name = if by == "group" { "sg-" } else { "vpc-" };
            let own = files.keys().filter(|file| file.starts_with(name));
            assert!(
                own.count() > 1 - usize::from(by == "vpc"),
                "{:?}",
                files.keys()
            );
        }
        let files = written(
            &place,
            format,
            &format!("{format}-group"),
            &["--split", "group"],
        );
        let of_web = &files[&format!("{WEB}.tf")];
        assert!(of_web.contains("web_to_db_3306_") && of_web.contains("web_to_internet_443_"));
        if format == "terraform-module" {
            assert!(
                files["mutual.tf"]
                    .contains(&format!("local.mutual_rules_{},", WEB.replace('-', "_")))
            );
        }
    }
    for (format, name) in [
        ("csv", "csv"),
        ("json", "json"),
        ("cloudformation-json", "json"),
    ] {
        let files = written(
            &place,
            format,
            &format!("split-{format}"),
            &["--split", "group"],
        );
        let own = files
            .iter()
            .find(|(file, _)| file.ends_with(&format!("{WEB}.{name}")));
        let (_, text) = own.unwrap();
        assert!(text.contains(WEB));
        assert!(files.len() > 2);
    }
    let files = written(&place, "aws-cli", "scripts", &["--split", "group"]);
    assert!(
        files.contains_key(&format!("apply-{WEB}.sh"))
            && files.contains_key(&format!("rollback-{WEB}.sh"))
    );
}

/// More resources than a template takes: a stack for each group, and several for a group with more.
#[test]
fn many_rules_are_several_stacks() {
    let place = accepted();
    let web = file_of(&place.path("policy"), "web");
    let nets: Vec<String> = (0..600_u32)
        .map(|n| format!("\"5.{}.{}.0/28\"", n / 250, n % 250))
        .collect();
    let entry = format!(
        "\n[[allow]]\nkey = \"many\"\nto_prefixes = [{}]\nprotocol = \"tcp\"\nports = [443]\nstate = \"accepted\"\n",
        nets.join(", ")
    );
    let text = fs::read_to_string(&web).unwrap();
    fs::write(&web, text + &entry).unwrap();
    let files = written(&place, "cloudformation-json", "stacks", &[]);
    let count = |text: &String| {
        let template: Value = serde_json::from_str(text).unwrap();
        template["Resources"].as_object().unwrap().len()
    };
    assert!(files.values().all(|text| count(text) <= 500));
    assert_eq!(
        files.values().map(count).sum::<usize>(),
        ours(&document(&place)).len()
    );
    assert!(files.contains_key(&format!("template-{WEB}.json")));
    assert!(files.contains_key(&format!("template-{WEB}-2.json")));
    assert_eq!(written(&place, "cloudformation-json", "again", &[]), files);
    fails(
        rules(&place, "cloudformation", &[]).assert(),
        2,
        &["name a directory"],
    );
}

/// In a working directory of Terraform, closegate replaces and removes its own files only.
#[test]
fn foreign_files_stay() {
    let place = accepted();
    let dir = place.path("tf");
    fs::create_dir_all(dir.join(".terraform/providers")).unwrap();
    let foreign = [
        ("main.tf", "# closegate is great\n"),
        ("terraform.tfstate", "{}"),
        (".terraform.lock.hcl", "lock"),
        ("sg-foreign.tf", "# ours\n"),
        ("notes.txt", "# closegate, from a policy: notes\n"),
    ];
    for (name, text) in foreign {
        fs::write(dir.join(name), text).unwrap();
    }
    let is_foreign =
        |files: &BTreeMap<String, String>| foreign.iter().all(|(name, text)| files[*name] == *text);
    let whole = written(&place, "terraform-module", "tf", &[]);
    assert!(is_foreign(&whole) && whole.contains_key("other.tf"));
    let split = written(&place, "terraform-module", "tf", &["--split", "group"]);
    assert!(is_foreign(&split) && !split.contains_key("other.tf"));
    assert!(split.contains_key(&format!("{WEB}.tf")));
    assert!(dir.join(".terraform/providers").is_dir());
    let whole_again = written(&place, "terraform-module", "tf", &[]);
    assert_eq!(whole_again, whole);
    let json = written(&place, "terraform-json", "tf", &[]);
    assert!(is_foreign(&json) && !json.contains_key("mutual.tf"));
    assert!(!json.keys().any(|name| name.starts_with(".closegate")));

    let before = texts(&dir);
    fs::write(dir.join("imports.tf"), "import {}\n").unwrap();
    let refused = rules(&place, "terraform", &["--out", "tf"]).assert();
    fails(refused, 2, &["imports.tf", "closegate did not write"]);
    fs::remove_file(dir.join("imports.tf")).unwrap();
    assert_eq!(texts(&dir), before);
    fs::write(place.path("elsewhere"), "mine").unwrap();
    symlink(place.path("elsewhere"), dir.join("rules.tf")).unwrap();
    let refused = rules(&place, "terraform", &["--out", "tf"]).assert();
    fails(refused, 2, &["rules.tf"]);
    assert_eq!(fs::read_to_string(place.path("elsewhere")).unwrap(), "mine");
    let refused = rules(&place, "terraform", &["--out", "elsewhere"]).assert();
    fails(refused, 2, &["not a directory"]);
}

/// A locked group whose rules all stand gets a list of their ids; ingress of today is all in it, open egress is not.
#[test]
fn locked_groups_are_exclusive() {
    let place = accepted();
    let web = file_of(&place.path("policy"), "web");
    edit(&web, "mode = \"learn\"", "mode = \"locked\"");
    let files = written(&place, "terraform", "before", &["--exclusive"]);
    let body: Body = files["exclusive.tf"].parse().unwrap();
    assert_eq!(body.get_blocks("resource").count(), 0);
    assert!(files["exclusive.tf"].contains(&format!(
        "# Not yet: web ({WEB}), for some of its rules do not stand"
    )));
    apply(&place);
    let document = document(&place);
    let gone = document["revocations"].as_array().unwrap();
    assert!(
        !gone.is_empty()
            && gone
                .iter()
                .all(|gone| gone["reason"] == "outside-the-policy")
    );
    let files = written(&place, "terraform", "after", &["--exclusive"]);
    let body: Body = files["exclusive.tf"].parse().unwrap();
    let block = body.get_blocks("resource").next().unwrap();
    let ids = |key: &str| {
        let list = block
            .body
            .get_attribute(key)
            .unwrap()
            .value
            .as_array()
            .unwrap();
        let ids = list.iter().map(|id| id.as_str().unwrap().to_owned());
        ids.collect::<Vec<String>>()
    };
    let wanted = |direction: &str| {
        let all = ours(&document);
        let own = all.iter().filter(|rule| rule["group_id"] == WEB);
        let own = own.filter(|rule| rule["direction"] == direction);
        own.map(|rule| text(rule, "security_group_rule_id").to_owned())
            .collect::<Vec<String>>()
    };
    let mut egress = wanted("egress");
    egress.sort();
    assert_eq!(ids("egress_rule_ids"), egress);
    let ingress = ids("ingress_rule_ids");
    assert!(wanted("ingress").iter().all(|id| ingress.contains(id)));
    for gone in gone {
        let id = text(gone, "security_group_rule_id").to_owned();
        assert!(!ingress.contains(&id) && !egress.contains(&id));
    }
    let script = printed(&mut rules(&place, "aws-cli", &[]));
    for gone in gone {
        assert!(script.contains(text(gone, "security_group_rule_id")));
    }
}

/// Groups whose rules somebody else keeps are in no file but the documents; the files say which and what to do.
#[test]
fn groups_kept_elsewhere_are_named() {
    let place = accepted();
    edit_inventory(&place, "security-groups.json", |document| {
        let groups = document["SecurityGroups"].as_array_mut().unwrap();
        let web = groups.iter_mut().find(|group| group["GroupId"] == WEB);
        web.unwrap()["Tags"] = json!([{"Key": "aws:cloudformation:stack-name", "Value": "shop"}]);
    });
    let document = document(&place);
    let all = document["rules"].as_array().unwrap();
    assert!(all.iter().any(|rule| rule["group_id"] == WEB));
    for (format, file) in [
        ("terraform", "rules.tf"),
        ("terraform-module", "other.tf"),
        ("cloudformation", "template.yaml"),
    ] {
        let files = written(&place, format, format, &[]);
        assert!(
            files[file].contains(&format!(
                "# Left out: web ({WEB}), CloudFormation stack shop"
            )),
            "{format}"
        );
        for text in files.values().filter(|_| format != "cloudformation") {
            let body: Body = text.parse().unwrap();
            for resource in body.get_blocks("resource") {
                let group = resource.body.get_attribute("security_group_id").unwrap();
                assert_ne!(group.value.as_str(), Some(WEB), "{format}");
            }
        }
    }
    let template = printed(&mut rules(&place, "cloudformation-json", &[]));
    let template: Value = serde_json::from_str(&template).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    assert!(
        resources
            .values()
            .all(|rule| rule["Properties"]["GroupId"] != WEB)
    );
}

/// An inventory without a group's rules would make all of them look new.
#[test]
fn an_inventory_without_rules_is_refused() {
    let place = accepted();
    edit_inventory(&place, "security-groups.json", |document| {
        let groups = document["SecurityGroups"].as_array_mut().unwrap();
        let web = groups.iter_mut().find(|group| group["GroupId"] == WEB);
        web.unwrap()
            .as_object_mut()
            .unwrap()
            .remove("IpPermissions");
    });
    let refused = rules(&place, "csv", &[]).assert();
    fails(refused, 2, &[WEB, "without all of its rules"]);
}

/// A key that looks like the ending of another keeps its name, and so no address is there twice.
#[test]
fn keys_that_look_like_endings_stay_apart() {
    let place = accepted();
    let key = place.key("policy", "web_to_db_3306_");
    let web = file_of(&place.path("policy"), "web");
    edit(&web, "ports = [3306]", "ports = [3306, 33060]");
    add_group(
        &place,
        "sg-00000000000000002",
        "web",
        &format!("{key}_33060"),
    );
    add_group(
        &place,
        "sg-00000000000000003",
        "web",
        &format!("{key}_ingress"),
    );
    let count = ours(&document(&place)).len();
    for format in ["terraform-module", "terraform"] {
        let files = written(&place, format, format, &[]);
        assert_eq!(addresses(files.values()).len(), count, "{format}");
    }
    let template = printed(&mut rules(&place, "cloudformation-json", &[]));
    let template: Value = serde_json::from_str(&template).unwrap();
    assert_eq!(template["Resources"].as_object().unwrap().len(), count);
}
