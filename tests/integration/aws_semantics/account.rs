//! A case's inventory, and its logs in two formats.

use std::fmt::Write as _;
use std::net::IpAddr;

use closegate::inventory::{Direction, Rule, RulePorts, Target};
use serde_json::{Value, json};

use super::case::{Case, End, Interface, Pair, Traffic};
use crate::small::{DAY, START};

/// The formats that every case is run with.
pub(super) const FORMATS: [&str; 2] = [
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags pkt-srcaddr pkt-dstaddr flow-direction",
];

impl Case {
    /// What the `aws ec2 describe-*` commands would print.
    pub(super) fn inventory(&self) -> Value {
        let mut all = json!({
            "SecurityGroups": self.groups.iter().map(|group| json!({
                "GroupId": group.id, "GroupName": group.id, "VpcId": group.vpc, "OwnerId": group.owner,
                "IpPermissions": self.permissions(&group.rules, Direction::Ingress),
                "IpPermissionsEgress": self.permissions(&group.rules, Direction::Egress),
            })).collect::<Vec<Value>>(),
            "NetworkInterfaces": self.interfaces.iter().map(network_interface).collect::<Vec<Value>>(),
            "Vpcs": self.vpcs.iter().map(vpc).collect::<Vec<Value>>(),
            "PrefixLists": self.lists.iter().map(|list| {
                let mut printed = json!({"PrefixListId": list.id, "PrefixListName": list.id, "OwnerId": "111122223333"});
                for (key, value) in &list.options {
                    match key.as_str() {
                        "name" => printed["PrefixListName"] = json!(value),
                        "owner" => printed["OwnerId"] = json!(value),
                        "family" => printed["AddressFamily"] = json!(value),
                        "max" => printed["MaxEntries"] = json!(value.parse::<u64>().unwrap()),
                        other => panic!("`{other}` is no option of a list"),
                    }
                }
                if let Some(entries) = &list.entries {
                    printed["Cidrs"] = json!(entries);
                }
                printed
            }).collect::<Vec<Value>>(),
            "VpcPeeringConnections": self.peerings.iter().map(|peering| {
                let side = |at: usize| json!({
                    "VpcId": peering.vpcs[at], "OwnerId": "111122223333", "Region": peering.regions[at],
                    "CidrBlockSet": self.blocks(&peering.vpcs[at]).iter().filter(|b| !b.contains("::"))
                        .map(|b| json!({"CidrBlock": b})).collect::<Vec<Value>>(),
                });
                json!({
                    "VpcPeeringConnectionId": peering.id, "Status": {"Code": peering.status},
                    "RequesterVpcInfo": side(0), "AccepterVpcInfo": side(1),
                })
            }).collect::<Vec<Value>>(),
            "TransitGateways": self.transits.iter().map(|(id, _, references)| json!({
                "TransitGatewayId": id, "Options": {"SecurityGroupReferencingSupport": support(*references)},
            })).collect::<Vec<Value>>(),
            "TransitGatewayVpcAttachments": self.transits.iter().flat_map(|(id, vpcs, references)| {
                vpcs.iter().map(move |vpc| json!({
                    "TransitGatewayAttachmentId": format!("tgw-attach-{id}-{vpc}"), "TransitGatewayId": id, "VpcId": vpc, "State": "available",
                    "Options": {"SecurityGroupReferencingSupport": support(*references)},
                }))
            }).collect::<Vec<Value>>(),
            "VpcEndpoints": [], "RouteTables": [], "SecurityGroupRules": [],
        });
        for more in &self.more {
            for (key, value) in more.as_object().unwrap() {
                let list = all.as_object_mut().unwrap().entry(key).or_insert(json!([]));
                let list = list.as_array_mut().unwrap();
                list.extend(value.as_array().unwrap().iter().cloned());
            }
        }
        for key in &self.lacking {
            all.as_object_mut().unwrap().remove(key).unwrap();
        }
        all
    }

    fn blocks(&self, vpc: &str) -> &[String] {
        let found = self.vpcs.iter().find(|(id, _)| id == vpc);
        found.map_or(&[], |(_, blocks)| blocks)
    }

