//! A VPC that one account shares with another: both see its subnets, and neither sees all of it (vpc-share-limitations.html).

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use closegate::inventory::{Grade, Inventory};
use serde_json::{Value, json};

use crate::common::closegate;

const PARTICIPANT: &str = "222222222222";

/// Numbers of the owner: its directory comes before the participant's, or behind it.
const OWNERS: [&str; 2] = ["111111111111", "333333333333"];

fn open() -> Value {
    json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
}

fn group(id: &str, name: &str, owner: &str, ingress: &Value, tags: &Value) -> Value {
    json!({"GroupId": id, "GroupName": name, "VpcId": "vpc-1", "OwnerId": owner, "IpPermissions": ingress,
        "IpPermissionsEgress": open(), "Tags": tags})
}

fn interface(id: &str, owner: &str, (subnet, address): (&str, &str), group: &str) -> Value {
    json!({"NetworkInterfaceId": id, "InterfaceType": "interface", "OwnerId": owner, "VpcId": "vpc-1", "SubnetId": subnet,
        "PrivateIpAddress": address, "Groups": [{"GroupId": group}]})
}

fn subnet(id: &str, block: &str, owner: &str) -> Value {
    json!({"SubnetId": id, "VpcId": "vpc-1", "CidrBlock": block, "OwnerId": owner})
}

fn from_group(id: &str, owner: &str) -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": id, "UserId": owner}],
        "PrefixListIds": [{"PrefixListId": "pl-00000001"}]}])
}

/// What both see of a prefix list that the owner shares.
fn prefix_list(snapshot: &mut Value, owner: &str) {
    snapshot["PrefixLists"] = json!([{"PrefixListId": "pl-00000001", "PrefixListName": "offices", "OwnerId": owner,
        "AddressFamily": "IPv4", "MaxEntries": 2, "Version": 1}]);
    snapshot["Entries"] = json!([{"Cidr": "192.0.2.0/25"}, {"Cidr": "198.51.100.0/24"}]);
    snapshot["PrefixListId"] = "pl-00000001".into();
}

/// The owner's: its own interface, the participant's without its tags, and all of the VPC. An appliance stands before the
/// participant's subnet.
fn of_owner(owner: &str) -> Value {
    let none = json!([]);
    let ingress = from_group("sg-00000002", owner);
    let appliance = json!({"DestinationCidrBlock": "10.0.1.0/24", "GatewayId": "vpce-00000001"});
    let mut snapshot = json!({
        "SecurityGroups": [
            group("sg-00000001", "default", owner, &none, &none),
            group("sg-00000002", "gateway", owner, &none, &json!([{"Key": "team", "Value": "network"}])),
            group("sg-00000003", "app", PARTICIPANT, &ingress, &none),
        ],
        "NetworkInterfaces": [
            interface("eni-00000001", owner, ("subnet-b", "10.0.2.5"), "sg-00000002"),
            interface("eni-00000002", PARTICIPANT, ("subnet-a", "10.0.1.5"), "sg-00000003"),
        ],
        "Subnets": [subnet("subnet-a", "10.0.1.0/24", owner), subnet("subnet-b", "10.0.2.0/24", owner)],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": owner}],
        "RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "OwnerId": owner,
            "Associations": [{"Main": true}, {"Main": false, "SubnetId": "subnet-a"}, {"Main": false, "SubnetId": "subnet-b"}],
            "Routes": [appliance]}],
        "SecurityGroupRules": [],
        "VpcPeeringConnections": [],
        "TransitGatewayVpcAttachments": [],
        "VpcEndpoints": [],
    });
    prefix_list(&mut snapshot, owner);
    snapshot
}

/// The participant's: its own interface and group, and of the VPC what is shared. It has another VPC of its own.
fn of_participant(owner: &str) -> Value {
    let ingress = from_group("sg-00000002", owner);
    let tags = json!([{"Key": "team", "Value": "shop"}]);
    let mut own = interface(
        "eni-00000002",
        PARTICIPANT,
        ("subnet-a", "10.0.1.5"),
        "sg-00000003",
    );
    own["TagSet"] = json!([{"Key": "Name", "Value": "shop"}]);
    let mut elsewhere = interface(
        "eni-00000003",
        PARTICIPANT,
        ("subnet-c", "10.9.0.5"),
        "sg-00000004",
    );
    elsewhere["VpcId"] = "vpc-2".into();
    let none = json!([]);
    let mut other = group("sg-00000004", "default", PARTICIPANT, &none, &none);
    other["VpcId"] = "vpc-2".into();
    let mut snapshot = json!({
        "SecurityGroups": [group("sg-00000003", "app", PARTICIPANT, &ingress, &tags), other],
        "NetworkInterfaces": [own, elsewhere],
        "Subnets": [subnet("subnet-a", "10.0.1.0/24", owner)],
        "Vpcs": [
            {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": owner},
            {"VpcId": "vpc-2", "CidrBlock": "10.9.0.0/16", "OwnerId": PARTICIPANT},
        ],
        "RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "OwnerId": owner,
            "Associations": [{"Main": false, "SubnetId": "subnet-a"}],
            "Routes": [{"DestinationCidrBlock": "10.0.1.0/24", "GatewayId": "vpce-00000001"}]}],
        "SecurityGroupRules": [],
        "VpcPeeringConnections": [],
        "TransitGatewayVpcAttachments": [],
        "VpcEndpoints": [],
    });
    prefix_list(&mut snapshot, owner);
    snapshot
}

