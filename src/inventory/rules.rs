//! Security group rules, in one form whatever the API printed.

use ipnet::IpNet;

use crate::documents::Direction;
use crate::net::{PortRange, Protocol, Service, visible};

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
    /// Its tags, keys and values, in order, when the snapshot has it as a rule of its own; hostile. Without those that
    /// AWS sets, which no tool can change.
    pub tags: Vec<(String, String)>,
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

    /// Whether it is open: every port of some protocol, to or from all of `0.0.0.0/0` or `::/0`.
    pub fn is_open(&self, direction: Direction) -> bool {
        self.direction == direction && self.every_port() && self.to_everyone()
    }

    /// Whether it is open egress.
    pub fn is_open_egress(&self) -> bool {
        self.is_open(Direction::Egress)
    }

    /// Whether it permits some ports to everybody: egress to all of `0.0.0.0/0` or `::/0`, and not on every port. A rule for
    /// a protocol without ports counts; one for ICMP does not.
    pub fn is_open_port(&self) -> bool {
        self.direction == Direction::Egress
            && self.to_everyone()
            && !self.every_port()
            && !matches!(self.ports, RulePorts::Icmp { .. })
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

    /// Protocol and ports in a word: `tcp/443`, `udp/1024-2048`, `icmp`, `icmp/8`, `icmp/3/4`, `everything`.
    pub fn services(&self) -> String {
        match self.ports {
            RulePorts::Ports(range) => format!("{}/{range}", self.protocol),
            RulePorts::Any if self.protocol == RuleProtocol::All => "everything".to_owned(),
            RulePorts::Any | RulePorts::Icmp { kind: None, .. } => self.protocol.to_string(),
            RulePorts::Icmp {
                kind: Some(kind),
                code: None,
            } => format!("{}/{kind}", self.protocol),
            RulePorts::Icmp {
                kind: Some(kind),
                code: Some(code),
            } => format!("{}/{kind}/{code}", self.protocol),
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

impl Rule {
    /// A rule from the texts and numbers that other tools write: `IpProtocol` and
    /// ports as the API has them. `None` if AWS would not take them.
    pub fn from_parts(
        direction: Direction,
        protocol: &str,
        from: Option<i64>,
        to: Option<i64>,
        target: Target,
    ) -> Option<Self> {
        let (protocol, ports) = services(protocol, from, to).ok()?;
        Some(Self {
            direction,
            protocol,
            ports,
            target,
            rule_id: None,
            description: String::new(),
            tags: Vec::new(),
        })
    }
}

impl Target {
    /// A prefix, brought into the form AWS stores (`API_IpRange.html`).
    pub fn cidr(text: &str) -> Option<Self> {
        let net = text.parse::<IpNet>().ok()?;
        Some(Self::Cidr(net.trunc()))
    }
}

/// Why `IpProtocol`, `FromPort` and `ToPort` make no sense together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoService {
    /// The API's name of the value that is wrong.
    pub(super) field: &'static str,
    /// What was found, and what is wanted: `is 70000, not …`.
    pub(super) what: String,
}

/// `IpProtocol`, `FromPort` and `ToPort` (`API_IpPermission.html`). TCP and UDP need both ports. ICMP has its type and
/// code there, where -1 means all; without both it means all. Every other protocol ignores ports. A value that AWS
/// does not take is an error: to read it as every port would widen the rule.
pub(super) fn services(
    protocol: &str,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<(RuleProtocol, RulePorts), NoService> {
    let wrong = |field, what| Err(NoService { field, what });
    let protocol = if protocol == "-1" || protocol.eq_ignore_ascii_case("all") {
        RuleProtocol::All
    } else if let Some(known) = Protocol::parse(protocol) {
        RuleProtocol::One(known)
    } else {
        let found = visible(protocol, 40);
        return wrong(
            "IpProtocol",
            format!(
                "is `{found}`, not tcp, udp, icmp, icmpv6, a number from 0 to 255, or -1 for all"
            ),
        );
    };
    let number = |field, value: Option<i64>, wanted: &str| match value {
        Some(value) => u16::try_from(value).map_err(|_range| NoService {
            field,
            what: format!("is {value}, not {wanted}"),
        }),
        None => Err(NoService {
            field,
            what: format!("is missing; {protocol} needs {wanted}"),
        }),
    };
    let ports = match protocol {
        RuleProtocol::One(one) if one.has_ports() => {
            let wanted = "a port from 0 to 65535";
            let (from, to) = (
                number("FromPort", from, wanted)?,
                number("ToPort", to, wanted)?,
            );
            let Some(range) = PortRange::new(from, to) else {
                return wrong(
                    "ToPort",
                    format!("is {to}, below FromPort, which is {from}"),
                );
            };
            RulePorts::Ports(range)
        }
        RuleProtocol::One(one) if one.is_icmp() => {
            let byte = |field, value: Option<i64>, wanted: &str| match value {
                Some(-1) => Ok(None),
                Some(value) if u8::try_from(value).is_err() => Err(NoService {
                    field,
                    what: format!("is {value}, not {wanted}"),
                }),
                value => number(field, value, wanted).map(|n| u8::try_from(n).ok()),
            };
            let (kind, code) = if from.is_none() && to.is_none() {
                (None, None)
            } else {
                (
                    byte(
                        "FromPort",
                        from,
                        "an ICMP type from 0 to 255, or -1 for all",
                    )?,
                    byte("ToPort", to, "an ICMP code from 0 to 255, or -1 for all")?,
                )
            };
            if let (None, Some(code)) = (kind, code) {
                return wrong(
                    "ToPort",
                    format!("is {code}, not -1: FromPort is -1, every ICMP type"),
                );
            }
            RulePorts::Icmp { kind, code }
        }
        _ => {
            for (field, value) in [("FromPort", from), ("ToPort", to)] {
                if value.is_some_and(|value| value != -1) {
                    number(field, value, "a port from 0 to 65535, or -1")?;
                }
            }
            RulePorts::Any
        }
    };
    Ok((protocol, ports))
}
