//! Values that AWS would not print: an error with its place, or a note, and never a wider rule.

use std::fs;

use closegate::inventory::{Inventory, RulePorts, RuleProtocol};
use closegate::net::{PortRange, Protocol};
use serde_json::{Value, json};

use crate::cli::fails;
use crate::common::{closegate, sample};

fn document() -> Value {
    json!({
        "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": [
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": 0, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}], "PrefixListIds": [{"PrefixListId": "pl-00000001"}]}]}],
        "SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": true, "IpProtocol": "-1",
            "FromPort": -1, "ToPort": -1, "PrefixListId": "pl-00000001"}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.1",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", "Primary": true}], "Groups": [{"GroupId": "sg-1"}]}],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "CidrBlock": "10.0.0.0/24"}],
        "PrefixLists": [{"PrefixListId": "pl-00000001", "PrefixListName": "offices", "Cidrs": ["192.0.2.0/24"]}],
        "PrefixListId": "pl-00000001",
        "Entries": [{"Cidr": "198.51.100.0/24"}],
        "VpcPeeringConnections": [{"RequesterVpcInfo": {"VpcId": "vpc-1"}, "AccepterVpcInfo": {"VpcId": "vpc-2"}}],
        "TransitGatewayVpcAttachments": [{"TransitGatewayId": "tgw-1", "VpcId": "vpc-1"}],
        "RouteTables": [{"VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0"}]}],
        "Reservations": [{"Instances": [{"InstanceId": "i-1"}]}],
        "prefixes": [{"ip_prefix": "3.0.0.0/10", "service": "EC2"}],
    })
}

