//! IP protocol numbers and the (protocol, port) pair that rules are written for.

use std::fmt;

/// An IANA protocol number, as flow records carry it (flow-log-records.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

/// Names as `IpProtocol` spells them (`API_IpPermission.html`) and the few more a
/// person expects to read. Only the first four may be used by name in a rule.
const NAMES: &[(u8, &str)] = &[(1, "icmp"), (6, "tcp"), (17, "udp"), (58, "icmpv6")];

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);

    /// Reads a name or a number, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|&(number, _)| Self(number))
            .or_else(|| text.parse().ok().map(Self))
    }

    /// Whether rules of this protocol carry a port range. ICMP types share the
    /// two fields in the API, but flow logs do not record them.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP)
    }

    /// Whether this is ICMP of either family.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }

    /// Whether it goes over IPv4 alone (true) or over IPv6 alone (false), if it does.
    pub const fn only_over_v4(self) -> Option<bool> {
        match self {
            Self::ICMP => Some(true),
            Self::ICMPV6 => Some(false),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|&&(number, _)| number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What a responder offers: a protocol and, where it has ports, the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The protocol.
    pub protocol: Protocol,
    /// The responder's port; 0 for protocols without ports.
    pub port: u16,
}

impl Service {
    /// A service; the port is dropped where the protocol has none, so that two
    /// pings are one service whatever the log wrote into the port columns.
    pub const fn new(protocol: Protocol, port: u16) -> Self {
        let port = if protocol.has_ports() { port } else { 0 };
        Self { protocol, port }
    }

    /// The port, if the protocol has ports.
    pub const fn port(self) -> Option<u16> {
        if self.protocol.has_ports() {
            Some(self.port)
        } else {
            None
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port() {
            Some(port) => write!(f, "{}/{port}", self.protocol),
            None if NAMES.iter().any(|&(n, _)| n == self.protocol.0) => {
                write!(f, "{}", self.protocol)
            }
            None => write!(f, "protocol {}", self.protocol),
        }
    }
}
