//! Who talks to whom, how often, and whether they may.

use std::net::{IpAddr, Ipv4Addr};

use super::network::Network;
use super::{DAY, DAYS, START};

/// The truth about a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Part of the shop.
    Legitimate,
    /// What the article warns of.
    Hostile,
    /// Turned away at the responder's interface.
    Refused,
    /// Turned away at the initiator's own interface.
    Stopped,
}

impl Truth {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Legitimate => "legitimate",
            Self::Hostile => "hostile",
            Self::Refused | Self::Stopped => "refused",
        }
    }
}

/// One conversation: who opens it, from which port, when, for how long.
pub(crate) struct Act {
    pub initiator: IpAddr,
    pub responder: IpAddr,
    pub client_port: u16,
    pub protocol: u8,
    pub port: u16,
    pub start: u64,
    pub seconds: u64,
    /// The handshake lies before the window.
    pub began_before: bool,
    /// The responder answers.
    pub answered: bool,
    pub truth: Truth,
    pub packets: u64,
}

impl Act {
    pub(crate) fn protocol_name(&self) -> &'static str {
        match self.protocol {
            1 => "icmp",
            6 => "tcp",
            _ => "udp",
        }
    }
}

/// A number generator that will still give the same numbers in ten years
/// (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.roll() % (to - from + 1)
    }

    fn port(&mut self, from: u16, to: u16) -> u16 {
        u16::try_from(self.between(from.into(), to.into())).expect("between two ports")
    }
}

/// Everything that happens.
pub(crate) struct Story {
    pub acts: Vec<Act>,
    /// When it begins, in Unix seconds.
    pub start: u64,
    /// The seconds of it in which the next acts lie.
    pub(super) within: (u64, u64),
    dice: Dice,
}

/// Client ports: Linux, and what load balancers, Lambda and NAT gateways use.
pub(super) const LINUX: (u16, u16) = (32768, 60999);
const MANAGED: (u16, u16) = (1024, 65535);

const MYSQL: (u8, u16) = (6, 3306);
pub(super) const HTTPS: (u8, u16) = (6, 443);
pub(super) const SSH: (u8, u16) = (6, 22);

/// How a regular connection behaves.
pub(super) struct Habit {
    pub(super) from: &'static [&'static str],
    pub(super) to: &'static [&'static str],
    pub(super) service: (u8, u16),
    pub(super) client_ports: (u16, u16),
    pub(super) per_day: u64,
    pub(super) longest: u64,
}

pub(super) const WEBS: &[&str] = &["web-1", "web-2", "web-3"];
const WATCHED: &[&str] = &["web-1", "web-2", "web-3", "bastion", "reports"];

/// Connections inside the account.
pub(super) const HABITS: &[Habit] = &[
    Habit {
        from: &["lb-a", "lb-b"],
        to: WEBS,
        service: (6, 80),
        client_ports: MANAGED,
        per_day: 8,
        longest: 300,
    },
    Habit {
        from: WEBS,
        to: &["db-1"],
        service: MYSQL,
        client_ports: LINUX,
        per_day: 8,
        longest: 2400,
    },
    Habit {
        from: WEBS,
        to: &["cache-1"],
        service: (6, 6379),
        client_ports: LINUX,
        per_day: 8,
        longest: 2400,
    },
    Habit {
        from: WEBS,
        to: &["ssm"],
        service: HTTPS,
        client_ports: LINUX,
        per_day: 4,
        longest: 60,
    },
    Habit {
        from: WEBS,
        to: &["reports"],
        service: (6, 50051),
        client_ports: LINUX,
        per_day: 4,
        longest: 600,
    },
    Habit {
        from: &["mailer"],
        to: &["db-1"],
        service: MYSQL,
        client_ports: MANAGED,
        per_day: 12,
        longest: 60,
    },
    Habit {
        from: &["bastion"],
        to: WEBS,
        service: SSH,
        client_ports: LINUX,
        per_day: 1,
        longest: 1800,
    },
    Habit {
        from: &["bastion"],
        to: &["db-1"],
        service: MYSQL,
        client_ports: LINUX,
        per_day: 1,
        longest: 900,
    },
    Habit {
        from: &["bastion"],
        to: &["web-1"],
        service: (1, 0),
        client_ports: (0, 0),
        per_day: 1,
        longest: 30,
    },
    Habit {
        from: &["reports"],
        to: &["db-1"],
        service: MYSQL,
        client_ports: LINUX,
        per_day: 2,
        longest: 1800,
    },
    Habit {
        from: &["reports"],
        to: &["warehouse"],
        service: (6, 5432),
        client_ports: LINUX,
        per_day: 2,
        longest: 1800,
    },
    Habit {
        from: &["prometheus"],
        to: WATCHED,
        service: (6, 9100),
        client_ports: LINUX,
        per_day: 6,
        longest: 30,
    },
    Habit {
        from: WEBS,
        to: &["prometheus"],
        service: (17, 8125),
        client_ports: LINUX,
        per_day: 6,
        longest: 600,
    },
];