/// Where in [`document`], what is put there (nothing: it is taken away), and what the error says behind the file's name.
const WRONG: &[(&str, Option<&str>, &str)] = &[
    (
        "/SecurityGroups/0/GroupId",
        None,
        "SecurityGroups[0] has no GroupId",
    ),
    (
        "/SecurityGroups/0/GroupId",
        Some("null"),
        "SecurityGroups[0] has no GroupId",
    ),
    (
        "/SecurityGroups/0/GroupId",
        Some("\"\""),
        "SecurityGroups[0].GroupId is empty",
    ),
    (
        "/SecurityGroups/0/GroupId",
        Some("7"),
        "SecurityGroups[0].GroupId is the number 7, not a text",
    ),
    (
        "/SecurityGroups/0",
        Some("\"sg-1\""),
        "SecurityGroups[0] is the text `sg-1`, not an object",
    ),
    (
        "/SecurityGroups",
        Some("{}"),
        "SecurityGroups is an object, not a list",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress",
        Some("true"),
        "SecurityGroups[0].IpPermissionsEgress is true, not a list",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/FromPort",
        None,
        "IpPermissionsEgress[0].FromPort is missing; tcp needs a port from 0 to 65535",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/FromPort",
        Some("-1"),
        "IpPermissionsEgress[0].FromPort is -1, not a port from 0 to 65535",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/FromPort",
        Some("\"22\""),
        "FromPort is the text `22`, not a whole number",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/FromPort",
        Some("22.5"),
        "FromPort is the number 22.5, not a whole number",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/ToPort",
        None,
        "ToPort is missing; tcp needs",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/ToPort",
        Some("-1"),
        "ToPort is -1, not a port",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/ToPort",
        Some("70000"),
        "ToPort is 70000, not a port from 0 to 65535",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/ToPort",
        Some("21"),
        "ToPort is 21, below FromPort, which is 22",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpProtocol",
        None,
        "IpPermissionsEgress[0] has no IpProtocol",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpProtocol",
        Some("\"tcq\""),
        "IpProtocol is `tcq`, not tcp, udp, icmp",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpProtocol",
        Some("\"256\""),
        "IpProtocol is `256`",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpRanges",
        None,
        "IpPermissionsEgress[0] names no target",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpRanges/0/CidrIp",
        None,
        "IpRanges[0] has no CidrIp",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/0/IpRanges/0/CidrIp",
        Some("\"10.0.0.0/33\""),
        "CidrIp is the text `10.0.0.0/33`, not a prefix",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/1/FromPort",
        Some("300"),
        "FromPort is 300, not an ICMP type from 0 to 255, or -1",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/1/FromPort",
        Some("-2"),
        "FromPort is -2, not an ICMP type",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/1/FromPort",
        None,
        "FromPort is missing; icmp needs an ICMP type",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/1/FromPort",
        Some("-1"),
        "ToPort is 0, not -1: FromPort is -1",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/1/ToPort",
        Some("256"),
        "ToPort is 256, not an ICMP code",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/2/FromPort",
        Some("70000"),
        "FromPort is 70000",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/2/UserIdGroupPairs/0/GroupId",
        None,
        "UserIdGroupPairs[0] has no GroupId",
    ),
    (
        "/SecurityGroups/0/IpPermissionsEgress/2/PrefixListIds/0/PrefixListId",
        None,
        "PrefixListIds[0] has no PrefixListId",
    ),
    (
        "/SecurityGroupRules/0/GroupId",
        None,
        "SecurityGroupRules[0] has no GroupId",
    ),
    (
        "/SecurityGroupRules/0/SecurityGroupRuleId",
        None,
        "SecurityGroupRules[0] has no SecurityGroupRuleId",
    ),
    (
        "/SecurityGroupRules/0/IsEgress",
        None,
        "SecurityGroupRules[0] has no IsEgress",
    ),
    (
        "/SecurityGroupRules/0/PrefixListId",
        None,
        "SecurityGroupRules[0] doesn't name exactly one target",
    ),
    (
        "/NetworkInterfaces/0/NetworkInterfaceId",
        None,
        "NetworkInterfaces[0] has no NetworkInterfaceId",
    ),
    (
        "/NetworkInterfaces/0/Groups/0/GroupId",
        None,
        "NetworkInterfaces[0].Groups[0] has no GroupId",
    ),
    (
        "/NetworkInterfaces/0/PrivateIpAddress",
        Some("\"10.0.0\""),
        "PrivateIpAddress is the text `10.0.0`, not an IP address",
    ),
    (
        "/NetworkInterfaces/0/PrivateIpAddresses/0/Primary",
        Some("\"yes\""),
        "Primary is the text `yes`, not true or false",
    ),
    ("/Vpcs/0/VpcId", None, "Vpcs[0] has no VpcId"),
    (
        "/Vpcs/0/CidrBlock",
        Some("\"10.0.0.0/99\""),
        "Vpcs[0].CidrBlock is the text `10.0.0.0/99`, not a prefix",
    ),
    ("/Subnets/0/SubnetId", None, "Subnets[0] has no SubnetId"),
    (
        "/PrefixLists/0/PrefixListId",
        None,
        "PrefixLists[0] has no PrefixListId",
    ),
    (
        "/PrefixLists/0/Cidrs/0",
        Some("7"),
        "PrefixLists[0].Cidrs[0] is the number 7, not a prefix",
    ),
    ("/Entries/0/Cidr", None, "Entries[0] has no Cidr"),
    (
        "/VpcPeeringConnections/0/AccepterVpcInfo/VpcId",
        None,
        "AccepterVpcInfo has no VpcId",
    ),
    (
        "/TransitGatewayVpcAttachments/0/TransitGatewayId",
        None,
        "TransitGatewayVpcAttachments[0] has no TransitGatewayId",
    ),
    ("/RouteTables/0/VpcId", None, "RouteTables[0] has no VpcId"),
    (
        "/RouteTables/0/Routes/0/DestinationCidrBlock",
        Some("\"everywhere\""),
        "Routes[0].DestinationCidrBlock is the text `everywhere`",
    ),
    (
        "/Reservations/0/Instances/0/InstanceId",
        None,
        "Reservations[0].Instances[0] has no InstanceId",
    ),
    (
        "/prefixes/0/ip_prefix",
        None,
        "prefixes[0] has no ip_prefix",
    ),
];

/// Puts a value in a place, or takes away what is there.
pub(crate) fn change(document: &mut Value, at: &str, value: Option<Value>) {
    let (parent, last) = at.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match (value, parent) {
        (Some(value), Value::Object(members)) => drop(members.insert(last.to_owned(), value)),
        (Some(value), parent) => *parent.pointer_mut(&format!("/{last}")).unwrap() = value,
        (None, Value::Object(members)) => assert!(members.remove(last).is_some()),
        (None, Value::Array(list)) => drop(list.remove(last.parse().unwrap())),
        (None, _) => unreachable!("only objects and lists have members"),
    }
}

#[test]
fn a_value_that_aws_would_not_print_is_an_error_with_its_place() {
    Inventory::from_files([("all.json", document().to_string().as_bytes())]).unwrap();
    for (at, value, says) in WRONG {
        let mut damaged = document();
        change(
            &mut damaged,
            at,
            value.map(|value| serde_json::from_str(value).unwrap()),
        );
        let read = Inventory::from_files([("all.json", damaged.to_string().as_bytes())]);
        let error = read
            .err()
            .unwrap_or_else(|| panic!("{at} {value:?} is read"))
            .to_string();
        assert!(
            error.starts_with("inventory file `all.json`: ") && error.contains(says),
            "{at} {value:?}: {error}"
        );
        for rust in [
            "i64",
            "u16",
            "expected",
            "struct",
            "sequence",
            "invalid type",
        ] {
            assert!(!error.contains(rust), "{error}");
        }
    }
}

