//! What happens in a random account, and what its flow logs say of it.

use std::fmt::Write as _;

use super::network::{Interface, NAT, NAT_ADDRESS, Network, text};
use super::{Dice, Format, Truth};

/// What a connection really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Legitimate,
    Hostile,
    Refused,
}

/// One conversation.
struct Act {
    from: [u8; 4],
    to: [u8; 4],
    client_port: u16,
    protocol: u8,
    port: u16,
    start: u64,
    /// Intervals of a minute.
    intervals: u64,
    /// The rows with the handshake are lost, or lie before the window.
    handshake_lost: bool,
    answered: bool,
    label: Label,
}

pub(super) struct Traffic {
    acts: Vec<Act>,
}

const START: u64 = 1_793_577_600;

/// Client ports: Linux, Windows, and what managed services use.
const CLIENT_PORTS: &[(u16, u16)] = &[(32768, 60999), (49152, 65535), (1024, 65535)];

/// Strangers' services that are quarantined.
/// Protocol and port, and the kind of finding that it has to be.
pub(super) const HOSTILE: &[(u8, u16, &str)] = &[
    (6, 6667, "irc"),
    (6, 6697, "irc"),
    (17, 53, "third-party-dns"),
    (6, 53, "third-party-dns"),
    (6, 853, "dns-over-tls"),
    (6, 9001, "tor"),
    (6, 25, "smtp"),
    (6, 14444, "crypto-mining"),
    (6, 445, "smb"),
    (6, 135, "rpc"),
    (6, 23, "telnet"),
    (6, 3389, "rdp-out"),
    (6, 5986, "winrm-out"),
    (6, 5901, "vnc-out"),
];

/// Strangers' services that are reported and get their rules.
pub(super) const REPORTED: &[(u8, u16, &str)] = &[
    (6, 22, "ssh-out"),
    (6, 21, "ftp"),
    (6, 587, "mail-submission"),
    (6, 5432, "database-out"),
    (6, 3128, "proxy-out"),
    (6, 2222, "callback-port"),
];

/// Strangers that are quarantined for their address.
pub(super) const LISTED: &[([u8; 4], &str)] = &[
    ([1, 1, 1, 1], "dns-over-https"),
    ([203, 0, 115, 7], "blocklisted-address"),
];

impl Traffic {
    /// Of a hundred pairs, `never_met` have no use for each other though their
    /// groups have.
    pub(super) fn new(network: &Network, never_met: u64, dice: &mut Dice) -> Self {
        let mut traffic = Self { acts: Vec::new() };
        for service in &network.services {
            // One-way UDP: nobody answers statsd and syslog.
            let one_way = service.protocol == 17 && matches!(service.port, 514 | 8125);
            for client in network.members(service.clients) {
                for server in network.members(service.servers) {
                    // Now and then somebody has no use for it; mostly everybody has.
                    if client.id == server.id || dice.percent(never_met) {
                        continue;
                    }
                    for _ in 0..dice.between(1, 4) {
                        let kind = (service.protocol, service.port);
                        traffic.act(
                            dice,
                            client,
                            server.address,
                            kind,
                            !one_way,
                            Label::Legitimate,
                        );
                    }
                }
            }
        }
        traffic.abroad(network, dice);
        traffic.visitors(network, dice);
        traffic.refusals(network, dice);
        traffic
    }

    fn abroad(&mut self, network: &Network, dice: &mut Dice) {
        let open: Vec<&Interface> = network
            .interfaces
            .iter()
            .filter(|i| network.is_open(i) && i.asks())
            .collect();
        if open.is_empty() {
            return;
        }
        for _ in 0..dice.between(0, 4) {
            let (host, last) = (
                *dice.pick(&open),
                u8::try_from(dice.between(1, 200)).unwrap(),
            );
            for _ in 0..dice.between(1, 3) {
                self.act(
                    dice,
                    host,
                    [198, 51, 100, last],
                    (6, 443),
                    true,
                    Label::Legitimate,
                );
            }
        }
        // Objects in S3, by the gateway endpoint where there is one.
        for _ in 0..dice.between(0, 3) {
            let (host, last) = (
                *dice.pick(&open),
                u8::try_from(dice.between(1, 200)).unwrap(),
            );
            self.act(
                dice,
                host,
                [52, 217, last, 8],
                (6, 443),
                true,
                Label::Legitimate,
            );
        }
        for _ in 0..dice.between(0, 3) {
            let (host, last) = (
                *dice.pick(&open),
                u8::try_from(dice.between(1, 200)).unwrap(),
            );
            let &(protocol, port, _) = dice.pick(HOSTILE);
            for _ in 0..dice.between(1, 3) {
                self.act(
                    dice,
                    host,
                    [203, 0, 113, last],
                    (protocol, port),
                    true,
                    Label::Hostile,
                );
            }
        }
        if dice.percent(50) {
            let (host, last) = (
                *dice.pick(&open),
                u8::try_from(dice.between(1, 200)).unwrap(),
            );
            let &(protocol, port, _) = dice.pick(REPORTED);
            let to = [203, 0, 113, last];
            self.act(dice, host, to, (protocol, port), true, Label::Legitimate);
        }
        if dice.percent(20) {
            let host = *dice.pick(&open);
            let &(to, _) = dice.pick(LISTED);
            self.act(dice, host, to, (6, 443), true, Label::Hostile);
        }
    }

