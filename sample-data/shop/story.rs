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
}

impl Truth {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Legitimate => "legitimate",
            Self::Hostile => "hostile",
            Self::Refused => "refused",
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
    dice: Dice,
}

/// Client ports: Linux, and what load balancers, Lambda and NAT gateways use.
const LINUX: (u16, u16) = (32768, 60999);
const MANAGED: (u16, u16) = (1024, 65535);

const MYSQL: (u8, u16) = (6, 3306);
const HTTPS: (u8, u16) = (6, 443);
const SSH: (u8, u16) = (6, 22);

/// How a regular connection behaves.
struct Habit {
    from: &'static [&'static str],
    to: &'static [&'static str],
    service: (u8, u16),
    client_ports: (u16, u16),
    per_day: u64,
    longest: u64,
}

const WEBS: &[&str] = &["web-1", "web-2", "web-3"];
const WATCHED: &[&str] = &["web-1", "web-2", "web-3", "bastion", "reports"];

/// Connections inside the account.
const HABITS: &[Habit] = &[
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
type Abroad = (&'static str, [u8; 4], (u8, u16), u64);

/// Connections to the world.
const ABROAD: &[Abroad] = &[
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
        let mut story = Self {
            acts: Vec::new(),
            dice: Dice(20_261_102),
        };
        story.ordinary(network);
        story.visitors(network);
        story.refusals(network);
        story.incident(network);
        story
            .acts
            .sort_by_key(|act| (act.start, act.initiator, act.responder, act.client_port));
        story
    }

    fn ordinary(&mut self, network: &Network) {
        let address = |name: &str| IpAddr::V4(network.interface(name).address);
        for habit in HABITS {
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
        for &(from, to, service, per_day) in ABROAD {
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
            start: START,
            seconds: DAYS * DAY - 1,
            began_before: true,
            answered: true,
            truth: Truth::Legitimate,
            packets: 40,
        });
    }

    /// Customers from everywhere, the office, and one customer whose browser
    /// happened to pick IRC's port.
    fn visitors(&mut self, network: &Network) {
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

    /// A function that tries the cache, which does not know it, and the world
    /// knocking at every door.
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

    fn act(
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
        let start = START + self.dice.between(60, DAYS * DAY - longest - 60);
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
            answered: truth != Truth::Refused && service != (17, 8125),
            truth,
            packets,
        });
    }
}