/// Writes snapshots by account, as one that was collected at once or each as a snapshot of its own, the first file last modified.
fn write(dir: &Path, snapshots: &[(&str, Value)], at_once: bool) {
    let manifest = |dir: &Path, time: u64| {
        fs::create_dir_all(dir).unwrap();
        let manifest = json!({"schema_version": 2, "collected_at": time});
        fs::write(dir.join("manifest.json"), manifest.to_string()).unwrap();
    };
    if at_once {
        manifest(dir, 1_700_000_000);
    }
    let mut modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_001_001);
    for (position, (account, snapshot)) in (0_u64..).zip(snapshots) {
        let place = if at_once {
            dir.to_path_buf()
        } else {
            let own = dir.join(format!("of-{account}"));
            manifest(&own, 1_700_000_000 + position);
            own
        };
        let place = place.join(account).join("us-east-1");
        fs::create_dir_all(&place).unwrap();
        let path = place.join("all.json");
        fs::write(&path, snapshot.to_string()).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(modified).unwrap();
        modified -= Duration::from_secs(100);
    }
}

fn notes(inventory: &Inventory) -> Vec<&str> {
    let notes = inventory.notes().iter();
    notes.map(|note| note.0.as_str()).collect()
}

/// What an audit of one connection from the owner's interface to the participant's says, with the first of the owner's numbers.
fn audited(dir: &Path, owner: &str) -> Value {
    let flows = dir.join("flows.log");
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
    let rows = [
        format!(
            "2 {owner} eni-00000001 10.0.2.5 10.0.1.5 40000 5432 6 1 40 1700000000 1700000060 ACCEPT OK"
        ),
        format!(
            "2 {PARTICIPANT} eni-00000002 10.0.2.5 10.0.1.5 40000 5432 6 1 40 1700000000 1700000060 ACCEPT OK"
        ),
        format!(
            "2 {PARTICIPANT} eni-00000002 10.0.1.5 198.51.100.7 40001 443 6 1 40 1700000000 1700000060 ACCEPT OK"
        ),
    ];
    fs::write(&flows, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let run = dir.join("run");
    let mut command = closegate();
    command.arg("audit").arg("--flows").arg(&flows);
    command.arg("--inventory").arg(dir.join("inventory"));
    command.arg("--out").arg(&run).assert().success();
    let audit = fs::read_to_string(run.join("audit.json")).unwrap();
    let audit = audit.replace(owner, OWNERS[0]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let keys = ["connections", "findings", "rules", "revocations", "replay"];
    keys.into_iter()
        .map(|key| (key.to_owned(), audit[key].clone()))
        .collect()
}

#[test]
fn what_both_accounts_see_is_joined_in_any_order() {
    let mut audits = Vec::new();
    for owner in OWNERS {
        for owner_first in [true, false] {
            for at_once in [true, false] {
                let dir = tempfile::tempdir().unwrap();
                let inventory = dir.path().join("inventory");
                let mut both = [
                    (owner, of_owner(owner)),
                    (PARTICIPANT, of_participant(owner)),
                ];
                if !owner_first {
                    both.reverse();
                }
                write(&inventory, &both, at_once);
                let case = format!("{owner} {owner_first} {at_once}");
                joined(&Inventory::load(&inventory).unwrap(), &case);
                audits.push((case, audited(dir.path(), owner)));
            }
        }
    }
    let (_, first) = &audits[0];
    let rules = first["rules"].as_array().unwrap();
    assert!(!rules.is_empty(), "{first:#}");
    for (case, audit) in &audits {
        assert!(audit == first, "{case}");
    }
}

fn joined(inventory: &Inventory, case: &str) {
    let said = notes(inventory);
    let odd = |note: &&&str| note.contains("different content") || note.contains("lacks account");
    assert_eq!(said.iter().filter(odd).count(), 0, "{case}: {said:?}");
    let group = |id: &str| inventory.group(inventory.group_by_id(id).unwrap());
    for (id, team) in [("sg-00000002", "network"), ("sg-00000003", "shop")] {
        assert_eq!(group(id).tag("team"), Some(team), "{case}");
        assert_eq!(group(id).members.len(), 1, "{case}");
    }
    assert_eq!(inventory.interfaces().len(), 3, "{case}");
    // Each entry once, although two accounts print it.
    let list = inventory.prefix_list("pl-00000001").unwrap();
    assert_eq!(list.weight, 2, "{case}");
    // The participant does not see that the owner's subnet has this table.
    let at = |id: &str| inventory.interface_by_id(id).unwrap();
    let (gateway, app) = (at("eni-00000001"), at("eni-00000002"));
    let path = inventory.way(inventory.interface(gateway), inventory.interface(app));
    assert_eq!(path, closegate::inventory::NetworkPath::Inspected, "{case}");
    // Nothing joins the two VPCs, and the inventory has all that could.
    let other = "10.9.0.5".parse().unwrap();
    assert_eq!(inventory.distant_interface_at(other, "vpc-1", (0, 1)), None);
}

#[test]
fn without_the_owner_it_is_unknown_what_the_vpc_is_joined_to() {
    let owner = OWNERS[0];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[(PARTICIPANT, of_participant(owner))], true);
    let inventory = Inventory::load(dir.path()).unwrap();
    let said = notes(&inventory);
    let lacking = format!("the inventory lacks account {owner}, which shares vpc-1: ");
    assert!(
        said.iter().any(|note| note.starts_with(&lacking)),
        "{said:?}"
    );
    let other = "10.9.0.5".parse().unwrap();
    let distant = inventory.distant_interface_at(other, "vpc-1", (0, 1));
    let distant = inventory.interface(distant.unwrap());
    assert_eq!(
        (&*distant.id, distant.grade),
        ("eni-00000003", Grade::Snapshot)
    );
    // Members of the owner's group may be anywhere in the VPC.
    let mut can = closegate();
    can.args(["can", "--inventory"]).arg(dir.path());
    can.args(["10.0.2.5", "eni-00000002", "tcp/5432"])
        .assert()
        .code(2);
}

#[test]
fn without_the_participant_its_groups_are_missing_and_the_vpc_is_known() {
    let owner = OWNERS[0];
    let dir = tempfile::tempdir().unwrap();
    let mut alone = of_owner(owner);
    // An owner that sees the interface and not its group.
    alone["SecurityGroups"].as_array_mut().unwrap().pop();
    write(dir.path(), &[(owner, alone)], true);
    let inventory = Inventory::load(dir.path()).unwrap();
    let said = notes(&inventory);
    assert!(
        said.iter()
            .any(|note| note.starts_with("sg-00000003: an interface carries this group")),
        "{said:?}"
    );
    assert!(
        !said.iter().any(|note| note.contains("lacks account")),
        "{said:?}"
    );
}

/// What one account may not describe, the other's answer doesn't stand in for.
#[test]
fn where_peering_connections_were_refused_they_are_unknown() {
    let owner = OWNERS[0];
    let dir = tempfile::tempdir().unwrap();
    let mut participant = of_participant(owner);
    let lists = participant.as_object_mut().unwrap();
    lists.remove("VpcPeeringConnections");
    let both = [(owner, of_owner(owner)), (PARTICIPANT, participant)];
    write(dir.path(), &both, true);
    let other = "10.9.0.5".parse().unwrap();
    let joined = |refused: &[&str]| {
        let refused: Vec<Value> = refused
            .iter()
            .map(|operation| {
                json!({"account": PARTICIPANT, "region": "us-east-1", "operation": operation, "code": "No", "cost": ""})
            })
            .collect();
        let manifest =
            json!({"schema_version": 2, "collected_at": 1_700_000_000, "refused": refused});
        fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
        let inventory = Inventory::load(dir.path()).unwrap();
        inventory
            .distant_interface_at(other, "vpc-1", (0, 1))
            .is_some()
    };
    let peering = "DescribeVpcPeeringConnections";
    assert!(!joined(&[]));
    assert!(joined(&[peering]));
    assert!(joined(&["DescribeTransitGatewayVpcAttachments"]));
    assert!(!joined(&["DescribeRouteTables"]));
    // A region that is switched off has no networks.
    assert!(!joined(&[peering, "DescribeNetworkInterfaces"]));
}
