//! Every way the AWS CLI writes an account down.

use std::net::IpAddr;

use closegate::inventory::{InterfaceKind, Inventory, Keeper, RulePorts, RuleProtocol, Target};
use closegate::net::PortRange;

use crate::common::sample;

fn load(files: &[(&str, &str)]) -> Inventory {
    Inventory::from_files(files.iter().map(|(name, text)| (*name, text.as_bytes()))).unwrap()
}

const GROUPS: &str = r#"{"SecurityGroups":[{"GroupId":"sg-1","GroupName":"app","VpcId":"vpc-1","OwnerId":"111122223333",
  "IpPermissions":[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"10.1.2.3/8","Description":"x"}],"UserIdGroupPairs":[{"GroupId":"sg-1","UserId":"1"}]},
                   {"IpProtocol":"icmp","FromPort":8,"ToPort":-1,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]},
                   {"IpProtocol":"58","Ipv6Ranges":[{"CidrIpv6":"::/0"}]},
                   {"IpProtocol":"50","IpRanges":[{"CidrIp":"192.0.2.0/24"}]}],
  "IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}],"Ipv6Ranges":[],"PrefixListIds":[{"PrefixListId":"pl-00000001"}],"UserIdGroupPairs":null}]}]}"#;

const INTERFACES: &str = r#"{"NetworkInterfaces":[
  {"NetworkInterfaceId":"eni-2","InterfaceType":"natGateway","VpcId":"vpc-1","SubnetId":"subnet-1","PrivateIpAddress":"10.0.0.99","Groups":[]},
  {"NetworkInterfaceId":"eni-1","InterfaceType":"something-new","VpcId":"vpc-1","SubnetId":"subnet-1","AvailabilityZone":"us-gov-west-1b","PrivateIpAddress":"10.0.0.10",
   "PrivateIpAddresses":[{"PrivateIpAddress":"10.0.0.11","Primary":false},{"PrivateIpAddress":"10.0.0.10","Primary":true,"Association":{"PublicIp":"203.0.113.1"}}],
   "Ipv4Prefixes":[{"Ipv4Prefix":"10.0.0.32/28"}],"Ipv6Addresses":[{"Ipv6Address":"2001:db8::1"}],"Groups":[{"GroupId":"sg-1"},{"GroupId":"sg-gone","GroupName":"gone"}],
   "Attachment":{"InstanceId":"i-1"},"TagSet":[{"Key":"Name","Value":"front"}]}]}"#;

#[test]
fn one_rule_per_target_with_the_traps_of_the_api() {
    let rules = r#"{"SecurityGroupRules":[
      {"SecurityGroupRuleId":"sgr-1","GroupId":"sg-1","IsEgress":true,"IpProtocol":"-1","FromPort":-1,"ToPort":-1,"CidrIpv4":"0.0.0.0/0"},
      {"SecurityGroupRuleId":"sgr-2","GroupId":"sg-1","IsEgress":false,"IpProtocol":"tcp","FromPort":22,"ToPort":22,"ReferencedGroupInfo":{"GroupId":"sg-1"}}]}"#;
    let inventory = load(&[("a", GROUPS), ("b", INTERFACES), ("c", rules)]);
    let group = &inventory.groups()[0];
    assert_eq!(group.rules.len(), 7, "{:#?}", group.rules);
    let open = group
        .rules
        .iter()
        .find(|r| r.to_everyone() && r.every_port())
        .unwrap();
    assert_eq!(
        open.rule_id.as_deref(),
        Some("sgr-1"),
        "-1 without ports is the same as -1 with -1/-1"
    );
    let ssh: Vec<_> = group
        .rules
        .iter()
        .filter(|r| r.ports == RulePorts::Ports(PortRange::single(22)))
        .collect();
    assert_eq!(ssh.len(), 2);
    assert!(
        ssh.iter()
            .any(|r| r.target == Target::Cidr("10.0.0.0/8".parse().unwrap())),
        "host bits are dropped"
    );
    assert!(ssh.iter().any(|r| r.rule_id.as_deref() == Some("sgr-2")));
    assert!(group.rules.iter().any(|r| r.ports
        == RulePorts::Icmp {
            kind: Some(8),
            code: None
        }));
    assert!(
        group
            .rules
            .iter()
            .any(|r| r.ports == RulePorts::Any && r.protocol != RuleProtocol::All)
    );
}

