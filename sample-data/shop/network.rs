//! The account: two peered VPCs, their groups and interfaces.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const SHOP: &str = "vpc-0a1b2c3d4e5f60001";
pub(crate) const ANALYTICS: &str = "vpc-0a1b2c3d4e5f60002";
const PEERING: &str = "pcx-0a1b2c3d4e5f60003";
const S3_LIST: &str = "pl-63a5400a";
const S3_NAME: &str = "com.amazonaws.us-east-1.s3";

/// Two of the prefixes AWS publishes for S3 in us-east-1.
const S3_PREFIXES: [&str; 2] = ["52.216.0.0/15", "54.231.0.0/16"];

/// A rule: protocol, ports, target. A target is a prefix, the id of a prefix list or of a group, or a group's handle.
pub(crate) type Rule = (&'static str, i64, i64, &'static str);

/// One security group of the first week, with its rules.
struct Group {
    name: &'static str,
    vpc: &'static str,
    description: &'static str,
    ingress: &'static [Rule],
    egress: &'static [Rule],
}

/// Open egress.
pub(crate) const EVERYTHING: Rule = ("-1", -1, -1, "0.0.0.0/0");

const OPEN: &[Rule] = &[EVERYTHING];

/// The groups as a team would have left them: careful ingress, egress as AWS made it.
const GROUPS: &[Group] = &[
    Group {
        name: "load-balancer",
        vpc: SHOP,
        description: "Public entrance",
        ingress: &[("tcp", 443, 443, "0.0.0.0/0")],
        egress: OPEN,
    },
    Group {
        name: "web",
        vpc: SHOP,
        description: "Web servers",
        ingress: &[
            ("tcp", 80, 80, "load-balancer"),
            ("tcp", 22, 22, "bastion"),
            ("icmp", -1, -1, "bastion"),
        ],
        egress: OPEN,
    },
    Group {
        name: "db",
        vpc: SHOP,
        description: "MySQL",
        ingress: &[
            ("tcp", 3306, 3306, "web"),
            ("tcp", 3306, 3306, "bastion"),
            ("tcp", 3306, 3306, "order-mailer"),
            ("tcp", 3306, 3306, "reports"),
        ],
        egress: OPEN,
    },
    Group {
        name: "cache",
        vpc: SHOP,
        description: "Redis",
        ingress: &[("tcp", 6379, 6379, "10.20.10.0/23")],
        egress: OPEN,
    },
    Group {
        name: "bastion",
        vpc: SHOP,
        description: "SSH from the office",
        ingress: &[("tcp", 22, 22, "198.51.100.0/28")],
        egress: OPEN,
    },
    Group {
        name: "order-mailer",
        vpc: SHOP,
        description: "Lambda: mails receipts",
        ingress: &[],
        egress: OPEN,
    },
    Group {
        name: "reports",
        vpc: SHOP,
        description: "Nightly reports",
        ingress: &[("tcp", 50051, 50051, "web")],
        egress: OPEN,
    },
    Group {
        name: "endpoints",
        vpc: SHOP,
        description: "Interface endpoints",
        ingress: &[("tcp", 443, 443, "10.20.0.0/16")],
        egress: &[],
    },
    Group {
        name: "base",
        vpc: SHOP,
        description: "On every instance",
        ingress: &[("tcp", 9100, 9100, "monitoring")],
        egress: OPEN,
    },
    Group {
        name: "monitoring",
        vpc: ANALYTICS,
        description: "Prometheus and StatsD",
        ingress: &[("udp", 8125, 8125, "10.20.0.0/16")],
        egress: OPEN,
    },
    Group {
        name: "warehouse",
        vpc: ANALYTICS,
        description: "PostgreSQL",
        ingress: &[("tcp", 5432, 5432, "10.20.10.0/23")],
        egress: &[],
    },
    Group {
        name: "old-admin",
        vpc: SHOP,
        description: "Nobody remembers",
        ingress: &[("tcp", 22, 22, "10.0.0.0/8")],
        egress: OPEN,
    },
];

