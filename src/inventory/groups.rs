//! Security groups and their rules, in one form whatever the API printed.

use ipnet::IpNet;

use super::wire::{GroupRule, Permission, Tag};
use super::{GroupIx, InterfaceIx};
use crate::net::{PortRange, Protocol, Service, visible};

/// A security group.
#[derive(Clone, Debug)]
pub struct Group {
    /// `sg-…`
    pub id: String,
    /// Its name; chosen by a user, so hostile. The id where the snapshot has no name.
    pub name: String,
    /// The VPC it was made in; it may be associated with others
    /// (security-group-assoc.html).
    pub vpc: String,
    /// Further VPCs that it is associated with, in order.
    pub also_in: Vec<String>,
    /// The account that owns it.
    pub owner: String,
    /// Its rules of both directions, egress first, in a stable order.
    pub rules: Vec<Rule>,
    /// The interfaces that carry it, in order.
    pub members: Vec<InterfaceIx>,
    /// Who writes its rules.
    pub upkeep: Upkeep,
    /// False for a group that an interface carries and the snapshot lacks: its
    /// rules are unknown, and nothing may be concluded from their absence.
    pub known: bool,
}

/// Who writes a group's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// Whoever reads this.
    #[default]
    Own,
    /// It is its network's default group (default-security-group.html): it can't be deleted, and better has no rules.
    Default,
    /// A `CloudFormation` stack, by name.
    Stack(String),
    /// An AWS service, by the tag it left.
    Service(String),
}

impl Upkeep {
    /// By the tags that AWS sets, whose keys begin with `aws:` and which nobody else can set (`Using_Tags.html`), and the name.
    pub(super) fn of(name: &str, tags: &[Tag]) -> Self {
        let mut tags: Vec<&Tag> = tags
            .iter()
            .filter(|tag| tag.key.starts_with("aws:"))
            .collect();
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        let stack = tags
            .iter()
            .find(|tag| tag.key == "aws:cloudformation:stack-name");
        match (stack, tags.first()) {
            (Some(stack), _) => Self::Stack(visible(&stack.value, 128)),
            (None, Some(tag)) => Self::Service(visible(&tag.key, 128)),
            (None, None) if name == "default" => Self::Default,
            (None, None) => Self::Own,
        }
    }
}

/// Which way a rule's connections go, seen from the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Connections that members open.
    Egress,
    /// Connections that members are asked for.
    Ingress,
}

impl Direction {
    /// The other gate of a connection.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Egress => Self::Ingress,
            Self::Ingress => Self::Egress,
        }
    }

    /// `egress` or `ingress`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}

/// The protocols of a rule: `-1` stands for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleProtocol {
    /// Every protocol and port.
    All,
    /// One protocol.
    One(Protocol),
}

impl std::fmt::Display for RuleProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("-1"),
            Self::One(protocol) => protocol.fmt(f),
        }
    }
}

/// Ports of a rule, or the ICMP type and code that share the two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulePorts {
    /// The protocol has no ports, or the rule covers all of them.
    Any,
    /// TCP and UDP.
    Ports(PortRange),
    /// ICMP; `None` means every type or code (`API_IpPermission.html`: -1).
    Icmp {
        /// The ICMP type.
        kind: Option<u8>,
        /// The ICMP code.
        code: Option<u8>,
    },
}

impl RulePorts {
    /// Exactly one service; of ICMP every type, for flow logs record none.
    pub const fn of(service: Service) -> Self {
        match service.port() {
            Some(port) => Self::Ports(PortRange::single(port)),
            None if service.protocol.is_icmp() => Self::Icmp {
                kind: None,
                code: None,
            },
            None => Self::Any,
        }
    }
}

/// Who a rule lets in, or where it lets members go: exactly one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A prefix of either family.
    Cidr(IpNet),
    /// `pl-…`
    PrefixList(String),
    /// `sg-…`: the private addresses of the interfaces that carry it
    /// (security-group-rules.html).
    Group(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cidr(net) => net.fmt(f),
            Self::PrefixList(id) | Self::Group(id) => f.write_str(id),
        }
    }
}