    /// The log in one of the formats.
    pub(super) fn log(&self, format: usize) -> String {
        let mut log = format!("{}\n", FORMATS[format]);
        for (number, traffic) in self.traffic.iter().enumerate() {
            for day in 0..traffic.days {
                let start = START + day * DAY + 3600 + number as u64 * 70;
                for port in 0..traffic.times {
                    self.rows(traffic, port, start, format, &mut log);
                }
            }
        }
        log
    }

    /// Whether no record tells of a conversation, or none tells which address of an interface it was with: in the default format, a
    /// secondary one that only the interface's own records could tell.
    pub(super) fn is_unknowable(&self, traffic: &Traffic, format: usize) -> bool {
        let observers = self.observers(traffic);
        let is_hidden = |end: &End| {
            end.interface.as_ref().is_some_and(|id| {
                self.interface(id).primary(end.address) != end.address
                    && observers.iter().all(|observer| *observer == id)
            })
        };
        let hidden = [&traffic.from, &traffic.to].into_iter().any(is_hidden);
        observers.is_empty() || format == 0 && hidden
    }

    /// The interfaces that record a conversation.
    pub(super) fn observers<'c>(&'c self, traffic: &'c Traffic) -> Vec<&'c String> {
        let from = traffic.from.interface.as_ref();
        let to = traffic.to.interface.as_ref();
        let mut at: Vec<&String> = match &traffic.at {
            Some(at) => at.iter().filter(|id| *id != "none").collect(),
            None if traffic.via.is_some() => to.into_iter().collect(),
            None => from.into_iter().chain(to).collect(),
        };
        at.dedup();
        at.retain(|id| !self.interface(id).is_silent);
        at
    }

    fn rows(&self, traffic: &Traffic, port: u16, start: u64, format: usize, log: &mut String) {
        let client = End {
            port: traffic.from.port + port,
            ..traffic.from.clone()
        };
        let server = &traffic.to;
        let (from, to) = (client.interface.as_ref(), server.interface.as_ref());
        let rejected = traffic.rejected.as_ref();
        for id in self.observers(traffic) {
            let observer = self.interface(id);
            // What the initiator's gate rejects never arrives.
            if rejected.is_some() && rejected == from && to == Some(id) {
                continue;
            }
            let mut row = |ends: [&End; 2], is_reply: bool, time: u64, action: &str| {
                let [src, dst] = ends;
                // Its own end, as its own rows have it.
                let own = |end: &End| -> IpAddr {
                    if end.interface.as_ref() == Some(id) {
                        observer.primary(end.address)
                    } else {
                        end.address
                    }
                };
                write!(
                    log,
                    "{} 111122223333 {id} {} {} {} {} {} 10 1000 {time} {} {action} OK",
                    [2, 5][format],
                    own(src),
                    own(dst),
                    src.port,
                    dst.port,
                    traffic.protocol,
                    time + 30
                )
                .unwrap();
                if format == 1 {
                    let flags = match (traffic.protocol == 6 && !traffic.is_mid, is_reply) {
                        (false, _) => 0,
                        (true, false) => 2,
                        (true, true) => 18,
                    };
                    let direction = if src.interface.as_ref() == Some(id) {
                        "egress"
                    } else {
                        "ingress"
                    };
                    write!(log, " {flags} {} {} {direction}", src.address, dst.address).unwrap();
                }
                log.push('\n');
            };
            let forward = [&client, server];
            let back = [server, &client];
            let action = if rejected == Some(id) {
                "REJECT"
            } else {
                "ACCEPT"
            };
            row(forward, false, start, action);
            if !traffic.is_one_way && rejected.is_none() {
                row(back, true, start, "ACCEPT");
            }
            if traffic.has_late_reject && from == Some(id) {
                row(back, true, start + 600, "REJECT");
            }
        }
    }
}

const fn support(enabled: bool) -> &'static str {
    if enabled { "enable" } else { "disable" }
}

