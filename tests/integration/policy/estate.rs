//! The sample's account with a policy, before its rules were made and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use assert_cmd::Command;
use hcl_edit::expr::ObjectKey;
use hcl_edit::structure::Body;
use serde_json::{Value, json};

use super::{Place, file_of, texts};
use crate::common::{closegate, printed, sample};
use crate::prepared::Prepared;

/// `web` in the sample.
pub(super) const WEB: &str = "sg-0a1b2c3d4e5f90002";

static ACCEPTED: LazyLock<Prepared> = LazyLock::new(|| Prepared::of(&made().path("")));

/// The sample's policy with every entry accepted, and the sample's inventory to change.
pub(super) fn accepted() -> Place {
    let dir = tempfile::tempdir().unwrap();
    ACCEPTED.copy_to(dir.path());
    Place { dir }
}

fn made() -> Place {
    let place = Place::new();
    place.update(&place.path("run"), "policy");
    place
        .command("decide", "policy", &["accept", "--state", "proposed"])
        .assert()
        .success();
    fs::create_dir(place.path("inventory")).unwrap();
    for entry in fs::read_dir(sample().join("inventory")).unwrap() {
        let entry = entry.unwrap();
        let to = place.path("inventory").join(entry.file_name());
        fs::copy(entry.path(), to).unwrap();
    }
    place
}

/// `rules --policy` of the place's policy and inventory.
pub(super) fn rules(place: &Place, format: &str, arguments: &[&str]) -> Command {
    let mut command = closegate();
    command
        .current_dir(place.path(""))
        .args(["rules", "--policy", "policy", "--inventory", "inventory"])
        .args(["--emit", format])
        .args(arguments);
    command
}

/// The same into a directory; the files there, by name.
pub(super) fn written(
    place: &Place,
    format: &str,
    out: &str,
    arguments: &[&str],
) -> BTreeMap<String, String> {
    let arguments = [&["--out", out][..], arguments].concat();
    rules(place, format, &arguments).assert().success();
    texts(&place.path(out))
}

/// What the policy wants, as `rules.json` has it.
pub(super) fn document(place: &Place) -> Value {
    serde_json::from_str(&printed(&mut rules(place, "json", &[]))).unwrap()
}

/// Rules of groups that are ours to write.
pub(super) fn ours(document: &Value) -> Vec<Value> {
    let groups = document["groups"].as_array().unwrap();
    let kept = groups.iter().filter(|group| !group["kept_by"].is_null());
    let kept: Vec<&Value> = kept.map(|group| &group["id"]).collect();
    let rules = document["rules"].as_array().unwrap().iter();
    rules
        .filter(|rule| !kept.contains(&&rule["group_id"]))
        .cloned()
        .collect()
}