    /// Customers; some of them on a client port that is somebody's service.
    fn visitors(&mut self, network: &Network, dice: &mut Dice) {
        for &(tier, port) in &network.public {
            for server in network.members(tier) {
                for _ in 0..dice.between(2, 8) {
                    let from = [192, 0, 2, u8::try_from(dice.between(1, 99)).unwrap()];
                    let client_port = if dice.percent(10) {
                        6667
                    } else {
                        client_port(dice, &[])
                    };
                    self.acts.push(Act {
                        from,
                        to: server.address,
                        client_port,
                        protocol: 6,
                        port,
                        start: START + dice.between(0, 80_000),
                        intervals: dice.between(1, 3),
                        handshake_lost: dice.percent(20),
                        answered: true,
                        label: Label::Legitimate,
                    });
                }
            }
        }
    }

    /// Attempts that the responder's ingress turns away, and scanners.
    fn refusals(&mut self, network: &Network, dice: &mut Dice) {
        for _ in 0..dice.between(0, 3) {
            let (host, target) = (
                dice.pick(&network.interfaces),
                dice.pick(&network.interfaces),
            );
            let port = *dice.pick(&[21, 1433, 5601, 9999]);
            if host.tier != target.tier
                && host.asks()
                && network.is_open(host)
                && !network.offers(target, port)
            {
                self.act(dice, host, target.address, (6, port), false, Label::Refused);
            }
        }
        if dice.percent(50) {
            let target = dice.pick(&network.interfaces);
            for port in [21, 23, 1433, 5900, 9999] {
                self.acts.push(Act {
                    from: [192, 0, 2, 222],
                    to: target.address,
                    client_port: client_port(dice, &[]),
                    protocol: 6,
                    port,
                    start: START + dice.between(0, 80_000),
                    intervals: 1,
                    handshake_lost: false,
                    answered: false,
                    label: Label::Refused,
                });
            }
        }
    }

    fn act(
        &mut self,
        dice: &mut Dice,
        from: &Interface,
        to: [u8; 4],
        (protocol, port): (u8, u16),
        answered: bool,
        label: Label,
    ) {
        // NTP, IKE and syslog speak from their own port.
        let symmetric = protocol == 17 && matches!(port, 123 | 500 | 514) && dice.percent(50);
        let managed = if from.lambda {
            &CLIENT_PORTS[2..]
        } else {
            &CLIENT_PORTS[..2]
        };
        let client_port = if symmetric {
            port
        } else {
            client_port(dice, managed)
        };
        self.acts.push(Act {
            from: from.address,
            to,
            client_port,
            protocol,
            port,
            start: START + dice.between(0, 80_000),
            intervals: dice.between(1, 4),
            handshake_lost: dice.percent(20),
            answered,
            label,
        });
    }

    pub(super) fn truth(&self) -> Truth {
        self.acts
            .iter()
            .map(|act| {
                let protocol = if act.protocol == 6 { "tcp" } else { "udp" };
                (
                    (
                        text(act.from),
                        text(act.to),
                        format!("{protocol}/{}", act.port),
                    ),
                    act.label,
                )
            })
            .collect()
    }

