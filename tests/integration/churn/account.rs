//! An account whose interfaces come and go.

use serde_json::{Value, json};

use crate::world::Dice;

pub(super) const DAY: u64 = 86_400;
pub(super) const START: u64 = 1_760_000_000 / DAY * DAY;
pub(super) const DAYS: u64 = 18;
pub(super) const END: u64 = START + DAYS * DAY;

/// Other people's: an account without an inventory, whose VPC is peered.
pub(super) const OTHER_ACCOUNT: &str = "444455556666";
pub(super) const NAT: &str = "eni-nat";
pub(super) const NAT_ADDRESS: &str = "10.0.9.9";

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ordinary,
    Lambda,
    /// A node with a delegated prefix, in which pods live.
    Node,
}

/// Groups for a time: from, to, and which.
pub(super) type Period = (u64, u64, Vec<&'static str>);

pub(super) struct Interface {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) kind: Kind,
    /// In order, without gaps.
    pub(super) periods: Vec<Period>,
    pub(super) is_logged: bool,
}

impl Interface {
    pub(super) fn from(&self) -> u64 {
        self.periods[0].0
    }

    pub(super) fn to(&self) -> u64 {
        self.periods.last().unwrap().1
    }

    pub(super) fn is_there(&self, time: u64) -> bool {
        self.from() <= time && time < self.to()
    }

    pub(super) fn groups_at(&self, time: u64) -> &[&'static str] {
        let period = self
            .periods
            .iter()
            .find(|(from, to, _)| (*from..*to).contains(&time));
        period.map_or(&[], |(_, _, groups)| groups)
    }

    /// An address of a pod, or its own.
    pub(super) fn source(&self, dice: &mut Dice) -> String {
        if self.kind == Kind::Node && dice.percent(60) {
            let base = self.address.rsplit_once('.').unwrap().0;
            let start = 16
                * self
                    .address
                    .rsplit_once('.')
                    .unwrap()
                    .1
                    .parse::<u64>()
                    .unwrap()
                % 240;
            return format!("{base}.{}", start + dice.between(0, 15));
        }
        self.address.clone()
    }

    fn prefix(&self) -> Option<String> {
        let (base, own) = self.address.rsplit_once('.').unwrap();
        (self.kind == Kind::Node)
            .then(|| format!("{base}.{}/28", 16 * own.parse::<u64>().unwrap() % 240))
    }
}

/// An ingress rule: group, protocol, port, and who.
pub(super) struct Ingress {
    pub(super) group: &'static str,
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    pub(super) from: From,
}