/// One rule: one target, as describe-security-group-rules counts them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Egress or ingress.
    pub direction: Direction,
    /// The protocols.
    pub protocol: RuleProtocol,
    /// The ports, or ICMP types.
    pub ports: RulePorts,
    /// The one target.
    pub target: Target,
    /// `sgr-…`, when the snapshot has it.
    pub rule_id: Option<String>,
    /// Its description; hostile.
    pub description: String,
}

impl Rule {
    /// Whether both are the same rule to AWS: protocol, ports and target; the
    /// description is not part of it.
    pub fn same_permission(&self, other: &Self) -> bool {
        self.direction == other.direction
            && self.protocol == other.protocol
            && self.ports == other.ports
            && self.target == other.target
    }

    /// Whether the rule covers every port of some protocol.
    pub fn every_port(&self) -> bool {
        match (self.protocol, self.ports) {
            (RuleProtocol::All, _) => true,
            (RuleProtocol::One(protocol), RulePorts::Ports(range)) => {
                protocol.has_ports() && range.is_all()
            }
            _ => false,
        }
    }

    /// Whether the target is the whole of an address family.
    pub fn to_everyone(&self) -> bool {
        matches!(&self.target, Target::Cidr(net) if net.prefix_len() == 0)
    }

    /// Whether it lets members open every port of some protocol to everybody.
    pub fn is_open_egress(&self) -> bool {
        self.direction == Direction::Egress && self.every_port() && self.to_everyone()
    }

    /// The one service of a rule for one port, or for a protocol without ports.
    pub fn single_service(&self) -> Option<Service> {
        match (self.protocol, self.ports) {
            (RuleProtocol::One(protocol), RulePorts::Ports(range)) if range.count() == 1 => {
                Some(Service::new(protocol, range.from()))
            }
            (RuleProtocol::One(protocol), RulePorts::Any | RulePorts::Icmp { .. }) => {
                Some(Service::new(protocol, 0))
            }
            _ => None,
        }
    }

    /// Protocol and ports in a word: `tcp/443`, `udp/1024-2048`, `icmp`, `everything`.
    pub fn services(&self) -> String {
        match self.ports {
            RulePorts::Ports(range) => format!("{}/{range}", self.protocol),
            RulePorts::Any if self.protocol == RuleProtocol::All => "everything".to_owned(),
            RulePorts::Any | RulePorts::Icmp { .. } => self.protocol.to_string(),
        }
    }

    /// Whether whatever `other` lets through, this rule lets through too. Only what
    /// holds for every member and every list is said: a prefix never covers a group.
    pub fn covers(&self, other: &Self) -> bool {
        let services = match (self.protocol, other.protocol) {
            (RuleProtocol::All, _) => true,
            (RuleProtocol::One(a), RuleProtocol::One(b)) if a == b => {
                match (self.ports, other.ports) {
                    (RulePorts::Ports(mine), RulePorts::Ports(theirs)) => {
                        mine.from() <= theirs.from() && theirs.to() <= mine.to()
                    }
                    (RulePorts::Icmp { kind, code }, RulePorts::Icmp { kind: k, code: c }) => {
                        kind.is_none_or(|kind| Some(kind) == k)
                            && code.is_none_or(|code| Some(code) == c)
                    }
                    (RulePorts::Any, _) => true,
                    _ => false,
                }
            }
            _ => false,
        };
        let targets = match (&self.target, &other.target) {
            (Target::Cidr(mine), Target::Cidr(theirs)) => mine.contains(theirs),
            (mine, theirs) => mine == theirs,
        };
        self.direction == other.direction && services && targets
    }

    /// `FromPort` and `ToPort` as a person writes them: absent where the protocol
    /// has no ports.
    pub fn port_pair(&self) -> Option<(u16, u16)> {
        match self.ports {
            RulePorts::Ports(range) => Some((range.from(), range.to())),
            RulePorts::Any | RulePorts::Icmp { .. } => None,
        }
    }
}