/// Changes a file of the inventory.
pub(super) fn edit_inventory(place: &Place, file: &str, change: impl FnOnce(&mut Value)) {
    let path = place.path("inventory").join(file);
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

/// Replaces a text in a file; it has to be there.
pub(super) fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// A further group of the inventory, with a policy that opens one port to `db`.
pub(super) fn add_group(place: &Place, id: &str, name: &str, key: &str) {
    let db = file_of(&place.path("policy"), "db");
    let db = db.file_stem().unwrap().to_str().unwrap().to_owned();
    edit_inventory(place, "security-groups.json", |document| {
        let groups = document["SecurityGroups"].as_array_mut().unwrap();
        let mut new = groups
            .iter()
            .find(|group| group["GroupId"] == WEB)
            .unwrap()
            .clone();
        new["GroupId"] = json!(id);
        new["GroupName"] = json!(name);
        new["IpPermissions"] = json!([]);
        new["IpPermissionsEgress"] = json!([]);
        groups.push(new);
    });
    let text = format!(
        "schema = 1\ngroup = \"{id}\"\nname = \"{name}\"\nvpc = \"vpc-1\"\naccount = \"111122223333\"\nmode = \"learn\"\n\n\
         [[allow]]\nkey = \"{key}\"\nto_group = \"{db}\"\nprotocol = \"tcp\"\nports = [3306]\nstate = \"accepted\"\n"
    );
    fs::write(place.path("policy").join(format!("{id}.toml")), text).unwrap();
}

/// How the target of a rule is listed in a permission, what it is called there, and the target.
fn target(rule: &Value) -> (&'static str, &'static str, Value) {
    let (kind, value) = rule["target"].as_object().unwrap().iter().next().unwrap();
    let (list, name) = match kind.as_str() {
        "security_group" => ("UserIdGroupPairs", "GroupId"),
        "cidr_ipv4" => ("IpRanges", "CidrIp"),
        "cidr_ipv6" => ("Ipv6Ranges", "CidrIpv6"),
        _ => ("PrefixListIds", "PrefixListId"),
    };
    (list, name, value.clone())
}

/// The account after the rules were made: an inventory with those that lacked.
pub(super) fn apply(place: &Place) {
    let mut missing = ours(&document(place));
    missing.retain(|rule| rule["status"] == "add");
    edit_inventory(place, "security-groups.json", |groups| {
        let groups = groups["SecurityGroups"].as_array_mut().unwrap();
        for rule in &missing {
            let (list, name, value) = target(rule);
            let mut entry = json!({ "Description": rule["wording"] });
            entry[name] = value;
            let mut permission = json!({ "IpProtocol": rule["protocol"] });
            for empty in [
                "UserIdGroupPairs",
                "IpRanges",
                "Ipv6Ranges",
                "PrefixListIds",
            ] {
                permission[empty] = json!([]);
            }
            permission[list] = json!([entry]);
            if !rule["from_port"].is_null() {
                permission["FromPort"] = rule["from_port"].clone();
                permission["ToPort"] = rule["to_port"].clone();
            } else if rule["protocol"] == "icmp" {
                permission["FromPort"] = json!(-1);
                permission["ToPort"] = json!(-1);
            }
            let direction = if rule["direction"] == "egress" {
                "IpPermissionsEgress"
            } else {
                "IpPermissions"
            };
            let mut groups = groups.iter_mut();
            let group = groups.find(|group| group["GroupId"] == rule["group_id"]);
            let permissions = group.unwrap()[direction].as_array_mut().unwrap();
            permissions.push(permission);
        }
    });
    edit_inventory(place, "security-group-rules.json", |rules| {
        let rules = rules["SecurityGroupRules"].as_array_mut().unwrap();
        for (number, rule) in missing.iter().enumerate() {
            let (list, name, value) = target(rule);
            let port = |key: &str| rule[key].as_i64().unwrap_or(-1);
            let mut new = json!({
                "SecurityGroupRuleId": format!("sgr-made{number:012}"),
                "GroupId": rule["group_id"],
                "GroupOwnerId": "111122223333",
                "IsEgress": rule["direction"] == "egress",
                "IpProtocol": rule["protocol"],
                "FromPort": port("from_port"),
                "ToPort": port("to_port"),
                "Description": rule["wording"],
                "Tags": [],
            });
            match list {
                "UserIdGroupPairs" => {
                    new["ReferencedGroupInfo"] =
                        json!({"GroupId": value, "UserId": "111122223333"});
                }
                "IpRanges" => new["CidrIpv4"] = value,
                "Ipv6Ranges" => new["CidrIpv6"] = value,
                _ => new[name] = value,
            }
            rules.push(new);
        }
    });
}

/// Addresses that Terraform files write, one for each rule.
pub(super) fn addresses<'a>(texts: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut addresses = BTreeSet::new();
    for text in texts {
        let body: Body = text
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        for resource in body.get_blocks("resource") {
            let address = format!(
                "{}.{}",
                resource.labels[0].as_str(),
                resource.labels[1].as_str()
            );
            match resource.body.get_attribute("for_each") {
                Some(each) => {
                    for (net, _) in each.value.as_object().unwrap() {
                        let ObjectKey::Expression(net) = net else {
                            panic!("prefixes are texts")
                        };
                        let net = net.as_str().unwrap();
                        assert!(addresses.insert(format!("{address}[\"{net}\"]")));
                    }
                }
                None => assert!(addresses.insert(address.clone()), "{address} twice"),
            }
        }
        let modules = body.get_blocks("module");
        let maps = modules.filter_map(|module| module.body.get_attribute("rules"));
        let locals = body.get_blocks("locals");
        let locals = locals.flat_map(|locals| locals.body.attributes());
        for map in maps.chain(locals) {
            for (key, _) in map.value.as_object().into_iter().flatten() {
                let ObjectKey::Ident(key) = key else {
                    panic!("keys are identifiers")
                };
                for direction in ["egress", "ingress"] {
                    let to = format!("module/{direction}/{}", key.as_str());
                    assert!(addresses.insert(to), "{} twice", key.as_str());
                }
            }
        }
    }
    addresses
}