#[test]
fn interfaces_with_everything_they_can_have() {
    let inventory = load(&[("a", GROUPS), ("b", INTERFACES)]);
    let front = inventory.interface(inventory.interface_by_id("eni-1").unwrap());
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(
        front.addresses[0],
        address("10.0.0.10"),
        "the primary address first"
    );
    assert!(
        front.holds(address("10.0.0.11"))
            && front.holds(address("10.0.0.40"))
            && front.holds(address("2001:db8::1"))
    );
    assert_eq!(
        (front.kind, front.region.as_str(), front.label.as_str()),
        (InterfaceKind::Ordinary, "us-gov-west-1", "front")
    );
    assert_eq!(front.groups.len(), 2);
    let nat = inventory.interface(inventory.interface_by_id("eni-2").unwrap());
    assert_eq!(nat.kind, InterfaceKind::NatGateway, "the SDK's spelling");
    assert_eq!(
        inventory.interface_at(address("10.0.0.40"), Some("vpc-1"), (0, 0)),
        inventory.interface_by_id("eni-1")
    );
    assert_eq!(
        inventory.interface_with_public(address("203.0.113.1")),
        inventory.interface_by_id("eni-1")
    );
    let gone = inventory.group(inventory.group_by_id("sg-gone").unwrap());
    assert!(
        !gone.known,
        "nothing is known of a group that only an interface mentions"
    );
    assert!(inventory.notes().iter().any(|n| n.0.contains("sg-gone")));
    assert!(
        inventory
            .notes()
            .iter()
            .any(|n| n.0.contains("no PrefixLists")),
        "what is missing is said, with its cost"
    );
}

#[test]
fn pages_accounts_and_appended_files_lie_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("account-2/eu-west-1");
    std::fs::create_dir_all(&other).unwrap();
    let second = r#"{"SecurityGroups":[{"GroupId":"sg-0","GroupName":"other","VpcId":"vpc-9"}]} {"SecurityGroups":[{"GroupId":"sg-2","VpcId":"vpc-9"}]}"#;
    std::fs::write(dir.path().join("whatever.json"), GROUPS).unwrap();
    std::fs::write(dir.path().join("page-without-suffix"), INTERFACES).unwrap();
    std::fs::write(dir.path().join("README.md"), "not JSON").unwrap();
    std::fs::write(other.join("groups.json"), second).unwrap();
    let inventory = Inventory::load(dir.path()).unwrap();
    let ids: Vec<&str> = inventory.groups().iter().map(|g| g.id.as_str()).collect();
    assert_eq!(ids, ["sg-0", "sg-1", "sg-2", "sg-gone"]);
    assert_eq!(inventory.groups()[2].name, "sg-2", "without a name, the id");
}

