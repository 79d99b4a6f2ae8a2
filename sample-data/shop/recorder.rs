//! What AWS would log of the story.

use std::net::{IpAddr, Ipv4Addr};

use super::network::{ACCOUNT, Interface, Network};
use super::story::{Act, Story, Truth};
use super::{DAY, DAYS};

/// The default format (flow-log-records.html).
pub(crate) const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// A custom format with fields up to version 5, in an order of its own.
pub(crate) const CUSTOM: &str = "version interface-id vpc-id instance-id flow-direction srcaddr dstaddr srcport dstport protocol tcp-flags pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service packets bytes start end action log-status traffic-path account-id";

/// The longest interval over which AWS adds records up.
const INTERVAL: u64 = 600;

/// One record.
pub(crate) struct Record {
    interface: String,
    vpc: &'static str,
    instance: Option<String>,
    egress: bool,
    /// As the interface shows them.
    shown: (IpAddr, IpAddr),
    /// As the packet has them.
    packet: (IpAddr, IpAddr),
    ports: (u16, u16),
    protocol: u8,
    flags: u8,
    packets: u64,
    bytes: u64,
    pub start: u64,
    end: u64,
    accepted: bool,
    /// `NODATA`, `SKIPDATA`, or nothing.
    idle: Option<&'static str>,
}

/// Every record, in the order of their start.
pub(crate) fn record(network: &Network, story: &Story) -> Vec<Record> {
    let mut records: Vec<Record> = story
        .acts
        .iter()
        .flat_map(|act| of_act(network, act))
        .collect();
    // The standby database has nothing to do; one interface was too busy once.
    let standby = network.interface("db-2");
    for hour in (0..DAYS * 24).step_by(6) {
        records.push(idle(standby, story.start + hour * 3600, "NODATA"));
    }
    records.push(idle(
        network.interface("web-3"),
        story.start + DAY + 7200,
        "SKIPDATA",
    ));
    records.sort_by(|a, b| {
        (a.start, &a.interface, a.packet, a.ports, a.egress).cmp(&(
            b.start,
            &b.interface,
            b.packet,
            b.ports,
            b.egress,
        ))
    });
    records
}

/// The records of one conversation: per interval, per interface, per direction.
fn of_act(network: &Network, act: &Act) -> Vec<Record> {
    let mut records = Vec::new();
    let end = act.start + act.seconds;
    let mut start = act.start;
    while start <= end {
        let stop = (start + INTERVAL - 1 - start % INTERVAL).min(end);
        let first = start == act.start && !act.began_before;
        let last = stop == end && !act.began_before;
        interval(network, act, (start, stop), (first, last), &mut records);
        start = stop + 1;
    }
    records
}

/// SYN, SYN-ACK and FIN; ACK alone is not reported.
const SYN: u8 = 2;
const SYN_ACK: u8 = 18;
const FIN: u8 = 1;

fn interval(
    network: &Network,
    act: &Act,
    when: (u64, u64),
    (first, last): (bool, bool),
    records: &mut Vec<Record>,
) {
    let tcp = |opening: u8| match act.protocol {
        6 => (if first { opening } else { 0 }) | if last && act.answered { FIN } else { 0 },
        _ => 0,
    };
    let ask = Leg {
        from: (act.initiator, act.client_port),
        to: (act.responder, act.port),
        flags: tcp(SYN),
        bytes: act.packets * 80,
    };
    let answer = Leg {
        from: (act.responder, act.port),
        to: (act.initiator, act.client_port),
        flags: tcp(SYN_ACK),
        bytes: act.packets * 900,
    };
    let refused = act.truth == Truth::Refused;
    let stopped = act.truth == Truth::Stopped;
    let mut put = |at: &Interface, leg: &Leg, shown: (IpAddr, IpAddr), accepted: bool| {
        // An answer begins a moment after the question; both fit into seconds.
        records.push(leg.at(at, act, shown, when, accepted));
    };
    let own = |leg: &Leg| (leg.from.0, leg.to.0);
    if let Some(at) = network.at(act.initiator) {
        put(at, &ask, own(&ask), !stopped);
        if act.answered {
            put(at, &answer, own(&answer), true);
        }
    }
    if stopped {
        return;
    }
    if let Some(at) = network.at(act.responder) {
        put(at, &ask, own(&ask), !refused);
        if act.answered {
            put(at, &answer, own(&answer), true);
        }
    }
    if through_nat(network, act) {
        let nat = network.interface("nat");
        let (inside, outside) = (IpAddr::V4(nat.address), act.responder);
        // Inside: the NAT gateway's address stands for the host outside.
        put(nat, &ask, (act.initiator, inside), true);
        put(nat, &answer, (inside, act.initiator), true);
        // Outside: it stands for the client, in the packet too, on a port of its own.
        let port = 1024 + act.client_port % 60_000;
        let ask = Leg {
            from: (inside, port),
            ..ask
        };
        let answer = Leg {
            to: (inside, port),
            ..answer
        };
        put(nat, &ask, (inside, outside), true);
        put(nat, &answer, (outside, inside), true);
    }
}