/// The rules of `IpPermissions` (or `IpPermissionsEgress`), one per target.
/// Entries with a protocol or target that cannot be read are returned as text.
pub(super) fn flatten(
    direction: Direction,
    permissions: &[Permission],
) -> (Vec<Rule>, Vec<String>) {
    let (mut rules, mut unreadable) = (Vec::new(), Vec::new());
    for p in permissions {
        let targets = p
            .ip_ranges
            .iter()
            .map(|r| (cidr(&r.cidr_ip), &r.cidr_ip, &r.description))
            .chain(
                p.ipv6_ranges
                    .iter()
                    .map(|r| (cidr(&r.cidr_ipv6), &r.cidr_ipv6, &r.description)),
            )
            .chain(p.prefix_list_ids.iter().map(|r| {
                (
                    Some(Target::PrefixList(r.prefix_list_id.clone())),
                    &r.prefix_list_id,
                    &r.description,
                )
            }))
            .chain(p.user_id_group_pairs.iter().map(|r| {
                (
                    Some(Target::Group(r.group_id.clone())),
                    &r.group_id,
                    &r.description,
                )
            }));
        for (target, text, description) in targets {
            match (
                protocol_and_ports(&p.ip_protocol, p.from_port, p.to_port),
                target,
            ) {
                (Some((protocol, ports)), Some(target)) => rules.push(Rule {
                    direction,
                    protocol,
                    ports,
                    target,
                    rule_id: None,
                    description: description.clone(),
                }),
                _ => unreadable.push(format!("{} to {text}", p.ip_protocol)),
            }
        }
    }
    (rules, unreadable)
}

/// One row of describe-security-group-rules.
pub(super) fn from_row(row: &GroupRule) -> Option<Rule> {
    let (protocol, ports) = protocol_and_ports(&row.ip_protocol, row.from_port, row.to_port)?;
    let target = if let Some(text) = row.cidr_ipv4.as_ref().or(row.cidr_ipv6.as_ref()) {
        cidr(text)?
    } else if let Some(list) = &row.prefix_list_id {
        Target::PrefixList(list.clone())
    } else {
        Target::Group(row.referenced_group_info.as_ref()?.group_id.clone())
    };
    Some(Rule {
        direction: if row.is_egress {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        protocol,
        ports,
        target,
        rule_id: Some(row.security_group_rule_id.clone()),
        description: row.description.clone(),
    })
}

impl Rule {
    /// A rule from the texts and numbers that other tools write: `IpProtocol` and
    /// ports as the API has them. `None` if the protocol or a port is none.
    pub fn from_parts(
        direction: Direction,
        protocol: &str,
        from: Option<i64>,
        to: Option<i64>,
        target: Target,
    ) -> Option<Self> {
        let (protocol, ports) = protocol_and_ports(protocol, from, to)?;
        Some(Self {
            direction,
            protocol,
            ports,
            target,
            rule_id: None,
            description: String::new(),
        })
    }
}

impl Target {
    /// A prefix, brought into the form AWS stores.
    pub fn cidr(text: &str) -> Option<Self> {
        cidr(text)
    }
}

/// A prefix in canonical form, as AWS stores it (`API_IpRange.html`).
fn cidr(text: &str) -> Option<Target> {
    text.parse::<IpNet>()
        .ok()
        .map(|net| Target::Cidr(net.trunc()))
}

/// `IpProtocol`, `FromPort` and `ToPort` (`API_IpPermission.html`). `-1` ignores
/// ports, and so does every protocol that has none.
fn protocol_and_ports(
    name: &str,
    from: Option<i64>,
    to: Option<i64>,
) -> Option<(RuleProtocol, RulePorts)> {
    if name == "-1" || name.eq_ignore_ascii_case("all") {
        return Some((RuleProtocol::All, RulePorts::Any));
    }
    let protocol = Protocol::parse(name)?;
    let ports = if protocol.has_ports() {
        match (from.unwrap_or(-1), to.unwrap_or(-1)) {
            (-1, _) => RulePorts::Ports(PortRange::ALL),
            (from, -1) => RulePorts::Ports(PortRange::new(from.try_into().ok()?, u16::MAX)?),
            (from, to) => {
                RulePorts::Ports(PortRange::new(from.try_into().ok()?, to.try_into().ok()?)?)
            }
        }
    } else if protocol.is_icmp() {
        let byte = |value: Option<i64>| value.and_then(|v| u8::try_from(v).ok());
        RulePorts::Icmp {
            kind: byte(from),
            code: byte(to),
        }
    } else {
        RulePorts::Any
    };
    Some((RuleProtocol::One(protocol), ports))
}

/// The position of a group by id.
pub(super) fn position(groups: &[Group], id: &str) -> Option<GroupIx> {
    groups
        .binary_search_by(|g| g.id.as_str().cmp(id))
        .ok()
        .map(GroupIx::new)
}
