//! What AWS would do, told without closegate's gates: a few lines on rules, straight from the user guide.

use std::net::IpAddr;

use closegate::inventory::{Direction, Rule, RulePorts, RuleProtocol, Target};
use ipnet::IpNet;

use super::case::{Case, Interface, Traffic};

/// What opens a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) protocol: u8,
    pub(super) port: u16,
    pub(super) icmp: (u8, u8),
}

impl Packet {
    pub(super) fn of(traffic: &Traffic) -> Self {
        Self {
            protocol: traffic.protocol,
            port: traffic.to.port,
            icmp: traffic.icmp,
        }
    }
}

/// Rules by group id.
pub(super) type RulesOf<'r> = dyn Fn(&str) -> Vec<Rule> + 'r;

impl Case {
    /// Whether the groups of an interface permit a packet from or to an address whose holder has these groups.
    pub(super) fn permits(
        &self,
        rules_of: &RulesOf<'_>,
        at: &Interface,
        direction: Direction,
        (peer, groups): (IpAddr, &[String]),
        packet: Packet,
    ) -> bool {
        let admits = |rule: &Rule| {
            rule.direction == direction
                && is_for(rule, packet)
                && match &rule.target {
                    Target::Cidr(net) => net.contains(&peer),
                    Target::Group(id) => groups.contains(id),
                    Target::PrefixList(id) => {
                        let list = self.lists.iter().find(|list| list.id == *id);
                        let entries = list.and_then(|list| list.entries.as_ref());
                        entries.is_none_or(|entries| {
                            let mut all = entries.iter().map(|e| e.parse::<IpNet>().unwrap());
                            all.any(|net| net.contains(&peer))
                        })
                    }
                }
        };
        at.groups.is_empty()
            || at
                .groups
                .iter()
                .any(|group| rules_of(group).iter().any(admits))
    }

    /// The groups of another interface that rules of one direction can name (security-group-rules.html, vpc-peering-security-groups.html,
    /// tgw-vpc-attachments.html).
    pub(super) fn nameable<'c>(
        &self,
        at: &Interface,
        direction: Direction,
        other: &'c Interface,
    ) -> &'c [String] {
        let joins = |vpcs: &[String; 2]| {
            *vpcs == [at.vpc.clone(), other.vpc.clone()]
                || *vpcs == [other.vpc.clone(), at.vpc.clone()]
        };
        let peered = self
            .peerings
            .iter()
            .any(|p| joins(&p.vpcs) && p.status == "active" && p.regions[0] == p.regions[1]);
        let attached = direction == Direction::Ingress
            && self
                .transits
                .iter()
                .any(|(_, vpcs, references)| *references && joins(vpcs));
        // What a rule says of its peering connection.
        let said = self.groups.iter().any(|group| {
            (group.vpc == at.vpc || group.vpc == other.vpc)
                && group.rules.iter().any(|(rule, pair)| {
                    let named = match &rule.target {
                        Target::Group(id) => self.groups.iter().find(|g| g.id == *id),
                        Target::Cidr(_) | Target::PrefixList(_) => None,
                    };
                    let joined =
                        named.is_some_and(|named| joins(&[group.vpc.clone(), named.vpc.clone()]));
                    joined
                        && pair.as_ref().is_some_and(|pair| pair.status == "active")
                        && self.peerings.is_empty()
                })
        });
        if at.vpc == other.vpc || peered || attached || said {
            &other.groups
        } else {
            &[]
        }
    }

    /// Whether both gates let a conversation through, each judged if it is an interface of the case.
    pub(super) fn passes(&self, rules_of: &RulesOf<'_>, traffic: &Traffic) -> [bool; 2] {
        let packet = Packet::of(traffic);
        let [from, to] = [&traffic.from, &traffic.to]
            .map(|end| end.interface.as_ref().map(|id| self.interface(id)));
        if from.map(|i| &i.id) == to.map(|i| &i.id) {
            return [true, true];
        }
        let named = |at: &Interface, direction, other: Option<&Interface>| {
            other.map_or(Vec::new(), |other| {
                self.nameable(at, direction, other).to_vec()
            })
        };
        let egress = from.filter(|_| traffic.via.is_none()).is_none_or(|from| {
            let groups = named(from, Direction::Egress, to);
            self.permits(
                rules_of,
                from,
                Direction::Egress,
                (traffic.to.address, &groups),
                packet,
            )
        });
        let ingress = to.is_none_or(|to| {
            // Through a balancer the client comes as one of the balancer's.
            let sender = traffic.via.as_ref().map(|id| self.interface(id)).or(from);
            let groups = named(to, Direction::Ingress, sender);
            self.permits(
                rules_of,
                to,
                Direction::Ingress,
                (traffic.from.address, &groups),
                packet,
            )
        });
        [egress, ingress]
    }
}

fn is_for(rule: &Rule, packet: Packet) -> bool {
    let protocol = match rule.protocol {
        RuleProtocol::All => return true,
        RuleProtocol::One(protocol) => protocol.0,
    };
    protocol == packet.protocol
        && match rule.ports {
            RulePorts::Any => true,
            RulePorts::Ports(range) => range.from() <= packet.port && packet.port <= range.to(),
            RulePorts::Icmp { kind, code } => {
                kind.is_none_or(|kind| kind == packet.icmp.0)
                    && code.is_none_or(|code| code == packet.icmp.1)
            }
        }
}