/// Each command that reads an inventory says it, in one sentence.
#[test]
fn every_command_names_file_and_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut damaged = document();
    change(
        &mut damaged,
        "/SecurityGroups/0/IpPermissionsEgress/0/FromPort",
        Some(json!("22")),
    );
    fs::create_dir(dir.path().join("inventory")).unwrap();
    fs::write(dir.path().join("inventory/all.json"), damaged.to_string()).unwrap();
    let flows = sample().join("flows/custom").display().to_string();
    let flows = flows.as_str();
    let commands: &[&[&str]] = &[
        &["audit", "--flows", flows, "--out", "run"],
        &["verify", "--current", "--flows", flows],
        &["ingest", "--flows", flows, "--store", "store"],
        &["can", "eni-1", "10.0.0.2", "tcp/443"],
    ];
    for words in commands {
        let mut command = closegate();
        command
            .current_dir(dir.path())
            .args(*words)
            .args(["--inventory", "inventory"]);
        let place = "SecurityGroups[0].IpPermissionsEgress[0].FromPort is the text `22`";
        fails(
            command.assert(),
            2,
            &["inventory/all.json", place, "fetch it again"],
        );
    }
    assert!(!dir.path().join("run").exists() && !dir.path().join("store").exists());
}

/// What AWS does print, and means.
#[test]
fn legal_rules_are_read_as_aws_means_them() {
    let icmp = |kind, code| RulePorts::Icmp { kind, code };
    let one = |number| RuleProtocol::One(Protocol(number));
    let ports = |from, to| RulePorts::Ports(PortRange::new(from, to).unwrap());
    for (written, protocol, expected) in [
        (
            json!({"IpProtocol": "-1"}),
            RuleProtocol::All,
            RulePorts::Any,
        ),
        (
            json!({"IpProtocol": "-1", "FromPort": -1, "ToPort": -1}),
            RuleProtocol::All,
            RulePorts::Any,
        ),
        (
            json!({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}),
            one(6),
            RulePorts::Ports(PortRange::ALL),
        ),
        (
            json!({"IpProtocol": "17", "FromPort": 53, "ToPort": 53}),
            one(17),
            ports(53, 53),
        ),
        (
            json!({"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1}),
            one(1),
            icmp(None, None),
        ),
        (
            json!({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}),
            one(1),
            icmp(Some(8), None),
        ),
        (
            json!({"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4}),
            one(1),
            icmp(Some(3), Some(4)),
        ),
        (json!({"IpProtocol": "icmpv6"}), one(58), icmp(None, None)),
        (
            json!({"IpProtocol": "icmpv6", "FromPort": -1, "ToPort": -1}),
            one(58),
            icmp(None, None),
        ),
        (json!({"IpProtocol": "50"}), one(50), RulePorts::Any),
        (
            json!({"IpProtocol": "50", "FromPort": -1, "ToPort": -1}),
            one(50),
            RulePorts::Any,
        ),
    ] {
        let mut permission = written.clone();
        permission["IpRanges"] = json!([{"CidrIp": "192.0.2.0/24"}]);
        let mut all = document();
        change(
            &mut all,
            "/SecurityGroups/0/IpPermissionsEgress",
            Some(json!([permission])),
        );
        let inventory = Inventory::from_files([("all.json", all.to_string().as_bytes())]).unwrap();
        let rules = &inventory.groups()[0].rules;
        assert_eq!(
            (rules.len(), rules[0].protocol, rules[0].ports),
            (1, protocol, expected),
            "{written}"
        );
    }
}

/// What a snapshot lacks that AWS always prints is said, with its cost.
#[test]
fn missing_members_leave_a_note() {
    for (at, says) in [
        (
            "/SecurityGroups/0/IpPermissionsEgress",
            "sg-1 has no IpPermissionsEgress in the inventory",
        ),
        (
            "/SecurityGroups/0/IpPermissions",
            "sg-1 has no IpPermissions in the inventory",
        ),
        (
            "/NetworkInterfaces/0/Groups",
            "eni-1 has no Groups in the inventory",
        ),
        (
            "/NetworkInterfaces/0/VpcId",
            "eni-1 has no VpcId in the inventory",
        ),
    ] {
        let mut all = document();
        change(&mut all, at, None);
        let inventory = Inventory::from_files([("all.json", all.to_string().as_bytes())]).unwrap();
        assert!(
            inventory
                .notes()
                .iter()
                .any(|note| note.0.starts_with(says)),
            "{at}: {:#?}",
            inventory.notes()
        );
    }
}
