//! A random account.

use serde_json::{Value, json};

use super::Dice;

/// A service that some groups use of another.
pub(super) struct Service {
    pub(super) clients: usize,
    pub(super) servers: usize,
    pub(super) protocol: u8,
    pub(super) port: u16,
}

/// One interface: a tier, and perhaps shared groups.
pub(super) struct Interface {
    pub(super) id: String,
    pub(super) address: [u8; 4],
    pub(super) vpc: usize,
    pub(super) tier: usize,
    shared: Vec<usize>,
    pub(super) lambda: bool,
    /// An interface endpoint: everybody's server, nobody's client.
    endpoint: bool,
}

impl Interface {
    /// `InterfaceType`.
    const fn kind(&self) -> &'static str {
        if self.lambda {
            "lambda"
        } else if self.endpoint {
            "vpc_endpoint"
        } else {
            "interface"
        }
    }

    /// Whether it opens connections.
    pub(super) const fn asks(&self) -> bool {
        !self.endpoint
    }
}

/// A group: a tier's own, or one that is shared.
struct Group {
    vpc: usize,
    ingress: Vec<Value>,
    open: bool,
}

/// How two VPCs are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    Peered,
    PeeredAcrossRegions,
    TransitGateway,
}

pub(super) struct Network {
    groups: Vec<Group>,
    pub(super) tiers: usize,
    pub(super) interfaces: Vec<Interface>,
    pub(super) services: Vec<Service>,
    /// Tiers that the world may reach, with the port.
    pub(super) public: Vec<(usize, u16)>,
    joined: Joined,
}

/// Protocol and port: well known, registered, where clients' ports begin, and UDP.
const SERVICES: &[(u8, u16)] = &[
    (6, 80),
    (6, 443),
    (6, 3306),
    (6, 5432),
    (6, 6379),
    (6, 8080),
    (6, 9200),
    (6, 33060),
    (6, 50051),
    (6, 61616),
    (17, 123),
    (17, 514),
    (17, 8125),
    (6, 22),
    (6, 27017),
    (6, 2049),
    (6, 111),
    (17, 500),
];