/// One network interface.
pub(crate) struct Interface {
    pub name: &'static str,
    pub id: String,
    pub address: Ipv4Addr,
    pub public: Option<Ipv4Addr>,
    pub vpc: &'static str,
    pub kind: &'static str,
    pub description: &'static str,
    /// Handles.
    pub groups: &'static [&'static str],
    pub instance: Option<String>,
}

/// Name, address, public address, kind, description, groups. Instances are those
/// that carry `base`, and the one that watches them.
type Row = (
    &'static str,
    [u8; 4],
    Option<[u8; 4]>,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const INTERFACES: &[Row] = &[
    (
        "lb-a",
        [10, 20, 0, 10],
        Some([203, 0, 113, 10]),
        "interface",
        "ELB app/shop/50dc6c495c0c9188",
        &["load-balancer"],
    ),
    (
        "lb-b",
        [10, 20, 1, 10],
        Some([203, 0, 113, 11]),
        "interface",
        "ELB app/shop/50dc6c495c0c9188",
        &["load-balancer"],
    ),
    (
        "web-1",
        [10, 20, 10, 11],
        None,
        "interface",
        "",
        &["web", "base"],
    ),
    (
        "web-2",
        [10, 20, 10, 12],
        None,
        "interface",
        "",
        &["web", "base"],
    ),
    (
        "web-3",
        [10, 20, 11, 13],
        None,
        "interface",
        "",
        &["web", "base"],
    ),
    (
        "db-1",
        [10, 20, 20, 21],
        None,
        "interface",
        "RDSNetworkInterface",
        &["db"],
    ),
    (
        "db-2",
        [10, 20, 21, 22],
        None,
        "interface",
        "RDSNetworkInterface",
        &["db"],
    ),
    (
        "cache-1",
        [10, 20, 20, 31],
        None,
        "interface",
        "ElastiCache shop-cache",
        &["cache"],
    ),
    (
        "bastion",
        [10, 20, 0, 5],
        Some([203, 0, 113, 5]),
        "interface",
        "",
        &["bastion", "base"],
    ),
    (
        "reports",
        [10, 20, 10, 41],
        None,
        "interface",
        "",
        &["reports", "base"],
    ),
    (
        "mailer",
        [10, 20, 20, 61],
        None,
        "lambda",
        "AWS Lambda VPC ENI-order-mailer-7b0c2d4e",
        &["order-mailer"],
    ),
    (
        "ssm",
        [10, 20, 10, 71],
        None,
        "vpc_endpoint",
        "VPC Endpoint Interface vpce-0a1b2c3d4e5f60010",
        &["endpoints"],
    ),
    (
        "nat",
        [10, 20, 0, 99],
        Some([203, 0, 113, 99]),
        "nat_gateway",
        "Interface for NAT Gateway nat-0a1b2c3d4e5f60020",
        &[],
    ),
    (
        "prometheus",
        [10, 30, 0, 11],
        None,
        "interface",
        "",
        &["monitoring"],
    ),
    (
        "warehouse",
        [10, 30, 0, 21],
        None,
        "interface",
        "RDSNetworkInterface",
        &["warehouse"],
    ),
];

/// One security group of the account.
pub(crate) struct SecurityGroup {
    /// What the tables here call it: groups of two VPCs may have the same name.
    pub handle: &'static str,
    pub name: &'static str,
    pub id: String,
    pub vpc: &'static str,
    pub description: &'static str,
}

/// One rule of the account.
pub(crate) struct SecurityGroupRule {
    id: String,
    /// Its group's handle.
    pub group: &'static str,
    pub is_egress: bool,
    pub rule: Rule,
    description: Option<&'static str>,
}

/// Everything the account has.
pub(crate) struct Network {
    pub groups: Vec<SecurityGroup>,
    pub rules: Vec<SecurityGroupRule>,
    /// How many rules were ever made, for their ids.
    made: usize,
    pub interfaces: Vec<Interface>,
}

impl Network {
    pub(crate) fn shop() -> Self {
        let interfaces = (1..).zip(INTERFACES).map(
            |(number, &(name, address, public, kind, description, groups))| {
                let address = Ipv4Addr::from(address);
                let is_instance = groups.contains(&"base") || groups.contains(&"monitoring");
                Interface {
                    name,
                    id: format!("eni-0a1b2c3d4e5f7{number:04}"),
                    address,
                    public: public.map(Ipv4Addr::from),
                    vpc: if address.octets()[1] == 20 {
                        SHOP
                    } else {
                        ANALYTICS
                    },
                    kind,
                    description,
                    groups,
                    instance: is_instance.then(|| format!("i-0a1b2c3d4e5f8{number:04}")),
                }
            },
        );
        let groups = (1..).zip(GROUPS).map(|(number, group)| SecurityGroup {
            handle: group.name,
            name: group.name,
            id: format!("sg-0a1b2c3d4e5f9{number:04}"),
            vpc: group.vpc,
            description: group.description,
        });
        let mut network = Self {
            groups: groups.collect(),
            rules: Vec::new(),
            made: 0,
            interfaces: interfaces.collect(),
        };
        for group in GROUPS {
            for (is_egress, rules) in [(false, group.ingress), (true, group.egress)] {
                for &rule in rules {
                    network.add(group.name, is_egress, rule, None);
                }
            }
        }
        network
    }

    /// Adds a rule to the group of a handle.
    pub(crate) fn add(
        &mut self,
        group: &'static str,
        is_egress: bool,
        rule: Rule,
        description: Option<&'static str>,
    ) {
        self.made += 1;
        self.rules.push(SecurityGroupRule {
            id: format!("sgr-0a1b2c3d4e5fa{:04}", self.made),
            group,
            is_egress,
            rule,
            description,
        });
    }

    fn group(&self, handle: &str) -> &SecurityGroup {
        self.groups
            .iter()
            .find(|group| group.handle == handle)
            .expect("the tables name groups of this list")
    }

    /// The id of a group that a rule names by its handle, or by the id itself.
    fn group_id<'a>(&'a self, named: &'a str) -> &'a str {
        if named.starts_with("sg-") {
            named
        } else {
            &self.group(named).id
        }
    }

    pub(crate) fn interface(&self, name: &str) -> &Interface {
        self.interfaces
            .iter()
            .find(|i| i.name == name)
            .expect("the story names interfaces of this list")
    }

    pub(crate) fn at(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|i| IpAddr::V4(i.address) == address)
    }

    /// The files of `aws ec2 describe-*`, by name.
    pub(crate) fn inventory(&self) -> Vec<(&'static str, Value)> {
        vec![
            (
                "security-groups",
                json!({"SecurityGroups": self.groups.iter().map(|group| self.described(group)).collect::<Vec<_>>()}),
            ),
            (
                "security-group-rules",
                json!({"SecurityGroupRules": self.rules.iter().map(|rule| self.row(rule)).collect::<Vec<_>>()}),
            ),
            (
                "network-interfaces",
                json!({"NetworkInterfaces": self.interfaces.iter().map(|i| self.attached(i)).collect::<Vec<_>>()}),
            ),
            (
                "vpcs",
                json!({"Vpcs": [vpc(SHOP, "10.20.0.0/16"), vpc(ANALYTICS, "10.30.0.0/16")]}),
            ),
            ("subnets", json!({"Subnets": subnets()})),
            (
                "prefix-lists",
                json!({"PrefixLists": [{"PrefixListId": S3_LIST, "PrefixListName": S3_NAME, "Cidrs": S3_PREFIXES}]}),
            ),
            ("vpc-endpoints", endpoints(self.group_id("endpoints"))),
            ("vpc-peering-connections", peering()),
            (
                "nat-gateways",
                json!({"NatGateways": [{"NatGatewayId": "nat-0a1b2c3d4e5f60020", "State": "available", "ConnectivityType": "public",
                "VpcId": SHOP, "NatGatewayAddresses": [{"NetworkInterfaceId": self.interface("nat").id, "PrivateIp": "10.20.0.99", "PublicIp": "203.0.113.99"}]}]}),
            ),
            ("route-tables", routes()),
            (
                "instances",
                json!({"Reservations": [{"Instances": self.interfaces.iter().filter_map(instance).collect::<Vec<_>>()}]}),
            ),
            (
                "flow-logs",
                json!({"FlowLogs": [
                    {"FlowLogId": "fl-0a1b2c3d4e5f60030", "ResourceId": SHOP, "TrafficType": "ALL", "FlowLogStatus": "ACTIVE", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::shop-flow-logs/custom", "LogFormat": braced(super::recorder::CUSTOM)},
                    {"FlowLogId": "fl-0a1b2c3d4e5f60031", "ResourceId": SHOP, "TrafficType": "ALL", "FlowLogStatus": "ACTIVE", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::shop-flow-logs/default", "LogFormat": braced(super::recorder::DEFAULT)},
                ]}),
            ),
        ]
    }

    fn described(&self, group: &SecurityGroup) -> Value {
        let permissions = |is_egress: bool| -> Vec<Value> {
            let of_group = |rule: &&SecurityGroupRule| {
                rule.group == group.handle && rule.is_egress == is_egress
            };
            let rules = self.rules.iter().filter(of_group);
            rules.map(|rule| self.permission(rule)).collect()
        };
        json!({
            "GroupId": group.id, "GroupName": group.name, "Description": group.description, "OwnerId": ACCOUNT, "VpcId": group.vpc,
            "IpPermissions": permissions(false), "IpPermissionsEgress": permissions(true), "Tags": [],
        })
    }

    /// describe-security-groups leaves the ports of `-1` out.
    fn permission(&self, rule: &SecurityGroupRule) -> Value {
        let (protocol, from, to, target) = rule.rule;
        let mut value = json!({"IpProtocol": protocol, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []});
        if protocol != "-1" {
            value["FromPort"] = from.into();
            value["ToPort"] = to.into();
        }
        let (list, mut row) = if target.contains('/') {
            ("IpRanges", json!({"CidrIp": target}))
        } else if target.starts_with("pl-") {
            ("PrefixListIds", json!({"PrefixListId": target}))
        } else {
            (
                "UserIdGroupPairs",
                json!({"GroupId": self.group_id(target), "UserId": ACCOUNT}),
            )
        };
        if let Some(description) = rule.description {
            row["Description"] = description.into();
        }
        value[list] = json!([row]);
        value
    }

    /// describe-security-group-rules has -1 for them.
    fn row(&self, rule: &SecurityGroupRule) -> Value {
        let (protocol, from, to, target) = rule.rule;
        let mut row = json!({
            "SecurityGroupRuleId": rule.id, "GroupId": self.group_id(rule.group), "GroupOwnerId": ACCOUNT,
            "IsEgress": rule.is_egress, "IpProtocol": protocol, "FromPort": from, "ToPort": to, "Tags": [],
        });
        if target.contains('/') {
            row["CidrIpv4"] = target.into();
        } else if target.starts_with("pl-") {
            row["PrefixListId"] = target.into();
        } else {
            row["ReferencedGroupInfo"] =
                json!({"GroupId": self.group_id(target), "UserId": ACCOUNT});
        }
        if let Some(description) = rule.description {
            row["Description"] = description.into();
        }
        row
    }

    fn attached(&self, interface: &Interface) -> Value {
        let association = interface
            .public
            .map(|public| json!({"PublicIp": public.to_string(), "IpOwnerId": "amazon"}));
        let mut address =
            json!({"PrivateIpAddress": interface.address.to_string(), "Primary": true});
        if let Some(association) = association {
            address["Association"] = association;
        }
        let groups = interface.groups.iter().map(|handle| self.group(handle));
        let groups: Vec<Value> = groups
            .map(|group| json!({"GroupId": group.id, "GroupName": group.name}))
            .collect();
        let mut value = json!({
            "NetworkInterfaceId": interface.id, "InterfaceType": interface.kind, "Description": interface.description, "Status": "in-use",
            "OwnerId": ACCOUNT, "RequesterManaged": interface.instance.is_none(), "VpcId": interface.vpc, "SubnetId": interface.subnet(),
            "AvailabilityZone": "us-east-1a", "PrivateIpAddress": interface.address.to_string(), "PrivateIpAddresses": [address], "Groups": groups, "TagSet": [],
        });
        if let Some(instance) = &interface.instance {
            value["Attachment"] =
                json!({"InstanceId": instance, "DeviceIndex": 0, "Status": "attached"});
        }
        value
    }
}

fn braced(format: &str) -> String {
    let fields: Vec<String> = format
        .split(' ')
        .map(|field| format!("${{{field}}}"))
        .collect();
    fields.join(" ")
}

impl Interface {
    pub(crate) fn subnet(&self) -> String {
        let [_, b, c, _] = self.address.octets();
        format!("subnet-0a1b2c3d4e5fb{b:02}{c:02}")
    }
}

fn instance(interface: &Interface) -> Option<Value> {
    let id = interface.instance.as_ref()?;
    Some(
        json!({"InstanceId": id, "VpcId": interface.vpc, "State": {"Name": "running"}, "Tags": [{"Key": "Name", "Value": interface.name}]}),
    )
}

fn vpc(id: &str, block: &str) -> Value {
    json!({"VpcId": id, "CidrBlock": block, "CidrBlockAssociationSet": [{"CidrBlock": block, "CidrBlockState": {"State": "associated"}}],
           "OwnerId": ACCOUNT, "IsDefault": false})
}

fn subnets() -> Vec<Value> {
    let mut third: Vec<(u8, u8)> = INTERFACES.iter().map(|row| (row.1[1], row.1[2])).collect();
    third.sort_unstable();
    third.dedup();
    third
        .into_iter()
        .map(|(b, c)| {
            json!({"SubnetId": format!("subnet-0a1b2c3d4e5fb{b:02}{c:02}"), "VpcId": if b == 20 { SHOP } else { ANALYTICS },
                   "CidrBlock": format!("10.{b}.{c}.0/24"), "AvailabilityZone": "us-east-1a"})
        })
        .collect()
}

/// Everything stays inside or goes out by the NAT gateway; S3 has its endpoint.
fn routes() -> Value {
    json!({"RouteTables": [{"RouteTableId": "rtb-0a1b2c3d4e5f60040", "VpcId": SHOP, "Associations": [{"Main": true}], "Routes": [
        {"DestinationCidrBlock": "10.20.0.0/16", "GatewayId": "local", "State": "active"},
        {"DestinationCidrBlock": "10.30.0.0/16", "VpcPeeringConnectionId": PEERING, "State": "active"},
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-0a1b2c3d4e5f60020", "State": "active"},
        {"DestinationPrefixListId": S3_LIST, "GatewayId": "vpce-0a1b2c3d4e5f60011", "State": "active"}]}]})
}

fn endpoints(group: &str) -> Value {
    json!({"VpcEndpoints": [
        {"VpcEndpointId": "vpce-0a1b2c3d4e5f60010", "VpcEndpointType": "Interface", "VpcId": SHOP, "ServiceName": "com.amazonaws.us-east-1.ssm", "State": "available",
         "Groups": [{"GroupId": group, "GroupName": "endpoints"}]},
        {"VpcEndpointId": "vpce-0a1b2c3d4e5f60011", "VpcEndpointType": "Gateway", "VpcId": SHOP, "ServiceName": S3_NAME, "State": "Available", "RouteTableIds": ["rtb-0a1b2c3d4e5f60040"]},
    ]})
}

fn peering() -> Value {
    json!({"VpcPeeringConnections": [{
        "VpcPeeringConnectionId": PEERING, "Status": {"Code": "active"},
        "RequesterVpcInfo": {"VpcId": SHOP, "OwnerId": ACCOUNT, "Region": "us-east-1", "CidrBlock": "10.20.0.0/16"},
        "AccepterVpcInfo": {"VpcId": ANALYTICS, "OwnerId": ACCOUNT, "Region": "us-east-1", "CidrBlock": "10.30.0.0/16"},
    }]})
}