#[test]
fn prefix_lists_get_their_entries_and_their_endpoints() {
    let lists = r#"{"PrefixLists":[{"PrefixListId":"pl-00000001","PrefixListName":"com.amazonaws.us-east-1.s3","OwnerId":"AWS"},
      {"PrefixListId":"pl-00000002","PrefixListName":"offices","OwnerId":"111122223333"},
      {"PrefixListId":"pl-00000003","PrefixListName":"com.amazonaws.us-east-1.dynamodb","Cidrs":["192.0.2.0/24"]}]}"#;
    let endpoints = r#"{"VpcEndpoints":[{"VpcEndpointId":"vpce-1","VpcEndpointType":"Gateway","VpcId":"vpc-1","ServiceName":"com.amazonaws.us-east-1.s3","State":"Available"}]}"#;
    let inventory = load(&[
        ("a", GROUPS),
        ("b", INTERFACES),
        ("c", lists),
        ("d", endpoints),
        (
            "entries-pl-00000001.json",
            r#"{"Entries":[{"Cidr":"198.51.100.0/24"}]}"#,
        ),
        (
            "e.json",
            r#"{"PrefixListId":"pl-00000002","Entries":[{"Cidr":"203.0.113.0/29"}]}"#,
        ),
        ("f.json", r#"{"Entries":[{"Cidr":"203.0.113.8/29"}]}"#),
    ]);
    let list = |id: &str| inventory.prefix_list(id).unwrap();
    assert_eq!(list("pl-00000001").keeper, Keeper::GatewayEndpoint);
    assert!(
        list("pl-00000001")
            .addresses
            .contains("198.51.100.7".parse().unwrap())
    );
    assert_eq!(
        (
            list("pl-00000002").keeper,
            list("pl-00000002").addresses.count()
        ),
        (Keeper::Customer, 8)
    );
    assert_eq!(
        (
            list("pl-00000003").keeper,
            list("pl-00000003").addresses.count()
        ),
        (Keeper::Aws, 256)
    );
    assert!(
        inventory.notes().iter().any(|n| n.0.contains("f.json")),
        "entries of nobody knows which list"
    );
}

/// Ranges of one service are also under AMAZON and may be under EC2.
#[test]
fn the_most_specific_service_of_an_address() {
    let ranges = r#"{"syncToken":"1","prefixes":[
      {"ip_prefix":"52.216.0.0/15","region":"us-east-1","service":"AMAZON"},
      {"ip_prefix":"52.216.0.0/15","region":"us-east-1","service":"S3"},
      {"ip_prefix":"3.0.0.0/10","region":"us-east-1","service":"EC2"},
      {"ip_prefix":"3.5.0.0/19","region":"us-east-1","service":"S3"},
      {"ip_prefix":"3.5.0.0/24","region":"us-east-1","service":"AMAZON"}],
      "ipv6_prefixes":[{"ipv6_prefix":"2600:1f18::/33","region":"us-east-1","service":"EC2"}]}"#;
    let inventory = load(&[("a", GROUPS), ("b", INTERFACES), ("ip-ranges.json", ranges)]);
    let service = |text: &str| inventory.service_of(text.parse().unwrap());
    assert_eq!(service("52.216.1.1"), Some("S3"));
    assert_eq!(service("3.5.0.1"), Some("S3"));
    assert_eq!(service("3.9.0.1"), Some("EC2"));
    assert_eq!(service("2600:1f18::1"), Some("EC2"));
    assert_eq!(service("8.8.8.8"), None);
}

/// Without an ip-ranges.json the table that is compiled in answers.
#[test]
fn aws_ranges_are_known_without_a_file() {
    let inventory = load(&[("a", GROUPS), ("b", INTERFACES)]);
    let service = |text: &str| inventory.service_of(text.parse().unwrap());
    assert_eq!(service("52.216.0.1"), Some("S3"));
    assert_eq!(service("52.94.0.1"), Some("DYNAMODB"));
    assert_eq!(service("54.239.28.85"), Some("AMAZON"));
    assert_eq!(service("2600:1fa0:8000::1"), Some("S3"));
    assert_eq!((service("8.8.8.8"), service("10.0.0.1")), (None, None));
}

/// Amazon DNS, instance metadata, the time service and the subnet's router.
#[test]
fn some_addresses_are_never_judged() {
    let inventory = Inventory::load(&sample().join("inventory")).unwrap();
    let web = inventory.interface_by_id("eni-0a1b2c3d4e5f70003").unwrap();
    let never = |text: &str, port| inventory.never_filtered(text.parse().unwrap(), web, port);
    assert!(
        never("169.254.169.254", 80) && never("169.254.169.123", 123) && never("fd00:ec2::254", 80)
    );
    assert!(never("10.20.0.2", 53) && !never("10.20.0.2", 443) && !never("10.30.0.2", 53));
    assert!(never("10.20.10.1", 0) && !never("10.20.11.1", 0));
    assert!(!never("169.254.1.1", 80));
}