impl Network {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let vpcs = if dice.percent(40) { 2 } else { 1 };
        let tiers = usize::try_from(dice.between(3, 7)).unwrap();
        let shared = usize::try_from(dice.between(0, 2)).unwrap();
        let mut groups: Vec<Group> = (0..tiers + shared)
            .map(|n| Group {
                vpc: usize::from(vpcs == 2 && n % 4 == 3 && n < tiers),
                ingress: Vec::new(),
                open: dice.percent(90),
            })
            .collect();
        let mut interfaces = Vec::new();
        for (tier, group) in groups.iter().enumerate().take(tiers) {
            let lambda = dice.percent(15);
            let endpoint = !lambda && tier > 0 && group.vpc == 0 && dice.percent(20);
            for _ in 0..dice.between(1, 4) {
                let number = u8::try_from(interfaces.len() + 10).unwrap();
                let vpc = group.vpc;
                // Shared groups stay inside the first VPC.
                let shared = (tiers..tiers + shared)
                    .filter(|_| vpc == 0 && !lambda && !endpoint && dice.percent(60))
                    .collect();
                interfaces.push(Interface {
                    id: format!("eni-{number:08x}"),
                    address: [
                        10,
                        u8::try_from(vpc).unwrap(),
                        u8::try_from(tier).unwrap(),
                        number,
                    ],
                    vpc,
                    tier,
                    shared,
                    lambda,
                    endpoint,
                });
            }
        }
        let joined = match dice.between(1, 10) {
            1..=5 => Joined::Peered,
            6..=7 => Joined::PeeredAcrossRegions,
            _ => Joined::TransitGateway,
        };
        let mut network = Self {
            groups: Vec::new(),
            tiers,
            interfaces,
            services: Vec::new(),
            public: Vec::new(),
            joined,
        };
        network.offer(&mut groups, dice);
        network.groups = groups;
        network
    }

    fn offer(&mut self, groups: &mut [Group], dice: &mut Dice) {
        for _ in 0..dice.between(3, 8) {
            let (clients, servers) = (
                self.party(groups.len(), dice),
                self.party(groups.len(), dice),
            );
            let &(protocol, port) = if self.members(servers).any(|i| i.endpoint) {
                &(6, 443)
            } else {
                dice.pick(SERVICES)
            };
            if self.members(clients).any(|i| i.endpoint) {
                continue;
            }
            if clients == servers || self.is_lambda(servers) || !groups[clients].open {
                continue;
            }
            // The same service both ways between two tiers has no truth to find, and
            // with one port on both sides neither have two listeners.
            let symmetric = protocol == 17 && matches!(port, 123 | 500 | 514);
            let shared = |s: &Service| s.clients.max(s.servers) >= self.tiers;
            let overlap = clients.max(servers) >= self.tiers;
            let undecidable = |s: &Service| {
                let both_ways = s.clients == servers && s.servers == clients;
                s.port == port && (symmetric || both_ways || overlap || shared(s))
            };
            if symmetric && overlap {
                continue;
            }
            if self.services.iter().any(undecidable) {
                continue;
            }
            // Across a transit gateway an ingress rule may name a group, an egress rule not.
            let by_name = groups[clients].vpc == groups[servers].vpc
                || matches!(self.joined, Joined::Peered | Joined::TransitGateway);
            let mut rule = json!({"IpProtocol": if protocol == 6 { "tcp" } else { "udp" }, "FromPort": port, "ToPort": port});
            if by_name && dice.percent(60) {
                rule["UserIdGroupPairs"] = json!([{"GroupId": group_id(clients)}]);
            } else {
                let block = if dice.percent(50) && clients < self.tiers {
                    format!("10.{}.{clients}.0/24", groups[clients].vpc)
                } else {
                    "10.0.0.0/8".to_owned()
                };
                rule["IpRanges"] = json!([{"CidrIp": block}]);
            }
            groups[servers].ingress.push(rule);
            self.services.push(Service {
                clients,
                servers,
                protocol,
                port,
            });
        }
        if !self.is_lambda(0) {
            let port = if dice.percent(80) { 443 } else { 8443 };
            groups[0].ingress.push(json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}));
            self.public.push((0, port));
        }
    }

    /// A group that opens or answers something: mostly a tier's own, sometimes one
    /// that several tiers share.
    fn party(&self, groups: usize, dice: &mut Dice) -> usize {
        if groups > self.tiers && dice.percent(25) {
            self.tiers + dice.index(groups - self.tiers)
        } else {
            dice.index(self.tiers)
        }
    }

    fn is_lambda(&self, group: usize) -> bool {
        self.members(group).any(|i| i.lambda)
    }

    /// The interfaces that carry a group.
    pub(super) fn members(&self, group: usize) -> impl Iterator<Item = &Interface> {
        self.interfaces
            .iter()
            .filter(move |i| i.tier == group || i.shared.contains(&group))
    }

    /// Whether any of the interface's groups lets everything out.
    pub(super) fn is_open(&self, interface: &Interface) -> bool {
        self.groups[interface.tier].open || interface.shared.iter().any(|&g| self.groups[g].open)
    }

    /// Whether anything of the responder's ingress names this port.
    pub(super) fn offers(&self, interface: &Interface, port: u16) -> bool {
        std::iter::once(&interface.tier)
            .chain(&interface.shared)
            .flat_map(|&group| &self.groups[group].ingress)
            .any(|rule| rule["FromPort"] == port)
    }

    pub(super) fn inventory(&self) -> Value {
        let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        let groups: Vec<Value> = self
            .groups
            .iter()
            .enumerate()
            .map(|(n, group)| {
                json!({"GroupId": group_id(n), "GroupName": if n < self.tiers { format!("tier-{n}") } else { format!("shared-{n}") },
                    "VpcId": format!("vpc-{}", group.vpc), "OwnerId": "111122223333", "IpPermissions": group.ingress,
                    "IpPermissionsEgress": if group.open { open.clone() } else { json!([]) }})
            })
            .collect();
        let mut interfaces: Vec<Value> = self
            .interfaces
            .iter()
            .map(|i| {
                let groups: Vec<Value> = std::iter::once(&i.tier).chain(&i.shared).map(|&g| json!({"GroupId": group_id(g)})).collect();
                json!({"NetworkInterfaceId": i.id, "InterfaceType": i.kind(), "VpcId": format!("vpc-{}", i.vpc),
                    "SubnetId": format!("subnet-{}-{}", i.vpc, i.tier), "PrivateIpAddress": text(i.address), "Groups": groups})
            })
            .collect();
        interfaces.push(json!({"NetworkInterfaceId": NAT, "InterfaceType": "nat_gateway", "VpcId": "vpc-0", "PrivateIpAddress": "10.0.99.99", "Groups": []}));
        let mut inventory = json!({"SecurityGroups": groups, "NetworkInterfaces": interfaces,
            "PrefixLists": [{"PrefixListId": "pl-00000001", "PrefixListName": "com.amazonaws.us-east-1.s3", "OwnerId": "AWS", "Cidrs": ["52.216.0.0/15"]}],
            "VpcEndpoints": [{"VpcEndpointType": "Gateway", "VpcId": "vpc-0", "ServiceName": "com.amazonaws.us-east-1.s3", "State": "available"}]});
        let support = json!({"SecurityGroupReferencingSupport": "enable"});
        let peering = |far: &str| json!([{"Status": {"Code": "active"}, "RequesterVpcInfo": {"VpcId": "vpc-0", "Region": "us-east-1"}, "AccepterVpcInfo": {"VpcId": "vpc-1", "Region": far}}]);
        match self.joined {
            Joined::Peered => inventory["VpcPeeringConnections"] = peering("us-east-1"),
            Joined::PeeredAcrossRegions => {
                inventory["VpcPeeringConnections"] = peering("eu-west-1");
            }
            Joined::TransitGateway => {
                inventory["TransitGateways"] =
                    json!([{"TransitGatewayId": "tgw-1", "Options": support}]);
                inventory["TransitGatewayVpcAttachments"] = ["vpc-0", "vpc-1"]
                    .map(|vpc| json!({"TransitGatewayId": "tgw-1", "VpcId": vpc, "State": "available", "Options": support}))
                    .into();
            }
        }
        inventory
    }
}

/// The NAT gateway's interface and address.
pub(super) const NAT: &str = "eni-0000000000000099";
pub(super) const NAT_ADDRESS: [u8; 4] = [10, 0, 99, 99];

fn group_id(number: usize) -> String {
    format!("sg-{number:08x}")
}

pub(super) fn text(address: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}