fn network_interface(interface: &Interface) -> Value {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        interface.addresses.iter().partition(|a| a.is_ipv4());
    let mut printed = json!({
        "NetworkInterfaceId": interface.id, "InterfaceType": interface.kind, "Description": interface.description,
        "VpcId": interface.vpc, "SubnetId": interface.subnet, "AvailabilityZone": "us-east-1a",
        "PrivateIpAddresses": v4.iter().enumerate().map(|(position, address)| {
            let mut one = json!({"PrivateIpAddress": address, "Primary": position == 0});
            if let Some(public) = interface.public.filter(|_| position == 0) {
                one["Association"] = json!({"PublicIp": public});
            }
            one
        }).collect::<Vec<Value>>(),
        "Ipv6Addresses": v6.iter().map(|a| json!({"Ipv6Address": a})).collect::<Vec<Value>>(),
        "Groups": interface.groups.iter().map(|g| json!({"GroupId": g, "GroupName": g})).collect::<Vec<Value>>(),
    });
    if let Some(primary) = v4.first() {
        printed["PrivateIpAddress"] = json!(primary);
    }
    if let Some(prefix) = &interface.prefix {
        let (key, member) = if prefix.contains(':') {
            ("Ipv6Prefixes", "Ipv6Prefix")
        } else {
            ("Ipv4Prefixes", "Ipv4Prefix")
        };
        printed[key] = json!([{member: prefix}]);
    }
    if let Some(instance) = &interface.instance {
        printed["Attachment"] = json!({"InstanceId": instance});
    }
    printed
}

fn vpc((id, blocks): &(String, Vec<String>)) -> Value {
    let (v6, v4): (Vec<&String>, Vec<&String>) = blocks.iter().partition(|b| b.contains(':'));
    json!({
        "VpcId": id, "CidrBlock": v4.first(),
        "CidrBlockAssociationSet": v4.iter().map(|b| json!({"CidrBlock": b})).collect::<Vec<Value>>(),
        "Ipv6CidrBlockAssociationSet": v6.iter().map(|b| json!({"Ipv6CidrBlock": b})).collect::<Vec<Value>>(),
    })
}

impl Case {
    fn owner(&self, id: &str) -> &str {
        let found = self.groups.iter().find(|group| group.id == id);
        found.map_or("111122223333", |group| &group.owner)
    }

    /// The rules of one direction as describe-security-groups prints them, one permission for each.
    fn permissions(&self, rules: &[(Rule, Option<Pair>)], direction: Direction) -> Value {
        let of_direction = rules.iter().filter(|(rule, _)| rule.direction == direction);
        let all = of_direction.map(|(rule, pair)| {
            let protocol = rule.protocol.to_string();
            let number = protocol.parse::<u8>().is_ok();
            let mut printed = json!({"IpProtocol": protocol});
            let ports = match rule.ports {
                RulePorts::Ports(range) => Some((i64::from(range.from()), i64::from(range.to()))),
                RulePorts::Icmp { kind, code } => {
                    let any = |n: Option<u8>| n.map_or(-1, i64::from);
                    Some((any(kind), any(code)))
                }
                RulePorts::Any => None,
            };
            if let Some((from, to)) = ports.filter(|_| !number) {
                printed["FromPort"] = json!(from);
                printed["ToPort"] = json!(to);
            }
            match &rule.target {
                Target::Cidr(net) if net.addr().is_ipv4() => {
                    printed["IpRanges"] = json!([{"CidrIp": net.to_string()}]);
                }
                Target::Cidr(net) => printed["Ipv6Ranges"] = json!([{"CidrIpv6": net.to_string()}]),
                Target::PrefixList(id) => printed["PrefixListIds"] = json!([{"PrefixListId": id}]),
                Target::Group(id) => {
                    let mut named = json!({"GroupId": id, "UserId": self.owner(id)});
                    if let Some(pair) = pair {
                        named["VpcPeeringConnectionId"] = json!(pair.peering);
                        named["PeeringStatus"] = json!(pair.status);
                    }
                    printed["UserIdGroupPairs"] = json!([named]);
                }
            }
            printed
        });
        all.collect()
    }
}