#[derive(Clone, Copy)]
pub(super) enum From {
    Group(&'static str),
    OtherAccount,
    Cidr(&'static str),
}

pub(super) struct Account {
    pub(super) interfaces: Vec<Interface>,
    pub(super) rules: Vec<Ingress>,
    pub(super) groups: Vec<&'static str>,
}

const GROUPS: [&str; 8] = [
    "sg-web",
    "sg-app",
    "sg-db",
    "sg-cache",
    "sg-worker",
    "sg-batch",
    "sg-nodes",
    "sg-fn",
];

/// Who admits whom.
fn rules(dice: &mut Dice) -> Vec<Ingress> {
    let by = |group, port, from| Ingress {
        group,
        protocol: "tcp",
        port,
        from,
    };
    let mut rules = vec![
        by("sg-web", 443, From::Cidr("0.0.0.0/0")),
        by("sg-app", 8080, From::Group("sg-web")),
        by("sg-db", 3306, From::Group("sg-app")),
        by("sg-db", 3306, From::Group("sg-fn")),
        by("sg-db", 3306, From::OtherAccount),
        by("sg-cache", 6379, From::Group("sg-app")),
        by("sg-cache", 6379, From::Group("sg-nodes")),
        by("sg-app", 9100, From::Cidr("10.0.0.0/16")),
    ];
    // Who may ping: everybody, or nobody but one side.
    // A function is never asked.
    for group in GROUPS.into_iter().filter(|group| *group != "sg-fn") {
        if dice.percent(50) {
            rules.push(Ingress {
                group,
                protocol: "icmp",
                port: 0,
                from: From::Cidr("10.0.0.0/16"),
            });
        }
        if dice.percent(30) {
            rules.push(Ingress {
                group,
                protocol: "132",
                port: 0,
                from: From::Cidr("10.0.0.0/16"),
            });
        }
    }
    rules
}

impl Account {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let mut all: Vec<Interface> = Vec::new();
        let is_logged_there = !dice.percent(25);
        let mut number = 0;
        let mut add = |dice: &mut Dice, kind, address: String, periods, is_logged: bool| {
            number += 1;
            // Ids in no order of time.
            let id = format!(
                "eni-{:017x}",
                (dice.roll() << 8 | number) & 0xff_ffff_ffff_ffff
            );
            all.push(Interface {
                id,
                address,
                kind,
                periods,
                is_logged,
            });
        };
        // Before the logs and beyond them.
        let always = |groups: Vec<&'static str>| vec![(START - 5 * DAY, u64::MAX, groups)];
        for (group, subnet, logged) in [("sg-db", 5, is_logged_there), ("sg-cache", 4, true)] {
            for host in 10..10 + dice.between(1, 2) {
                add(
                    dice,
                    Kind::Ordinary,
                    format!("10.0.{subnet}.{host}"),
                    always(vec![group]),
                    logged,
                );
            }
        }
        add(
            dice,
            Kind::Lambda,
            "10.0.4.50".to_owned(),
            always(vec!["sg-fn"]),
            true,
        );
        for host in 3..3 + dice.between(1, 2) {
            add(
                dice,
                Kind::Node,
                format!("10.0.6.{host}"),
                always(vec!["sg-nodes"]),
                true,
            );
        }
        // Autoscaled: the same few addresses, by turns, whatever the group.
        for slot in 0..dice.between(5, 8) {
            let address = format!("10.0.{}.{}", 1 + slot % 2, 20 + slot);
            let mut time = START - dice.between(0, DAY);
            let mut group = *dice.pick(&["sg-web", "sg-app", "sg-worker"]);
            while time < END {
                let end = time + dice.between(DAY, 5 * DAY);
                let end = if end >= END { u64::MAX } else { end };
                add(
                    dice,
                    Kind::Ordinary,
                    address.clone(),
                    vec![(time, end, vec![group])],
                    true,
                );
                time = end.saturating_add(dice.between(1200, 20_000));
                if dice.percent(40) {
                    group = *dice.pick(&["sg-web", "sg-app", "sg-worker"]);
                }
            }
        }
        // One that is given another group amid the window.
        if dice.percent(70) {
            let change = START + dice.between(2, DAYS - 3) * DAY + dice.between(0, DAY / 2);
            let periods = vec![
                (START - DAY, change, vec!["sg-worker"]),
                (change, u64::MAX, vec!["sg-batch"]),
            ];
            add(dice, Kind::Ordinary, "10.0.2.200".to_owned(), periods, true);
        }
        let rules = rules(dice);
        Self {
            interfaces: all,
            rules,
            groups: GROUPS.to_vec(),
        }
    }

    /// Whether a group has a rule for a protocol.
    pub(super) fn admits(&self, group: &str, protocol: &str) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| rule.protocol == protocol && rule.group == group)
    }

    /// The interfaces of a group that are there.
    pub(super) fn members(&self, group: &str, time: u64) -> Vec<usize> {
        let carries = |i: &Interface| i.groups_at(time).contains(&group);
        (0..self.interfaces.len())
            .filter(|&i| carries(&self.interfaces[i]))
            .collect()
    }

    /// The snapshot at the end, with the whole trail or without.
    pub(super) fn inventory(&self, with_history: bool) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(|group| self.group(group)).collect();
        let there = self.interfaces.iter().filter(|i| i.is_there(END));
        let mut interfaces: Vec<Value> = there.map(described).collect();
        interfaces.push(json!({"NetworkInterfaceId": NAT, "InterfaceType": "nat_gateway", "VpcId": "vpc-1", "SubnetId": "subnet-9", "PrivateIpAddress": NAT_ADDRESS, "Groups": [],
            "Association": {"PublicIp": "198.51.100.9"}}));
        let mut inventory = json!({
            "SecurityGroups": groups, "NetworkInterfaces": interfaces,
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"},
                "RequesterVpcInfo": {"VpcId": "vpc-1", "OwnerId": "111122223333", "CidrBlock": "10.0.0.0/16"},
                "AccepterVpcInfo": {"VpcId": "vpc-9", "OwnerId": OTHER_ACCOUNT, "CidrBlock": "172.31.0.0/16"}}],
        });
        if with_history {
            let records = self
                .interfaces
                .iter()
                .enumerate()
                .flat_map(|(n, i)| life(n, i));
            inventory["Records"] = records.collect();
        }
        inventory
    }

    fn group(&self, id: &str) -> Value {
        let own = self.rules.iter().filter(|rule| rule.group == id);
        let ingress: Vec<Value> = own
            .map(|rule| {
                let (from, to) = if rule.protocol == "icmp" { (-1, -1) } else { (i64::from(rule.port), i64::from(rule.port)) };
                let mut permission = json!({"IpProtocol": rule.protocol});
                if rule.protocol != "132" {
                    permission["FromPort"] = from.into();
                    permission["ToPort"] = to.into();
                }
                match rule.from {
                    From::Group(group) => permission["UserIdGroupPairs"] = json!([{"GroupId": group, "UserId": "111122223333"}]),
                    From::OtherAccount => {
                        permission["UserIdGroupPairs"] = json!([{"GroupId": "sg-0other", "UserId": OTHER_ACCOUNT, "VpcId": "vpc-9",
                            "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}]);
                    }
                    From::Cidr(cidr) => permission["IpRanges"] = json!([{ "CidrIp": cidr }]),
                }
                permission
            })
            .collect();
        json!({"GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "111122223333", "IpPermissions": ingress,
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
    }
}

fn described(interface: &Interface) -> Value {
    let groups = interface
        .groups_at(END)
        .iter()
        .map(|id| json!({"GroupId": id}));
    let kind = if interface.kind == Kind::Lambda {
        "lambda"
    } else {
        "interface"
    };
    let prefixes: Vec<Value> = interface
        .prefix()
        .iter()
        .map(|p| json!({"Ipv4Prefix": p}))
        .collect();
    json!({"NetworkInterfaceId": interface.id, "InterfaceType": kind, "VpcId": "vpc-1", "SubnetId": "subnet-1",
        "PrivateIpAddress": interface.address, "Ipv4Prefixes": prefixes, "Groups": groups.collect::<Vec<Value>>()})
}

/// The records of one interface's life, in the shapes of real trails: an instance that ends, or an interface made by itself.
fn life(number: usize, interface: &Interface) -> Vec<Value> {
    let time = |at: u64| {
        jiff::Timestamp::from_second(i64::try_from(at).unwrap())
            .unwrap()
            .to_string()
    };
    let record = |name: &str, at: u64, request: Value, response: Value| {
        json!({"eventName": name, "eventTime": time(at), "eventID": format!("{name}-{}-{at}", interface.id), "awsRegion": "us-east-1",
            "userIdentity": {"type": "AssumedRole", "invokedBy": "autoscaling.amazonaws.com"}, "requestParameters": request, "responseElements": response})
    };
    let set = |groups: &[&str]| -> Value {
        json!({"items": groups.iter().map(|id| json!({"groupId": id})).collect::<Vec<Value>>()})
    };
    let groups = set(&interface.periods[0].2);
    let mut made = json!({"networkInterfaceId": interface.id, "subnetId": "subnet-1", "vpcId": "vpc-1", "privateIpAddress": interface.address,
        "interfaceType": "interface", "groupSet": groups, "privateIpAddressesSet": {"item": [{"privateIpAddress": interface.address, "primary": true}]}, "ipv6AddressesSet": {}});
    let instance = format!("i-{number}");
    let named = json!({"instancesSet": {"items": [{"instanceId": instance}]}});
    let of_instance = !number.is_multiple_of(3);
    let mut records = Vec::new();
    if of_instance {
        made["attachment"] = json!({"deviceIndex": 0, "deleteOnTermination": true});
        let instances = json!({"groupSet": {}, "instancesSet": {"items": [{"instanceId": instance, "networkInterfaceSet": {"items": [made]}}]}});
        records.push(record(
            "RunInstances",
            interface.from(),
            json!({}),
            instances,
        ));
    } else {
        records.push(record(
            "CreateNetworkInterface",
            interface.from(),
            json!({}),
            json!({ "networkInterface": made }),
        ));
    }
    for (from, _, groups) in &interface.periods[1..] {
        let request = json!({"networkInterfaceId": interface.id, "groupSet": set(groups)});
        records.push(record(
            "ModifyNetworkInterfaceAttribute",
            *from,
            request,
            json!({"_return": true}),
        ));
    }
    if interface.to() != u64::MAX {
        records.push(if of_instance {
            record("TerminateInstances", interface.to(), named.clone(), named)
        } else {
            record(
                "DeleteNetworkInterface",
                interface.to(),
                json!({"networkInterfaceId": interface.id}),
                json!({"_return": true}),
            )
        });
    }
    records
}