/// Overlapping VPCs: the one that asks decides.
#[test]
fn an_address_is_looked_up_where_it_is_seen_from() {
    let groups = r#"{"SecurityGroups":[{"GroupId":"sg-1"}]}"#;
    let interfaces = r#"{"NetworkInterfaces":[
      {"NetworkInterfaceId":"eni-a","VpcId":"vpc-a","PrivateIpAddress":"10.0.0.1"},
      {"NetworkInterfaceId":"eni-b","VpcId":"vpc-b","PrivateIpAddress":"10.0.0.1"}]}"#;
    let peering = r#"{"VpcPeeringConnections":[{"Status":{"Code":"active"},"RequesterVpcInfo":{"VpcId":"vpc-c"},"AccepterVpcInfo":{"VpcId":"vpc-b"}}]}"#;
    let inventory = load(&[("a", groups), ("b", interfaces), ("c", peering)]);
    let at = |vpc| {
        inventory
            .interface_at("10.0.0.1".parse().unwrap(), vpc, (0, 0))
            .map(|ix| inventory.interface(ix).id.clone())
    };
    assert_eq!(at(Some("vpc-a")).as_deref(), Some("eni-a"));
    assert_eq!(
        at(Some("vpc-c")).as_deref(),
        Some("eni-b"),
        "over the peering"
    );
    assert_eq!(at(None), None, "either could be meant");
}

/// Snapshots of two times: what was there then is known, and counts for its time only.
#[test]
fn an_address_belongs_to_the_interface_that_had_it_then() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = |time: u64, interfaces: &[&str]| {
        let place = dir.path().join(format!("at-{time}/111122223333/us-east-1"));
        std::fs::create_dir_all(&place).unwrap();
        let write = |path: std::path::PathBuf, text: String| std::fs::write(path, text).unwrap();
        let listed: Vec<String> = interfaces
            .iter()
            .map(|id| format!(r#"{{"NetworkInterfaceId":"{id}","VpcId":"vpc-1","PrivateIpAddress":"10.0.0.1","Groups":[{{"GroupId":"sg-1"}}]}}"#))
            .collect();
        write(
            place.join("network-interfaces.json"),
            format!(r#"{{"NetworkInterfaces":[{}]}}"#, listed.join(",")),
        );
        write(place.join("security-groups.json"), GROUPS.to_owned());
        write(
            dir.path().join(format!("at-{time}/manifest.json")),
            format!(
                r#"{{"collected_at":{time},"refused":[{{"account":"1","region":"r","operation":"DescribeVpcs","code":"No","cost":"dear"}}]}}"#
            ),
        );
    };
    snapshot(1000, &["eni-old"]);
    snapshot(2000, &["eni-old"]);
    snapshot(3000, &["eni-new"]);
    let inventory = Inventory::load(dir.path()).unwrap();
    let at = |first, last| {
        let found =
            inventory.interface_at("10.0.0.1".parse().unwrap(), Some("vpc-1"), (first, last));
        found.map(|ix| inventory.interface(ix).id.clone())
    };
    assert_eq!(at(500, 1500).as_deref(), Some("eni-old"));
    assert_eq!(at(3000, 4000).as_deref(), Some("eni-new"));
    assert_eq!(at(2500, 2600), None, "either may have had it");
    assert!(
        inventory.interface_by_id("eni-old").is_some(),
        "rows name it"
    );
    let members = &inventory.groups()[0].members;
    assert_eq!(members.len(), 1, "what is gone is no member");
    assert!(
        inventory
            .notes()
            .iter()
            .any(|n| n.0 == "DescribeVpcs was refused in 1 r (No): dear")
    );
}