/// Private hosts reach the world through the NAT gateway, but for S3, to which
/// the gateway endpoint is a shorter way.
fn through_nat(network: &Network, act: &Act) -> bool {
    network
        .at(act.initiator)
        .is_some_and(|i| i.public.is_none())
        && network.at(act.responder).is_none()
        && service(act.responder) != "S3"
}

/// One direction of a conversation.
#[derive(Clone, Copy)]
struct Leg {
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    flags: u8,
    bytes: u64,
}

impl Leg {
    fn at(
        &self,
        at: &Interface,
        act: &Act,
        shown: (IpAddr, IpAddr),
        when: (u64, u64),
        accepted: bool,
    ) -> Record {
        let sends = shown.0 == IpAddr::V4(at.address);
        Record {
            interface: at.id.clone(),
            vpc: at.vpc,
            instance: at.instance.clone(),
            egress: sends,
            shown,
            packet: (self.from.0, self.to.0),
            ports: (self.from.1, self.to.1),
            protocol: act.protocol,
            flags: self.flags,
            packets: act.packets,
            bytes: self.bytes,
            start: when.0,
            end: when.1,
            accepted,
            idle: None,
        }
    }
}

fn idle(at: &Interface, start: u64, status: &'static str) -> Record {
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    Record {
        interface: at.id.clone(),
        vpc: at.vpc,
        instance: at.instance.clone(),
        egress: false,
        shown: (nobody, nobody),
        packet: (nobody, nobody),
        ports: (0, 0),
        protocol: 0,
        flags: 0,
        packets: 0,
        bytes: 0,
        start,
        end: start + INTERVAL - 1,
        accepted: true,
        idle: Some(status),
    }
}

/// The AWS service of an address, as pkt-*-aws-service names it.
fn service(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(a) if matches!(a.octets(), [52, 216 | 217, ..] | [54, 231, ..]) => "S3",
        _ => "-",
    }
}

impl Record {
    fn action(&self) -> &'static str {
        match (self.idle, self.accepted) {
            (Some(_), _) => "-",
            (None, true) => "ACCEPT",
            (None, false) => "REJECT",
        }
    }

    /// In the default format.
    pub(crate) fn default_v2(&self) -> String {
        let Self {
            interface,
            shown,
            ports,
            protocol,
            packets,
            bytes,
            start,
            end,
            ..
        } = self;
        let (action, status) = (self.action(), self.idle.unwrap_or("OK"));
        if self.idle.is_some() {
            return format!(
                "2 {ACCOUNT} {interface} - - - - - - - {start} {end} {action} {status}"
            );
        }
        format!(
            "2 {ACCOUNT} {interface} {} {} {} {} {protocol} {packets} {bytes} {start} {end} {action} {status}",
            shown.0, shown.1, ports.0, ports.1
        )
    }

    /// In the custom format.
    pub(crate) fn custom(&self, network: &Network) -> String {
        let Self {
            interface,
            vpc,
            shown,
            packet,
            ports,
            protocol,
            flags,
            packets,
            bytes,
            start,
            end,
            ..
        } = self;
        let (action, status) = (self.action(), self.idle.unwrap_or("OK"));
        let instance = self.instance.as_deref().unwrap_or("-");
        if self.idle.is_some() {
            return format!(
                "5 {interface} {vpc} {instance} - - - - - - - - - - - - - {start} {end} {action} {status} - {ACCOUNT}"
            );
        }
        let direction = if self.egress { "egress" } else { "ingress" };
        let path = match (self.egress, network.at(packet.1)) {
            (false, _) => "-",
            (true, Some(peer)) if peer.vpc == *vpc => "1",
            (true, Some(_)) => "4",
            (true, None) if service(packet.1) == "S3" => "7",
            (true, None) => "8",
        };
        format!(
            "5 {interface} {vpc} {instance} {direction} {} {} {} {} {protocol} {flags} {} {} {} {} {packets} {bytes} {start} {end} {action} {status} {path} {ACCOUNT}",
            shown.0,
            shown.1,
            ports.0,
            ports.1,
            packet.0,
            packet.1,
            service(packet.0),
            service(packet.1)
        )
    }
}