    /// The log, and for some worlds a second flow log that repeats part of it.
    pub(super) fn logs(&self, network: &Network, format: Format, dice: &mut Dice) -> Vec<String> {
        let header = match format {
            Format::Default => {
                "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
            }
            Format::Custom => {
                "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags pkt-srcaddr pkt-dstaddr"
            }
        };
        let mut rows = Vec::new();
        for act in &self.acts {
            act.rows(network, format, &mut rows);
        }
        let mut logs = vec![header.to_owned() + "\n"];
        if dice.percent(40) {
            logs.push(header.to_owned() + "\n");
        }
        for row in &rows {
            logs[0] += row;
            if logs.len() > 1 && dice.percent(50) {
                logs[1] += row;
            }
        }
        // Every interface is idle at some time, and AWS says so.
        for interface in &network.interfaces {
            let status = if dice.percent(10) {
                "SKIPDATA"
            } else {
                "NODATA"
            };
            let (id, end) = (&interface.id, START + 59);
            match format {
                Format::Default => {
                    writeln!(logs[0], "2 1 {id} - - - - - - - {START} {end} - {status}")
                }
                Format::Custom => {
                    writeln!(logs[0], "{id} - - - - - - - {START} {end} - {status} - - -")
                }
            }
            .unwrap();
        }
        logs
    }
}

fn client_port(dice: &mut Dice, ranges: &[(u16, u16)]) -> u16 {
    let &(from, to) = dice.pick(if ranges.is_empty() {
        CLIENT_PORTS
    } else {
        ranges
    });
    dice.port(from, to)
}

/// One row's worth of a conversation.
struct Row<'a> {
    at: &'a str,
    shown: ([u8; 4], [u8; 4]),
    packet: ([u8; 4], [u8; 4]),
    ports: (u16, u16),
    flags: u8,
    accepted: bool,
}

impl Act {
    fn rows(&self, network: &Network, format: Format, rows: &mut Vec<String>) {
        let at = |address: [u8; 4]| network.interfaces.iter().find(|i| i.address == address);
        for interval in 0..self.intervals {
            let opening = interval == 0 && !self.handshake_lost && self.protocol == 6;
            let (asking, answering) = if opening { (2, 18) } else { (0, 0) };
            let let_in = self.label != Label::Refused;
            let mut legs = vec![(
                self.from,
                self.to,
                (self.client_port, self.port),
                asking,
                true,
            )];
            if self.answered {
                legs.push((
                    self.to,
                    self.from,
                    (self.port, self.client_port),
                    answering,
                    false,
                ));
            }
            let mut put = |row: Row<'_>| rows.push(self.line(&row, interval, format));
            for (src, dst, ports, flags, asks) in legs {
                let packet = (src, dst);
                if let Some(client) = at(self.from) {
                    put(Row {
                        at: &client.id,
                        shown: packet,
                        packet,
                        ports,
                        flags,
                        accepted: true,
                    });
                }
                if let Some(server) = at(self.to) {
                    put(Row {
                        at: &server.id,
                        shown: packet,
                        packet,
                        ports,
                        flags,
                        accepted: let_in || !asks,
                    });
                }
                if at(self.from).is_some_and(|i| i.vpc == 0) && at(self.to).is_none() {
                    let inside = if asks {
                        (src, NAT_ADDRESS)
                    } else {
                        (NAT_ADDRESS, dst)
                    };
                    put(Row {
                        at: NAT,
                        shown: inside,
                        packet,
                        ports,
                        flags,
                        accepted: true,
                    });
                    let outside = if asks {
                        (NAT_ADDRESS, dst)
                    } else {
                        (src, NAT_ADDRESS)
                    };
                    let own = 1024 + self.client_port % 60_000;
                    let ports = if asks { (own, ports.1) } else { (ports.0, own) };
                    put(Row {
                        at: NAT,
                        shown: outside,
                        packet: outside,
                        ports,
                        flags,
                        accepted: true,
                    });
                }
            }
        }
    }

    fn line(&self, row: &Row<'_>, interval: u64, format: Format) -> String {
        let start = self.start + interval * 60;
        let (at, flags, protocol) = (row.at, row.flags, self.protocol);
        let action = if row.accepted { "ACCEPT" } else { "REJECT" };
        let ends = format!(
            "{} {} {} {}",
            text(row.shown.0),
            text(row.shown.1),
            row.ports.0,
            row.ports.1
        );
        let counts = format!("{protocol} 7 900 {start} {} {action} OK", start + 58);
        match format {
            Format::Default => format!("2 111122223333 {at} {ends} {counts}\n"),
            Format::Custom => {
                let flags = if protocol == 6 {
                    flags.to_string()
                } else {
                    "-".to_owned()
                };
                format!(
                    "{at} {ends} {counts} {flags} {} {}\n",
                    text(row.packet.0),
                    text(row.packet.1)
                )
            }
        }
    }
}