/// From, to, service, times a day.
pub(super) type Abroad = (&'static str, [u8; 4], (u8, u16), u64);

/// Connections to the world.
pub(super) const ABROAD: &[Abroad] = &[
    // S3, through the gateway endpoint.
    ("web-1", [52, 216, 9, 11], HTTPS, 4),
    ("web-2", [52, 216, 20, 75], HTTPS, 4),
    ("web-3", [54, 231, 1, 130], HTTPS, 4),
    ("mailer", [52, 217, 44, 2], HTTPS, 6),
    // The payment provider, through the NAT gateway.
    ("web-1", [192, 0, 2, 44], HTTPS, 5),
    ("web-2", [192, 0, 2, 45], HTTPS, 5),
    ("web-3", [192, 0, 2, 44], HTTPS, 5),
    // A partner who takes files by SFTP.
    ("reports", [192, 0, 2, 77], SSH, 1),
];

/// The IRC controller and the stranger's resolver, both from the second web server.
const IRC: ([u8; 4], (u8, u16)) = ([203, 0, 113, 66], (6, 6667));
const RESOLVER: ([u8; 4], (u8, u16)) = ([198, 51, 100, 53], (17, 53));

impl Story {
    pub(crate) fn tell(network: &Network) -> Self {
        let mut story = Self::begin(20_261_102, START);
        story.ordinary(network, HABITS, ABROAD);
        story.visitors(network);
        story.refusals(network);
        story.scanner(network);
        story.incident(network);
        story.end()
    }

    /// A story in which nothing has happened yet.
    pub(super) fn begin(seed: u64, start: u64) -> Self {
        Self {
            acts: Vec::new(),
            start,
            within: (0, DAYS * DAY),
            dice: Dice(seed),
        }
    }

    /// The story, told in order.
    pub(super) fn end(mut self) -> Self {
        self.acts
            .sort_by_key(|act| (act.start, act.initiator, act.responder, act.client_port));
        self
    }

    pub(super) fn ordinary(
        &mut self,
        network: &Network,
        habits: impl IntoIterator<Item = &'static Habit>,
        abroad: impl IntoIterator<Item = &'static Abroad>,
    ) {
        let address = |name: &str| IpAddr::V4(network.interface(name).address);
        for habit in habits {
            for from in habit.from {
                for to in habit.to {
                    for _ in 0..habit.per_day * DAYS {
                        self.act(
                            address(from),
                            address(to),
                            habit.service,
                            habit.client_ports,
                            habit.longest,
                            Truth::Legitimate,
                        );
                    }
                }
            }
        }
        for &(from, to, service, per_day) in abroad {
            let ports = if from == "mailer" { MANAGED } else { LINUX };
            for _ in 0..per_day * DAYS {
                self.act(
                    address(from),
                    Ipv4Addr::from(to).into(),
                    service,
                    ports,
                    120,
                    Truth::Legitimate,
                );
            }
        }
        // A pooled connection that is older than the window: no handshake to see.
        self.acts.push(Act {
            initiator: address("web-1"),
            responder: address("db-1"),
            client_port: 40_404,
            protocol: 6,
            port: 3306,
            start: self.start,
            seconds: DAYS * DAY - 1,
            began_before: true,
            answered: true,
            truth: Truth::Legitimate,
            packets: 40,
        });
    }

    /// Customers from everywhere, the office, and one customer whose browser
    /// happened to pick IRC's port.
    pub(super) fn visitors(&mut self, network: &Network) {
        let address = |name: &str| IpAddr::V4(network.interface(name).address);
        for _ in 0..40 * DAYS {
            let customer = Ipv4Addr::new(
                198,
                51,
                100,
                u8::try_from(self.dice.between(100, 250)).expect("a byte"),
            );
            let entrance = if self.dice.between(0, 1) == 0 {
                "lb-a"
            } else {
                "lb-b"
            };
            self.act(
                customer.into(),
                address(entrance),
                HTTPS,
                MANAGED,
                120,
                Truth::Legitimate,
            );
        }
        self.act(
            Ipv4Addr::new(198, 51, 100, 77).into(),
            address("lb-a"),
            HTTPS,
            (6667, 6667),
            60,
            Truth::Legitimate,
        );
        for _ in 0..2 * DAYS {
            self.act(
                Ipv4Addr::new(198, 51, 100, 3).into(),
                address("bastion"),
                SSH,
                LINUX,
                1800,
                Truth::Legitimate,
            );
        }
    }

    /// A function that tries the cache, which does not know it.
    fn refusals(&mut self, network: &Network) {
        let address = |name: &str| IpAddr::V4(network.interface(name).address);
        for _ in 0..2 * DAYS {
            self.act(
                address("mailer"),
                address("cache-1"),
                (6, 6379),
                MANAGED,
                20,
                Truth::Refused,
            );
        }
    }

    /// The world knocking at every door.
    pub(super) fn scanner(&mut self, network: &Network) {
        let address = |name: &str| IpAddr::V4(network.interface(name).address);
        for knock in 0..20 * DAYS {
            let scanner = Ipv4Addr::new(192, 0, 2, 200);
            let door = if knock % 2 == 0 { "lb-b" } else { "bastion" };
            let port = [23, 3389, 5900, 8080, 22][usize::try_from(knock % 5).expect("small")];
            self.act(
                scanner.into(),
                address(door),
                (6, port),
                MANAGED,
                5,
                Truth::Refused,
            );
        }
    }

    fn incident(&mut self, network: &Network) {
        let host = IpAddr::V4(network.interface("web-2").address);
        for _ in 0..3 * DAYS {
            self.act(
                host,
                Ipv4Addr::from(IRC.0).into(),
                IRC.1,
                LINUX,
                1200,
                Truth::Hostile,
            );
        }
        for _ in 0..10 * DAYS {
            self.act(
                host,
                Ipv4Addr::from(RESOLVER.0).into(),
                RESOLVER.1,
                LINUX,
                5,
                Truth::Hostile,
            );
        }
    }

    pub(super) fn act(
        &mut self,
        initiator: IpAddr,
        responder: IpAddr,
        service: (u8, u16),
        ports: (u16, u16),
        longest: u64,
        truth: Truth,
    ) {
        let (protocol, port) = service;
        let seconds = self.dice.between(1, longest);
        let (from, to) = self.within;
        let start = self.start + self.dice.between(from + 60, to - longest - 60);
        let client_port = self.dice.port(ports.0, ports.1);
        let packets = self.dice.between(4, 90);
        self.acts.push(Act {
            initiator,
            responder,
            client_port,
            protocol,
            port,
            start,
            seconds,
            began_before: false,
            answered: !matches!(truth, Truth::Refused | Truth::Stopped) && service != (17, 8125),
            truth,
            packets,
        });
    }
}
