//! Which port of a row is dropped.
//!
//! A client takes a new port for every connection. If these ports were kept, the table would grow with the traffic instead of
//! with the topology. So the port of the end that is the client, by the two port numbers, is dropped, and only
//! its smallest values are kept. That depends on the row alone, so the result is the same for any order of rows. It decides
//! nothing: a row whose flags say otherwise keeps both ports, a pair of ports that says nothing does too, and a flow whose
//! dropped port was always the same gets it back. [`crate::resolve`] decides who opened a connection.

use crate::ingest::{Handshake, Row};
use crate::net::{Protocol, Service, service_name};

/// Which end's port stands for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// Both ports are known.
    #[default]
    Neither,
    /// The sender's.
    Src,
    /// The receiver's.
    Dst,
}

/// Registered ports on which services listen in every account, from the IANA service
/// name and port number registry and the vendors' defaults. Load balancers, NAT gateways,
/// Lambda and old Windows pick their own ports from the same range
/// (vpc-network-acls.html), so that the smaller number says nothing there.
pub const LISTENERS: &[u16] = &[
    1099, 1194, 1433, 1434, 1521, 1645, 1646, 1812, 1813, 1883, 2049, 2181, 2375, 2376, 2379, 2380,
    3000, 3128, 3260, 3268, 3269, 3306, 3389, 4222, 4317, 4318, 5000, 5044, 5060, 5061, 5439, 5432,
    5601, 5666, 5671, 5672, 5900, 5985, 5986, 6379, 6380, 6443, 6514, 7000, 7001, 7077, 7199, 7473,
    7474, 7687, 7946, 8000, 8080, 8081, 8083, 8086, 8088, 8089, 8090, 8125, 8126, 8140, 8182, 8200,
    8300, 8301, 8302, 8443, 8472, 8500, 8600, 8834, 8883, 8888, 8983, 9000, 9042, 9090, 9091, 9092,
    9093, 9094, 9096, 9098, 9100, 9142, 9160, 9200, 9300, 9411, 9418, 9997, 10000, 10050, 10051,
    10250, 10255, 10256, 10257, 10259, 11211, 15672, 16379, 18080, 25565, 26379, 27017, 27018,
    27019, 33060, 50051, 50070, 61613, 61616,
];

/// Below this, only programs with privileges may listen; clients of NFS use such ports too.
pub const PRIVILEGED_BELOW: u16 = 1024;

/// From this port on, Linux (32768-60999) and Windows (49152-65535) choose ports for their clients; NAT gateways,
/// load balancers and Lambda choose from 1024 on (vpc-network-acls.html).
pub const EPHEMERAL_FROM: u16 = 32768;

/// Classes of ports, the surest listener first.
const PRIVILEGED: u8 = 0;
const LISTENER: u8 = 1;
const REGISTERED: u8 = 2;
const EPHEMERAL: u8 = 3;

/// The classes of four ports in a byte, so that the table fits in the L1 cache: half of all lookups are of clients' ports, at
/// random.
static CLASSES: [u8; 1 << 14] = {
    let mut classes = [0; 1 << 14];
    let mut four = 0;
    while four < classes.len() {
        let port = four * 4;
        let class = if port < PRIVILEGED_BELOW as usize {
            PRIVILEGED
        } else if port >= EPHEMERAL_FROM as usize {
            EPHEMERAL
        } else {
            REGISTERED
        };
        classes[four] = class * 0b01_01_01_01;
        four += 1;
    }
    let mut at = 0;
    while at < LISTENERS.len() {
        let (port, shift) = (LISTENERS[at] as usize, LISTENERS[at] % 4 * 2);
        classes[port / 4] = classes[port / 4] & !(3 << shift) | LISTENER << shift;
        at += 1;
    }
    classes
};

/// The class of a port.
#[inline]
fn class(port: u16) -> u8 {
    CLASSES[usize::from(port / 4)] >> (port % 4 * 2) & 3
}

/// From this port on, clients with privileges take theirs below 1024: rresvport(3) of NFS, the RPC port mapper and remote shells.
const PRIVILEGED_CLIENTS_FROM: u16 = 512;

/// How much a port number alone speaks for a listener.
fn speaks_for_listener(protocol: Protocol, port: u16) -> u8 {
    match class(port) {
        PRIVILEGED if port < PRIVILEGED_CLIENTS_FROM => 3,
        PRIVILEGED if service_name(Service::new(protocol, port)).is_some() => 2,
        PRIVILEGED => 1,
        LISTENER => 2,
        _ => 0,
    }
}

/// Whether the port numbers alone say that `port` is the listener's and `other` the client's.
pub fn is_listener(protocol: Protocol, port: u16, other: u16) -> bool {
    speaks_for_listener(protocol, port) > speaks_for_listener(protocol, other)
}

/// Whose port is dropped.
#[inline]
pub(super) fn dropped(row: &Row<'_>) -> Dropped {
    if !row.protocol.has_ports() {
        return Dropped::Neither;
    }
    let (src, dst) = (class(row.src_port), class(row.dst_port));
    let presumed = match (src, dst) {
        // Clients with privileges take a port below 1024 (NFS), so that one says nothing
        // against a service.
        (PRIVILEGED, LISTENER) | (LISTENER, PRIVILEGED) => Dropped::Neither,
        (src, dst) if src < dst => Dropped::Dst,
        (src, dst) if src > dst => Dropped::Src,
        _ => Dropped::Neither,
    };
    if row.protocol == Protocol::TCP && contradicts(presumed, row.tcp_flags) {
        Dropped::Neither
    } else {
        presumed
    }
}

/// Whether the flags say that the end whose port would go is the one that answers.
const fn contradicts(dropped: Dropped, flags: u8) -> bool {
    matches!(
        (dropped, Handshake::of(flags)),
        (Dropped::Src, Handshake::Answers) | (Dropped::Dst, Handshake::Opens)
    )
}
